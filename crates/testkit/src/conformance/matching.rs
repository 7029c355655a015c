//! Whom an event reaches.

use std::collections::BTreeMap;

use domain::{
    ControlKey, DeliveryState, EventType, Scope, SubscriptionId, SubscriptionState, TaskKey,
    TemplateKey,
};
use store::{Redelivery, Take};

use crate::{Scene, World, writing};

/// Every scope, about the scene's own things and about others.
fn scopes(world: &World, scene: &Scene) -> [(&'static str, Scope); 7] {
    let key = || world.source.uuid();
    [
        ("the team", Scope::Team),
        ("the template", Scope::Template(scene.template.key)),
        ("the task", Scope::Task(scene.task())),
        ("the control", Scope::Control(scene.upload())),
        ("another template", Scope::Template(TemplateKey::new(key()))),
        ("another task", Scope::Task(TaskKey::new(key()))),
        ("another control", Scope::Control(ControlKey::new(key()))),
    ]
}

pub(super) async fn an_event_reaches_exactly_the_scopes_it_falls_under(world: &World) {
    let scene = world.scene().await;
    let mut subscribed: BTreeMap<SubscriptionId, (EventType, &str)> = BTreeMap::new();
    for kind in EventType::ALL {
        for (what, scope) in scopes(world, &scene) {
            let made = world.subscribe_to(scene.team, kind, scope).await;
            subscribed.insert(made.id, (kind, what));
        }
    }
    // What does not go together (a new checklist in a task) reaches nobody, though it is stored.
    let expected: [(EventType, &[&str]); 6] = [
        (EventType::NewChecklist, &["the template"]),
        (
            EventType::TaskCompleted,
            &["the task", "the team", "the template"],
        ),
        (EventType::FileUploaded, &["the control"]),
        (EventType::SubscriptionFailing, &["the team"]),
        (EventType::SubscriptionPaused, &["the team"]),
        (EventType::SubscriptionRecovered, &["the team"]),
    ];
    for (kind, whom) in expected {
        let event = world.happen(&scene, kind).await;
        let mut reached: Vec<_> = world
            .deliveries(scene.team)
            .await
            .iter()
            .filter(|delivery| delivery.event_id == event.id)
            .map(|delivery| {
                assert_eq!(delivery.event_type, kind);
                subscribed[&delivery.subscription_id]
            })
            .collect();
        reached.sort_by_key(|(_, what)| *what);
        let whom: Vec<_> = whom.iter().map(|what| (kind, *what)).collect();
        assert_eq!(reached, whom, "whom {kind} reaches");
    }
}

pub(super) async fn an_event_about_a_subscription_never_reaches_that_one(world: &World) {
    const KIND: EventType = EventType::SubscriptionFailing;
    let scene = world.scene().await;
    let about = world.subscribe(&scene, KIND).await.id;
    let other = world.subscribe(&scene, KIND).await.id;
    let mut event = scene.event(KIND, &world.source);
    event.about = Some(about);
    assert_eq!(world.reach(&event).await, 1);
    let found = world.deliveries(scene.team).await;
    let reached: Vec<_> = found.iter().map(|row| row.subscription_id).collect();
    assert_eq!(reached, [other]);
}

pub(super) async fn the_answer_is_how_many_were_reached(world: &World) {
    let scene = world.scene().await;
    for expected in 0..3 {
        let event = scene.event(EventType::TaskCompleted, &world.source);
        assert_eq!(world.reach(&event).await, expected);
        world.tick();
        world
            .subscribe_to(scene.team, EventType::TaskCompleted, Scope::Team)
            .await;
    }
}

pub(super) async fn an_event_never_reaches_another_team(world: &World) {
    let (blue, red) = (world.scene().await, world.scene().await);
    // A key of another team's template can't be subscribed to; should it be stored all the same,
    // nothing may leak through it.
    for (_, scope) in scopes(world, &blue) {
        for kind in EventType::ALL {
            world.subscribe_to(red.team, kind, scope).await;
        }
    }
    for kind in EventType::ALL {
        let event = blue.event(kind, &world.source);
        assert_eq!(world.reach(&event).await, 0, "{kind}");
    }
    assert_eq!(world.deliveries(red.team).await, []);
    assert_eq!(world.deliveries(blue.team).await, []);
}

pub(super) async fn a_failing_subscription_is_sent_to(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::FileUploaded).await;
    world.put_state(made.id, SubscriptionState::Failing).await;
    let event = world.happen(&scene, EventType::FileUploaded).await;
    assert_eq!(world.take_one(made.id).await.event, event.id);
}

pub(super) async fn a_paused_subscription_gets_its_events_recorded(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::FileUploaded).await;
    world.put_state(made.id, SubscriptionState::Paused).await;
    world.lanes.set_permits(5);
    let first = world.happen(&scene, EventType::FileUploaded).await;
    let second = world.happen(&scene, EventType::FileUploaded).await;
    let states = |found: &[domain::Delivery]| -> Vec<_> {
        found
            .iter()
            .map(|delivery| (delivery.event_id, delivery.state))
            .collect()
    };
    let held = [
        (second.id, DeliveryState::Held),
        (first.id, DeliveryState::Held),
    ];
    assert_eq!(states(&world.deliveries(scene.team).await), held);
    assert_eq!(
        world.take(made.id, 10).await.len(),
        0,
        "nothing is sent while it is paused"
    );
    assert_eq!(world.lanes.handed().len(), 0);

    world.put_state(made.id, SubscriptionState::Active).await;
    let sent: Vec<_> = world.take(made.id, 10).await;
    let sent: Vec<_> = sent
        .iter()
        .map(|leased| (leased.event, leased.sequence))
        .collect();
    assert_eq!(
        sent,
        [(first.id, 1), (second.id, 2)],
        "and afterwards, in order"
    );
}

pub(super) async fn a_subscription_that_is_gone_gets_nothing_more(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::FileUploaded).await;
    world.happen(&scene, EventType::FileUploaded).await;
    world.put_state(made.id, SubscriptionState::Gone).await;
    let late = scene.event(EventType::FileUploaded, &world.source);
    assert_eq!(world.reach(&late).await, 0);
    let listed = world.deliveries(scene.team).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].state,
        DeliveryState::Cancelled,
        "what waited is cancelled"
    );
    assert_eq!(listed[0].next_attempt_date_time, None);
    let wanted = [Take {
        subscription: made.id,
        limit: 10,
    }];
    let taken = world.take_as(world.other_node(), &wanted).await;
    assert_eq!(taken.deliveries.len(), 0);
    let (team, id, at) = (scene.team, listed[0].delivery_id, world.now());
    let unit = writing!([team, id, at] tx => tx.delivery_redeliver(*team, *id, "Ann", *at).await);
    assert_eq!(world.write(unit).await, Redelivery::Gone);
}

pub(super) async fn a_subscription_made_a_moment_before_is_reached(world: &World) {
    let scene = world.scene().await;
    let seed = world.unstored_subscription(scene.team, EventType::TaskCompleted, Scope::Team);
    let event = scene.event(EventType::TaskCompleted, &world.source);
    let unit = writing!([seed, event] tx => {
        tx.event_append(event).await?;
        let secret = domain::SubscriptionSecret::generate(domain::SecretKind::Hmac, &seed.source);
        tx.subscription_insert(&seed.unstored(), &[secret]).await?;
        let second = domain::EventId::new(seed.source.uuid());
        tx.event_append(&domain::Event { id: second, ..event.clone() }).await?;
        Ok(second)
    });
    let second = world.write(unit).await;
    let made = world.deliveries(scene.team).await;
    let events: Vec<_> = made.iter().map(|row| row.event_id).collect();
    assert_eq!(events, [second], "even in the same unit of work");
}

pub(super) async fn an_event_for_one_subscription_reaches_that_one_and_no_other(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, EventType::TaskCompleted).await;
    world.subscribe(&scene, EventType::TaskCompleted).await;
    // It is not asked whether the subscription would want it.
    for kind in [EventType::TaskCompleted, EventType::NewChecklist] {
        let (event, to) = (scene.event(kind, &world.source), mine.id);
        let unit = writing!([event, to] tx => tx.event_append_for(event, *to).await);
        let id = world.write(unit).await;
        let listed = world.deliveries(scene.team).await;
        let reached: Vec<_> = listed
            .iter()
            .filter(|row| row.event_id == event.id)
            .collect();
        assert_eq!(reached.len(), 1, "{kind}: {reached:?}");
        assert_eq!(
            (reached[0].delivery_id, reached[0].subscription_id),
            (id, mine.id)
        );
        assert_eq!(world.log(scene.team, id).await.body, Some(event.body));
        let taken = world.take_one(mine.id).await;
        assert_eq!((taken.lease.delivery, taken.event), (id, event.id));
        world.deliver(&taken).await;
    }
}
