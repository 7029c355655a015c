//! Units of work: all or nothing, each with an answer of its own.

use domain::{Checklist, EventType, FieldId, TaskState, TaskStatus, TeamId};
use store::{Fields, StoreError, Write, WriteTx};

use crate::{Refused, Scene, World, reading, writing};

/// Everything that a use case can leave behind.
#[derive(Clone)]
struct Everything {
    scene: Scene,
    list: Checklist,
    subscription: crate::SeedSubscription,
    event: domain::Event,
    entry: domain::AuditEntry,
}

impl Everything {
    async fn prepared(world: &World) -> Self {
        let scene = world.scene().await;
        let kind = EventType::TaskCompleted;
        world.subscribe(&scene, kind).await;
        let actor = domain::Actor {
            team: scene.team,
            key: None,
            member: None,
            person: crate::person("Ann"),
            door: domain::Door::Api,
            rights: domain::Rights::ALL,
        };
        Self {
            list: world.unstored_checklist(&scene, "Left behind").unstored(),
            subscription: world.unstored_subscription(scene.team, kind, domain::Scope::Team),
            event: scene.event(kind, &world.source),
            entry: domain::AuditEntry {
                at: world.now(),
                actor,
                action: "task.complete",
                subject: "1".to_owned(),
                detail: String::new(),
            },
            scene,
        }
    }

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.team_insert("Left behind", self.event.at).await?;
        let (team, id) = (self.scene.team, self.scene.list.head.id);
        tx.checklist_hold(team, id, store::Fields::None).await?;
        let task = self.scene.list.task_id(Scene::APPROVE);
        let done = domain::Done {
            at: self.event.at,
            by: crate::person("Ann"),
        };
        let state = TaskState {
            status: TaskStatus::Complete,
            done: Some(done),
            completions: 7,
            due_at: None,
        };
        tx.task_put(task, &state).await?;
        tx.checklist_end_put(id, Some(self.event.at)).await?;
        tx.field_put(FieldId::of(self.scene.list.head.id, Scene::NUMBER), "INV-1")
            .await?;
        tx.checklist_insert(&self.list).await?;
        let mut edited = (*self.scene.template).clone();
        "Left behind".clone_into(&mut edited.name);
        let version = domain::VersionId::new(self.subscription.source.uuid());
        tx.template_put(self.scene.team, version, &edited, self.event.at)
            .await?;
        let source = &self.subscription.source;
        let secret = domain::SubscriptionSecret::generate(domain::SecretKind::Hmac, source);
        tx.subscription_insert(&self.subscription.unstored(), &[secret])
            .await?;
        tx.event_append(&self.event).await?;
        tx.audit_append(&self.entry).await
    }

    /// What of it is there: a number for each kind of thing.
    async fn left(&self, world: &World) -> [usize; 8] {
        let (team, key) = (self.scene.team, self.scene.template.key);
        let list = world.stored(team, self.scene.list.head.id).await;
        let query = store::ChecklistQuery {
            team,
            template: key,
            key: None,
            name: Some("left behind".to_owned()),
            status: domain::ChecklistFilter::All,
            now: world.now(),
            page: store::Page {
                number: 1,
                size: 10,
            },
        };
        let counted = reading!([team, key, query] tx => Ok([
            tx.checklist_page(query).await?.len(),
            usize::from(tx.template_get(*team, *key).await?.is_some_and(|found| found.template.name == "Left behind")),
            usize::try_from(tx.subscription_count(*team).await?).unwrap_or(usize::MAX) - 1,
            tx.delivery_page(*team, &store::DeliveryQuery { limit: 10, ..Default::default() }).await?.len(),
            tx.delivery_lanes(10).await?.len(),
            tx.audit_list(*team, None, 10).await?.len(),
        ]));
        let counted = world.read(counted).await;
        let task = usize::try_from(list.tasks[Scene::APPROVE].completions).unwrap_or(usize::MAX);
        let [lists, template, subscriptions, deliveries, lanes, audit] = counted;
        [
            task,
            list.fields.len(),
            lists,
            template,
            subscriptions,
            deliveries,
            lanes,
            audit,
        ]
    }
}

pub(super) async fn the_work_its_event_and_its_deliveries_commit_together(world: &mut World) {
    let all = Everything::prepared(world).await;
    world.write(writing!([all] tx => all.run(tx).await)).await;
    let left = [7, 1, 1, 1, 1, 2, 2, 1];
    assert_eq!(all.left(world).await, left);
    world.reopen().await;
    assert_eq!(all.left(world).await, left, "and are there after a restart");
}

pub(super) async fn a_refused_unit_leaves_nothing(world: &mut World) {
    let all = Everything::prepared(world).await;
    let unit = writing!([all] tx => {
        all.run(tx).await?;
        Err::<(), _>(Refused::Because("changed my mind"))
    });
    let refused = world.attempt(unit).await;
    assert!(
        matches!(refused, Err(Refused::Because("changed my mind"))),
        "{refused:?}"
    );
    assert_eq!(all.left(world).await, [0; 8]);
    world.reopen().await;
    assert_eq!(all.left(world).await, [0; 8], "not after a restart either");
}

pub(super) async fn a_unit_that_panics_is_undone_and_answers_so(world: &mut World) {
    let all = Everything::prepared(world).await;
    let unit: crate::Unit<_, (), StoreError> = writing!([all] tx => {
        all.run(tx).await?;
        panic!("a bug in a use case; the test wants it")
    });
    let answer = world.store.write(unit).await;
    assert!(matches!(answer, Err(StoreError::Panicked)), "{answer:?}");
    assert_eq!(all.left(world).await, [0; 8]);
    world.team("After").await;
    world.reopen().await;
    assert_eq!(all.left(world).await, [0; 8], "not after a restart either");
}

pub(super) async fn a_read_that_panics_answers_so(world: &World) {
    let team = world.team("Blue").await;
    let look: crate::Look<_, ()> = reading!([team] tx => {
        tx.team_get(*team).await?;
        panic!("a bug in a use case; the test wants it")
    });
    let answer = world.store.read(look).await;
    assert!(matches!(answer, Err(StoreError::Panicked)), "{answer:?}");
    let found = world
        .read(reading!([team] tx => tx.team_get(*team).await))
        .await;
    assert!(found.is_some(), "others are served as before");
}

pub(super) async fn a_refusal_passes_through_as_it_is(world: &World) {
    /// An error that is not of the store's making.
    #[derive(Debug, PartialEq)]
    struct Mine(Vec<u8>);
    impl From<StoreError> for Mine {
        fn from(_: StoreError) -> Self {
            Self(Vec::new())
        }
    }
    struct Refuse;
    impl Write for Refuse {
        type Done = ();
        type Error = Mine;
        async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), Mine> {
            tx.team_get(TeamId::new(1)).await?;
            Err(Mine(vec![1, 2, 3]))
        }
    }
    assert_eq!(world.store.write(Refuse).await, Err(Mine(vec![1, 2, 3])));
}

pub(super) async fn a_unit_sees_what_it_did_itself(world: &World) {
    let (source, at) = (world.source.clone(), world.now());
    let unit = writing!([source, at] tx => {
        let team = tx.team_insert("Blue", *at).await?;
        let seed = crate::SeedTemplate {
            team,
            edit: None,
            document: crate::invoice_review(),
            source: source.clone(),
        };
        let (version, template) = seed.run(tx).await?;
        let name = "Seen".to_owned();
        let seed = crate::SeedChecklist { team, version, template, name, source: source.clone() };
        let list = seed.run(tx).await?;
        tx.field_put(FieldId::of(list.head.id, Scene::NUMBER), "INV-1").await?;
        tx.checklist_get(team, list.head.id, Fields::All).await
    });
    let seen = world.write(unit).await.expect("its own checklist");
    assert_eq!(seen.head.name, "Seen");
    assert_eq!(seen.fields[&Scene::NUMBER].value, "INV-1");
}
