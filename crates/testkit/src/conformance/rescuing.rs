//! Leases whose node is dead.

use std::time::Duration;

use domain::{DeliveryState, EventType, NodeId, Outcome, SubscriptionId, SubscriptionState};
use store::{LeasedDelivery, Rescue, Take};

use crate::{Scene, TestLanes, World, world::retry, writing};

const KIND: EventType = EventType::TaskCompleted;
const ATTEMPTS_MAX: u32 = 3;

async fn rescue(world: &World, which: Rescue, limit: u32) -> u32 {
    let now = world.now();
    let unit = writing!([which, now, limit] tx => {
        tx.delivery_rescue(*which, *now, ATTEMPTS_MAX, *limit).await
    });
    world.write(unit).await
}

async fn take_as(world: &World, node: NodeId, lane: SubscriptionId) -> Vec<LeasedDelivery> {
    world
        .take_as(
            node,
            &[Take {
                subscription: lane,
                limit: 1,
            }],
        )
        .await
        .deliveries
}

async fn scene_with(world: &World, events: usize) -> (Scene, SubscriptionId) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    for _ in 0..events {
        world.happen(&scene, KIND).await;
    }
    (scene, lane)
}

fn lapse(world: &World) {
    world
        .clock
        .advance(TestLanes::LEASE + Duration::from_millis(1));
}

pub(super) async fn only_leases_that_lapsed_are_rescued(world: &World) {
    let (scene, lane) = scene_with(world, 3).await;
    let old = world.take(lane, 1).await.remove(0);
    world.clock.advance(TestLanes::LEASE / 2);
    let young = world.take(lane, 1).await.remove(0);
    assert_eq!(
        rescue(world, Rescue::Lapsed, 100).await,
        0,
        "neither has lapsed"
    );
    world
        .clock
        .advance(TestLanes::LEASE / 2 + Duration::from_millis(1));
    assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 1);
    assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 0, "once");
    let state = async |leased: &LeasedDelivery| {
        world
            .log(scene.team, leased.lease.delivery)
            .await
            .delivery
            .state
    };
    assert_eq!(state(&old).await, DeliveryState::Waiting);
    assert_eq!(state(&young).await, DeliveryState::Leased);
    world.deliver(&young).await;
}

pub(super) async fn a_rescue_writes_an_attempt_nobody_knows_the_end_of(world: &World) {
    let (scene, lane) = scene_with(world, 1).await;
    let leased = world.take_one(lane).await;
    lapse(world);
    assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 1);
    let log = world.log(scene.team, leased.lease.delivery).await;
    assert_eq!(log.attempts.len(), 1);
    assert_eq!(
        (log.attempts[0].number, log.attempts[0].outcome),
        (1, Outcome::Unknown)
    );
    assert_eq!(log.attempts[0].status, None);
    assert_eq!(
        log.attempts[0].signature, "",
        "what was sent, if anything, is not known"
    );
    let delivery = log.delivery;
    assert_eq!(
        (delivery.state, delivery.attempts),
        (DeliveryState::Waiting, 1)
    );
    assert_eq!(
        (delivery.last_outcome, delivery.last_status_code),
        (Some(Outcome::Unknown), None)
    );
    assert_eq!(
        delivery.next_attempt_date_time,
        Some(world.now()),
        "it is due now"
    );
    assert_eq!(world.take_one(lane).await.lease.attempt, 2);
}

pub(super) async fn a_delivery_that_ends_the_process_each_time_runs_out_of_attempts(world: &World) {
    let (scene, lane) = scene_with(world, 1).await;
    let mut delivery = None;
    for attempt in 1..=ATTEMPTS_MAX {
        let leased = world.take_one(lane).await;
        assert_eq!(leased.lease.attempt, attempt);
        delivery = Some(leased.lease.delivery);
        lapse(world);
        assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 1);
    }
    let log = world
        .log(scene.team, delivery.expect("there were attempts"))
        .await;
    assert_eq!(log.delivery.state, DeliveryState::Exhausted);
    assert_eq!(log.delivery.next_attempt_date_time, None);
    let outcomes: Vec<_> = log
        .attempts
        .iter()
        .map(|one| (one.number, one.outcome))
        .collect();
    let unknown: Vec<_> = (1..=ATTEMPTS_MAX)
        .map(|number| (number, Outcome::Unknown))
        .collect();
    assert_eq!(outcomes, unknown);
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(world.take(lane, 10).await.len(), 0);
}

pub(super) async fn attempts_of_both_kinds_count_together(world: &World) {
    let (scene, lane) = scene_with(world, 1).await;
    for _ in 1..ATTEMPTS_MAX {
        let leased = world.take_one(lane).await;
        world
            .settle(&[retry(&leased, world.now(), world.now())])
            .await;
    }
    let last = world.take_one(lane).await;
    lapse(world);
    rescue(world, Rescue::Lapsed, 100).await;
    let log = world.log(scene.team, last.lease.delivery).await;
    assert_eq!(log.delivery.state, DeliveryState::Exhausted);
    let outcomes: Vec<_> = log.attempts.iter().map(|one| one.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::RefusedStatus,
            Outcome::RefusedStatus,
            Outcome::Unknown
        ]
    );
}

pub(super) async fn at_a_start_all_leases_but_our_own_end(world: &World) {
    let (scene, lane) = scene_with(world, 3).await;
    let (ours, dead, older) = (world.other_node(), world.other_node(), world.other_node());
    let mine = take_as(world, ours, lane).await.remove(0);
    let theirs = take_as(world, dead, lane).await.remove(0);
    let too = take_as(world, older, lane).await.remove(0);
    assert_eq!(
        rescue(world, Rescue::OfTheDead(ours), 100).await,
        2,
        "though none has lapsed"
    );
    let state = async |leased: &LeasedDelivery| {
        world
            .log(scene.team, leased.lease.delivery)
            .await
            .delivery
            .state
    };
    assert_eq!(state(&theirs).await, DeliveryState::Waiting);
    assert_eq!(state(&too).await, DeliveryState::Waiting);
    assert_eq!(state(&mine).await, DeliveryState::Leased);
    world.deliver(&mine).await;
    let attempts: Vec<_> = world.take(lane, 10).await;
    let attempts: Vec<_> = attempts.iter().map(|leased| leased.lease.attempt).collect();
    assert_eq!(attempts, [2, 2]);
}

pub(super) async fn a_rescue_takes_no_more_than_it_may(world: &World) {
    let (_, lane) = scene_with(world, 5).await;
    assert_eq!(world.take(lane, 5).await.len(), 5);
    lapse(world);
    let mut rescued = Vec::new();
    for _ in 0..4 {
        rescued.push(rescue(world, Rescue::Lapsed, 2).await);
    }
    assert_eq!(rescued, [2, 2, 1, 0]);
    assert_eq!(world.take(lane, 10).await.len(), 5);
}

pub(super) async fn what_lapses_in_a_pause_is_tried_once_more(world: &World) {
    let (scene, lane) = scene_with(world, 1).await;
    for _ in 1..ATTEMPTS_MAX {
        let leased = world.take_one(lane).await;
        let at = world.now();
        world.settle(&[retry(&leased, at, at)]).await;
    }
    // The last attempt is under way in a pause, as that of a probe always is; and in the second round in one that
    // has ended by then.
    for (round, goes_on) in [(0, true), (1, false)] {
        let last = world.take_one(lane).await;
        assert_eq!(last.lease.attempt, ATTEMPTS_MAX + round);
        world.put_state(lane, SubscriptionState::Paused).await;
        if !goes_on {
            world.put_state(lane, SubscriptionState::Active).await;
        }
        lapse(world);
        assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 1);
        if goes_on {
            world.put_state(lane, SubscriptionState::Active).await;
        }
    }
    let last = world.take_one(lane).await;
    lapse(world);
    assert_eq!(rescue(world, Rescue::Lapsed, 100).await, 1);
    let found = world.log(scene.team, last.lease.delivery).await;
    assert_eq!(found.delivery.state, DeliveryState::Exhausted);
}

pub(super) async fn what_was_handed_over_is_rescued_like_any_other(world: &mut World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    world.lanes.set_permits(1);
    world.happen(&scene, KIND).await;
    let lost = world.lanes.wait_handed(1).await.remove(0);
    world.reopen().await;
    let node = store::Node::node(&*world.lanes);
    rescue(world, Rescue::OfTheDead(node), 100).await;
    let again = world.take_one(lane).await;
    assert_eq!(again.lease.delivery, lost.lease.delivery);
    assert_eq!((again.lease.attempt, again.sequence), (2, 1));
    world.deliver(&again).await;
}
