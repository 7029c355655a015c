//! The deliveries as they should be: what every operation makes of them, without a store.

use std::collections::BTreeSet;

use domain::{DeliveryState, EventType, RetrySchedule, SubscriptionState, Timestamp};
use store::Settled;

use super::record::{Ended, Hold, Lane, Record, Right, Standing};

/// All there is.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) schedule: RetrySchedule,
    pub(super) lanes: Vec<Lane>,
    pub(super) records: Vec<Record>,
    /// Events whose body is gone.
    pub(super) bare: BTreeSet<usize>,
    /// Events that are gone altogether.
    pub(super) gone: BTreeSet<usize>,
}

/// What came of a take from a lane.
pub(super) struct Took {
    /// What is leased, in order.
    pub(super) rights: Vec<Right>,
    /// Whether nothing more was due.
    pub(super) drained: bool,
    /// The lane as often as one of it may go because nothing is left to send of the one before it.
    pub(super) let_go: Vec<usize>,
}

impl Model {
    /// Which lanes an event of this type reaches.
    pub(super) fn reached(&self, kind: EventType) -> Vec<usize> {
        let wants = |lane: &Lane| lane.kind == kind && lane.state() != SubscriptionState::Gone;
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
            replay: None,
            made_by: None,
            probe: false,
            delivered: false,
            cancelled: false,
            chain: self.lanes[lane].ordered.then_some(list),
            log: Vec::new(),
        });
        self.records.len() - 1
    }

    /// Those of a lane that are sent in their turn, first to last.
    pub(super) fn waiting(&self, lane: usize) -> Vec<(Timestamp, usize)> {
        let waits = |(place, record): (usize, &Record)| match record.standing {
            Standing::Waiting(at) if record.lane == lane => Some((at, record.sequence, place)),
            _ => None,
        };
        let waits = self.records.iter().enumerate().filter_map(waits);
        let mut waits: Vec<_> = waits.collect();
        waits.sort_unstable();
        let waits = waits.into_iter().map(|(at, _, place)| (at, place));
        waits.collect()
    }

    /// What a take from a lane gets.
    pub(super) fn take(&mut self, lane: usize, limit: u32, by: Hold) -> Took {
        let mut took = Took {
            rights: Vec::new(),
            drained: true,
            let_go: Vec::new(),
        };
        if !self.lanes[lane].sends() {
            return took;
        }
        let mut due = self.waiting(lane);
        due.retain(|(at, _)| *at <= by.since);
        let limit = usize::try_from(limit).expect("a few");
        took.drained = due.len() <= limit;
        due.truncate(limit);
        for (_, delivery) in due {
            match self.lease(delivery, by, false) {
                Ok(right) => took.rights.push(right),
                Err(next) => took.let_go.extend(next),
            }
        }
        took
    }

    /// Leases one that waits; or ends it, where there is nothing to send, and says in which lane the next of its
    /// chain may go.
    pub(super) fn lease(
        &mut self,
        delivery: usize,
        by: Hold,
        probe: bool,
    ) -> Result<Right, Option<usize>> {
        let record = &mut self.records[delivery];
        if self.bare.contains(&record.event) {
            record.end(DeliveryState::Expired, None);
            return Err(self.let_go(delivery));
        }
        record.standing = Standing::Leased(by);
        record.attempts += 1;
        record.probe = probe;
        Ok(Right {
            delivery,
            node: by.node,
            attempt: record.attempts,
        })
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
        record.unask();
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

    /// How a delivery is shown: what waits stands as its subscription does.
    pub(super) fn shown(&self, record: &Record) -> DeliveryState {
        match (record.standing, self.lanes[record.lane].state()) {
            (Standing::Ended(state), _) => state,
            (Standing::Forgotten, _) => unreachable!("it is not shown"),
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
