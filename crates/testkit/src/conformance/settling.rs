//! Storing what came of attempts, only while the lease is ours.

use std::time::Duration;

use domain::{DeliveryId, DeliveryState, EventType, Outcome};
use store::{Lease, Rescue, Settled, Settlement};

use crate::{
    Scene, World,
    world::{delivered, retry, settlement},
    writing,
};

const KIND: EventType = EventType::TaskCompleted;

async fn one_leased(world: &World) -> (Scene, store::LeasedDelivery) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    (scene, leased)
}

async fn rescue_lapsed(world: &World) -> u32 {
    let now = world
        .clock
        .advance(crate::TestLanes::LEASE + Duration::from_secs(1));
    world
        .write(writing!([now] tx => tx.delivery_rescue(Rescue::Lapsed, *now, 10, 100).await))
        .await
}

/// Asserts that a settlement finds its lease lost and leaves no trace.
async fn is_lost(world: &World, scene: &Scene, settlement: Settlement) {
    let id = settlement.lease.delivery;
    let (before, log) = (
        world.deliveries(scene.team).await,
        world.log(scene.team, id).await,
    );
    assert_eq!(world.settle(&[settlement]).await, [Settled::LeaseLost]);
    assert_eq!(
        world.deliveries(scene.team).await,
        before,
        "nothing was stored"
    );
    assert_eq!(
        world.log(scene.team, id).await.attempts,
        log.attempts,
        "and nothing logged"
    );
}

pub(super) async fn a_settlement_stores_the_attempt_and_the_final_state(world: &World) {
    let finals = [
        (Outcome::Delivered, DeliveryState::Delivered),
        (Outcome::RefusedStatus, DeliveryState::Exhausted),
        (Outcome::AddressRefused, DeliveryState::Refused),
        (Outcome::Gone, DeliveryState::Cancelled),
        (Outcome::Cancelled, DeliveryState::Cancelled),
    ];
    for (outcome, state) in finals {
        let (scene, leased) = one_leased(world).await;
        let started_at = world.tick();
        let settled = settlement(&leased, outcome, state, started_at);
        assert_eq!(
            world.settle(std::slice::from_ref(&settled)).await,
            [Settled::Stored]
        );
        let log = world.log(scene.team, leased.lease.delivery).await;
        assert_eq!(
            log.attempts,
            std::slice::from_ref(&settled.attempt),
            "{outcome}"
        );
        let delivery = log.delivery;
        assert_eq!((delivery.state, delivery.reason), (state, settled.reason));
        assert_eq!(
            (delivery.attempts, delivery.next_attempt_date_time),
            (1, None)
        );
        assert_eq!(delivery.last_outcome, Some(outcome));
        assert_eq!(delivery.last_status_code, settled.attempt.status);
        let ended = started_at.after(Duration::from_millis(42));
        assert_eq!(delivery.last_attempt_date_time, Some(ended));
        let lane = leased.destination.subscription;
        world.clock.advance(Duration::from_hours(24 * 365));
        assert_eq!(world.take(lane, 10).await.len(), 0, "{state} is the end");
    }
}

pub(super) async fn a_settlement_can_let_it_wait(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let due_at = world.now().after(Duration::from_mins(5));
    let settled = retry(&leased, world.tick(), due_at);
    assert_eq!(
        world.settle(std::slice::from_ref(&settled)).await,
        [Settled::Stored]
    );
    let delivery = world.log(scene.team, leased.lease.delivery).await.delivery;
    assert_eq!(
        (delivery.state, delivery.attempts),
        (DeliveryState::Waiting, 1)
    );
    assert_eq!(delivery.next_attempt_date_time, Some(due_at));
    assert_eq!(
        (delivery.reason, delivery.last_status_code),
        (settled.reason, Some(503))
    );
    world.clock.set(due_at);
    let again = world.take_one(leased.destination.subscription).await;
    assert_eq!((again.lease.attempt, again.sequence), (2, leased.sequence));
    assert_eq!(
        (again.event, again.body),
        (leased.event, leased.body),
        "byte for byte the same"
    );
}

pub(super) async fn another_node_can_not_settle_it(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let mut foreign = delivered(&leased, world.now());
    foreign.lease.node = world.other_node();
    is_lost(world, &scene, foreign).await;
    world.deliver(&leased).await;
}

pub(super) async fn another_attempt_can_not_settle_it(world: &World) {
    let (scene, leased) = one_leased(world).await;
    for attempt in [2, 7] {
        let mut wrong = delivered(&leased, world.now());
        wrong.lease.attempt = attempt;
        wrong.attempt.number = attempt;
        is_lost(world, &scene, wrong).await;
    }
    world.deliver(&leased).await;
}

pub(super) async fn it_is_settled_once(world: &World) {
    let (scene, leased) = one_leased(world).await;
    world.deliver(&leased).await;
    let (outcome, state) = (Outcome::RefusedStatus, DeliveryState::Exhausted);
    is_lost(
        world,
        &scene,
        settlement(&leased, outcome, state, world.now()),
    )
    .await;
    is_lost(world, &scene, delivered(&leased, world.now())).await;
}

pub(super) async fn a_lease_that_lapsed_and_was_rescued_settles_nothing(world: &World) {
    let (scene, leased) = one_leased(world).await;
    assert_eq!(rescue_lapsed(world).await, 1);
    is_lost(world, &scene, delivered(&leased, world.now())).await;
    let again = world.take_one(leased.destination.subscription).await;
    is_lost(world, &scene, delivered(&leased, world.now())).await;
    world.deliver(&again).await;
}

pub(super) async fn a_lapsed_lease_goes_to_the_next_node(world: &World) {
    let (scene, lost) = one_leased(world).await;
    rescue_lapsed(world).await;
    let lane = lost.destination.subscription;
    let takes = [store::Take {
        subscription: lane,
        limit: 1,
    }];
    let held = world
        .take_as(world.other_node(), &takes)
        .await
        .deliveries
        .remove(0);
    assert_eq!(held.lease.delivery, lost.lease.delivery);
    assert_eq!((held.lease.attempt, held.sequence), (2, lost.sequence));
    is_lost(world, &scene, delivered(&lost, world.now())).await;
    world.deliver(&held).await;
    let outcomes: Vec<_> = world.log(scene.team, lost.lease.delivery).await.attempts;
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome))
        .collect();
    assert_eq!(outcomes, [(1, Outcome::Unknown), (2, Outcome::Delivered)]);
}

pub(super) async fn what_never_was_can_not_be_settled(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let mut unknown = delivered(&leased, world.now());
    unknown.lease = Lease {
        delivery: DeliveryId::new(world.source.uuid()),
        ..leased.lease
    };
    assert_eq!(world.settle(&[unknown]).await, [Settled::LeaseLost]);
    assert_eq!(world.deliveries(scene.team).await.len(), 1);
}

pub(super) async fn answers_come_in_the_order_of_the_settlements(world: &World) {
    use DeliveryState::{Delivered, Leased, Waiting};
    use Settled::{LeaseLost, Stored};
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    for _ in 0..5 {
        world.happen(&scene, KIND).await;
    }
    let leased = world.take(made, 5).await;
    world.deliver(&leased[3]).await;
    let at = world.now();
    let mut settlements: Vec<_> = leased.iter().map(|leased| delivered(leased, at)).collect();
    settlements[1].lease.node = world.other_node();
    settlements[2] = retry(&leased[2], at, at.after(Duration::from_secs(5)));
    settlements.reverse();
    assert_eq!(
        world.settle(&settlements).await,
        [Stored, LeaseLost, Stored, LeaseLost, Stored]
    );
    let mut listed = world.deliveries(scene.team).await;
    listed.reverse();
    let states: Vec<_> = listed.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [Delivered, Leased, Waiting, Delivered, Delivered]);
    assert_eq!(world.settle(&[]).await, []);
}

pub(super) async fn a_delivery_of_a_paused_subscription_can_be_settled(world: &World) {
    let (scene, leased) = one_leased(world).await;
    let lane = leased.destination.subscription;
    world
        .put_state(lane, domain::SubscriptionState::Paused)
        .await;
    let due_at = world.now().after(Duration::from_secs(5));
    assert_eq!(
        world.settle(&[retry(&leased, world.now(), due_at)]).await,
        [Settled::Stored]
    );
    let delivery = world.log(scene.team, leased.lease.delivery).await.delivery;
    assert_eq!(
        (delivery.state, delivery.next_attempt_date_time),
        (DeliveryState::Held, None)
    );
    assert_eq!(
        delivery.last_outcome,
        Some(Outcome::RefusedStatus),
        "what ran was logged"
    );
}
