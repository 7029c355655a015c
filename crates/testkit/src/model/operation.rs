//! What may happen to deliveries, at random.

use std::time::Duration;

use domain::{
    DeliveryChange, DeliveryState, EventType, LaneEffect, Outcome, RetryAfter, RetrySchedule,
    SubscriptionState, Timestamp, Tried,
};
use proptest::{collection::vec, prelude::*};

/// Most operations of one course.
const OPERATIONS_MAX: usize = 60;

/// Checklists that events are about.
pub(super) const LISTS: usize = 2;

/// One thing that happens. Whatever it picks exists when its turn comes, or nothing happens, so that a
/// course with parts left out is a course as well.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// An event of this type, about this one of the checklists.
    Happen(EventType, usize),
    /// From now on each lane has so many permits.
    Permits(usize),
    /// Whoever sent what was handed over gives the permits back.
    LetGo,
    /// Somebody takes from the lanes.
    Take {
        /// From which lanes: a bit for each.
        lanes: u8,
        /// How many from each.
        limit: u32,
        /// Whether that is another node than the one events are handed to.
        other: bool,
    },
    /// Attempts end, and are settled together.
    Settle(Vec<(Pick, End)>),
    /// Leases are given back before their attempts began.
    GiveBack(Vec<Pick>),
    /// Lapsed leases are ended.
    Rescue,
    /// The server ends, however that comes about, and starts again.
    Restart,
    /// Somebody wants a delivery sent again.
    Redeliver(u8),
    /// Somebody wants a delivery not tried again.
    Cancel(u8),
    /// A subscription is put into a state.
    Put(u8, SubscriptionState),
    /// A subscription wants its deliveries in order from now on, or no longer.
    Order(u8, bool),
    /// Time passes.
    Pass(Time),
    /// This, in a unit that refuses in the end.
    Undone(Box<Self>),
    /// This, while two more units are on their way that refuse, one before it and one behind it.
    Amid(Box<[Self; 3]>),
}

/// Which of the leases that somebody got.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pick {
    /// One that is held at this moment.
    Held(u8),
    /// One of a delivery that somebody else has leased since, or that same one again.
    Lost(u8),
    /// Any that ever was.
    Any(u8),
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// With a success.
    Delivered,
    /// With an answer that is none, which may ask for so many seconds of patience.
    Failed(Option<u32>),
    /// Without an answer in time.
    TimedOut,
    /// With 410.
    Gone,
    /// At the address rule.
    Refused,
    /// Because a person stopped it.
    Cancelled,
    /// At the end of the server.
    Cut,
}

impl End {
    /// The word for it.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Delivered => Outcome::Delivered,
            Self::Failed(_) => Outcome::RefusedStatus,
            Self::TimedOut => Outcome::TimedOut,
            Self::Gone => Outcome::Gone,
            Self::Refused => Outcome::AddressRefused,
            Self::Cancelled => Outcome::Cancelled,
            Self::Cut => Outcome::Unknown,
        }
    }

    /// What it makes of its delivery after attempt number `attempt`, and when that is due, as the engine has it.
    pub(super) fn comes_to(
        self,
        schedule: &RetrySchedule,
        attempt: u32,
        now: Timestamp,
    ) -> (DeliveryState, Option<Timestamp>) {
        match schedule.next(&self.tried(attempt, now)).change {
            DeliveryChange::Delivered => (DeliveryState::Delivered, None),
            DeliveryChange::RetryAt(at) => (DeliveryState::Waiting, Some(at)),
            DeliveryChange::Exhausted => (DeliveryState::Exhausted, None),
            DeliveryChange::Refused => (DeliveryState::Refused, None),
            DeliveryChange::Cancelled => (DeliveryState::Cancelled, None),
        }
    }

    /// Whether the subscription ends by it.
    pub(super) fn ends_lane(self) -> bool {
        let next = RetrySchedule::default().next(&self.tried(1, Timestamp::default()));
        next.lane == LaneEffect::End
    }

    fn tried(self, attempt: u32, now: Timestamp) -> Tried {
        let patience = match self {
            Self::Failed(seconds) => seconds,
            _ => None,
        };
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Tried {
            attempt,
            outcome: self.outcome(),
            status: None,
            retry_after: patience.map(|asked| RetryAfter::Delay(seconds(asked))),
            now,
            jitter: 0.5,
        }
    }
}

/// How far the clock moves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    /// So many milliseconds.
    Millis(u16),
    /// Until the next one that waits is due.
    ToDue,
    /// To the last moment of the lease that ends next.
    ToLast,
    /// To the moment after that.
    ToLapse,
    /// A day.
    Day,
    /// An hour back: somebody has set the clock.
    Back,
}

/// A course of operations.
pub(super) fn course() -> impl Strategy<Value = Vec<Operation>> {
    let three = [operation(), operation(), operation()];
    let one = prop_oneof![
        16 => operation(),
        2 => operation().prop_map(|one| Operation::Undone(Box::new(one))),
        2 => three.prop_map(|three| Operation::Amid(Box::new(three))),
    ];
    vec(one, 1..=OPERATIONS_MAX)
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![
        3 => Just(EventType::TaskCompleted),
        1 => Just(EventType::NewChecklist),
    ];
    let take = (1..8_u8, prop_oneof![1..4_u32, Just(100)], any::<bool>());
    let state = prop_oneof![
        4 => Just(SubscriptionState::Active),
        2 => Just(SubscriptionState::Failing),
        3 => Just(SubscriptionState::Paused),
        1 => Just(SubscriptionState::Gone),
    ];
    prop_oneof![
        8 => (kind, 0..LISTS).prop_map(|(kind, list)| Operation::Happen(kind, list)),
        2 => (0..3_usize).prop_map(Operation::Permits),
        2 => Just(Operation::LetGo),
        8 => take.prop_map(|(lanes, limit, other)| Operation::Take { lanes, limit, other }),
        10 => vec((pick(), end()), 1..4).prop_map(Operation::Settle),
        2 => vec(pick(), 1..3).prop_map(Operation::GiveBack),
        3 => Just(Operation::Rescue),
        1 => Just(Operation::Restart),
        4 => any::<u8>().prop_map(Operation::Redeliver),
        3 => any::<u8>().prop_map(Operation::Cancel),
        3 => (any::<u8>(), state).prop_map(|(lane, state)| Operation::Put(lane, state)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(lane, on)| Operation::Order(lane, on)),
        6 => time().prop_map(Operation::Pass),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        4 => any::<u8>().prop_map(Pick::Held),
        1 => any::<u8>().prop_map(Pick::Lost),
        1 => any::<u8>().prop_map(Pick::Any),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Delivered),
        5 => Just(End::Failed(None)),
        1 => (0..100_000_u32).prop_map(|seconds| End::Failed(Some(seconds))),
        2 => Just(End::TimedOut),
        1 => Just(End::Gone),
        1 => Just(End::Refused),
        1 => Just(End::Cancelled),
        1 => Just(End::Cut),
    ]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        3 => any::<u16>().prop_map(Time::Millis),
        3 => Just(Time::ToDue),
        1 => Just(Time::ToLast),
        2 => Just(Time::ToLapse),
        1 => Just(Time::Day),
        1 => Just(Time::Back),
    ]
}
