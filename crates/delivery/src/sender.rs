//! Begins attempts in the order in which deliveries arrive, from the store and from the taker alike.
//!
//! A delivery that can't be begun now (its lease is too old, its lane was closed meanwhile, the
//! engine stops) is given back with its attempt not counted.

use std::{sync::Arc, time::Duration};

use domain::{Source, SubscriptionId, Timestamp};
use store::{Lanes as _, Lease, LeasedDelivery, Permit, Store, StoreError, Write, WriteTx};
use tokio::{sync::mpsc, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    attempt::Attempter,
    backoff::{Backoff, Chain, is_told, warn_once},
    counters::Counters,
    lanes::{Handed, LaneTable},
};

/// Deliveries begun between two looks at what else is to do.
const BEGIN_MAX: usize = 128;

/// Leases given back in one transaction.
const GIVE_BACK_MAX: usize = 256;

/// The task that begins attempts.
pub(crate) struct Sender {
    pub(crate) store: Store,
    pub(crate) source: Source,
    pub(crate) lanes: Arc<LaneTable>,
    pub(crate) attempter: Arc<Attempter>,
    pub(crate) attempts: TaskTracker,
    pub(crate) handed: mpsc::UnboundedReceiver<Handed>,
    pub(crate) lease_left_min: Duration,
    pub(crate) counters: Arc<Counters>,
    /// From then on nothing is taken in; what can't be given back is left to the rescue.
    pub(crate) end: CancellationToken,
}

/// Leases on their way back, with the permits that bound how many there are.
#[derive(Default)]
struct Returning {
    leases: Vec<(SubscriptionId, Lease, Permit)>,
    backoff: Backoff,
    not_before: Option<time::Instant>,
}

impl Sender {
    /// Begins what comes until the lanes say that the engine stops; then gives it back, until the
    /// end.
    pub(crate) async fn run(mut self) {
        let mut returning = Returning::default();
        let mut arrived = Vec::with_capacity(BEGIN_MAX);
        loop {
            // Biased, so that everything that was handed over before the end is seen.
            tokio::select! {
                biased;
                _ = self.handed.recv_many(&mut arrived, BEGIN_MAX) => {}
                () = until(returning.not_before) => {}
                () = self.end.cancelled() => break,
            }
            let now = self.source.now();
            for (leased, permit) in arrived.drain(..) {
                self.begin(leased, permit, now, &mut returning);
            }
            self.give_back(&mut returning, now).await;
        }
        self.handed.close();
        while let Ok((leased, permit)) = self.handed.try_recv() {
            returning
                .leases
                .push((leased.destination.subscription, leased.lease, permit));
        }
        returning.not_before = None;
        self.give_back(&mut returning, self.source.now()).await;
        if !returning.leases.is_empty() {
            let count = returning.leases.len();
            tracing::warn!(count, "stopped with leases that could not be given back");
        }
    }

    fn begin(
        &self,
        leased: LeasedDelivery,
        permit: Permit,
        now: Timestamp,
        returning: &mut Returning,
    ) {
        let left = leased.lease.until.since(now);
        let may =
            left >= self.lease_left_min && self.lanes.may_begin(leased.destination.subscription);
        if !may {
            // What is new has to go behind it.
            self.lanes.backlog(leased.destination.subscription);
            returning
                .leases
                .push((leased.destination.subscription, leased.lease, permit));
            return;
        }
        let attempter = self.attempter.clone();
        self.attempts
            .spawn(async move { attempter.run(leased, permit, now).await });
    }

    async fn give_back(&self, returning: &mut Returning, now: Timestamp) {
        if returning
            .not_before
            .is_some_and(|at| time::Instant::now() < at)
        {
            return;
        }
        returning.not_before = None;
        while !returning.leases.is_empty() {
            let count = returning.leases.len().min(GIVE_BACK_MAX);
            let leases = returning.leases[..count]
                .iter()
                .map(|(_, lease, _)| *lease)
                .collect();
            if let Err(error) = self.store.write(GiveBack { leases, now }).await {
                let again = is_told(&error) || returning.backoff.goes_on();
                let wait = returning.backoff.next();
                warn_once!(
                    again,
                    error = %Chain(&error), retry_in = ?wait,
                    "giving leases back failed"
                );
                returning.not_before = Some(time::Instant::now() + wait);
                return;
            }
            returning.backoff.reset();
            for (subscription, _, _permit) in returning.leases.drain(..count) {
                // Said again now that it is in the table: a take meanwhile did not see it.
                self.lanes.backlog(subscription);
            }
            self.counters.given_back.add(count);
            self.lanes.wake();
        }
    }
}

async fn until(moment: Option<time::Instant>) {
    match moment {
        Some(moment) => time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

struct GiveBack {
    leases: Vec<Lease>,
    now: Timestamp,
}

impl Write for GiveBack {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.delivery_give_back(&self.leases, self.now).await
    }
}
