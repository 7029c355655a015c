//! Lists of deliveries by what they are about and how they stand.

use std::time::Duration;

use domain::{Delivery, DeliveryId, DeliveryState, EventType, Outcome, SubscriptionState};
use store::DeliveryQuery;

use crate::{Scene, World, world::settlement};

const KIND: EventType = EventType::TaskCompleted;

fn all() -> DeliveryQuery {
    DeliveryQuery {
        limit: 1_000,
        ..DeliveryQuery::default()
    }
}

fn by(set: impl FnOnce(&mut DeliveryQuery)) -> DeliveryQuery {
    let mut query = all();
    set(&mut query);
    query
}

async fn newest_three(world: &World, scene: &Scene) -> [DeliveryId; 3] {
    let whole = world.deliveries(scene.team).await;
    assert_eq!(whole.len(), 3);
    [0, 1, 2].map(|place: usize| whole[place].delivery_id)
}

async fn check<const CASES: usize>(
    world: &World,
    scene: &Scene,
    cases: [(DeliveryQuery, Vec<DeliveryId>); CASES],
) {
    for (query, expected) in cases {
        let shown = format!("{query:?}");
        let found = world.page(scene.team, query).await;
        let found: Vec<_> = found.iter().map(|row| row.delivery_id).collect();
        assert_eq!(found, expected, "{shown}");
    }
}

pub(super) async fn a_list_is_filtered_by_what_it_is_about(world: &World) {
    let scene = world.scene().await;
    let other = Scene {
        list: world.checklist(&scene, "Other").await,
        ..scene.clone()
    };
    let tasks = world.subscribe(&scene, KIND).await.id;
    let files = world.subscribe(&scene, EventType::FileUploaded).await.id;
    world.happen(&scene, KIND).await;
    world.happen(&other, KIND).await;
    world.happen(&other, EventType::FileUploaded).await;
    let [c, b, a] = newest_three(world, &scene).await;
    let list = other.list.head.id;
    let nowhere = domain::ChecklistId::new(list.get() + 1_000);
    let cases = [
        (by(|q| q.subscription = Some(tasks)), vec![b, a]),
        (by(|q| q.subscription = Some(files)), vec![c]),
        (by(|q| q.event_type = Some(KIND)), vec![b, a]),
        (by(|q| q.event_type = Some(EventType::NewChecklist)), vec![]),
        (by(|q| q.checklist = Some(list)), vec![c, b]),
        (by(|q| q.checklist = Some(nowhere)), vec![]),
        (
            by(|q| (q.checklist, q.event_type) = (Some(list), Some(KIND))),
            vec![b],
        ),
        (
            by(|q| (q.checklist, q.subscription) = (Some(list), Some(files))),
            vec![c],
        ),
        (
            by(|q| (q.before, q.event_type) = (Some(c), Some(KIND))),
            vec![b, a],
        ),
        (
            by(|q| (q.before, q.checklist) = (Some(b), Some(list))),
            vec![],
        ),
        (by(|q| (q.limit, q.event_type) = (1, Some(KIND))), vec![b]),
    ];
    check(world, &scene, cases).await;
}

pub(super) async fn a_list_is_filtered_by_when_it_happened(world: &World) {
    let scene = world.scene().await;
    world.subscribe(&scene, KIND).await;
    let first = world.happen(&scene, KIND).await.at;
    let second = world.happen(&scene, KIND).await.at;
    let third = world.happen(&scene, KIND).await.at;
    let [c, b, a] = newest_three(world, &scene).await;
    let after = third.after(Duration::from_millis(1));
    let cases = [
        (by(|q| q.since = Some(first)), vec![c, b, a]),
        (by(|q| q.since = Some(second)), vec![c, b]),
        (by(|q| q.since = Some(after)), vec![]),
        (by(|q| q.until = Some(first)), vec![]),
        (by(|q| q.until = Some(third)), vec![b, a]),
        (by(|q| q.until = Some(after)), vec![c, b, a]),
        (
            by(|q| (q.since, q.until) = (Some(second), Some(third))),
            vec![b],
        ),
        (
            by(|q| (q.before, q.since) = (Some(c), Some(second))),
            vec![b],
        ),
    ];
    check(world, &scene, cases).await;
}

pub(super) async fn a_list_is_filtered_by_state_derived_ones_included(world: &World) {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Expired, Held, Leased, Refused, Waiting};
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    // One for each state that an attempt leads to, then one that stays leased, then one that waits.
    let ends = [
        (Outcome::Delivered, DeliveryState::Delivered),
        (Outcome::RefusedStatus, DeliveryState::Exhausted),
        (Outcome::AddressRefused, DeliveryState::Refused),
        (Outcome::Cancelled, DeliveryState::Cancelled),
    ];
    for _ in 0..6 {
        world.happen(&scene, KIND).await;
    }
    let leased = world.take(lane, 5).await;
    let settled = leased.iter().zip(ends);
    let settled: Vec<_> = settled
        .map(|(leased, (outcome, state))| settlement(leased, outcome, state, world.now()))
        .collect();
    world.settle(&settled).await;
    let with = async |state: DeliveryState| {
        let found = world
            .page(
                scene.team,
                DeliveryQuery {
                    state: Some(state),
                    ..all()
                },
            )
            .await;
        assert!(
            found.iter().all(|row| row.state == state),
            "each row says what was asked for"
        );
        found.len()
    };
    let counts = async || {
        let mut counts = Vec::new();
        for state in [
            Waiting, Leased, Held, Delivered, Exhausted, Cancelled, Refused, Expired,
        ] {
            counts.push(with(state).await);
        }
        counts
    };
    assert_eq!(counts().await, [1, 1, 0, 1, 1, 1, 1, 0]);
    world.put_state(lane, SubscriptionState::Paused).await;
    assert_eq!(
        counts().await,
        [0, 1, 1, 1, 1, 1, 1, 0],
        "what waited is held"
    );
    world.put_state(lane, SubscriptionState::Failing).await;
    assert_eq!(counts().await, [1, 1, 0, 1, 1, 1, 1, 0], "and waits again");
    world.put_state(lane, SubscriptionState::Gone).await;
    assert_eq!(
        counts().await,
        [0, 1, 0, 1, 1, 2, 1, 0],
        "and is cancelled in the end"
    );
}

pub(super) async fn a_list_is_filtered_by_the_class_of_the_last_answer(world: &World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    let statuses = [Some(200), Some(299), Some(302), Some(404), Some(503), None];
    for _ in 0..=statuses.len() {
        world.happen(&scene, KIND).await;
    }
    let leased = world.take(lane, 6).await;
    let mut settled = Vec::new();
    for (leased, status) in leased.iter().zip(statuses) {
        let state = DeliveryState::Exhausted;
        let mut one = settlement(leased, Outcome::RefusedStatus, state, world.now());
        one.attempt.status = status;
        settled.push(one);
    }
    world.settle(&settled).await;
    for (class, rows) in [(1, 0), (2, 2), (3, 1), (4, 1), (5, 1)] {
        let found = world
            .page(
                scene.team,
                DeliveryQuery {
                    status_class: Some(class),
                    ..all()
                },
            )
            .await;
        assert_eq!(found.len(), rows, "of class {class}");
        let in_class =
            |row: &Delivery| row.last_status_code.is_some_and(|code| code / 100 == class);
        assert!(found.iter().all(in_class));
    }
}
