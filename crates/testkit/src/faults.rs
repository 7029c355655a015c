//! Stores that each break one promise, so that the suite can be shown to notice.
//!
//! A [`Faulty`] stands in front of a sound store and passes everything on, save for the one thing
//! that it gets wrong. It speaks the seam alone, so it can stand in front of any backend.

mod forward;

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, RwLock},
};

use async_trait::async_trait;
use domain::{DeliveryId, Source, Timestamp};
use store::{
    Backend, Lanes, Lease, Node, Purpose, ReadJob, Rescue, Store, StoreError, Verdict, WriteJob,
    WriteTx,
};

use crate::{Case, Fixture};
use forward::FaultyTx;

/// A promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A settlement is stored though its lease is lost.
    LeaseIgnored,
    /// An event is answered for, and its deliveries are never stored.
    EventWithoutDeliveries,
    /// What a refused unit changed stays.
    RollbackLost,
    /// Deliveries are handed over while their unit still runs.
    HandOverBeforeCommit,
    /// What is taken is not leased, so that the next one gets it as well.
    TakenTwice,
    /// A delivery that is to be tried again is stored as if every attempt had failed.
    RetryLost,
    /// A lease that lapses is given back, and its attempt forgotten.
    AttemptForgotten,
    /// A delivery whose leases lapse is tried again however often that happens.
    RescuedForEver,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LeaseIgnored,
        Self::EventWithoutDeliveries,
        Self::RollbackLost,
        Self::HandOverBeforeCommit,
        Self::TakenTwice,
        Self::RetryLost,
        Self::AttemptForgotten,
        Self::RescuedForEver,
    ];

    /// Cases that notice it, each by its name.
    pub const fn noticed_by(self) -> &'static [&'static str] {
        match self {
            Self::LeaseIgnored => &[
                "settling::another_node_can_not_settle_it",
                "settling::another_attempt_can_not_settle_it",
                "settling::a_lapsed_lease_goes_to_the_next_node",
            ],
            Self::EventWithoutDeliveries => &[
                "units::the_work_its_event_and_its_deliveries_commit_together",
                "matching::an_event_reaches_exactly_the_scopes_it_falls_under",
                "taking::a_take_leases_and_counts_the_attempt",
            ],
            Self::RollbackLost => &[
                "units::a_refused_unit_leaves_nothing",
                "handover::a_refused_unit_hands_nothing_over_and_gives_its_permits_back",
            ],
            Self::HandOverBeforeCommit => &[
                "handover::nothing_is_handed_over_while_the_unit_runs",
                "handover::a_refused_unit_hands_nothing_over_and_gives_its_permits_back",
            ],
            Self::TakenTwice => &[
                "taking::a_take_leases_and_counts_the_attempt",
                "taking::two_who_take_at_once_never_get_the_same",
            ],
            Self::RetryLost => &["settling::a_settlement_can_let_it_wait"],
            Self::AttemptForgotten => &[
                "rescuing::a_rescue_writes_an_attempt_nobody_knows_the_end_of",
                "rescuing::a_delivery_that_ends_the_process_each_time_runs_out_of_attempts",
            ],
            Self::RescuedForEver => {
                &["rescuing::a_delivery_that_ends_the_process_each_time_runs_out_of_attempts"]
            }
        }
    }

    /// Checks that every case of [`Fault::noticed_by`] complains of this fault in front of what
    /// `sound` makes, and that it has nothing to complain of without the fault.
    pub fn check_is_noticed<F: Fixture>(self, sound: impl Fn() -> F) {
        for name in self.noticed_by() {
            let case = Case::named(name);
            let healthy = case.complaint(Faulty {
                sound: Arc::new(sound()),
                fault: None,
            });
            assert_eq!(healthy, None, "{name} complains where nothing is wrong");
            let noticed = case.complaint(Faulty::new(sound(), self));
            assert!(noticed.is_some(), "{name} does not notice {self:?}");
        }
    }
}

/// A fixture whose stores break one promise.
pub struct Faulty {
    sound: Arc<dyn Fixture>,
    fault: Option<Fault>,
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Faulty").field(&self.fault).finish()
    }
}

impl Faulty {
    /// Puts `fault` in front of what `sound` opens.
    pub fn new(sound: impl Fixture, fault: Fault) -> Self {
        Self {
            sound: Arc::new(sound),
            fault: Some(fault),
        }
    }
}

#[async_trait]
impl Fixture for Faulty {
    async fn open(&self, source: Source) -> Store {
        let memory = Arc::new(Memory {
            fault: self.fault,
            lanes: RwLock::default(),
            leases: Mutex::default(),
        });
        let store = self.sound.open(source).await;
        store.behind(|sound| Front { sound, memory })
    }

    fn tamper(&self, statement: &str) {
        self.sound.tamper(statement);
    }
}

/// What the fault needs to know.
struct Memory {
    fault: Option<Fault>,
    lanes: RwLock<Option<Arc<dyn Lanes>>>,
    /// The last lease of each delivery that somebody has, whosever it is.
    leases: Mutex<BTreeMap<DeliveryId, Lease>>,
}

impl Memory {
    fn lanes(&self) -> Option<Arc<dyn Lanes>> {
        self.lanes
            .read()
            .expect("nothing panics while it holds the lock")
            .clone()
    }

    fn remember(&self, lease: Lease) {
        let mut leases = self
            .leases
            .lock()
            .expect("nothing panics while it holds the lock");
        leases.insert(lease.delivery, lease);
    }

    fn forget(&self, deliveries: impl Iterator<Item = DeliveryId>) {
        let mut leases = self
            .leases
            .lock()
            .expect("nothing panics while it holds the lock");
        for delivery in deliveries {
            leases.remove(&delivery);
        }
    }

    /// Leases that a rescue is about, which are forgotten.
    fn lapsed(&self, which: Rescue, now: Timestamp) -> Vec<Lease> {
        let mut leases = self
            .leases
            .lock()
            .expect("nothing panics while it holds the lock");
        let is_over = |lease: &Lease| match which {
            Rescue::Lapsed => lease.until < now,
            Rescue::OfTheDead(spare) => lease.node != spare,
        };
        let lapsed = leases.values().copied().filter(is_over).collect();
        leases.retain(|_, lease| !is_over(lease));
        lapsed
    }

    fn last(&self, delivery: DeliveryId) -> Option<Lease> {
        let leases = self
            .leases
            .lock()
            .expect("nothing panics while it holds the lock");
        leases.get(&delivery).copied()
    }
}

/// The store with the fault in it, save for what it passes on to the sound one.
struct Front {
    sound: Arc<dyn Backend>,
    memory: Arc<Memory>,
}

impl Backend for Front {
    fn write(&self, job: Box<dyn WriteJob>) {
        let memory = self.memory.clone();
        self.sound.write(Box::new(FaultyJob { job, memory }));
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.sound.read(job);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        *self
            .memory
            .lanes
            .write()
            .expect("nothing panics while it holds the lock") = Some(lanes.clone());
        // Whoever hands over early does so itself; the sound store behind would do it once more.
        if self.memory.fault != Some(Fault::HandOverBeforeCommit) {
            self.sound.attach(lanes);
        }
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.sound.gives_sign()
    }

    fn join(&self, node: Arc<dyn Node>) {
        self.sound.join(node);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sound.stop()
    }
}

/// A job that gets a transaction with a fault in it.
struct FaultyJob {
    job: Box<dyn WriteJob>,
    memory: Arc<Memory>,
}

#[async_trait]
impl WriteJob for FaultyJob {
    fn purpose(&self) -> Purpose {
        self.job.purpose()
    }

    fn about(&self) -> Option<domain::ChecklistId> {
        self.job.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        let mut tx = FaultyTx {
            inner: tx,
            memory: &self.memory,
        };
        match self.job.run(&mut tx).await {
            Verdict::Undo if self.memory.fault == Some(Fault::RollbackLost) => Verdict::Keep,
            verdict => verdict,
        }
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        self.job.finish(committed);
    }
}
