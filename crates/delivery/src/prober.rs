//! Tries the receivers of subscriptions that the system has paused, with one held delivery each, again and again.
//!
//! The store moves the next probe on in the commit that leases the delivery, so that of several nodes one makes it, and
//! one at a time. What follows from it is settled like any attempt's.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use store::{
    Lanes as _, LeasedDelivery, Node as _, Permit, ProbeTake, Read, ReadTx, Store, StoreError,
    Write, WriteTx,
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, Chain, is_told, pause, warn_once},
    lanes::LaneTable,
    standing::Judge,
};

/// How often it is looked for probes that are due. They are hours apart; another node may have made one due.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Most probes that are begun at a look.
const PROBES_MAX: u32 = 64;

/// The task that probes.
pub(crate) struct Prober {
    store: Store,
    judge: Arc<Judge>,
    lanes: Arc<LaneTable>,
    stop: CancellationToken,
}

impl Prober {
    pub(crate) fn new(
        store: &Store,
        judge: &Arc<Judge>,
        lanes: &Arc<LaneTable>,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            store: store.clone(),
            judge: judge.clone(),
            lanes: lanes.clone(),
            stop: stop.clone(),
        }
    }

    /// Probes until it is stopped.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            let wait = match self.turn().await {
                Ok(begun) => {
                    backoff.reset();
                    if begun == PROBES_MAX as usize {
                        continue;
                    }
                    LOOK_INTERVAL
                }
                Err(error) => {
                    let again = is_told(&error) || backoff.goes_on();
                    let wait = backoff.next();
                    warn_once!(again, error = %Chain(&error), retry_in = ?wait, "probing failed");
                    wait
                }
            };
            tokio::select! {
                () = pause(&self.stop, wait) => {}
                () = self.lanes.probes_wanted() => {}
            }
        }
    }

    /// Begins what is due; answers how many probes that were.
    async fn turn(&self) -> Result<usize, StoreError> {
        let now = self.judge.source.now();
        let next = self.store.read(NextProbe).await?;
        if next.is_none_or(|next| next > now) || !self.lanes.may_probe() {
            return Ok(0);
        }
        let take = ProbeTake {
            node: self.lanes.node(),
            now,
            until: self.lanes.lease_until(now),
            settings: self.judge.settings.clone(),
            limit: PROBES_MAX,
        };
        let taken = self.store.write(Probe(take)).await?;
        let count = taken.len();
        let lanes: Arc<dyn store::Lanes> = self.lanes.clone();
        let held = taken.into_iter().filter_map(|leased| {
            let subscription = leased.destination.subscription;
            tracing::info!(
                subscription.id = %subscription,
                delivery.id = %leased.lease.delivery,
                "trying the receiver of a paused subscription"
            );
            // Without room its lease lapses, and the next probe is made when it is due.
            let admitted = self.lanes.admit(subscription);
            admitted.then(|| (leased, Permit::held(lanes.clone(), subscription)))
        });
        self.lanes.hand_over(held.collect());
        Ok(count)
    }
}

struct NextProbe;

impl Read for NextProbe {
    type Done = Option<Timestamp>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Option<Timestamp>, StoreError> {
        tx.probe_next().await
    }
}

struct Probe(ProbeTake);

impl Write for Probe {
    type Done = Vec<LeasedDelivery>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Vec<LeasedDelivery>, StoreError> {
        tx.probe_take(&self.0).await
    }
}
