//! Subscriptions: what makes two the same, and how they change.

use domain::{
    DeliveryOrder, EventType, Scope, Signing, Subscription, SubscriptionId, SubscriptionSettings,
    SubscriptionState, TargetUrl, TaskKey, TeamId, TemplateKey,
};
use store::{StateChange, StoreError, SubscriptionChange, SubscriptionIdentity, Write as _};
use tokio::task::JoinSet;

use crate::{SeedSubscription, World, reading, writing};

fn identity(of: &Subscription) -> SubscriptionIdentity {
    SubscriptionIdentity {
        team: of.team,
        source: of.source.clone(),
        event_type: of.event_type,
        scope: of.scope,
        target: of.target.clone(),
    }
}

async fn find(world: &World, identity: &SubscriptionIdentity) -> Option<Subscription> {
    let identity = identity.clone();
    world
        .read(reading!([identity] tx => tx.subscription_find(identity).await))
        .await
}

async fn get(world: &World, team: TeamId, id: SubscriptionId) -> Option<Subscription> {
    world
        .read(reading!([team, id] tx => tx.subscription_get(*team, *id).await))
        .await
}

async fn list(
    world: &World,
    team: TeamId,
    label: Option<&str>,
    kind: Option<EventType>,
    limit: u32,
) -> Vec<SubscriptionId> {
    let label = label.map(ToOwned::to_owned);
    let look = reading!([team, label, kind, limit] tx => {
        tx.subscription_list(*team, label.as_deref(), *kind, *limit).await
    });
    world
        .read(look)
        .await
        .iter()
        .map(|found| found.id)
        .collect()
}

async fn count(world: &World, team: TeamId) -> u64 {
    world
        .read(reading!([team] tx => tx.subscription_count(*team).await))
        .await
}

/// One subscription of each scope and type that go together.
async fn one_of_each(world: &World, team: TeamId) -> Vec<Subscription> {
    let key = || world.source.uuid();
    let kinds = [
        (
            EventType::NewChecklist,
            Scope::Template(TemplateKey::new(key())),
        ),
        (EventType::TaskCompleted, Scope::Team),
        (
            EventType::TaskCompleted,
            Scope::Template(TemplateKey::new(key())),
        ),
        (EventType::TaskCompleted, Scope::Task(TaskKey::new(key()))),
        (
            EventType::FileUploaded,
            Scope::Control(domain::ControlKey::new(key())),
        ),
    ];
    let mut made = Vec::new();
    for (kind, scope) in kinds {
        made.push(world.subscribe_to(team, kind, scope).await);
    }
    made
}

pub(super) async fn a_subscription_is_read_back_whole_and_by_its_team_alone(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    for made in one_of_each(world, blue).await {
        assert_eq!(get(world, blue, made.id).await.as_ref(), Some(&made));
        assert_eq!(get(world, red, made.id).await, None);
    }
    assert_eq!(
        get(world, blue, SubscriptionId::new(world.source.uuid())).await,
        None
    );
}

pub(super) async fn the_same_one_is_found_and_no_other(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made = one_of_each(world, blue).await;
    for one in &made {
        assert_eq!(find(world, &identity(one)).await.as_ref(), Some(one));
    }
    let same = identity(&made[3]);
    let other_target = TargetUrl::parse("https://hooks.example.com/other").expect("a target");
    let other_task = Scope::Task(TaskKey::new(world.source.uuid()));
    let others = [
        SubscriptionIdentity {
            team: red,
            ..same.clone()
        },
        SubscriptionIdentity {
            source: "Tests".to_owned(),
            ..same.clone()
        },
        SubscriptionIdentity {
            event_type: EventType::NewChecklist,
            ..same.clone()
        },
        SubscriptionIdentity {
            scope: other_task,
            ..same.clone()
        },
        SubscriptionIdentity {
            scope: Scope::Team,
            ..same.clone()
        },
        SubscriptionIdentity {
            target: other_target,
            ..same
        },
    ];
    for other in others {
        assert_eq!(find(world, &other).await, None, "{other:?}");
    }
}

pub(super) async fn the_same_one_can_not_be_stored_twice(world: &World) {
    let team = world.team("Blue").await;
    for scope in [Scope::Team, Scope::Task(TaskKey::new(world.source.uuid()))] {
        let seed = world.unstored_subscription(team, EventType::TaskCompleted, scope);
        let insert = |seed: SeedSubscription| world.store.write(seed);
        // Two at once, and then one more: only one of them all is stored.
        let (one, other) = tokio::join!(insert(seed.clone()), insert(seed.clone()));
        let late = insert(seed.clone()).await;
        assert!(late.is_err(), "it is there already");
        let stored: Vec<_> = [one, other].into_iter().flatten().collect();
        assert_eq!(stored.len(), 1, "one of two at once");
        let found = find(world, &identity(&stored[0].0))
            .await
            .expect("it is there");
        assert_eq!(found, stored[0].0);
    }
    assert_eq!(count(world, team).await, 2);
    let red = world.team("Red").await;
    world
        .subscribe_to(red, EventType::TaskCompleted, Scope::Team)
        .await;
}

pub(super) async fn whoever_looks_before_storing_the_same_at_once_finds_it(world: &World) {
    let team = world.team("Blue").await;
    let seed = world.unstored_subscription(team, EventType::TaskCompleted, Scope::Team);
    let same = identity(&seed.unstored());
    let mut at_once = JoinSet::new();
    for _ in 0..16 {
        let (seed, same) = (seed.clone(), same.clone());
        // One that is overtaken between looking and storing is run again, and finds what the other has stored.
        let unit = writing!([seed, same] tx => {
            match tx.subscription_find(same).await? {
                Some(found) => Ok(found.id),
                None => Ok(seed.run(tx).await?.0.id),
            }
        });
        let store = world.store.clone();
        at_once.spawn(async move {
            let stored: Result<SubscriptionId, StoreError> = store.write(unit).await;
            stored
        });
    }
    let stored = at_once.join_all().await;
    let mut stored: Vec<_> = stored
        .into_iter()
        .map(|id| id.expect("it is there"))
        .collect();
    stored.dedup();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(count(world, team).await, 1);
}

pub(super) async fn one_that_is_gone_does_not_count(world: &World) {
    let team = world.team("Blue").await;
    let seed = world.unstored_subscription(team, EventType::TaskCompleted, Scope::Team);
    let (first, _) = world.store.write(seed.clone()).await.expect("it is new");
    assert!(world.put_state(first.id, SubscriptionState::Gone).await);
    assert_eq!(find(world, &identity(&first)).await, None);
    assert_eq!(list(world, team, None, None, 10).await, []);
    assert_eq!(count(world, team).await, 0);
    let gone = get(world, team, first.id)
        .await
        .expect("it can still be looked at");
    assert_eq!(gone.state, SubscriptionState::Gone);

    let (second, _) = world
        .store
        .write(seed)
        .await
        .expect("the gone one is not in the way");
    assert_ne!(second.id, first.id);
    assert_eq!(
        find(world, &identity(&first)).await.map(|found| found.id),
        Some(second.id)
    );
    assert_eq!(count(world, team).await, 1);
}

pub(super) async fn a_change_of_state_is_stored_with_its_reason(world: &World) {
    use SubscriptionState::{Active, Failing, Gone, Paused};
    let team = world.team("Blue").await;
    let made = world
        .subscribe_to(team, EventType::TaskCompleted, Scope::Team)
        .await;
    let id = made.id;
    for state in [Failing, Active, Paused, Active, Gone] {
        let (reason, by) = (format!("now {state} – 'why'"), format!("by {state}"));
        let change = StateChange {
            state,
            reason,
            by,
            at: world.tick(),
        };
        let unit = writing!([id, change] tx => tx.subscription_state_put(*id, change).await);
        assert!(world.write(unit).await, "{state}");
        let expected = Subscription {
            state,
            state_reason: change.reason.clone(),
            state_since: change.at,
            state_by: change.by.clone(),
            ..made.clone()
        };
        assert_eq!(get(world, team, id).await, Some(expected));
    }
    let gone = get(world, team, id).await;
    for state in [Active, Paused, Failing, Gone] {
        assert!(
            !world.put_state(id, state).await,
            "one that is gone stays so"
        );
    }
    assert_eq!(get(world, team, id).await, gone);
}

/// A change of everything that can be changed.
fn whole_change() -> SubscriptionChange {
    SubscriptionChange {
        source: "renamed – 'so'".to_owned(),
        target: TargetUrl::parse("https://hooks.example.com/elsewhere").expect("a target"),
        settings: SubscriptionSettings {
            ordering: DeliveryOrder::Checklist,
            rate_per_second: Some(domain::RATE_PER_SECOND_MAX),
            signing: Signing::Hmac,
            proof: domain::Proof::Echo,
            proven_at: Some(domain::Timestamp::from_millis(1_795_455_715_120)),
            proven_as: Some("checks.example.com".to_owned()),
            request: domain::RequestSettings::default(),
            forgets_answer: true,
            mask_response_headers: "x-token".parse().expect("names"),
            delete_body_on_success: true,
            unreadable: false,
        },
    }
}

async fn put(world: &World, id: SubscriptionId, change: &SubscriptionChange) -> bool {
    let change = change.clone();
    let unit = writing!([id, change] tx => tx.subscription_put(*id, change).await);
    world.write(unit).await
}

/// Has the settings of a subscription be what nobody can read.
async fn damage(world: &World, of: &Subscription) -> Subscription {
    let mut damaged = of.clone();
    damaged.settings = SubscriptionSettings {
        ordering: of.settings.ordering,
        rate_per_second: of.settings.rate_per_second,
        unreadable: true,
        ..SubscriptionSettings::default()
    };
    let change = SubscriptionChange {
        source: of.source.clone(),
        target: of.target.clone(),
        settings: damaged.settings.clone(),
    };
    assert!(put(world, of.id, &change).await);
    damaged
}

pub(super) async fn settings_that_cannot_be_read_are_shown_as_such_and_can_be_ended(world: &World) {
    let team = world.team("Blue").await;
    let made = one_of_each(world, team).await;
    let damaged = damage(world, &made[0]).await;
    assert_eq!(get(world, team, damaged.id).await.as_ref(), Some(&damaged));
    let found = find(world, &identity(&damaged)).await;
    assert_eq!(found.as_ref(), Some(&damaged));
    let listed = list(world, team, None, None, 100).await;
    assert_eq!(listed.len(), made.len(), "those beside it are listed");
    assert!(listed.contains(&damaged.id));
    assert!(world.put_state(damaged.id, SubscriptionState::Gone).await);
    let left = list(world, team, None, None, 100).await;
    assert_eq!(left.len(), made.len() - 1);
    // A change that is whole mends another one.
    let damaged = damage(world, &made[1]).await;
    let change = whole_change();
    assert!(put(world, damaged.id, &change).await);
    let mended = get(world, team, damaged.id).await;
    assert_eq!(mended.map(|mended| mended.settings), Some(change.settings));
}

pub(super) async fn what_can_be_changed_is_stored_until_it_is_gone(world: &World) {
    let team = world.team("Blue").await;
    let made = one_of_each(world, team).await;
    let (made, others) = made.split_first().expect("there are some");
    let change = whole_change();
    assert!(put(world, made.id, &change).await);
    let expected = Subscription {
        source: change.source.clone(),
        target: change.target.clone(),
        settings: change.settings.clone(),
        ..made.clone()
    };
    assert_eq!(get(world, team, made.id).await.as_ref(), Some(&expected));
    // It is found by what it is now, and not by what it was.
    assert_eq!(find(world, &identity(&expected)).await, Some(expected));
    assert_eq!(find(world, &identity(made)).await, None);
    for other in others {
        assert_eq!(get(world, team, other.id).await.as_ref(), Some(other));
    }
    world.put_state(made.id, SubscriptionState::Gone).await;
    let gone = get(world, team, made.id).await;
    let back = SubscriptionChange {
        source: made.source.clone(),
        target: made.target.clone(),
        settings: made.settings.clone(),
    };
    assert!(!put(world, made.id, &back).await, "one that is gone stays");
    assert_eq!(get(world, team, made.id).await, gone);
    let nobody = SubscriptionId::new(world.source.uuid());
    assert!(!put(world, nobody, &back).await);
}

pub(super) async fn what_is_sent_after_a_change_is_sent_so(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::TaskCompleted).await;
    // Once before, so that what was read of it could be kept.
    world.happen(&scene, EventType::TaskCompleted).await;
    let before = world.take_one(made.id).await;
    assert_eq!(before.destination.target, made.target);
    let change = whole_change();
    assert!(put(world, made.id, &change).await);
    world.happen(&scene, EventType::TaskCompleted).await;
    let after = world.take_one(made.id).await;
    let to = &after.destination;
    assert_eq!(
        (&to.target, &to.settings),
        (&change.target, &change.settings)
    );
}

pub(super) async fn changes_of_a_subscription_at_once_are_made_one_after_the_other(world: &World) {
    const CHANGES: u32 = 24;
    let team = world.team("Blue").await;
    let made = world
        .subscribe_to(team, EventType::TaskCompleted, Scope::Team)
        .await;
    let id = made.id;
    let mut at_once = JoinSet::new();
    for _ in 0..CHANGES {
        // Each follows from what it finds, so that one which did not see the one before would be missing at the end.
        let unit = writing!([team, id] tx => {
            tx.subscription_hold(*team, *id).await?;
            let found = tx.subscription_get(*team, *id).await?.expect("it is there");
            let rate = found.settings.rate_per_second.unwrap_or(0) + 1;
            let change = SubscriptionChange {
                source: found.source,
                target: found.target,
                settings: SubscriptionSettings {
                    rate_per_second: Some(rate),
                    ..found.settings
                },
            };
            tx.subscription_put(*id, &change).await
        });
        let store = world.store.clone();
        at_once.spawn(async move {
            let put: Result<bool, StoreError> = store.write(unit).await;
            put
        });
    }
    for put in at_once.join_all().await {
        assert!(put.expect("the store does it"));
    }
    let now = get(world, team, id).await.expect("it is there");
    assert_eq!(now.settings.rate_per_second, Some(CHANGES));
}

pub(super) async fn subscriptions_are_listed_oldest_first(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made: Vec<_> = one_of_each(world, blue)
        .await
        .iter()
        .map(|one| one.id)
        .collect();
    let theirs = one_of_each(world, red).await;
    world.put_state(made[1], SubscriptionState::Paused).await;
    assert_eq!(list(world, blue, None, None, 10).await, made);
    assert_eq!(list(world, blue, None, None, 2).await, made[..2]);
    let tasks = Some(EventType::TaskCompleted);
    assert_eq!(list(world, blue, None, tasks, 10).await, made[1..4]);

    world.tick();
    let mut seed = world.unstored_subscription(blue, EventType::TaskCompleted, Scope::Team);
    "zapier 100%".clone_into(&mut seed.label);
    let (labelled, _) = world.store.write(seed).await.expect("it is new");
    assert_eq!(
        list(world, blue, Some("zapier 100%"), None, 10).await,
        [labelled.id]
    );
    assert_eq!(
        list(world, blue, Some("zapier"), None, 10).await,
        [],
        "the whole label"
    );
    assert_eq!(
        list(world, blue, Some("tests"), tasks, 10).await,
        made[1..4]
    );
    assert_eq!(count(world, blue).await, 6);
    assert_eq!(count(world, red).await, theirs.len() as u64);
}
