//! Keeping less: what goes, what stays, and what happens to deliveries meanwhile.

mod bodies;
mod life;

pub(super) use bodies::*;
pub(super) use life::*;

use domain::{DeliveryId, DeliveryState, EventType, SubscriptionId, SubscriptionState, TeamId};
use store::{DeliveryQuery, Ending, EventPlace, Forget, KeptEvent, Redelivery, Settled, Slimmed};

use crate::{Scene, World, reading, world::retry, writing};

const KIND: EventType = EventType::TaskCompleted;
/// More than any of these tests has.
const ALL: u32 = 10_000;

async fn walk(world: &World, after: Option<EventPlace>) -> Vec<KeptEvent> {
    let unit = reading!([after] tx => tx.event_walk(*after, ALL).await);
    world.read(unit).await
}

async fn places(world: &World) -> Vec<EventPlace> {
    let all = walk(world, None).await;
    all.iter().map(|event| event.place).collect()
}

async fn forget(world: &World, places: &[EventPlace], most: u32) -> Slimmed {
    forget_those(world, places, Forget::All, most).await
}

async fn forget_those(world: &World, places: &[EventPlace], which: Forget, most: u32) -> Slimmed {
    let places = places.to_vec();
    let unit = writing!([places, which, most] tx => {
        tx.event_forget(places, *which, *most).await
    });
    world.write(unit).await
}

fn ending() -> Ending {
    Ending {
        stopped_by: None,
        state: DeliveryState::Expired,
        reason: "too old".to_owned(),
    }
}

async fn remove_bodies(world: &World, places: &[EventPlace], most: u32) -> Slimmed {
    let (places, ending) = (places.to_vec(), ending());
    let unit = writing!([places, ending, most] tx => {
        tx.event_body_remove(places, ending, *most).await
    });
    world.write(unit).await
}

async fn remove_answers(world: &World, places: &[EventPlace], most: u32) -> Slimmed {
    let places = places.to_vec();
    world
        .write(writing!([places, most] tx => tx.event_answers_remove(places, *most).await))
        .await
}

async fn find(world: &World, team: TeamId, id: DeliveryId) -> Option<store::DeliveryRecord> {
    world
        .read(reading!([team, id] tx => tx.delivery_get(*team, *id).await))
        .await
}

async fn redeliver(world: &World, team: TeamId, id: DeliveryId) -> Redelivery {
    let now = world.tick();
    let unit = writing!([team, id, now] tx => tx.delivery_redeliver(*team, *id, "Ann", *now).await);
    world.write(unit).await
}

/// A scene with a subscription.
async fn one_lane(world: &World) -> (Scene, SubscriptionId) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    (scene, lane)
}

fn done(events: u64, rows: u64) -> Slimmed {
    Slimmed {
        events,
        rows,
        more: false,
    }
}

pub(super) async fn events_are_walked_oldest_first_and_tell_what_is_left_of_them(world: &World) {
    assert_eq!(walk(world, None).await, []);
    let (scene, lane) = one_lane(world).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(world.happen(&scene, KIND).await.at);
    }
    let first = world.take(lane, 1).await.remove(0);
    world.deliver(&first).await;
    let second = world.take(lane, 1).await.remove(0);
    world
        .settle(&[retry(&second, world.now(), world.now())])
        .await;
    let all = walk(world, None).await;
    let seen: Vec<_> = all.iter().map(|event| event.at).collect();
    assert_eq!(seen, times);
    assert!(all.iter().all(|event| event.has_body));
    let answered: Vec<_> = all.iter().map(|event| event.has_answers).collect();
    assert_eq!(answered, [true, true, false, false, false]);
    assert_eq!(walk(world, Some(all[2].place)).await, all[3..]);
    let unit = reading!([] tx => tx.event_walk(None, 2).await);
    assert_eq!(world.read(unit).await, all[..2]);
    remove_bodies(world, &[all[0].place], ALL).await;
    remove_answers(world, &[all[1].place], ALL).await;
    let now = walk(world, None).await;
    assert_eq!((now[0].has_body, now[0].has_answers), (false, true));
    assert_eq!((now[1].has_body, now[1].has_answers), (true, false));
}

pub(super) async fn the_events_of_a_checklist_are_walked_alone(world: &World) {
    let (scene, _) = one_lane(world).await;
    let other = Scene {
        list: world.checklist(&scene, "Invoice 18").await,
        ..scene.clone()
    };
    for n in 0..6 {
        world
            .happen(if n % 2 == 0 { &scene } else { &other }, KIND)
            .await;
    }
    let all = walk(world, None).await;
    let of = [all[1], all[3], all[5]];
    let (team, list) = (scene.team, other.list.head.id);
    let red = world.team("Red").await;
    for (team, after, expected) in [
        (team, None, &of[..]),
        (team, Some(of[0].place), &of[1..]),
        (red, None, &[]),
    ] {
        let unit = reading!([team, list, after] tx => {
            tx.event_walk_of(*team, *list, *after, ALL).await
        });
        assert_eq!(world.read(unit).await, expected);
    }
}

pub(super) async fn an_event_goes_with_its_deliveries_and_their_attempts(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    let failed = world.take(lane, 1).await.remove(0);
    world
        .settle(&[retry(&failed, world.now(), world.now())])
        .await;
    let taken = world.take(other, 1).await.remove(0);
    world.deliver(&taken).await;
    let oldest = places(world).await[0];
    assert_eq!(forget(world, &[oldest], ALL).await, done(1, 2));
    assert_eq!(places(world).await.len(), 2);
    for gone in [failed.lease.delivery, taken.lease.delivery] {
        assert!(find(world, scene.team, gone).await.is_none());
        assert_eq!(
            redeliver(world, scene.team, gone).await,
            Redelivery::NotThere
        );
    }
    assert_eq!(world.deliveries(scene.team).await.len(), 4);
    assert_eq!(
        forget(world, &[oldest], ALL).await,
        done(0, 0),
        "it is gone"
    );
    let left: Vec<_> = world.take(lane, 10).await;
    let left: Vec<_> = left.iter().map(|leased| leased.sequence).collect();
    assert_eq!(left, [2, 3], "the others keep their numbers");
}

pub(super) async fn numbers_go_on_after_what_was_removed(world: &mut World) {
    let (scene, lane) = one_lane(world).await;
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    let before = places(world).await;
    // Those that wait for a subscription that is paused were never numbered, where numbers come late.
    world.put_state(lane, SubscriptionState::Paused).await;
    let gone = forget(world, &before, ALL).await;
    assert_eq!((gone.rows, gone.more), (3, false));
    assert_eq!(world.deliveries(scene.team).await, []);
    world.reopen().await;
    world.put_state(lane, SubscriptionState::Active).await;
    world.happen(&scene, KIND).await;
    assert_eq!(world.take_one(lane).await.sequence, 4);
    let last = before.last().copied();
    assert_eq!(
        walk(world, last).await.len(),
        1,
        "what is new stands behind all that ever was"
    );
}

pub(super) async fn a_slice_takes_no_more_than_it_may(world: &World) {
    let (scene, lane) = one_lane(world).await;
    for _ in 0..2 {
        world.subscribe(&scene, KIND).await;
    }
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    world.happen(&scene, KIND).await;
    for leased in world.take(lane, 10).await {
        world.deliver(&leased).await;
    }
    let mut three = places(world).await;
    three.pop();
    assert!(remove_answers(world, &three, 2).await.more);
    assert_eq!(remove_answers(world, &three, 2).await, done(1, 1));
    let slice = remove_bodies(world, &three, 4).await;
    assert_eq!((slice.rows, slice.more), (4, true));
    let slice = remove_bodies(world, &three, 4).await;
    assert_eq!((slice.rows, slice.more), (2, false), "six waited");
    let mut rows = 0;
    for slices in 1.. {
        let slice = forget(world, &three, 2).await;
        assert!(slice.rows <= 2, "{slice:?}");
        rows += slice.rows;
        if !slice.more {
            assert_eq!((slices, rows), (5, 9));
            break;
        }
    }
    assert_eq!(places(world).await.len(), 1);
    assert_eq!(world.deliveries(scene.team).await.len(), 3);
}

pub(super) async fn a_delivery_that_is_being_sent_keeps_its_event(world: &World) {
    let (scene, lane) = one_lane(world).await;
    world.subscribe(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let leased = world.take(lane, 1).await.remove(0);
    let oldest = places(world).await[0];
    assert_eq!(forget(world, &[oldest], ALL).await, done(0, 1));
    assert_eq!(places(world).await[0], oldest);
    let at = world.now();
    let settled = world.settle(&[retry(&leased, at, at)]).await;
    assert_eq!(settled, [Settled::Stored]);
    let again = world.take(lane, 1).await.remove(0);
    assert_eq!(again.lease.delivery, leased.lease.delivery);
    assert_eq!(again.body, leased.body);
    world.deliver(&again).await;
    assert_eq!(forget(world, &[oldest], ALL).await, done(1, 1));
}

pub(super) async fn what_waits_or_has_expired_may_be_kept_longer(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let slow = world.subscribe(&scene, KIND).await.id;
    for _ in 0..2 {
        world.happen(&scene, KIND).await;
    }
    world.happen(&scene, KIND).await;
    for leased in world.take(lane, 2).await {
        world.deliver(&leased).await;
    }
    let two = places(world).await[..2].to_vec();
    assert_eq!(
        forget_those(world, &two, Forget::Settled, ALL).await,
        done(0, 2)
    );
    assert_eq!(remove_bodies(world, &two, ALL).await, done(2, 2));
    assert_eq!(
        forget_those(world, &two, Forget::Settled, ALL).await,
        done(0, 0)
    );
    let all = world.deliveries(scene.team).await;
    let shown: Vec<_> = all
        .iter()
        .filter(|row| row.state == DeliveryState::Expired)
        .map(|row| (row.subscription_id, row.sequence))
        .collect();
    assert_eq!(shown, [(slow, 2), (slow, 1)]);
    assert_eq!(forget(world, &two, ALL).await, done(2, 2));
    assert_eq!(world.deliveries(scene.team).await.len(), 2);
}

pub(super) async fn a_list_goes_on_from_a_cursor_that_was_removed(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    for _ in 0..6 {
        world.happen(&scene, KIND).await;
    }
    let oldest = world.take(lane, 1).await.remove(0);
    let all = world.deliveries(scene.team).await;
    let of = |lane| -> Vec<DeliveryId> {
        let of = all.iter().filter(|one| one.subscription_id == lane);
        of.map(|one| one.delivery_id).collect()
    };
    let (ours, others) = (of(lane), of(other));
    let page = async |before| -> Vec<DeliveryId> {
        let query = DeliveryQuery {
            subscription: Some(lane),
            before: Some(before),
            limit: 10,
            ..DeliveryQuery::default()
        };
        let page = world.page(scene.team, query).await;
        page.iter().map(|one| one.delivery_id).collect()
    };
    assert_eq!(page(ours[2]).await, ours[3..]);
    assert_eq!(
        page(others[2]).await,
        ours[ours.partition_point(|one| *one >= others[2])..],
        "a place in the list of another is a place in time"
    );
    let old = places(world).await;
    forget(world, &old[..4], ALL).await;
    // The oldest is being sent, so it is still there, older than the cursor that is not.
    assert_eq!(page(ours[2]).await, [oldest.lease.delivery]);
    assert_eq!(page(ours[0]).await, [ours[1], oldest.lease.delivery]);
    forget(world, &old, ALL).await;
    assert_eq!(page(ours[1]).await, [oldest.lease.delivery]);
    world.deliver(&oldest).await;
}
