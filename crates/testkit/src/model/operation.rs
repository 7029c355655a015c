//! What may happen to deliveries, at random.

use domain::{DeliveryState, EventType, ReplayState, SubscriptionState};
use proptest::{collection::vec, option, prelude::*};
use store::Forget;

use super::end::End;

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
    /// The system pauses a subscription, after nothing but failures.
    GiveUp(u8),
    /// The receivers of those that the system has paused are tried, where it is time; or once it is.
    Probe(bool),
    /// Less is kept of some events, in slices of so many deliveries.
    Less(Less, u32),
    /// A redelivery job is made, whose events may go to another subscription.
    Replay(Choice, Option<u8>),
    /// It is looked for what a job is to make due next, so many at most.
    Look(u8, u32),
    /// What a job found last is made due, whether or not that was done before; or else what there is now.
    Step(u8, bool),
    /// A job is put into a state.
    PutJob(u8, ReplayState),
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

/// What goes, and of which events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Less {
    /// The bodies of this one and all that happened before; what waits expires.
    Bodies(u8),
    /// Deliveries of this one and all that happened before.
    Log(u8, Forget),
    /// What was told of a checklist.
    Told(usize),
}

/// Which deliveries, or which events, a redelivery job is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) list: Option<usize>,
    pub(super) lane: Option<u8>,
    pub(super) state: Option<DeliveryState>,
    /// Of which no attempt was made.
    pub(super) untried: bool,
    /// Of this event and all that happened since.
    pub(super) since: Option<u8>,
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
    /// Until the next probe is due.
    ToProbe,
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
    let slice = prop_oneof![1..4_u32, Just(100)];
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
        2 => any::<u8>().prop_map(Operation::GiveUp),
        4 => any::<bool>().prop_map(Operation::Probe),
        3 => (less(), slice.clone()).prop_map(|(less, slice)| Operation::Less(less, slice)),
        2 => (choice(), option::weighted(0.4, any::<u8>()))
            .prop_map(|(choice, to)| Operation::Replay(choice, to)),
        1 => (any::<u8>(), slice).prop_map(|(job, wanted)| Operation::Look(job, wanted)),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(job, fresh)| Operation::Step(job, fresh)),
        1 => (any::<u8>(), job_state()).prop_map(|(job, state)| Operation::PutJob(job, state)),
        7 => time().prop_map(Operation::Pass),
    ]
}

fn less() -> impl Strategy<Value = Less> {
    let which = prop_oneof![Just(Forget::Settled), Just(Forget::All)];
    prop_oneof![
        3 => any::<u8>().prop_map(Less::Bodies),
        1 => (any::<u8>(), which).prop_map(|(event, which)| Less::Log(event, which)),
        1 => (0..LISTS).prop_map(Less::Told),
    ]
}

fn choice() -> impl Strategy<Value = Choice> {
    let state = prop_oneof![
        Just(DeliveryState::Delivered),
        Just(DeliveryState::Waiting),
        Just(DeliveryState::Held),
        Just(DeliveryState::Exhausted),
        Just(DeliveryState::Cancelled),
        Just(DeliveryState::Expired),
    ];
    let seldom = 0.25;
    (
        option::weighted(seldom, 0..LISTS),
        option::weighted(seldom, any::<u8>()),
        option::weighted(seldom, state),
        prop::bool::weighted(0.1),
        option::weighted(seldom, any::<u8>()),
    )
        .prop_map(|(list, lane, state, untried, since)| Choice {
            list,
            lane,
            state,
            untried,
            since,
        })
}

fn job_state() -> impl Strategy<Value = ReplayState> {
    prop_oneof![
        2 => Just(ReplayState::Running),
        2 => Just(ReplayState::Paused),
        1 => Just(ReplayState::Cancelled),
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
        2 => Just(Time::ToProbe),
        1 => Just(Time::Day),
        1 => Just(Time::Back),
    ]
}
