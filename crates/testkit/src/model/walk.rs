//! Every state that two deliveries of one subscription can get into, walked to the end: which ways lead from one
//! to another, and that each has a way out.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    time::Duration,
};

use domain::{DeliveryState, EventType, NodeId, RetrySchedule, SubscriptionState, Timestamp};
use store::Rescue;

use super::{
    operation::End,
    record::{Ended, Hold, Lane, Right, Standing},
    state::Model,
};

const DELIVERIES: usize = 2;
/// The same in one chain, of which not more than one goes at a time.
const CHAINED: usize = 3;
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

/// A state, by a clock of its own.
#[derive(Clone)]
struct Place {
    model: Model,
    now: Timestamp,
    /// Whether somebody may stop deliveries.
    stops: bool,
}

/// From one state to another.
type Way = (&'static str, &'static str);

/// What makes two states the same: times count from now, and what is over counts as over.
type Key = (&'static str, Vec<(u8, i64, u32, [bool; 4])>);

impl Place {
    fn start(deliveries: usize, ordered: bool, stops: bool) -> Self {
        let schedule = RetrySchedule::new(&[Duration::ZERO, Duration::from_secs(5)]);
        let mut model = Model {
            schedule: schedule.expect("a schedule"),
            lanes: vec![Lane {
                kind: EventType::TaskCompleted,
                state: SubscriptionState::Active,
                reason: String::new(),
                sequence: 0,
                resumed: None,
                ordered,
            }],
            records: Vec::new(),
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
        Self { model, now, stops }
    }

    fn key(&self) -> Key {
        let left = |at: Timestamp| (at.as_millis() - self.now.as_millis()).max(-1);
        let records = self.model.records.iter().map(|record| {
            let (kind, left) = match record.standing {
                Standing::Waiting(at) => (0, left(at).max(0)),
                Standing::Leased(hold) => (1, left(hold.until)),
                Standing::Behind => (2, 0),
                Standing::Ended(state) => (3 + state as u8, 0),
            };
            let by_hand = record.manual_by.is_some();
            let marks = [
                record.delivered,
                record.cancelled,
                by_hand,
                record.chain.is_some(),
            ];
            (kind, left, record.attempts, marks)
        });
        (self.model.lanes[0].state.word(), records.collect())
    }

    fn shown(&self) -> Vec<DeliveryState> {
        let records = self.model.records.iter();
        records.map(|record| self.model.shown(record)).collect()
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

    /// Where it can go by what is done to deliveries.
    fn handled(&self) -> Vec<Self> {
        let hold = Hold {
            node: NodeId::ZERO,
            since: self.now,
            until: self.now.after(LEASE),
        };
        let mut next = Vec::new();
        for limit in [1, 2] {
            next.push(self.after(|place| place.model.take(0, limit, hold)));
        }
        for right in self.rights() {
            next.push(self.after(|place| place.model.give_back(right, place.now)));
            for end in ENDS.into_iter().filter(|end| !end.ends_lane()) {
                next.push(self.after(|place| place.settle(right, end)));
            }
        }
        next.push(self.after(|place| place.model.rescue(Rescue::Lapsed, place.now)));
        for delivery in 0..self.model.records.len() {
            if self.stops {
                next.push(self.after(|place| place.model.cancel(delivery)));
            }
            if self.model.records[delivery].attempts < ATTEMPTS_MAX {
                next.push(self.after(|place| place.model.redeliver(delivery, "Ann", place.now)));
            }
        }
        next
    }

    /// Where it can go by what befalls its subscription, and by time.
    fn befallen(&self) -> Vec<Self> {
        let gone = self.rights().into_iter();
        let gone = gone.map(|right| self.after(|place| place.settle(right, End::Gone)));
        let states = [
            SubscriptionState::Active,
            SubscriptionState::Paused,
            SubscriptionState::Gone,
        ];
        let states =
            states.map(|state| self.after(|place| place.model.put(0, state, "", place.now)));
        let (due, lapsed) = (self.model.dues(self.now), self.model.lapses(self.now));
        let moments = [due.min(), lapsed.min()].into_iter().flatten();
        let moments = moments.map(|moment| self.after(|place| place.now = moment));
        gone.chain(states).chain(moments).collect()
    }

    /// Of a chain only the first that is not through may go.
    fn is_in_order(&self) -> bool {
        let chained = self.model.records.iter().filter(|one| one.chain.is_some());
        let open = chained.filter(|one| !one.standing.is_through());
        open.enumerate()
            .all(|(place, one)| (one.standing == Standing::Behind) == (place > 0))
    }

    fn settle(&mut self, right: Right, end: End) {
        let ended = Ended::by(end, &self.model, right, self.now);
        self.model.settle(right, ended);
        assert!(!self.model.holds(right), "it can be settled again");
        if end.ends_lane() {
            self.model.put(0, SubscriptionState::Gone, "", self.now);
        }
    }
}

#[test]
fn every_state_has_a_way_out_and_no_way_leads_elsewhere() {
    let ways = walk(Place::start(DELIVERIES, false, true));
    let stopped = [
        ("held", "cancelled"),
        ("held", "delivered"),
        ("waiting", "cancelled"),
        ("waiting", "delivered"),
    ];
    let known = WAYS.into_iter().chain(stopped);
    assert_eq!(ways, known.collect());
}

#[test]
fn a_chain_keeps_its_order_and_none_of_it_is_left_behind() {
    let ways = walk(Place::start(CHAINED, true, false));
    assert_eq!(ways, WAYS.into());
}

#[test]
fn a_chain_goes_on_when_one_of_it_is_stopped() {
    walk(Place::start(DELIVERIES, true, true));
}

/// The ways from one state to another that are gone by what is done to deliveries, where nobody stops them.
const WAYS: [Way; 11] = [
    ("cancelled", "waiting"),
    ("delivered", "waiting"),
    ("exhausted", "waiting"),
    ("leased", "cancelled"),
    ("leased", "delivered"),
    ("leased", "exhausted"),
    ("leased", "held"),
    ("leased", "refused"),
    ("leased", "waiting"),
    ("refused", "waiting"),
    ("waiting", "leased"),
];

/// Goes wherever it can from there; answers the ways that were gone.
fn walk(start: Place) -> BTreeSet<Way> {
    let mut seen = HashSet::from([start.key()]);
    let mut ahead = VecDeque::from([start]);
    let mut ways = BTreeSet::new();
    while let Some(place) = ahead.pop_front() {
        assert!(place.is_in_order(), "{:#?}", place.model);
        for end in ENDS {
            assert_eq!(place.model.dead_end(place.now, end), None);
        }
        let handled = place.handled();
        for next in &handled {
            let moved = place.shown().into_iter().zip(next.shown());
            let moved = moved.filter(|(before, after)| before != after);
            ways.extend(moved.map(|(before, after)| (before.word(), after.word())));
        }
        for mut next in handled.into_iter().chain(place.befallen()) {
            if seen.insert(next.key()) {
                // What is logged leads nowhere.
                next.model
                    .records
                    .iter_mut()
                    .for_each(|record| record.log.clear());
                ahead.push_back(next);
            }
        }
    }
    println!("{} states", seen.len());
    ways
}
