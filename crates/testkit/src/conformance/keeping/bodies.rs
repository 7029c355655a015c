//! What becomes of deliveries whose body or answers go before they do.

use domain::{
    DeliveryState, Outcome, SubscriptionId, SubscriptionSettings, SubscriptionState, TeamId,
};
use store::{Ending, LeasedDelivery, Redelivery, SubscriptionChange};

use super::{ALL, KIND, done, one_lane, places, redeliver, remove_answers, remove_bodies};
use crate::{
    World, reading,
    world::{delivered, retry, settlement},
    writing,
};

pub(in crate::conformance) async fn what_waits_ends_when_its_body_goes(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let held = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    world.put_state(held, SubscriptionState::Paused).await;
    let oldest = places(world).await[0];
    assert_eq!(remove_bodies(world, &[oldest], ALL).await, done(1, 2));
    assert_eq!(remove_bodies(world, &[oldest], ALL).await, done(0, 0));
    world.put_state(held, SubscriptionState::Active).await;
    for lane in [lane, held] {
        let second = world.take_one(lane).await;
        assert_eq!(second.sequence, 2);
        let all = world.deliveries(scene.team).await;
        let first = all
            .iter()
            .find(|one| one.subscription_id == lane && one.sequence == 1);
        let first = first.expect("it is listed");
        assert_eq!(
            (first.state, &*first.reason, first.next_attempt_date_time),
            (DeliveryState::Expired, "too old", None)
        );
        let id = first.delivery_id;
        let record = world.log(scene.team, id).await;
        assert_eq!((record.body, record.attempts.len()), (None, 0));
        assert_eq!(redeliver(world, scene.team, id).await, Redelivery::BodyGone);
        world.deliver(&second).await;
    }
    let rest = places(world).await[1];
    assert_eq!(remove_bodies(world, &[rest], ALL).await, done(1, 0));
}

pub(in crate::conformance) async fn one_that_was_delivered_stays_so_when_its_body_goes(
    world: &World,
) {
    let (scene, lane) = one_lane(world).await;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(lane).await;
    world.deliver(&leased).await;
    let id = leased.lease.delivery;
    assert_eq!(
        redeliver(world, scene.team, id).await,
        Redelivery::Due(lane)
    );
    let oldest = places(world).await[0];
    assert_eq!(remove_bodies(world, &[oldest], ALL).await, done(1, 1));
    let log = world.log(scene.team, id).await;
    assert_eq!(log.delivery.state, DeliveryState::Delivered);
    assert_eq!(world.take(lane, 10).await.len(), 0);
    assert_eq!(redeliver(world, scene.team, id).await, Redelivery::BodyGone);
}

pub(in crate::conformance) async fn what_is_being_sent_is_stopped_where_whoever_takes_its_body_wants_so(
    world: &World,
) {
    let (scene, lane) = one_lane(world).await;
    for _ in 0..2 {
        world.happen(&scene, KIND).await;
    }
    let taken = world.take(lane, 10).await;
    let all = places(world).await;
    let ending = Ending {
        state: DeliveryState::Cancelled,
        reason: "erased".to_owned(),
        stopped_by: Some("Ann".to_owned()),
    };
    let unit = writing!([all, ending] tx => tx.event_body_remove(all, ending, ALL).await);
    assert_eq!(world.write(unit).await, done(2, 0));
    let at = world.now();
    world
        .settle(&[retry(&taken[0], at, at), delivered(&taken[1], at)])
        .await;
    assert_eq!(world.take(lane, 10).await.len(), 0);
    let states = [DeliveryState::Cancelled, DeliveryState::Delivered];
    for (one, state) in taken.iter().zip(states) {
        let found = world.log(scene.team, one.lease.delivery).await.delivery;
        assert_eq!(found.state, state, "{found:?}");
    }
}

pub(in crate::conformance) async fn what_is_being_sent_when_its_body_goes_is_not_sent_again(
    world: &World,
) {
    let (scene, lane) = one_lane(world).await;
    for _ in 0..2 {
        world.happen(&scene, KIND).await;
    }
    let taken = world.take(lane, 10).await;
    let all = places(world).await;
    assert_eq!(remove_bodies(world, &all, ALL).await, done(2, 0));
    let at = world.now();
    // One failed, the other was given back: both wait again.
    world.settle(&[retry(&taken[0], at, at)]).await;
    let leases = [taken[1].lease];
    let unit = writing!([leases, at] tx => tx.delivery_give_back(leases, *at).await);
    world.write(unit).await;
    assert_eq!(world.take(lane, 10).await.len(), 0);
    for (leased, attempts) in taken.iter().zip([1, 0]) {
        let log = world.log(scene.team, leased.lease.delivery).await;
        assert_eq!(log.delivery.state, DeliveryState::Expired);
        assert_eq!(log.delivery.attempts, attempts, "none was made of it");
        assert_eq!(log.attempts.len(), attempts as usize);
        assert!(log.delivery.reason.contains("no longer kept"));
    }
}

pub(in crate::conformance) async fn answers_go_and_the_log_says_that_there_was_more(world: &World) {
    let (scene, lane) = one_lane(world).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let first = world.take(lane, 1).await.remove(0);
    world.deliver(&first).await;
    let second = world.take(lane, 1).await.remove(0);
    let at = world.now();
    world
        .settle(&[settlement(
            &second,
            Outcome::TimedOut,
            DeliveryState::Exhausted,
            at,
        )])
        .await;
    let ids = [first.lease.delivery, second.lease.delivery];
    let mut before = Vec::new();
    for id in ids {
        before.push(world.log(scene.team, id).await);
    }
    let all = places(world).await;
    assert_eq!(remove_answers(world, &all, ALL).await, done(2, 2));
    assert_eq!(remove_answers(world, &all, ALL).await, done(0, 0));
    for (id, mut before) in ids.into_iter().zip(before) {
        let attempt = &mut before.attempts[0];
        attempt.response_headers.clear();
        attempt.response_body.clear();
        attempt.response_truncated = true;
        let after = world.log(scene.team, id).await;
        assert_eq!(after.attempts, before.attempts, "nothing else changed");
        assert_eq!(after.delivery, before.delivery);
        assert_eq!(after.body, before.body);
    }
}

/// Has subscriptions wish that bodies go once everybody has them, or no longer.
async fn wish(world: &World, team: TeamId, id: SubscriptionId, drops: bool) {
    let found = world.read(reading!([team, id] tx => tx.subscription_get(*team, *id).await));
    let found = found.await.expect("it is there");
    let change = SubscriptionChange {
        source: found.source,
        target: found.target,
        settings: SubscriptionSettings {
            delete_body_on_success: drops,
            ..found.settings
        },
    };
    let put = writing!([id, change] tx => tx.subscription_put(*id, change).await);
    assert!(world.write(put).await);
}

/// What whoever settles asks for in the same transaction; how many bodies went.
async fn drop_bodies(world: &World, of: &[&LeasedDelivery]) -> u64 {
    let ids: Vec<_> = of.iter().map(|leased| leased.lease.delivery).collect();
    world
        .write(writing!([ids] tx => tx.event_body_drop(ids).await))
        .await
}

pub(in crate::conformance) async fn a_body_goes_once_all_who_wish_so_have_it(world: &World) {
    let (scene, one) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    let team = scene.team;
    wish(world, team, one, true).await;
    wish(world, team, other, true).await;
    world.happen(&scene, KIND).await;
    let next = world.happen(&scene, KIND).await;
    let first = world.take(one, 1).await.remove(0);
    let second = world.take(other, 1).await.remove(0);
    assert_eq!(drop_bodies(world, &[&first]).await, 0, "nobody has it");
    world.deliver(&first).await;
    assert_eq!(drop_bodies(world, &[&first]).await, 0, "one has not");
    let at = world.now();
    world.settle(&[retry(&second, at, at)]).await;
    assert_eq!(drop_bodies(world, &[&first]).await, 0, "it may need it");
    let again = world.take(other, 1).await.remove(0);
    assert_eq!(again.lease.delivery, second.lease.delivery);
    world.deliver(&again).await;
    assert_eq!(drop_bodies(world, &[&first, &again]).await, 1);
    assert_eq!(drop_bodies(world, &[&first, &again]).await, 0, "it is gone");
    for leased in [&first, &again] {
        let id = leased.lease.delivery;
        let log = world.log(team, id).await;
        assert_eq!(log.delivery.state, DeliveryState::Delivered);
        assert_eq!(log.body, None);
        assert_eq!(redeliver(world, team, id).await, Redelivery::BodyGone);
    }
    assert_eq!(
        world.take_one(one).await.body,
        next.body,
        "of no other event"
    );
}

pub(in crate::conformance) async fn a_body_stays_for_whoever_may_need_it(world: &World) {
    let (scene, one) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    let team = scene.team;
    wish(world, team, one, true).await;
    world.happen(&scene, KIND).await;
    let (first, second) = (world.take_one(one).await, world.take_one(other).await);
    world.deliver(&first).await;
    world.deliver(&second).await;
    let both = [&first, &second];
    assert_eq!(drop_bodies(world, &both).await, 0, "one did not wish so");
    wish(world, team, other, true).await;
    let id = first.lease.delivery;
    assert_eq!(redeliver(world, team, id).await, Redelivery::Due(one));
    assert_eq!(drop_bodies(world, &both).await, 0, "it is sent again");
    let again = world.take_one(one).await;
    assert_eq!(drop_bodies(world, &both).await, 0, "it is being sent");
    let at = world.now();
    world.settle(&[retry(&again, at, at)]).await;
    wish(world, team, other, false).await;
    assert_eq!(drop_bodies(world, &both).await, 0);
    world.put_state(other, SubscriptionState::Gone).await;
    assert_eq!(
        drop_bodies(world, &both).await,
        1,
        "who ended needs nothing"
    );
}

pub(in crate::conformance) async fn a_body_stays_for_what_came_to_a_bad_end(world: &World) {
    let (scene, one) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    let team = scene.team;
    wish(world, team, one, true).await;
    wish(world, team, other, true).await;
    world.happen(&scene, KIND).await;
    let (first, second) = (world.take_one(one).await, world.take_one(other).await);
    world.deliver(&first).await;
    let end = settlement(
        &second,
        Outcome::TimedOut,
        DeliveryState::Exhausted,
        world.tick(),
    );
    world.settle(&[end]).await;
    assert_eq!(drop_bodies(world, &[&first, &second]).await, 0);
    let id = second.lease.delivery;
    assert_eq!(redeliver(world, team, id).await, Redelivery::Due(other));
    world.deliver(&world.take_one(other).await).await;
    assert_eq!(drop_bodies(world, &[&second]).await, 1);
}

pub(in crate::conformance) async fn of_two_who_have_it_last_at_once_one_drops_it(world: &World) {
    const EACH: usize = 10;
    let (scene, one) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    wish(world, scene.team, one, true).await;
    wish(world, scene.team, other, true).await;
    for _ in 0..EACH {
        world.happen(&scene, KIND).await;
        let (first, second) = (world.take_one(one).await, world.take_one(other).await);
        let end = async |leased: &LeasedDelivery| {
            let (end, id) = ([delivered(leased, world.now())], [leased.lease.delivery]);
            let unit = writing!([end, id] tx => {
                tx.delivery_settle(end).await?;
                tx.event_body_drop(id).await
            });
            world.write(unit).await
        };
        let dropped = tokio::join!(end(&first), end(&second));
        assert_eq!(dropped.0 + dropped.1, 1, "{dropped:?}");
    }
}
