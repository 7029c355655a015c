//! How deliveries come to an end that nobody settles: leases that lapse, people who want no more of them, and what
//! is not kept any longer.

use domain::{DeliveryState, Outcome, SubscriptionState, Timestamp};
use store::{Cancelled, Forget, Rescue};

use super::{
    record::{Entry, Record, Right, Standing},
    state::Model,
};

/// What less is kept comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// Events that lost their body.
    pub(super) events: u64,
    /// Deliveries that came to an end, or were forgotten.
    pub(super) rows: u64,
    /// In which lanes the next of a chain may go.
    pub(super) let_go: Vec<usize>,
}

impl Model {
    /// Ends leases; answers which, and in which lanes the next of a chain may go.
    pub(super) fn rescue(&mut self, which: Rescue, now: Timestamp) -> (Vec<Right>, Vec<usize>) {
        let attempts_max = self.schedule.attempts();
        let mut ended = Vec::new();
        for (delivery, record) in self.records.iter_mut().enumerate() {
            let Standing::Leased(hold) = record.standing else {
                continue;
            };
            let over = match which {
                Rescue::Lapsed => hold.until < now,
                Rescue::OfTheDead(spare) => hold.node != spare,
            };
            if !over {
                continue;
            }
            ended.push(Right {
                delivery,
                node: hold.node,
                attempt: record.attempts,
            });
            record.log.push(Entry {
                number: record.attempts,
                manual_by: record.manual_by.clone(),
                replay: record.of_job(),
                outcome: Outcome::Unknown,
                status: None,
                started_at: hold.since,
                duration_ms: 0,
            });
            record.unask();
            record.reason = None;
            let lane = &self.lanes[record.lane];
            // An attempt that ended in a pause is not the last.
            let paused = lane.state() == SubscriptionState::Paused
                || lane.resumed.is_some_and(|at| at >= hold.since);
            record.standing = if record.delivered {
                Standing::Ended(DeliveryState::Delivered)
            } else if record.attempts >= attempts_max && !paused {
                Standing::Ended(DeliveryState::Exhausted)
            } else if record.cancelled {
                Standing::Ended(DeliveryState::Cancelled)
            } else {
                Standing::Waiting(now)
            };
        }
        let let_go = ended
            .iter()
            .filter_map(|right| self.let_go(right.delivery))
            .collect();
        (ended, let_go)
    }

    /// Somebody wants it not tried again; what they are told, and in which lane the next of a chain may go.
    pub(super) fn cancel(&mut self, delivery: usize) -> (Cancelled, Option<usize>) {
        if self.records[delivery].standing == Standing::Forgotten {
            return (Cancelled::NotThere, None);
        }
        let shown = self.shown(&self.records[delivery]);
        let record = &mut self.records[delivery];
        match (record.standing, shown) {
            (Standing::Leased(_) | Standing::Ended(DeliveryState::Cancelled), _)
                if record.cancelled =>
            {
                return (Cancelled::Before, None);
            }
            // The attempt that runs may deliver it.
            (Standing::Leased(_), _) => record.cancelled = true,
            (
                Standing::Waiting(_) | Standing::Behind,
                DeliveryState::Waiting | DeliveryState::Held,
            ) => {
                record.cancelled = true;
                record.unask();
                record.standing = record.stopped();
            }
            _ => return (Cancelled::Settled(shown), None),
        }
        (Cancelled::Now, self.let_go(delivery))
    }

    /// The bodies of these events go. What waits of them ends so; what is being sent is, and where somebody wants
    /// it, does not wait again.
    pub(super) fn strip(
        &mut self,
        events: &[usize],
        (state, reason): (DeliveryState, &str),
        stops: bool,
    ) -> Gone {
        let mut ended = Vec::new();
        for (place, record) in self.records.iter_mut().enumerate() {
            if !events.contains(&record.event) {
                continue;
            }
            match record.standing {
                Standing::Waiting(_) | Standing::Behind => {
                    record.end(state, Some(reason));
                    ended.push(place);
                }
                Standing::Leased(_) => record.cancelled |= stops,
                Standing::Ended(_) | Standing::Forgotten => {}
            }
        }
        let before = self.bare.len();
        self.bare.extend(events);
        Gone {
            events: (self.bare.len() - before) as u64,
            rows: ended.len() as u64,
            let_go: self.let_go_after(&ended),
        }
    }

    /// Deliveries of these events go from the log, but for those that are being sent.
    pub(super) fn forget(&mut self, events: &[usize], which: Forget) -> Gone {
        let goes = |record: &Record| match (record.standing, which) {
            (Standing::Ended(state), Forget::Settled) => state != DeliveryState::Expired,
            (Standing::Forgotten | Standing::Leased(_), _) | (_, Forget::Settled) => false,
            (_, Forget::All) => true,
        };
        let mut gone = Vec::new();
        for (place, record) in self.records.iter_mut().enumerate() {
            if events.contains(&record.event) && goes(record) {
                record.standing = Standing::Forgotten;
                gone.push(place);
            }
        }
        Gone {
            events: 0,
            rows: gone.len() as u64,
            let_go: self.let_go_after(&gone),
        }
    }

    fn let_go_after(&mut self, through: &[usize]) -> Vec<usize> {
        let next = through.iter().filter_map(|place| self.let_go(*place));
        next.collect()
    }
}
