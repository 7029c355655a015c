//! Every state that two deliveries of one subscription can get into, walked to the end: which ways lead from one
//! to another, what holds in each, and that each has a way out.

mod place;

use std::collections::{BTreeSet, HashSet, VecDeque};

use place::{May, Place};

const DELIVERIES: usize = 2;
/// The same in one chain, of which not more than one goes at a time.
const CHAINED: usize = 3;

/// From one state to another.
type Way = (&'static str, &'static str);

#[test]
fn every_state_has_a_way_out_and_no_way_leads_elsewhere() {
    let ways = walk(Place::start(DELIVERIES, false, May::Stop));
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
    let ways = walk(Place::start(CHAINED, true, May::Nothing));
    assert_eq!(ways, WAYS.into());
}

#[test]
fn a_chain_goes_on_when_one_of_it_is_stopped() {
    walk(Place::start(DELIVERIES, true, May::Stop));
}

#[test]
fn one_that_is_given_up_is_probed_with_one_at_a_time_and_no_probe_is_the_last_attempt() {
    for ordered in [false, true] {
        let ways = walk(Place::start(DELIVERIES, ordered, May::GiveUp));
        let probed = [("held", "leased")];
        let known = WAYS.into_iter().chain(probed);
        assert_eq!(ways, known.collect());
    }
}

#[test]
fn what_is_too_old_goes_from_wherever_it_stands_but_for_what_is_being_sent() {
    for (deliveries, ordered) in [(1, false), (DELIVERIES, true)] {
        let ways = walk(Place::start(deliveries, ordered, May::Age));
        let known: BTreeSet<Way> = WAYS.into_iter().chain(AGED).collect();
        assert_eq!(ways, known);
    }
}

#[test]
fn what_a_job_sends_again_comes_to_an_end_wherever_it_goes() {
    let ways = walk(Place::start(1, false, May::Replay));
    let held = ["cancelled", "delivered", "exhausted", "refused"].map(|ended| (ended, "held"));
    let known = WAYS.into_iter().chain(held);
    assert_eq!(ways, known.collect());
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

/// Those that lead there because something is too old, or is erased.
const AGED: [Way; 14] = [
    ("cancelled", "expired"),
    ("cancelled", "forgotten"),
    ("delivered", "forgotten"),
    ("exhausted", "forgotten"),
    ("expired", "forgotten"),
    ("held", "cancelled"),
    ("held", "delivered"),
    ("held", "expired"),
    ("held", "forgotten"),
    ("refused", "forgotten"),
    ("waiting", "cancelled"),
    ("waiting", "delivered"),
    ("waiting", "expired"),
    ("waiting", "forgotten"),
];

/// Goes wherever it can from there; answers the ways that were gone.
fn walk(start: Place) -> BTreeSet<Way> {
    let mut seen = HashSet::from([start.key()]);
    let mut ahead = VecDeque::from([start]);
    let mut ways = BTreeSet::new();
    while let Some(place) = ahead.pop_front() {
        if let Some(complaint) = place.complaint() {
            panic!("{complaint}\nin {:#?}", place.model);
        }
        let handled = place.handled();
        for next in &handled {
            // What it does to the subscription as well, such as ending it, tells on all its deliveries.
            let same = place.state() == next.state();
            let moved = place.shown().into_iter().zip(next.shown());
            ways.extend(moved.filter(|(before, after)| same && before != after));
        }
        for mut next in handled.into_iter().chain(place.befallen()) {
            if seen.insert(next.key()) {
                next.forget_the_log();
                ahead.push_back(next);
            }
        }
    }
    println!("{} states", seen.len());
    ways
}
