//! Order per checklist, for subscriptions that want it: of one checklist one delivery may go at a time, in the order
//! of the events, and no other checklist waits for it.

mod letting;

pub(super) use letting::*;

use std::{sync::Arc, time::Duration};

use domain::{DeliveryState, Event, EventType, Outcome, SubscriptionId};
use store::{Chain, LeasedDelivery, Rescue, Settled, Settlement};
use tokio::sync::Notify;

use crate::{
    LaneCall, Scene, TestLanes, World,
    world::{delivered, retry, settlement},
    writing,
};

const KIND: EventType = EventType::TaskCompleted;

/// A subscription that wants order, and the scene with a second checklist in the place of its own.
async fn ordered(world: &World) -> (Scene, Scene, SubscriptionId) {
    let scene = world.scene().await;
    let mut other = scene.clone();
    other.list = world.checklist(&scene, "Invoice 18").await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.order(scene.team, made, true).await;
    (scene, other, made)
}

/// What may be sent now, by its events.
async fn taken(world: &World, lane: SubscriptionId) -> Vec<LeasedDelivery> {
    world.take(lane, 100).await
}

fn events(leased: &[LeasedDelivery]) -> Vec<domain::EventId> {
    leased.iter().map(|leased| leased.event).collect()
}

/// Settles what lets another go, which is told of.
async fn settle(world: &World, lane: SubscriptionId, settlement: Settlement) {
    world.lanes.clear_backlog_of(lane);
    let settled = world.settle(&[settlement]).await;
    assert_eq!(settled, [Settled::Stored]);
    told_of(world, lane).await;
}

async fn told_of(world: &World, lane: SubscriptionId) {
    let told = |lanes: &TestLanes| {
        lanes.has_backlog(lane) && lanes.calls().last() == Some(&LaneCall::Wake)
    };
    world
        .lanes
        .wait_until("one to be let go and the lanes to be woken", told)
        .await;
}

pub(super) async fn of_one_checklist_one_may_go_at_a_time(world: &World) {
    let (scene, other, lane) = ordered(world).await;
    let first = world.happen(&scene, KIND).await;
    let second = world.happen(&scene, KIND).await;
    let elsewhere = world.happen(&other, KIND).await;
    let third = world.happen(&scene, KIND).await;
    let mut leased = taken(world, lane).await;
    assert_eq!(events(&leased), [first.id, elsewhere.id]);
    for next in [second, third] {
        settle(world, lane, delivered(&leased[0], world.tick())).await;
        leased = taken(world, lane).await;
        assert_eq!(events(&leased), [next.id]);
    }
    world.deliver(&leased[0]).await;
    assert_eq!(events(&taken(world, lane).await), []);
}

pub(super) async fn one_that_fails_holds_back_its_own_checklist_alone(world: &World) {
    let (scene, other, lane) = ordered(world).await;
    let first = world.happen(&scene, KIND).await;
    let second = world.happen(&scene, KIND).await;
    let leased = taken(world, lane).await;
    assert_eq!(events(&leased), [first.id]);
    let due = world.now().after(Duration::from_secs(5));
    world.settle(&[retry(&leased[0], world.now(), due)]).await;
    let elsewhere = world.happen(&other, KIND).await;
    assert_eq!(events(&taken(world, lane).await), [elsewhere.id]);
    world.clock.set(due);
    let again = taken(world, lane).await;
    assert_eq!(events(&again), [first.id], "itself, and nothing behind it");
    settle(world, lane, delivered(&again[0], world.tick())).await;
    assert_eq!(events(&taken(world, lane).await), [second.id]);
}

pub(super) async fn whatever_ends_the_first_lets_the_next_go(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    for (outcome, state) in [
        (Outcome::Delivered, DeliveryState::Delivered),
        (Outcome::TimedOut, DeliveryState::Exhausted),
        (Outcome::AddressRefused, DeliveryState::Refused),
        (Outcome::Cancelled, DeliveryState::Cancelled),
    ] {
        world.happen(&scene, KIND).await;
        let behind = world.happen(&scene, KIND).await;
        let first = world.take_one(lane).await;
        let end = settlement(&first, outcome, state, world.tick());
        settle(world, lane, end).await;
        let next = world.take_one(lane).await;
        assert_eq!(next.event, behind.id, "behind one that is {state}");
        world.deliver(&next).await;
    }
}

pub(super) async fn a_rescue_that_ends_the_first_lets_the_next_go(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    let first = world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    for attempts_max in [2, 1] {
        assert_eq!(events(&taken(world, lane).await), [first.id]);
        world
            .clock
            .advance(TestLanes::LEASE + Duration::from_millis(1));
        world.lanes.clear_backlog();
        let now = world.now();
        let unit = writing!([now, attempts_max] tx => {
            tx.delivery_rescue(Rescue::Lapsed, *now, *attempts_max, 10).await
        });
        assert_eq!(world.write(unit).await, 1);
        told_of(world, lane).await;
    }
    assert_eq!(events(&taken(world, lane).await), [behind.id]);
}

pub(super) async fn one_behind_another_says_what_it_waits_for(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    let row = world.deliveries(scene.team).await.remove(0);
    assert_eq!(row.event_id, behind.id);
    assert_eq!(row.state, DeliveryState::Waiting);
    assert!(row.reason.contains("same checklist"), "{}", row.reason);
    assert_eq!(row.next_attempt_date_time, None, "nobody knows when");
    let first = world.take_one(lane).await;
    settle(world, lane, delivered(&first, world.tick())).await;
    let row = world.deliveries(scene.team).await.remove(0);
    assert_eq!(row.reason, "");
    assert_eq!(row.next_attempt_date_time, Some(behind.at), "its turn");
}

pub(super) async fn a_lane_in_which_all_wait_for_another_has_nothing_to_send(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let first = world.take_one(lane).await;
    world.lanes.clear_backlog();
    world.happen(&scene, KIND).await;
    let look = crate::reading!([] tx => tx.delivery_lanes(10).await);
    assert_eq!(world.read(look).await, []);
    assert!(!world.lanes.has_backlog(lane), "a look would find nothing");
    settle(world, lane, delivered(&first, world.tick())).await;
    world.deliver(&world.take_one(lane).await).await;
}

pub(super) async fn the_first_goes_straight_through_and_the_next_does_not(world: &World) {
    let (scene, other, lane) = ordered(world).await;
    world.lanes.set_permits(10);
    let first = world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let elsewhere = world.happen(&other, KIND).await;
    let handed = world.lanes.wait_handed(2).await;
    assert_eq!(events(&handed), [first.id, elsewhere.id]);
    assert_eq!(world.lanes.permits_out(), 2);
    let page = world.deliveries(scene.team).await;
    let leased = page.iter().filter(|row| row.state == DeliveryState::Leased);
    assert_eq!(leased.count(), 2);
    assert_eq!(events(&taken(world, lane).await), []);
}

pub(super) async fn one_that_was_through_holds_nothing_back_when_it_is_sent_again(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    let events_of: Vec<Event> = [
        world.happen(&scene, KIND).await,
        world.happen(&scene, KIND).await,
        world.happen(&scene, KIND).await,
    ]
    .into();
    let old = world.take_one(lane).await;
    let end = settlement(
        &old,
        Outcome::TimedOut,
        DeliveryState::Exhausted,
        world.tick(),
    );
    settle(world, lane, end).await;
    redeliver(world, &scene, &old).await;
    let both = taken(world, lane).await;
    let mut found = events(&both);
    found.sort_unstable();
    let mut expected = [events_of[0].id, events_of[1].id];
    expected.sort_unstable();
    assert_eq!(
        found, expected,
        "the old one beside the one whose turn it is"
    );
    // The old one is not through yet, and the third need not wait for it.
    let second = both.iter().find(|leased| leased.event == events_of[1].id);
    let second = second.expect("it was just looked for");
    settle(world, lane, delivered(second, world.tick())).await;
    assert_eq!(events(&taken(world, lane).await), [events_of[2].id]);
}

pub(super) async fn one_behind_another_keeps_its_place_when_it_is_asked_for(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let first = world.take_one(lane).await;
    let behind = world.deliveries(scene.team).await.remove(0);
    let (team, id, now) = (scene.team, behind.delivery_id, world.tick());
    world
        .write(writing!([team, id, now] tx => tx.delivery_redeliver(*team, *id, "Ann", *now).await))
        .await;
    assert_eq!(events(&taken(world, lane).await), []);
    settle(world, lane, delivered(&first, world.tick())).await;
    let next = world.take_one(lane).await;
    assert_eq!(next.lease.delivery, id);
    assert_eq!(next.manual_by.as_deref(), Some("Ann"));
}

pub(super) async fn order_holds_from_the_next_event_on(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.order(scene.team, lane, false).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    world.order(scene.team, lane, true).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    let leased = taken(world, lane).await;
    assert_eq!(leased.len(), 3, "what was there before holds nothing back");
    let first = leased.last().expect("there are three");
    // What waits for its turn goes on doing so, and what is new does not wait for it.
    world.order(scene.team, lane, false).await;
    let free = world.happen(&scene, KIND).await;
    assert_eq!(events(&taken(world, lane).await), [free.id]);
    settle(world, lane, delivered(first, world.tick())).await;
    assert_eq!(events(&taken(world, lane).await), [behind.id]);
}

pub(super) async fn one_added_while_the_one_before_it_ends_is_let_go(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let first = world.take_one(lane).await;
    let next = scene.event(KIND, &world.source);
    let end = delivered(&first, world.tick());
    world.lanes.clear_backlog();
    if world.is_one_line() {
        world.append(&next).await;
        settle(world, lane, end).await;
    } else {
        // It has seen the first as not through; that is then settled, without seeing this one.
        let (seen, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let with = (next.clone(), seen.clone(), go_on.clone());
        let team = scene.team;
        let unit = writing!([with, team] tx => {
            let (next, seen, go_on) = with;
            tx.event_append(next).await?;
            tx.team_get(*team).await?;
            seen.notify_one();
            go_on.notified().await;
            Ok(())
        });
        let settling = async {
            seen.notified().await;
            assert_eq!(world.settle(&[end]).await, [Settled::Stored]);
            go_on.notify_one();
        };
        tokio::join!(world.write(unit), settling);
        told_of(world, lane).await;
    }
    assert_eq!(events(&taken(world, lane).await), [next.id]);
}

pub(super) async fn one_added_while_the_one_before_it_is_being_settled_is_let_go(world: &World) {
    let (scene, other, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let first = world.take_one(lane).await;
    let next = scene.event(KIND, &world.source);
    let ends = [delivered(&first, world.tick())];
    world.lanes.clear_backlog();
    if world.is_one_line() {
        let [end] = ends;
        assert_eq!(world.settle(&[end]).await, [Settled::Stored]);
        world.append(&next).await;
    } else {
        // It is settled and not committed when the next comes, which sees it as not through.
        let (settled, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let with = (ends, settled.clone(), go_on.clone());
        let unit = writing!([with] tx => {
            let (ends, settled, go_on) = with;
            let answer = tx.delivery_settle(ends).await?;
            settled.notify_one();
            go_on.notified().await;
            Ok(answer)
        });
        let adding = async {
            settled.notified().await;
            world.append(&next).await;
            // Chains are looked at in their turn: once another's next is let go, so was this one looked at.
            world.happen(&other, KIND).await;
            let behind = world.happen(&other, KIND).await;
            let elsewhere = world.take_one(lane).await;
            settle(world, lane, delivered(&elsewhere, world.tick())).await;
            assert_eq!(events(&taken(world, lane).await), [behind.id]);
            world.lanes.clear_backlog();
            go_on.notify_one();
        };
        tokio::join!(world.write(unit), adding);
        told_of(world, lane).await;
    }
    assert_eq!(events(&taken(world, lane).await), [next.id]);
}

pub(super) async fn a_chain_of_which_nobody_let_the_next_go_is_found(world: &mut World) {
    let (scene, other, lane) = ordered(world).await;
    let find = || crate::reading!([] tx => tx.chain_stuck(10).await);
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    world.happen(&other, KIND).await;
    world.happen(&other, KIND).await;
    assert_eq!(world.read(find()).await, [], "each has a first");
    let list = scene.list.head.id;
    world.tamper(&format!(
        "DELETE FROM delivery WHERE chain = {list} AND behind = 0"
    ));
    assert_eq!(taken(world, lane).await.len(), 1, "the other checklist's");
    world.reopen().await;
    assert_eq!(taken(world, lane).await.len(), 0, "it can't know");
    let stuck = world.read(find()).await;
    let chain = Chain {
        subscription: lane,
        checklist: list,
    };
    assert_eq!(stuck, [chain]);
    world
        .write(writing!([stuck] tx => tx.chain_let_go(stuck).await))
        .await;
    told_of(world, lane).await;
    assert_eq!(events(&taken(world, lane).await), [behind.id]);
    assert_eq!(world.read(find()).await, []);
}

async fn redeliver(world: &World, scene: &Scene, leased: &LeasedDelivery) {
    let (team, id, now) = (scene.team, leased.lease.delivery, world.tick());
    world
        .write(writing!([team, id, now] tx => tx.delivery_redeliver(*team, *id, "Ann", *now).await))
        .await;
}
