//! Takes what is due from the table, in turn, and ends the leases of those who are gone.
//!
//! Woken by signal, looking by clock: a signal only shortens a wait. Whether something is due is
//! asked of the [`Source`] alone; tokio's timers only say when to ask again.

use std::{sync::Arc, time::Duration};

use domain::{NodeId, Source, Timestamp};
use store::{
    DueLane, Lanes, LeasedDelivery, Node as _, Permit, Read, ReadTx, Store, StoreError, Take,
    Taken, Write, WriteTx,
};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, Chain, is_told, pause, warn_once},
    chains::ChainKeeper,
    lanes::{Gate, LaneTable, Plan},
    rescue::Rescuer,
};

/// Lanes that one look at the table lists; those with the earliest come first.
const SCAN_LANES_MAX: u32 = 4_096;

/// Least wait between two looks that the table itself asks for, so that a lane which is due but
/// gives nothing does not make a busy loop.
const LOOK_WAIT_MIN: Duration = Duration::from_millis(10);

/// The task that takes.
pub(crate) struct Taker {
    pub(crate) store: Store,
    pub(crate) source: Source,
    pub(crate) lanes: Arc<LaneTable>,
    pub(crate) rescuer: Rescuer,
    pub(crate) chains: ChainKeeper,
    pub(crate) scan_interval: Duration,
    pub(crate) stop: CancellationToken,
}

/// What the taker knows of the table.
struct Knowledge {
    looked_at: Option<time::Instant>,
    /// When the earliest that was not due at the last look is.
    next_due: Option<Timestamp>,
}

impl Taker {
    /// Ends the leases of earlier lives, opens the lanes, and takes until it is stopped.
    pub(crate) async fn run(mut self) {
        if !self.rescuer.end_earlier_lives(&self.stop).await {
            return;
        }
        self.lanes.open(Gate::Starting);
        let mut known = Knowledge {
            looked_at: None,
            next_due: None,
        };
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            match self.turn(&mut known).await {
                Ok(true) => backoff.reset(),
                Ok(false) => {
                    backoff.reset();
                    self.wait(&known).await;
                }
                Err(error) => {
                    let again = is_told(&error) || backoff.goes_on();
                    let wait = backoff.next();
                    warn_once!(
                        again,
                        error = %Chain(&error), retry_in = ?wait,
                        "taking deliveries failed"
                    );
                    pause(&self.stop, wait).await;
                }
            }
        }
    }

    /// One step; whether there may be more to do at once.
    async fn turn(&mut self, known: &mut Knowledge) -> Result<bool, StoreError> {
        let now = self.source.now();
        self.lanes.reopen(now);
        let plan = self.lanes.plan(now);
        if !plan.takes.is_empty() {
            self.take(&plan).await?;
            return Ok(true);
        }
        if self.rescuer.end_lapsed(now).await? {
            self.lanes.look();
            return Ok(true);
        }
        if self.chains.look(now).await? {
            return Ok(true);
        }
        if !self.is_look_due(known, now) {
            return Ok(false);
        }
        let found_due = self.look(known).await?;
        Ok(found_due)
    }

    async fn take(&self, plan: &Plan) -> Result<(), StoreError> {
        // Read after the plan was made: what the plan knows of is due by then. With an older moment
        // the take could miss it, and the lane would count as drained.
        let now = self.source.now();
        let takes: Vec<Take> = plan.takes.iter().map(|planned| planned.take).collect();
        let node = self.lanes.node();
        let until = self.lanes.lease_until(now);
        let given = self
            .store
            .write(TakeDue {
                takes,
                node,
                now,
                until,
            })
            .await;
        let given = given.inspect_err(|_| self.lanes.taken(plan, &[], &[], now))?;
        let lanes: Arc<dyn Lanes> = self.lanes.clone();
        let whose = |delivery: &LeasedDelivery| delivery.destination.subscription;
        let rate = |delivery: &LeasedDelivery| delivery.destination.settings.rate_per_second;
        let used = given.deliveries.iter();
        let used: Vec<_> = used.map(|one| (whose(one), rate(one))).collect();
        let held = |delivery| {
            let permit = Permit::held(lanes.clone(), whose(&delivery));
            (delivery, permit)
        };
        self.lanes
            .hand_over(given.deliveries.into_iter().map(held).collect());
        // Only now may others pass by the table: what was taken is before them.
        self.lanes.taken(plan, &used, &given.drained, now);
        Ok(())
    }

    fn is_look_due(&self, known: &Knowledge, now: Timestamp) -> bool {
        let wanted = self.lanes.scan_wanted();
        let Some(looked_at) = known.looked_at else {
            return true;
        };
        let since = looked_at.elapsed();
        wanted
            || since >= self.scan_interval
            || (since >= LOOK_WAIT_MIN && self.next_due(known).is_some_and(|due| due <= now))
    }

    /// Looks which lanes have something due; whether any has.
    async fn look(&self, known: &mut Knowledge) -> Result<bool, StoreError> {
        // Forgotten before the look: what is expected from now on, the look may not see.
        self.lanes.expected(true);
        let lanes = self.store.read(FindLanes).await?;
        known.looked_at = Some(time::Instant::now());
        let now = self.source.now();
        let (due, later): (Vec<DueLane>, Vec<DueLane>) =
            lanes.into_iter().partition(|lane| lane.earliest <= now);
        known.next_due = later.iter().map(|lane| lane.earliest).min();
        let found = !due.is_empty();
        self.lanes.found_due(due, now);
        Ok(found)
    }

    fn next_due(&self, known: &Knowledge) -> Option<Timestamp> {
        [known.next_due, self.lanes.expected(false)]
            .into_iter()
            .flatten()
            .min()
    }

    async fn wait(&self, known: &Knowledge) {
        let now = self.source.now();
        let next = [self.next_due(known), self.lanes.next_opening()]
            .into_iter()
            .flatten()
            .min();
        let due_in = next.map_or(self.scan_interval, |next| {
            next.since(now).max(LOOK_WAIT_MIN)
        });
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.lanes.changed() => {}
            () = time::sleep(due_in.min(self.scan_interval)) => {}
        }
    }
}

struct TakeDue {
    takes: Vec<Take>,
    node: NodeId,
    now: Timestamp,
    until: Timestamp,
}

impl Write for TakeDue {
    type Done = Taken;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Taken, StoreError> {
        tx.delivery_take(&self.takes, self.node, self.now, self.until)
            .await
    }
}

struct FindLanes;

impl Read for FindLanes {
    type Done = Vec<DueLane>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<DueLane>, StoreError> {
        tx.delivery_lanes(SCAN_LANES_MAX).await
    }
}
