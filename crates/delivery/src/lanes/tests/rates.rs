//! How fast a lane may go: by the rate of its subscription, and while it catches up after a pause.

use super::*;

const CATCH_UP: u32 = 10;

/// A table whose clock the test moves.
fn moved(catch_up_per_second_max: u32) -> (Arc<LaneTable>, Moved) {
    let settings = DeliverySettings {
        catch_up_per_second_max,
        ..DeliverySettings::default()
    };
    let (source, clock) = Moved::source();
    let peers = Peers::new(NodeSettings::default(), source.clone());
    let (lanes, _out) = LaneTable::new(peers, &settings, source);
    lanes.open(Gate::Starting);
    (lanes, clock)
}

/// How many may begin at once, straight; each ends at once.
fn straight(lanes: &LaneTable, subscription: SubscriptionId, rate: Option<u32>) -> u32 {
    let mut count = 0;
    while lanes.reserve(subscription, rate) {
        lanes.release(subscription);
        count += 1;
        assert!(count <= 1_000, "as many as wanted");
    }
    count
}

/// What a take may have of the one lane now, all of which is there and ends well at once.
fn taken(lanes: &LaneTable, clock: &Moved, one: SubscriptionId, rate: Option<u32>) -> u32 {
    lanes.reopen(clock.now());
    let plan = lanes.plan(clock.now());
    let Some(&(_, limit)) = limits(&plan).first() else {
        return 0;
    };
    let used = vec![(one, rate); limit as usize];
    lanes.taken(&plan, &used, &[], clock.now());
    for _ in 0..limit {
        lanes.ended(one, LaneEffect::Works, clock.now());
        lanes.release(one);
    }
    limit
}

#[test]
fn a_rate_lets_a_seconds_worth_begin_and_then_one_by_one() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    assert_eq!(straight(&lanes, one, Some(5)), 5);
    for _ in 0..10 {
        clock.advance(Duration::from_millis(200));
        assert_eq!(straight(&lanes, one, Some(5)), 1);
    }
    clock.advance(Duration::from_mins(1));
    assert_eq!(straight(&lanes, one, Some(5)), 5, "after a rest");
}

#[test]
fn what_its_rate_forbids_waits_for_its_moment_and_nobody_looks_before() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    assert_eq!(straight(&lanes, one, Some(2)), 2);
    lanes.backlog(one);
    assert_eq!(taken(&lanes, &clock, one, Some(2)), 0);
    let opening = lanes.next_opening().unwrap();
    assert_eq!(opening, clock.now().after(Duration::from_millis(500)));
    assert_eq!(lanes.figures().waiting, 0, "it does not stand in the queue");
    assert!(lanes.may_begin(one), "what is leased already is sent");
    clock.set(opening);
    assert_eq!(taken(&lanes, &clock, one, Some(2)), 1);
    assert_eq!(taken(&lanes, &clock, one, Some(2)), 0);
}

#[test]
fn a_lane_that_rests_holds_no_other_up() {
    let (lanes, clock) = moved(CATCH_UP);
    let (slow, quick) = (subscription(1), subscription(2));
    assert_eq!(straight(&lanes, slow, Some(1)), 1);
    lanes.backlog(slow);
    lanes.backlog(quick);
    let plan = lanes.plan(clock.now());
    assert_eq!(limits(&plan), [(quick, 64)]);
    lanes.taken(&plan, &[], &[quick], clock.now());
    assert!(lanes.reserve(quick, None));
}

#[test]
fn a_rate_that_a_take_finds_counts_from_then_on() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    lanes.backlog(one);
    let plan = lanes.plan(clock.now());
    // The store gives no more than begins in a second.
    lanes.taken(&plan, &[(one, Some(3)); 3], &[], clock.now());
    (0..3).for_each(|_| lanes.release(one));
    assert_eq!(taken(&lanes, &clock, one, Some(3)), 0);
    clock.advance(Duration::from_millis(334));
    assert_eq!(taken(&lanes, &clock, one, Some(3)), 1);
    // It was taken away meanwhile.
    clock.advance(Duration::from_millis(334));
    assert_eq!(taken(&lanes, &clock, one, None), 1);
    assert_eq!(taken(&lanes, &clock, one, None), 64);
}

#[test]
fn nodes_share_a_rate() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    lanes.saw(&Company {
        sending: 2,
        ..Company::default()
    });
    assert_eq!(straight(&lanes, one, Some(10)), 5);
    clock.advance(Duration::from_millis(200));
    assert_eq!(straight(&lanes, one, Some(10)), 1);
}

#[test]
fn permits_that_a_take_did_not_use_count_for_nothing() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    assert_eq!(straight(&lanes, one, Some(4)), 4);
    clock.advance(Duration::from_secs(1));
    lanes.backlog(one);
    let plan = lanes.plan(clock.now());
    assert_eq!(limits(&plan), [(one, 4)]);
    lanes.taken(&plan, &[(one, Some(4))], &[one], clock.now());
    lanes.release(one);
    assert_eq!(straight(&lanes, one, Some(4)), 3);
}

#[test]
fn after_a_pause_it_begins_with_one_at_once_and_grows_at_a_bounded_rate() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    lanes.resumed(one);
    assert_eq!(taken(&lanes, &clock, one, None), 1);
    assert_eq!(taken(&lanes, &clock, one, None), 2);
    assert_eq!(taken(&lanes, &clock, one, None), 4);
    assert_eq!(
        taken(&lanes, &clock, one, None),
        3,
        "ten in the first second"
    );
    assert_eq!(taken(&lanes, &clock, one, None), 0);
    clock.advance(Duration::from_millis(100));
    assert_eq!(taken(&lanes, &clock, one, None), 1);
    assert!(!lanes.reserve(one, None), "what is new goes behind it");
}

#[test]
fn once_it_has_caught_up_it_goes_as_it_did() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    lanes.resumed(one);
    let plan = lanes.plan(clock.now());
    lanes.taken(&plan, &[], &[one], clock.now());
    for _ in 0..100 {
        assert!(lanes.reserve(one, None));
        lanes.ended(one, LaneEffect::Works, clock.now());
        lanes.release(one);
    }
    assert_eq!(lanes.next_opening(), None);
}

#[test]
fn what_a_look_finds_to_be_held_by_a_pause_is_caught_up_with_as_well() {
    let (lanes, clock) = moved(CATCH_UP);
    let (held, other) = (subscription(1), subscription(2));
    let due = |subscription, held| DueLane {
        subscription,
        earliest: clock.now(),
        held,
    };
    lanes.found_due([due(held, true), due(other, false)], clock.now());
    let plan = lanes.plan(clock.now());
    assert_eq!(limits(&plan), [(held, 1), (other, 64)]);
}

#[test]
fn that_a_lane_was_paced_is_forgotten_once_it_counts_no_more() {
    let (lanes, clock) = moved(CATCH_UP);
    let one = subscription(1);
    assert_eq!(straight(&lanes, one, Some(1)), 1);
    lanes.reopen(clock.now());
    assert_eq!(lanes.figures().lanes, 1);
    lanes.reopen(clock.now().after(FORGET_INTERVAL));
    assert_forgotten(&lanes);
}
