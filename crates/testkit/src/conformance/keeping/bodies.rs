//! What becomes of deliveries whose body or answers go before they do.

use domain::{DeliveryState, Outcome, SubscriptionState};
use store::Redelivery;

use super::{ALL, KIND, done, one_lane, places, redeliver, remove_answers, remove_bodies};
use crate::{
    World,
    world::{retry, settlement},
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
