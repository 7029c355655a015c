//! The log of deliveries: lists, filters, and each delivery with all its attempts.

use std::{collections::BTreeSet, time::Duration};

use domain::{Delivery, DeliveryId, DeliveryState, EventType, Outcome};
use store::DeliveryQuery;

use crate::{
    World, reading,
    world::{retry, settlement},
};

const KIND: EventType = EventType::TaskCompleted;

fn all() -> DeliveryQuery {
    DeliveryQuery {
        limit: 1_000,
        ..DeliveryQuery::default()
    }
}

pub(super) async fn a_delivery_that_was_not_tried_yet_is_listed_whole(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await;
    let event = world.happen(&scene, KIND).await;
    let listed = world.deliveries(scene.team).await;
    assert_eq!(listed.len(), 1);
    let expected = Delivery {
        delivery_id: listed[0].delivery_id,
        event_id: event.id,
        event_type: KIND,
        subscription_id: made.id,
        sequence: listed[0].sequence,
        checklist_id: scene.list.head.id,
        state: DeliveryState::Waiting,
        reason: listed[0].reason.clone(),
        reason_code: domain::ReasonCode::Due,
        attempts: 0,
        created_date_time: event.at,
        next_attempt_date_time: Some(event.at),
        last_attempt_date_time: None,
        last_outcome: None,
        last_status_code: None,
        made_by_job_id: None,
    };
    assert_eq!(listed[0], expected);
    let record = world.log(scene.team, expected.delivery_id).await;
    assert_eq!((record.delivery, record.body), (expected, Some(event.body)));
    assert_eq!(record.attempts, []);
}

pub(super) async fn deliveries_of_another_team_are_not_there(world: &World) {
    let scene = world.scene().await;
    let red = world.team("Red").await;
    world.subscribe(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let id = world.deliveries(scene.team).await[0].delivery_id;
    assert_eq!(world.deliveries(red).await, []);
    let of = DeliveryQuery {
        checklist: Some(scene.list.head.id),
        ..all()
    };
    assert_eq!(world.page(red, of).await, [], "nor by what they are about");
    let look = reading!([red, id] tx => tx.delivery_get(*red, *id).await);
    assert!(world.read(look).await.is_none());
    let (team, unknown) = (scene.team, DeliveryId::new(world.source.uuid()));
    let look = reading!([team, unknown] tx => tx.delivery_get(*team, *unknown).await);
    assert!(world.read(look).await.is_none());
}

pub(super) async fn the_cursor_walks_every_row_once_newest_first(world: &World) {
    let scene = world.scene().await;
    world.subscribe(&scene, KIND).await;
    world.subscribe(&scene, KIND).await;
    for number in 0..7 {
        // Some in the same millisecond, some later.
        let event = scene.event(KIND, &world.source);
        world.append(&event).await;
        if number % 3 == 0 {
            world.tick();
        }
    }
    let whole = world.deliveries(scene.team).await;
    assert_eq!(whole.len(), 14);
    let newest_first = |row: &[Delivery]| row[0].created_date_time >= row[1].created_date_time;
    assert!(whole.windows(2).all(newest_first));
    for limit in [1, 3, 14, 20] {
        let mut walked: Vec<Delivery> = Vec::new();
        loop {
            let before = walked.last().map(|last| last.delivery_id);
            let page = world
                .page(
                    scene.team,
                    DeliveryQuery {
                        before,
                        limit,
                        ..all()
                    },
                )
                .await;
            assert!(page.len() <= limit as usize);
            assert!(walked.len() <= whole.len(), "the walk comes to an end");
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, whole, "in pages of {limit}");
    }
}

pub(super) async fn the_log_of_a_delivery_is_complete_and_in_order(world: &World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    let event = world.happen(&scene, KIND).await;
    let mut attempts = Vec::new();
    let mut id = None;
    for number in 1..=4_u32 {
        let leased = world.take_one(lane).await;
        let at = world.tick();
        let mut one = retry(&leased, at, at);
        if number == 4 {
            one = settlement(&leased, Outcome::Delivered, DeliveryState::Delivered, at);
        }
        one.attempt.response_headers = format!("x-number: {number}");
        world.settle(std::slice::from_ref(&one)).await;
        id = Some(leased.lease.delivery);
        attempts.push(one.attempt);
    }
    let record = world
        .log(scene.team, id.expect("there were attempts"))
        .await;
    assert_eq!(record.attempts, attempts);
    assert_eq!(
        (record.body, record.delivery.attempts),
        (Some(event.body), 4)
    );
    assert_eq!(record.delivery.state, DeliveryState::Delivered);
}

pub(super) async fn the_log_tells_of_a_first_attempt_that_succeeded(world: &World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(lane).await;
    let one = settlement(
        &leased,
        Outcome::Delivered,
        DeliveryState::Delivered,
        world.tick(),
    );
    world.settle(std::slice::from_ref(&one)).await;
    let record = world.log(scene.team, leased.lease.delivery).await;
    assert_eq!(record.attempts, [one.attempt]);
    let seen: BTreeSet<_> = world
        .deliveries(scene.team)
        .await
        .iter()
        .map(|row| row.state)
        .map(DeliveryState::word)
        .collect();
    assert_eq!(seen, BTreeSet::from(["delivered"]));
}

pub(super) async fn the_log_is_there_after_a_restart(world: &mut World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let leased = world.take(lane, 1).await.remove(0);
    world.deliver(&leased).await;
    let before = world.deliveries(scene.team).await;
    let attempts = world.log(scene.team, leased.lease.delivery).await.attempts;
    world.reopen().await;
    assert_eq!(world.deliveries(scene.team).await, before);
    assert_eq!(
        world.log(scene.team, leased.lease.delivery).await.attempts,
        attempts
    );
    let next = world.happen(&scene, KIND).await;
    let taken = world.take(lane, 10).await;
    let taken: Vec<_> = taken
        .iter()
        .map(|leased| (leased.event, leased.sequence))
        .collect();
    assert_eq!(
        taken,
        [(before[0].event_id, 2), (next.id, 3)],
        "and the sequence goes on"
    );
}

pub(super) async fn the_newest_come_first_though_the_clock_went_back_over_a_restart(
    world: &mut World,
) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    world.reopen().await;
    world.clock.set(world.now().before(Duration::from_hours(1)));
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let query = DeliveryQuery {
            subscription: Some(lane),
            before: seen.last().map(|last: &Delivery| last.delivery_id),
            limit: 2,
            ..all()
        };
        let page = world.page(scene.team, query).await;
        assert_eq!(page.len(), 2, "a page of the list");
        seen.extend(page);
    }
    let sequences: Vec<_> = seen.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, [6, 5, 4, 3, 2, 1]);
}
