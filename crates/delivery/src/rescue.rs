//! Ends leases whose holder is gone: those of earlier lives at start, and those that lapsed.
//!
//! The store writes an attempt with outcome `unknown` for each, so that a delivery which ends the
//! process every time runs out of attempts.

use std::{sync::Arc, time::Duration};

use domain::{NodeId, Source, Timestamp};
use store::{Rescue, Store, StoreError, Write, WriteTx};
use tokio_util::sync::CancellationToken;

use crate::{
    DeliverySettings,
    backoff::{Backoff, Chain, is_told, pause, warn_once},
    counters::Counters,
};

/// Leases ended in one transaction, so that a rescue of many does not hold up the others' writes.
const RESCUE_SLICE_MAX: u32 = 256;

pub(crate) struct Rescuer {
    store: Store,
    source: Source,
    node: NodeId,
    attempts_max: u32,
    interval: Duration,
    counters: Arc<Counters>,
    looked_at: Option<Timestamp>,
    deferral: Deferral,
}

/// Lets outcomes be stored before lapsed leases are ended: one that lapsed may be theirs, and storing the outcome
/// is the better end. What comes after those is not waited for: on a node that has much to do something always
/// waits, and the leases of nodes that are gone would never end.
#[derive(Debug, Default)]
struct Deferral {
    /// How many outcomes will have come to an end once those that waited at first have.
    until: Option<u64>,
}

impl Deferral {
    /// Whether there is something to wait for: of all outcomes so many have come to an end, and so many wait.
    fn goes_on(&mut self, ended: u64, waiting: u64) -> bool {
        let until = *self.until.get_or_insert(ended + waiting);
        let goes_on = waiting > 0 && ended < until;
        if !goes_on {
            self.until = None;
        }
        goes_on
    }
}

impl Rescuer {
    pub(crate) fn new(
        store: &Store,
        source: &Source,
        node: NodeId,
        settings: &DeliverySettings,
        counters: &Arc<Counters>,
    ) -> Self {
        Self {
            store: store.clone(),
            source: source.clone(),
            node,
            attempts_max: settings.schedule.attempts(),
            interval: settings.rescue_interval,
            counters: counters.clone(),
            looked_at: None,
            deferral: Deferral::default(),
        }
    }

    /// Ends all leases that are not of this node, and keeps at it until that is done; whether it
    /// is, for `stop` ends it early.
    pub(crate) async fn end_earlier_lives(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            match self
                .slice(Rescue::OfTheDead(self.node), self.source.now())
                .await
            {
                Ok(count) if count < RESCUE_SLICE_MAX => return true,
                Ok(_) => backoff.reset(),
                Err(error) => {
                    let again = is_told(&error) || backoff.goes_on();
                    let wait = backoff.next();
                    warn_once!(
                        again,
                        error = %Chain(&error), retry_in = ?wait,
                        "nothing is sent yet: the leases of the last run could not be ended"
                    );
                    pause(stop, wait).await;
                }
            }
        }
        false
    }

    /// Ends a slice of lapsed leases when it is time to; whether there were any.
    pub(crate) async fn end_lapsed(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let looked_before = |at: Timestamp| now >= at && now.since(at) < self.interval;
        if self.looked_at.is_some_and(looked_before) {
            return Ok(false);
        }
        let counters = &self.counters;
        // Read first, so that none is in neither.
        let waiting = counters.unsettled.get();
        if self.deferral.goes_on(counters.ended(), waiting) {
            return Ok(false);
        }
        let count = self.slice(Rescue::Lapsed, now).await?;
        if count < RESCUE_SLICE_MAX {
            self.looked_at = Some(now);
        }
        Ok(count > 0)
    }

    async fn slice(&self, which: Rescue, now: Timestamp) -> Result<u32, StoreError> {
        let attempts_max = self.attempts_max;
        let count = self
            .store
            .write(EndLeases {
                which,
                now,
                attempts_max,
            })
            .await?;
        self.counters
            .rescued
            .add(usize::try_from(count).unwrap_or(usize::MAX));
        if count > 0 {
            tracing::info!(
                count,
                ?which,
                "deliveries rescued from a sender that is gone"
            );
        }
        Ok(count)
    }
}

struct EndLeases {
    which: Rescue,
    now: Timestamp,
    attempts_max: u32,
}

impl Write for EndLeases {
    type Done = u32;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<u32, StoreError> {
        tx.delivery_rescue(self.which, self.now, self.attempts_max, RESCUE_SLICE_MAX)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_ended_once_the_outcomes_that_waited_are_stored_however_many_follow() {
        let mut deferral = Deferral::default();
        assert!(!deferral.goes_on(0, 0), "nothing waits");
        assert!(deferral.goes_on(10, 5));
        assert!(
            deferral.goes_on(10, 7),
            "nothing was stored: the database is away"
        );
        assert!(deferral.goes_on(14, 9));
        assert!(!deferral.goes_on(15, 9), "the five are stored");
        assert!(
            deferral.goes_on(15, 9),
            "the next time those are waited for"
        );
        assert!(!deferral.goes_on(20, 0), "nothing waits");
    }
}
