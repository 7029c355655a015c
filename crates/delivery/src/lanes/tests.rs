mod rates;

use std::sync::atomic::{AtomicI64, Ordering};

use domain::{Clock, Entropy, Source};
use uuid::Uuid;

use super::{
    state::{FORGET_INTERVAL, SLOW_MEMORY},
    *,
};

const NOW: Timestamp = Timestamp::from_millis(1_795_455_715_120);

/// Neither time nor chance.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Time that the test moves.
#[derive(Clone, Default)]
struct Moved(Arc<AtomicI64>);

impl Moved {
    fn source() -> (Source, Self) {
        let clock = Self(Arc::new(AtomicI64::new(NOW.as_millis())));
        (Source::new(clock.clone(), Still), clock)
    }

    fn set(&self, at: Timestamp) {
        self.0.store(at.as_millis(), Ordering::Relaxed);
    }

    fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn subscription(number: u128) -> SubscriptionId {
    SubscriptionId::new(Uuid::from_u128(number))
}

fn table(in_flight_max: u32, lane_max: u32) -> Arc<LaneTable> {
    let settings = DeliverySettings {
        in_flight_max,
        in_flight_per_subscription_max: lane_max,
        ..DeliverySettings::default()
    };
    let source = Source::new(Still, Still);
    let peers = Peers::new(NodeSettings::default(), source.clone());
    let (lanes, _out) = LaneTable::new(peers, &settings, source);
    lanes.open(Gate::Starting);
    lanes
}

fn reserve_all(lanes: &LaneTable, subscription: SubscriptionId) -> u32 {
    (0..u32::MAX)
        .find(|_| !lanes.reserve(subscription, None))
        .unwrap_or(u32::MAX)
}

fn limits(plan: &Plan) -> Vec<(SubscriptionId, u32)> {
    plan.takes
        .iter()
        .map(|planned| (planned.take.subscription, planned.take.limit))
        .collect()
}

fn assert_forgotten(lanes: &LaneTable) {
    let figures = LaneFigures {
        is_open: true,
        ..LaneFigures::default()
    };
    assert_eq!(lanes.figures(), figures);
}

#[test]
fn a_lane_has_its_bound_and_is_forgotten_once_all_permits_are_back() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    assert_eq!(reserve_all(&lanes, one), 4);
    assert_eq!(lanes.figures().in_flight, 4);
    for _ in 0..4 {
        lanes.release(one);
    }
    assert_forgotten(&lanes);
}

#[test]
fn however_many_lanes_hang_the_next_one_gets_a_permit() {
    let lanes = table(1_024, 64);
    let hanging: u32 = (0..200)
        .map(|number| reserve_all(&lanes, subscription(number)))
        .sum();
    assert_eq!(lanes.figures().in_flight, hanging);
    for number in 1_000..1_050 {
        assert!(lanes.reserve(subscription(number), None), "{number}");
    }
}

#[test]
fn the_last_permit_goes_to_a_lane_that_has_none() {
    let lanes = table(2, 2);
    assert!(lanes.reserve(subscription(1), None));
    assert!(!lanes.reserve(subscription(1), None));
    assert!(lanes.reserve(subscription(2), None));
    assert!(!lanes.reserve(subscription(3), None));
    lanes.release(subscription(2));
    assert!(lanes.reserve(subscription(3), None));
}

#[test]
fn with_a_backlog_no_permit_is_given_until_a_take_has_drained_it() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    lanes.backlog(one);
    assert!(!lanes.reserve(one, None));
    let plan = lanes.plan(NOW);
    assert_eq!(limits(&plan), [(one, 4)]);
    assert!(!lanes.reserve(one, None), "a take is under way");
    lanes.taken(&plan, &[(one, None), (one, None)], &[one], NOW);
    assert_eq!(lanes.figures().in_flight, 2);
    assert!(lanes.reserve(one, None));
    for _ in 0..3 {
        lanes.release(one);
    }
    assert_forgotten(&lanes);
}

#[test]
fn what_is_stored_behind_a_take_is_taken_by_the_next() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    lanes.backlog(one);
    let plan = lanes.plan(NOW);
    // Stored after the take looked, before its answer is here.
    lanes.backlog(one);
    lanes.taken(&plan, &[], &[one], NOW);
    assert!(!lanes.reserve(one, None));
    let next = lanes.plan(NOW);
    assert_eq!(limits(&next), [(one, 4)]);
    lanes.taken(&next, &[], &[one], NOW);
    assert_forgotten(&lanes);
}

#[test]
fn a_take_that_left_something_is_followed_by_another() {
    let (lanes, one) = (table(100, 1), subscription(1));
    lanes.backlog(one);
    let plan = lanes.plan(NOW);
    lanes.taken(&plan, &[(one, None)], &[], NOW);
    assert!(lanes.plan(NOW).takes.is_empty(), "its only permit is out");
    lanes.release(one);
    assert_eq!(limits(&lanes.plan(NOW)), [(one, 1)]);
}

#[test]
fn a_failed_take_gives_its_permits_back_and_is_repeated() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    lanes.backlog(one);
    let plan = lanes.plan(NOW);
    lanes.taken(&plan, &[], &[], NOW);
    assert_eq!(lanes.figures().in_flight, 0);
    assert_eq!(limits(&lanes.plan(NOW)), [(one, 4)]);
}

#[test]
fn lanes_take_turns_for_what_is_free() {
    let lanes = table(6, 2);
    for number in 1..=8 {
        lanes.backlog(subscription(number));
    }
    let first = lanes.plan(NOW);
    let served: Vec<SubscriptionId> = limits(&first).iter().map(|(lane, _)| *lane).collect();
    assert!(limits(&first).iter().map(|(_, limit)| limit).sum::<u32>() <= 6);
    // Each had more than was taken.
    let used: Vec<(SubscriptionId, Option<u32>)> = limits(&first)
        .iter()
        .flat_map(|&(lane, limit)| std::iter::repeat_n((lane, None), limit as usize))
        .collect();
    lanes.taken(&first, &used, &[], NOW);
    for (lane, _) in &used {
        lanes.release(*lane);
    }
    let second = lanes.plan(NOW);
    let others: Vec<SubscriptionId> = (1..=8)
        .map(subscription)
        .filter(|lane| !served.contains(lane))
        .collect();
    let next: Vec<SubscriptionId> = limits(&second).iter().map(|(lane, _)| *lane).collect();
    assert!(
        next.starts_with(&others),
        "{others:?} were waiting, {next:?} came"
    );
}

#[test]
fn a_full_batch_is_shared_out_evenly() {
    let lanes = table(16_384, 1_000);
    for number in 1..=4 {
        lanes.backlog(subscription(number));
    }
    let plan = lanes.plan(NOW);
    assert_eq!(
        limits(&plan),
        [1, 2, 3, 4].map(|number| (subscription(number), 64))
    );
}

#[test]
fn a_slow_lane_shrinks_to_a_probe_and_grows_back_by_one_per_success() {
    let (lanes, one) = (table(1_000, 8), subscription(1));
    assert!(lanes.reserve(one, None));
    for expected in [4, 2, 1, 1] {
        lanes.ended(one, LaneEffect::Slow, NOW);
        let more = reserve_all(&lanes, one);
        assert_eq!(more + 1, expected);
        (0..more).for_each(|_| lanes.release(one));
    }
    for expected in [2, 3, 4, 5, 6, 7, 8, 8] {
        lanes.ended(one, LaneEffect::Works, NOW);
        let more = reserve_all(&lanes, one);
        assert_eq!(more + 1, expected);
        (0..more).for_each(|_| lanes.release(one));
    }
    lanes.release(one);
    assert_forgotten(&lanes);
}

#[test]
fn failures_shrink_a_lane_once_as_many_came_in_a_row_as_may_run() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    assert!(lanes.reserve(one, None));
    let room = || {
        let more = reserve_all(&lanes, one);
        (0..more).for_each(|_| lanes.release(one));
        more + 1
    };
    let fail = |count| (0..count).for_each(|_| lanes.ended(one, LaneEffect::Fails, NOW));
    assert_eq!(room(), 4);
    fail(3);
    lanes.ended(one, LaneEffect::Works, NOW);
    fail(3);
    assert_eq!(room(), 4, "it takes some");
    lanes.ended(one, LaneEffect::None, NOW);
    fail(1);
    assert_eq!(room(), 2);
    fail(2);
    assert_eq!(room(), 1, "a probe");
    fail(10);
    assert_eq!(room(), 1);
    lanes.ended(one, LaneEffect::Works, NOW);
    assert_eq!(room(), 2);
}

#[test]
fn that_a_lane_was_slow_is_forgotten_after_an_hour_without_a_request() {
    let (lanes, one) = (table(1_000, 8), subscription(1));
    assert!(lanes.reserve(one, None));
    lanes.ended(one, LaneEffect::Slow, NOW);
    lanes.release(one);
    lanes.reopen(NOW.after(SLOW_MEMORY.checked_sub(Duration::from_secs(1)).unwrap()));
    assert_eq!(lanes.figures().lanes, 1);
    lanes.reopen(NOW.after(SLOW_MEMORY + FORGET_INTERVAL));
    assert_forgotten(&lanes);
}

#[test]
fn a_held_lane_is_closed_until_its_moment_and_then_a_probe_goes_first() {
    let (lanes, one) = (table(100, 2), subscription(1));
    let until = NOW.after(Duration::from_mins(1));
    assert!(lanes.reserve(one, None));
    lanes.ended(one, LaneEffect::HoldUntil(until), NOW);
    lanes.release(one);
    assert!(!lanes.may_begin(one));
    assert!(!lanes.reserve(one, None));
    lanes.backlog(one);
    assert!(lanes.plan(NOW).takes.is_empty());
    assert_eq!(lanes.next_opening(), Some(until));
    lanes.reopen(until);
    assert!(lanes.may_begin(one));
    assert_eq!(limits(&lanes.plan(NOW)), [(one, 1)]);
}

#[test]
fn a_shorter_hold_does_not_shorten_a_longer_one() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    let (soon, late) = (
        NOW.after(Duration::from_secs(1)),
        NOW.after(Duration::from_mins(1)),
    );
    assert!(lanes.reserve(one, None));
    lanes.ended(one, LaneEffect::HoldUntil(late), NOW);
    lanes.ended(one, LaneEffect::HoldUntil(soon), NOW);
    lanes.reopen(soon);
    assert!(!lanes.may_begin(one));
    assert_eq!(lanes.next_opening(), Some(late));
}

#[test]
fn an_ended_lane_stays_shut_until_its_end_is_settled() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    assert!(lanes.reserve(one, None));
    lanes.ended(one, LaneEffect::End, NOW);
    lanes.release(one);
    lanes.reopen(NOW.after(Duration::from_hours(24 * 365)));
    assert!(!lanes.reserve(one, None));
    lanes.end_settled(one);
    assert_forgotten(&lanes);
}

#[test]
fn behind_a_shut_gate_nothing_is_reserved_or_planned() {
    let (lanes, one) = (table(1_000, 4), subscription(1));
    lanes.shut(Gate::Choked);
    lanes.shut(Gate::Choked);
    assert!(!lanes.reserve(one, None));
    lanes.backlog(one);
    assert!(lanes.plan(NOW).takes.is_empty());
    assert!(lanes.may_begin(one), "what is leased already is sent");
    lanes.open(Gate::Choked);
    assert_eq!(limits(&lanes.plan(NOW)), [(one, 4)]);
}

#[test]
fn a_wake_about_what_is_known_needs_no_look_at_the_table() {
    let lanes = table(1_000, 4);
    assert!(
        lanes.scan_wanted(),
        "what an earlier life left is looked for"
    );
    lanes.backlog(subscription(1));
    lanes.wake();
    assert!(!lanes.scan_wanted());
    lanes.wake();
    assert!(lanes.scan_wanted());
    assert!(!lanes.scan_wanted());
}
