//! The deliveries as they should be: what every operation makes of them, without a store.

use domain::{DeliveryState, EventType, Outcome, RetrySchedule, SubscriptionState, Timestamp};
use store::{Cancelled, Redelivery, Rescue, Settled};

use super::record::{Ended, Entry, Hold, Lane, Record, Right, Standing};

/// All there is.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) schedule: RetrySchedule,
    pub(super) lanes: Vec<Lane>,
    pub(super) records: Vec<Record>,
}

impl Model {
    /// Which lanes an event of this type reaches.
    pub(super) fn reached(&self, kind: EventType) -> Vec<usize> {
        let wants = |lane: &Lane| lane.kind == kind && lane.state != SubscriptionState::Gone;
        (0..self.lanes.len())
            .filter(|place| wants(&self.lanes[*place]))
            .collect()
    }

    /// Whether what is new about this checklist has to wait for what is before it.
    pub(super) fn is_behind(&self, lane: usize, list: usize) -> bool {
        let is_before = |record: &Record| {
            record.lane == lane && record.chain == Some(list) && !record.standing.is_through()
        };
        self.lanes[lane].ordered && self.records.iter().any(is_before)
    }

    /// An event about a checklist reaches a lane, where it is leased at once or waits; answers its number.
    pub(super) fn happen(
        &mut self,
        lane: usize,
        (event, list): (usize, usize),
        happened: Timestamp,
        standing: Standing,
    ) -> usize {
        let leased = matches!(standing, Standing::Leased(_));
        self.lanes[lane].sequence += 1;
        self.records.push(Record {
            lane,
            event,
            sequence: self.lanes[lane].sequence,
            happened,
            standing,
            // Who is behind is told why, in the store's own words.
            reason: (standing != Standing::Behind).then(String::new),
            attempts: u32::from(leased),
            manual_by: None,
            delivered: false,
            cancelled: false,
            chain: self.lanes[lane].ordered.then_some(list),
            log: Vec::new(),
        });
        self.records.len() - 1
    }

    /// What a take from a lane gets, in order, and whether that leaves nothing due.
    pub(super) fn take(&mut self, lane: usize, limit: u32, by: Hold) -> (Vec<Right>, bool) {
        if !self.lanes[lane].state.sends() {
            return (Vec::new(), true);
        }
        let due = |(place, record): (usize, &Record)| match record.standing {
            Standing::Waiting(at) if record.lane == lane && at <= by.since => {
                Some((at, record.sequence, place))
            }
            _ => None,
        };
        let mut due: Vec<_> = self.records.iter().enumerate().filter_map(due).collect();
        due.sort_unstable();
        let limit = usize::try_from(limit).expect("a few");
        let drained = due.len() <= limit;
        due.truncate(limit);
        let lease = |(_, _, delivery): (Timestamp, i64, usize)| {
            let record = &mut self.records[delivery];
            record.standing = Standing::Leased(by);
            record.attempts += 1;
            Right {
                delivery,
                node: by.node,
                attempt: record.attempts,
            }
        };
        (due.into_iter().map(lease).collect(), drained)
    }

    /// Whether whoever has this right has it still.
    pub(super) fn holds(&self, right: Right) -> bool {
        let record = &self.records[right.delivery];
        matches!(record.standing, Standing::Leased(hold) if hold.node == right.node)
            && record.attempts == right.attempt
    }

    /// What comes of a settlement, and in which lane the next of a chain may go.
    pub(super) fn settle(&mut self, right: Right, ended: Ended) -> (Settled, Option<usize>) {
        if !self.holds(right) {
            return (Settled::LeaseLost, None);
        }
        let record = &mut self.records[right.delivery];
        record.manual_by = None;
        record.log.push(ended.entry);
        if record.delivered {
            record.standing = Standing::Ended(DeliveryState::Delivered);
            return (Settled::Stored, None);
        }
        record.delivered = ended.state == DeliveryState::Delivered;
        record.reason = Some(ended.reason);
        record.standing = match ended.due_at {
            Some(_) if record.cancelled => Standing::Ended(DeliveryState::Cancelled),
            Some(at) => Standing::Waiting(at),
            None => Standing::Ended(ended.state),
        };
        (Settled::Stored, self.let_go(right.delivery))
    }

    /// If this one is through, the next of its chain is due; answers which.
    pub(super) fn let_go(&mut self, delivery: usize) -> Option<usize> {
        let record = &self.records[delivery];
        let (lane, chain) = (record.lane, record.chain?);
        if !record.standing.is_through() {
            return None;
        }
        let of_chain = |record: &&mut Record| record.lane == lane && record.chain == Some(chain);
        let mut left = self.records.iter_mut().filter(of_chain);
        let next = left.find(|record| !record.standing.is_through())?;
        if next.standing != Standing::Behind {
            return None;
        }
        next.standing = Standing::Waiting(next.happened);
        next.reason = Some(String::new());
        Some(lane)
    }

    /// A lease is given back; whether it was there to give, and in which lane the next of a chain may go.
    pub(super) fn give_back(&mut self, right: Right, now: Timestamp) -> (bool, Option<usize>) {
        if !self.holds(right) {
            return (false, None);
        }
        let record = &mut self.records[right.delivery];
        // What was never sent keeps its place among the first attempts.
        let first = record.attempts == 1;
        record.attempts -= 1;
        record.standing = if record.cancelled {
            record.stopped()
        } else {
            Standing::Waiting(if first { record.happened } else { now })
        };
        (true, self.let_go(right.delivery))
    }

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
                manual_by: record.manual_by.take(),
                outcome: Outcome::Unknown,
                status: None,
                started_at: hold.since,
                duration_ms: 0,
            });
            record.reason = None;
            record.standing = if record.delivered {
                Standing::Ended(DeliveryState::Delivered)
            } else if record.attempts >= attempts_max {
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

    /// Somebody wants it sent again; what they are told, if not that it is due.
    pub(super) fn redeliver(
        &mut self,
        delivery: usize,
        by: &str,
        now: Timestamp,
    ) -> Option<Redelivery> {
        let record = &mut self.records[delivery];
        match (self.lanes[record.lane].state, record.standing) {
            (SubscriptionState::Gone, _) => return Some(Redelivery::Gone),
            (_, Standing::Leased(_)) => return Some(Redelivery::BeingSent),
            (SubscriptionState::Paused, _) => return Some(Redelivery::Paused),
            _ => {}
        }
        record.manual_by = Some(by.to_owned());
        record.cancelled = false;
        match record.standing {
            // It keeps its place.
            Standing::Behind => return None,
            Standing::Waiting(_) | Standing::Leased(_) => {}
            // It was through, and holds nothing back any more.
            Standing::Ended(_) => record.chain = None,
        }
        record.standing = Standing::Waiting(now);
        record.reason = Some(String::new());
        None
    }

    /// Somebody wants it not tried again; what they are told, and in which lane the next of a chain may go.
    pub(super) fn cancel(&mut self, delivery: usize) -> (Cancelled, Option<usize>) {
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
                record.manual_by = None;
                record.standing = record.stopped();
            }
            _ => return (Cancelled::Settled(shown), None),
        }
        (Cancelled::Now, self.let_go(delivery))
    }

    /// A subscription is put into a state; whether that changes it.
    pub(super) fn put(
        &mut self,
        lane: usize,
        state: SubscriptionState,
        reason: &str,
        at: Timestamp,
    ) -> bool {
        let lane = &mut self.lanes[lane];
        if lane.state == SubscriptionState::Gone || lane.state == state {
            return false;
        }
        if lane.state == SubscriptionState::Paused && state.sends() {
            lane.resumed = Some(at);
        }
        lane.state = state;
        reason.clone_into(&mut lane.reason);
        true
    }

    /// How a delivery is shown: what waits stands as its subscription does.
    pub(super) fn shown(&self, record: &Record) -> DeliveryState {
        match (record.standing, self.lanes[record.lane].state) {
            (Standing::Ended(state), _) => state,
            (Standing::Leased(_), _) => DeliveryState::Leased,
            (Standing::Waiting(_) | Standing::Behind, SubscriptionState::Paused) => {
                DeliveryState::Held
            }
            (Standing::Waiting(_) | Standing::Behind, SubscriptionState::Gone)
                if record.delivered =>
            {
                DeliveryState::Delivered
            }
            (Standing::Waiting(_) | Standing::Behind, SubscriptionState::Gone) => {
                DeliveryState::Cancelled
            }
            (Standing::Waiting(_) | Standing::Behind, _) => DeliveryState::Waiting,
        }
    }
}
