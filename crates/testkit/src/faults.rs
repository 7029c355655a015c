//! Stores that each break one promise, so that the suite can be shown to notice.
//!
//! A [`Faulty`] stands in front of a sound store and passes everything on, save for the one thing
//! that it gets wrong. It speaks the seam alone, so it can stand in front of any backend.

mod forward;

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, RwLock},
    task::{Context, Waker},
};

use async_trait::async_trait;
use domain::{DeliveryId, Source};
use store::{
    Backend, Lanes, Lease, Read, ReadJob, ReadTx, Store, StoreError, Verdict, Write, WriteJob,
    WriteTx,
};
use tokio::sync::Mutex as Held;

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
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::LeaseIgnored,
        Self::EventWithoutDeliveries,
        Self::RollbackLost,
        Self::HandOverBeforeCommit,
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
        let store = self.sound.open(source).await;
        let memory = Arc::new(Memory {
            fault: self.fault,
            lanes: RwLock::default(),
            leases: Mutex::default(),
        });
        Store::new(Front { store, memory })
    }
}

/// What the fault needs to know.
struct Memory {
    fault: Option<Fault>,
    lanes: RwLock<Option<Arc<dyn Lanes>>>,
    /// The last lease of each delivery, whosever it is.
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

    fn last(&self, delivery: DeliveryId) -> Option<Lease> {
        let leases = self
            .leases
            .lock()
            .expect("nothing panics while it holds the lock");
        leases.get(&delivery).copied()
    }
}

struct Front {
    store: Store,
    memory: Arc<Memory>,
}

impl Backend for Front {
    fn write(&self, job: Box<dyn WriteJob>) {
        let job = Arc::new(Held::new(Some(job)));
        let unit = Forwarded {
            job: job.clone(),
            memory: self.memory.clone(),
        };
        let store = self.store.clone();
        submit(async move {
            let committed = match store.write(unit).await {
                Ok(()) | Err(NotKept::Undone) => Ok(()),
                Err(NotKept::Failed(error)) => Err(error),
            };
            let job = job.lock().await.take();
            job.expect("a job is finished once").finish(committed);
        });
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        let job = Arc::new(Held::new(Some(job)));
        let look = Looked { job: job.clone() };
        let store = self.store.clone();
        submit(async move {
            let done = store.read(look).await;
            let job = job.lock().await.take();
            job.expect("a job is finished once").finish(done);
        });
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        *self
            .memory
            .lanes
            .write()
            .expect("nothing panics while it holds the lock") = Some(lanes.clone());
        // Whoever hands over early does so itself; the sound store behind would do it once more.
        if self.memory.fault != Some(Fault::HandOverBeforeCommit) {
            self.store.attach(lanes);
        }
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.store.stop())
    }
}

/// Hands a job on at once, in the order of the calls, and sees it through on its own.
fn submit(job: impl Future<Output = ()> + Send + 'static) {
    let mut job = Box::pin(job);
    // The first poll is what reaches the store behind; the task polls again, with its own waker.
    if job
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
    {
        tokio::spawn(job);
    }
}

/// A job of the store in front as a unit of the store behind.
struct Forwarded {
    job: Arc<Held<Option<Box<dyn WriteJob>>>>,
    memory: Arc<Memory>,
}

/// Why a unit of the store behind keeps nothing.
enum NotKept {
    /// The job in front refused, and has its answer.
    Undone,
    /// The store behind failed.
    Failed(StoreError),
}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Write for Forwarded {
    type Done = ();
    type Error = NotKept;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), NotKept> {
        // Not awaited: nobody else wants it now, and a unit awaits nothing but its transaction.
        let mut job = self.job.try_lock().expect("a job runs once at a time");
        let job = job.as_mut().expect("a job runs before it is finished");
        let mut tx = FaultyTx {
            inner: tx,
            memory: &self.memory,
        };
        match job.run(&mut tx).await {
            Verdict::Undo if self.memory.fault != Some(Fault::RollbackLost) => Err(NotKept::Undone),
            Verdict::Undo | Verdict::Keep => Ok(()),
        }
    }
}

/// A reading job of the store in front as a unit of the store behind.
struct Looked {
    job: Arc<Held<Option<Box<dyn ReadJob>>>>,
}

impl Read for Looked {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<(), StoreError> {
        let mut job = self.job.try_lock().expect("a job runs once at a time");
        let job = job.as_mut().expect("a job runs before it is finished");
        job.run(tx).await;
        Ok(())
    }
}
