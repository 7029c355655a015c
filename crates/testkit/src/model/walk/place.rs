//! A state of the walk: where it can go, and what has to hold there.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    DeliveryState, EventType, NodeId, ReplayJobId, RetrySchedule, StateCode, SubscriptionState,
    Timestamp,
};
use store::{Forget, Rescue};

use super::super::{
    again::Asker,
    end::End,
    record::{Hold, Lane, Record, Right, Standing},
    state::Model,
};

const LEASE: Duration = Duration::from_secs(30);
/// Attempts after which nobody asks for one more: one beyond the schedule.
const ATTEMPTS_MAX: u32 = 3;

const ENDS: [End; 8] = [
    End::Delivered,
    End::Failed(None),
    End::Failed(Some(60)),
    End::TimedOut,
    End::Gone,
    End::Refused,
    End::Cancelled,
    End::Cut,
];

/// One of each kind of ends that differ in where they lead to.
const KINDS: [End; 5] = [
    End::Delivered,
    End::TimedOut,
    End::Gone,
    End::Refused,
    End::Cut,
];

/// What may happen beside what always may.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Nothing,
    /// Somebody stops deliveries.
    Stop,
    /// The system pauses the subscription, and probes it.
    GiveUp,
    /// What is old goes, and what somebody wants erased.
    Age,
    /// A job sends all again, and all to another subscription.
    Replay,
}

/// A state, by a clock of its own.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) model: Model,
    now: Timestamp,
    may: May,
}

/// What makes two states the same: times count from now, and what is over counts as over.
pub(super) type Key = (
    Vec<(&'static str, i64, u32)>,
    BTreeSet<usize>,
    Vec<(u8, i64, u32, [bool; 6], usize)>,
);

impl Place {
    /// Events of which each has one delivery, which waits, or stands behind the one before it.
    pub(super) fn start(deliveries: usize, ordered: bool, may: May) -> Self {
        let schedule = RetrySchedule::new(&[Duration::ZERO, Duration::from_secs(5)]);
        let mut lanes = vec![Lane::new(EventType::TaskCompleted, ordered)];
        if may == May::Replay {
            lanes.push(Lane::new(EventType::NewChecklist, false));
        }
        let mut model = Model {
            schedule: schedule.expect("a schedule"),
            lanes,
            records: Vec::new(),
            bare: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        let now = Timestamp::default();
        for event in 0..deliveries {
            let standing = if model.is_behind(0, 0) {
                Standing::Behind
            } else {
                Standing::Waiting(now)
            };
            model.happen(0, (event, 0), now, standing);
        }
        Self { model, now, may }
    }

    pub(super) fn key(&self) -> Key {
        let left = |at: Timestamp| (at.as_millis() - self.now.as_millis()).max(-1);
        let lanes = self.model.lanes.iter().map(|lane| {
            let probe = lane.probe_at.map_or(-2, left);
            (lane.code.word(), probe, lane.probes.min(2))
        });
        let records = self.model.records.iter().map(|record| {
            let (kind, left) = match record.standing {
                Standing::Waiting(at) => (0, left(at).max(0)),
                Standing::Leased(hold) => (1, left(hold.until)),
                Standing::Behind => (2, 0),
                Standing::Forgotten => (3, 0),
                Standing::Ended(state) => (4 + state as u8, 0),
            };
            let resumed = self.model.lanes[record.lane].resumed;
            let resumed = self.may == May::GiveUp
                && matches!((record.standing, resumed),
                (Standing::Leased(hold), Some(at)) if at >= hold.since);
            let marks = [
                record.delivered,
                record.cancelled,
                record.manual_by.is_some(),
                record.chain.is_some(),
                record.probe,
                resumed,
            ];
            // Beyond the schedule all are alike; pauses may make any number of them.
            let attempts = record.attempts.min(ATTEMPTS_MAX);
            (kind, left, attempts, marks, record.lane)
        });
        (lanes.collect(), self.model.bare.clone(), records.collect())
    }

    /// How its deliveries are shown.
    pub(super) fn shown(&self) -> Vec<&'static str> {
        let records = self.model.records.iter();
        let shown = records.map(|record| match record.standing {
            Standing::Forgotten => "forgotten",
            _ => self.model.shown(record).word(),
        });
        shown.collect()
    }

    /// What must hold, and does not.
    pub(super) fn complaint(&self) -> Option<String> {
        let model = &self.model;
        if !self.is_in_order() {
            return Some("a chain is out of order".to_owned());
        }
        for record in &model.records {
            match record.standing {
                Standing::Ended(state) if record.delivered && state != DeliveryState::Delivered => {
                    return Some("what had arrived has not".to_owned());
                }
                Standing::Ended(DeliveryState::Exhausted)
                    if record.probe && self.state() != SubscriptionState::Gone =>
                {
                    return Some("a probe was the last attempt".to_owned());
                }
                _ => {}
            }
        }
        let runs = |record: &&Record| {
            matches!(record.standing,
            Standing::Leased(hold) if record.probe && hold.until > self.now)
        };
        let probes = model.records.iter().filter(runs);
        let mut lanes: Vec<_> = probes.map(|record| record.lane).collect();
        let all = lanes.len();
        lanes.dedup();
        if lanes.len() < all {
            return Some("two probes run".to_owned());
        }
        let mut ways_out = KINDS.map(|end| model.dead_end(self.now, end)).to_vec();
        if self.may == May::GiveUp {
            ways_out.push(model.unprobed(self.now));
        }
        if self.may == May::Age {
            ways_out.push(model.everlasting(self.now));
        }
        ways_out.into_iter().flatten().next()
    }

    /// Of a chain only the first that is not through may go.
    fn is_in_order(&self) -> bool {
        let chained = self.model.records.iter().filter(|one| one.chain.is_some());
        let open = chained.filter(|one| !one.standing.is_through());
        open.enumerate()
            .all(|(place, one)| (one.standing == Standing::Behind) == (place > 0))
    }

    /// Whoever has a lease now.
    fn rights(&self) -> Vec<Right> {
        let records = self.model.records.iter().enumerate();
        let held = records.filter_map(|(delivery, record)| match record.standing {
            Standing::Leased(hold) => Some(Right {
                delivery,
                node: hold.node,
                attempt: record.attempts,
            }),
            _ => None,
        });
        held.collect()
    }

    /// Where something that is done leads.
    fn after<T>(&self, done: impl FnOnce(&mut Self) -> T) -> Self {
        let mut place = self.clone();
        done(&mut place);
        place
    }

    fn hold(&self) -> Hold {
        Hold {
            node: NodeId::ZERO,
            since: self.now,
            until: self.now.after(LEASE),
        }
    }

    /// Where it can go by what is done to deliveries.
    pub(super) fn handled(&self) -> Vec<Self> {
        let hold = self.hold();
        let mut next = Vec::new();
        for lane in 0..self.model.lanes.len() {
            for limit in [1, 2] {
                next.push(self.after(|place| place.model.take(lane, limit, hold)));
            }
        }
        for right in self.rights() {
            next.push(self.after(|place| place.model.give_back(right, place.now)));
            for end in self.ends().filter(|end| !end.ends_lane()) {
                next.push(self.after(|place| place.settle(right, end)));
            }
        }
        next.push(self.after(|place| place.model.rescue(Rescue::Lapsed, place.now)));
        for delivery in 0..self.model.records.len() {
            if self.may == May::Stop {
                next.push(self.after(|place| place.model.cancel(delivery)));
            }
            if self.model.records[delivery].attempts < ATTEMPTS_MAX {
                next.push(self.after(|place| place.model.redeliver(delivery, "Ann", place.now)));
            }
        }
        let attempts = self.model.records.iter().map(|record| record.attempts);
        let is_tired = attempts.max() >= Some(ATTEMPTS_MAX);
        if self.may == May::GiveUp && !is_tired {
            next.push(self.after(|place| place.model.probe(hold)));
        }
        if self.may == May::Age {
            next.extend(self.aged());
        }
        if self.may == May::Replay && !is_tired {
            next.extend(self.replayed());
        }
        next
    }

    /// How attempts end. Of three deliveries none is asked to be patient: one wait is enough to tell them apart.
    fn ends(&self) -> impl Iterator<Item = End> + use<> {
        let many = self.model.records.len() > 2;
        let ends = ENDS.into_iter();
        ends.filter(move |end| !(many && matches!(end, End::Failed(_))))
    }

    /// Where it can go by what is not kept any longer.
    fn aged(&self) -> Vec<Self> {
        let mut next = Vec::new();
        for event in 0..self.model.records.len() {
            for (state, stops) in [
                (DeliveryState::Expired, false),
                (DeliveryState::Cancelled, true),
            ] {
                next.push(self.after(|place| place.model.strip(&[event], (state, ""), stops)));
            }
            for which in [Forget::Settled, Forget::All] {
                next.push(self.after(|place| place.model.forget(&[event], which)));
            }
        }
        next
    }

    /// Where it can go by a redelivery job.
    fn replayed(&self) -> Vec<Self> {
        let asker = Asker {
            by: "Bob",
            job: ReplayJobId::ZERO,
            now: self.now,
        };
        let mut next = Vec::new();
        for delivery in 0..self.model.records.len() {
            let (event, at) = {
                let record = &self.model.records[delivery];
                (record.event, record.happened)
            };
            next.push(self.after(|place| place.model.replay(delivery, asker)));
            // Once for each event: nobody has forgotten any here.
            next.push(self.after(|place| place.model.copy(1, (event, 0), at, asker)));
        }
        next
    }

    /// Where it can go by what befalls its subscription, and by time.
    pub(super) fn befallen(&self) -> Vec<Self> {
        let gone = self.rights().into_iter();
        let gone = gone.map(|right| self.after(|place| place.settle(right, End::Gone)));
        let mut codes = vec![
            StateCode::Active,
            StateCode::PausedByPerson,
            StateCode::Unsubscribed,
        ];
        if self.may == May::GiveUp {
            codes.push(StateCode::PausedBySystem);
        }
        let codes = codes.into_iter();
        let states = codes.map(|code| self.after(|place| place.model.put(0, code, "", place.now)));
        let (due, lapsed) = (self.model.dues(self.now), self.model.lapses(self.now));
        let probe = self.model.next_probe().filter(|at| *at > self.now);
        let moments = [due.min(), lapsed.min(), probe].into_iter().flatten();
        let moments = moments.map(|moment| self.after(|place| place.now = moment));
        gone.chain(states).chain(moments).collect()
    }

    fn settle(&mut self, right: Right, end: End) {
        self.model.end_attempt(right, end, self.now);
        assert!(!self.model.holds(right), "it can be settled again");
    }

    /// What is logged leads nowhere.
    pub(super) fn forget_the_log(&mut self) {
        let records = self.model.records.iter_mut();
        records.for_each(|record| record.log.clear());
    }

    /// That of the subscription.
    pub(super) fn state(&self) -> SubscriptionState {
        self.model.lanes[0].state()
    }
}
