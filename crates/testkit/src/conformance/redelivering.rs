//! Another attempt because somebody asked for it.

use std::time::Duration;

use domain::{DeliveryId, DeliveryState, EventType, Outcome, SubscriptionState, TeamId};
use store::{LeasedDelivery, Redelivery, Rescue, Settled};

use crate::{
    Scene, World,
    world::{retry, settlement},
    writing,
};

const KIND: EventType = EventType::TaskCompleted;

async fn redeliver(world: &World, team: TeamId, id: DeliveryId) -> Redelivery {
    let now = world.tick();
    let unit = writing!([team, id, now] tx => tx.delivery_redeliver(*team, *id, "Ann", *now).await);
    world.write(unit).await
}

async fn one_leased(world: &World) -> (Scene, LeasedDelivery) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    (scene, leased)
}

pub(super) async fn one_that_waits_is_due_now(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
    let due_at = world.now().after(Duration::from_hours(5));
    world.settle(&[retry(&leased, world.now(), due_at)]).await;
    assert_eq!(
        redeliver(world, scene.team, id).await,
        Redelivery::Due(lane)
    );
    let again = world.take_one(lane).await;
    assert_eq!((again.lease.attempt, again.sequence), (2, leased.sequence));
    assert_eq!(again.manual_by.as_deref(), Some("Ann"));
    assert!(!again.delivered_before);
    world.deliver(&again).await;
    let log = world.log(scene.team, id).await;
    let by: Vec<_> = log
        .attempts
        .iter()
        .map(|attempt| attempt.manual_by.as_deref())
        .collect();
    assert_eq!(by, [None, Some("Ann")]);
}

pub(super) async fn who_asked_is_told_of_that_attempt_alone(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
    world
        .settle(&[retry(&leased, world.now(), world.now())])
        .await;
    redeliver(world, scene.team, id).await;
    let manual = world.take_one(lane).await;
    world
        .settle(&[retry(&manual, world.now(), world.now())])
        .await;
    assert_eq!(
        world.take_one(lane).await.manual_by,
        None,
        "the one after it is the schedule's"
    );
}

pub(super) async fn one_that_came_to_a_bad_end_can_be_sent_again(world: &World) {
    let ends = [
        (Outcome::RefusedStatus, DeliveryState::Exhausted),
        (Outcome::AddressRefused, DeliveryState::Refused),
        (Outcome::Cancelled, DeliveryState::Cancelled),
    ];
    for (outcome, state) in ends {
        let (scene, leased) = one_leased(world).await;
        let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
        world
            .settle(&[settlement(&leased, outcome, state, world.now())])
            .await;
        assert_eq!(
            redeliver(world, scene.team, id).await,
            Redelivery::Due(lane),
            "{state}"
        );
        let again = world.take_one(lane).await;
        assert_eq!((again.lease.attempt, again.delivered_before), (2, false));
        world.deliver(&again).await;
        let log = world.log(scene.team, id).await;
        assert_eq!(log.delivery.state, DeliveryState::Delivered);
        let outcomes: Vec<_> = log.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [outcome, Outcome::Delivered]);
    }
}

pub(super) async fn one_that_was_delivered_stays_so_whatever_comes_of_it(world: &World) {
    let ends = [
        (Outcome::RefusedStatus, DeliveryState::Exhausted),
        (Outcome::AddressRefused, DeliveryState::Refused),
        (Outcome::Cancelled, DeliveryState::Cancelled),
        (Outcome::Delivered, DeliveryState::Delivered),
    ];
    for (outcome, state) in ends {
        let (scene, leased) = one_leased(world).await;
        let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
        world.deliver(&leased).await;
        assert_eq!(
            redeliver(world, scene.team, id).await,
            Redelivery::Due(lane)
        );
        let again = world.take_one(lane).await;
        assert!(again.delivered_before);
        assert_eq!((again.lease.attempt, again.sequence), (2, leased.sequence));
        let settled = world
            .settle(&[settlement(&again, outcome, state, world.now())])
            .await;
        assert_eq!(settled, [Settled::Stored]);
        let log = world.log(scene.team, id).await;
        assert_eq!(
            log.delivery.state,
            DeliveryState::Delivered,
            "after {outcome}"
        );
        assert_eq!(log.delivery.next_attempt_date_time, None);
        let outcomes: Vec<_> = log.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(
            outcomes,
            [Outcome::Delivered, outcome],
            "the log tells of both"
        );
    }
}

pub(super) async fn one_that_was_delivered_is_not_retried_by_the_schedule(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
    world.deliver(&leased).await;
    redeliver(world, scene.team, id).await;
    let again = world.take_one(lane).await;
    world
        .settle(&[retry(&again, world.now(), world.now())])
        .await;
    assert_eq!(
        world.log(scene.team, id).await.delivery.state,
        DeliveryState::Delivered
    );
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(world.take(lane, 10).await.len(), 0);
}

pub(super) async fn one_that_was_delivered_stays_so_when_its_node_dies(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let (id, lane) = (leased.lease.delivery, leased.destination.subscription);
    world.deliver(&leased).await;
    redeliver(world, scene.team, id).await;
    world.take_one(lane).await;
    let now = world.clock.advance(crate::TestLanes::LEASE * 2);
    let unit = writing!([now] tx => tx.delivery_rescue(Rescue::Lapsed, *now, 1, 10).await);
    assert_eq!(world.write(unit).await, 1);
    let log = world.log(scene.team, id).await;
    assert_eq!(log.delivery.state, DeliveryState::Delivered);
    let outcomes: Vec<_> = log.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Delivered, Outcome::Unknown]);
}

pub(super) async fn one_that_is_being_sent_is_left_alone(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let id = leased.lease.delivery;
    assert_eq!(
        redeliver(world, scene.team, id).await,
        Redelivery::BeingSent
    );
    assert_eq!(
        world.take(leased.destination.subscription, 10).await.len(),
        0
    );
    world.deliver(&leased).await;
}

pub(super) async fn a_subscription_that_does_not_send_says_so(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let done = world.take(made, 1).await.remove(0);
    world.deliver(&done).await;
    let waits = world.deliveries(scene.team).await[0].delivery_id;
    let done = done.lease.delivery;
    for (state, answer) in [
        (SubscriptionState::Paused, Redelivery::Paused),
        (SubscriptionState::Gone, Redelivery::Gone),
    ] {
        world.put_state(made, state).await;
        let before = world.deliveries(scene.team).await;
        for id in [waits, done] {
            assert_eq!(redeliver(world, scene.team, id).await, answer);
        }
        assert_eq!(
            world.deliveries(scene.team).await,
            before,
            "nothing changed"
        );
    }
}

pub(super) async fn one_of_another_team_is_not_there(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let (red, id) = (world.team("Red").await, leased.lease.delivery);
    world.deliver(&leased).await;
    assert_eq!(redeliver(world, red, id).await, Redelivery::NotThere);
    let unknown = DeliveryId::new(world.source.uuid());
    assert_eq!(
        redeliver(world, scene.team, unknown).await,
        Redelivery::NotThere
    );
    assert_eq!(
        world.take(leased.destination.subscription, 10).await.len(),
        0
    );
}

pub(super) async fn the_lanes_are_told_of_it(world: &World) {
    let (scene, leased) = one_leased(world).await;
    world.deliver(&leased).await;
    let (before, lane) = (world.lanes.wakes(), leased.destination.subscription);
    world.lanes.clear_backlog();
    redeliver(world, scene.team, leased.lease.delivery).await;
    world
        .lanes
        .wait_until("a wake", |lanes| lanes.wakes() > before)
        .await;
    assert!(
        world.lanes.has_backlog(lane),
        "so that what is new goes behind it"
    );
}
