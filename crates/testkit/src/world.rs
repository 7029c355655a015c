//! One test's world: an empty store with its clock and its lanes, and the commonest things to do.

mod deliveries;

pub(crate) use deliveries::{delivered, retry, settlement};

use std::{sync::Arc, time::Duration};

use domain::{
    ChecklistId, Event, EventType, Scope, Source, Subscription, SubscriptionId, SubscriptionState,
    TargetUrl, TeamId, TemplateDocument, TemplateKey, Timestamp,
};
use store::{Fields, StateChange, Store, StoreError};

use crate::{
    Fixture, Look, Refused, Scene, SeedChecklist, SeedEvent, SeedOrder, SeedSubscription, SeedTeam,
    SeedTemplate, TestClock, TestLanes, Unit, invoice_review, reading, test_source, writing,
};

/// An empty store with all that a test needs around it.
pub struct World {
    /// The store.
    pub store: Store,
    /// Moves its time.
    pub clock: TestClock,
    /// Its time and randomness.
    pub source: Source,
    /// What it hands over to; attached, without a permit.
    pub lanes: Arc<TestLanes>,
    fixture: Arc<dyn Fixture>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// Opens what `fixture` gives and attaches lanes to it.
    pub async fn start(fixture: Arc<dyn Fixture>) -> Self {
        let (source, clock) = test_source();
        let store = fixture.open(source.clone()).await;
        let lanes = TestLanes::new(&source);
        store.attach(lanes.clone());
        Self {
            store,
            clock,
            source,
            lanes,
            fixture,
        }
    }

    /// Stops the store and opens it again, with lanes of another node.
    pub async fn reopen(&mut self) {
        self.reopen_alone().await;
        self.store.attach(self.lanes.clone());
    }

    /// Stops the store and opens it again with nobody attached.
    pub async fn reopen_alone(&mut self) {
        self.lanes.let_go();
        self.store.stop().await;
        self.store = self.fixture.open(self.source.clone()).await;
        self.lanes = TestLanes::new(&self.source);
    }

    /// Ends the test: every permit must have come back, once.
    pub async fn finish(self) {
        self.lanes.let_go();
        self.store.stop().await;
        assert_eq!(self.lanes.permits_out(), 0, "permits that never came back");
        assert_eq!(
            self.lanes.permits_returned_twice(),
            0,
            "permits that came back twice"
        );
    }

    /// Changes rows behind the store's back (see [`Fixture::tamper`]).
    pub fn tamper(&self, statement: &str) {
        self.fixture.tamper(statement);
    }

    /// Whether changes stand in one line (see [`Fixture::is_one_line`]).
    pub fn is_one_line(&self) -> bool {
        self.fixture.is_one_line()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock on by a millisecond, so that what comes next is later, and answers it.
    pub fn tick(&self) -> Timestamp {
        self.clock.advance(Duration::from_millis(1))
    }

    /// Runs a unit that can't fail.
    pub async fn write<C, T>(&self, unit: Unit<C, T, StoreError>) -> T
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.store.write(unit).await.expect("the store does it")
    }

    /// Runs a unit that may refuse.
    pub async fn attempt<C, T>(&self, unit: Unit<C, T, Refused>) -> Result<T, Refused>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.store.write(unit).await
    }

    /// Runs a unit that only reads.
    pub async fn read<C, T>(&self, look: Look<C, T>) -> T
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.store.read(look).await.expect("the store reads it")
    }

    /// Makes a team.
    pub async fn team(&self, name: &str) -> TeamId {
        self.tick();
        let seed = SeedTeam {
            name: name.to_owned(),
            source: self.source.clone(),
        };
        self.store.write(seed).await.expect("a team is made")
    }

    /// Makes a template, or another edition of `edit`.
    pub async fn template(
        &self,
        team: TeamId,
        edit: Option<TemplateKey>,
        document: TemplateDocument,
    ) -> (domain::VersionId, Arc<domain::Template>) {
        self.tick();
        let seed = SeedTemplate {
            team,
            edit,
            document,
            source: self.source.clone(),
        };
        self.store.write(seed).await.expect("a template is made")
    }

    /// Makes a team with a template and a checklist.
    pub async fn scene(&self) -> Scene {
        let team = self.team("Blue").await;
        let (version, template) = self.template(team, None, invoice_review()).await;
        let seed = SeedChecklist {
            team,
            version,
            template: template.clone(),
            name: "Invoice 17".to_owned(),
            source: self.source.clone(),
        };
        let list = self.store.write(seed).await.expect("a checklist is made");
        Scene {
            team,
            version,
            template,
            list,
        }
    }

    /// Another checklist of the scene's template.
    pub async fn checklist(&self, scene: &Scene, name: &str) -> domain::Checklist {
        self.tick();
        let seed = self.unstored_checklist(scene, name);
        self.store.write(seed).await.expect("a checklist is made")
    }

    /// The seed of another checklist of the scene's template.
    pub fn unstored_checklist(&self, scene: &Scene, name: &str) -> SeedChecklist {
        SeedChecklist {
            team: scene.team,
            version: scene.version,
            template: scene.template.clone(),
            name: name.to_owned(),
            source: self.source.clone(),
        }
    }

    /// The checklist as it is stored, with everything in it.
    pub async fn stored(&self, team: TeamId, id: ChecklistId) -> domain::Checklist {
        self.read(reading!([team, id] tx => tx.checklist_get(*team, *id, Fields::All).await))
            .await
            .expect("the checklist is there")
    }

    /// The seed of a subscription to a target of its own.
    pub fn unstored_subscription(
        &self,
        team: TeamId,
        event_type: EventType,
        scope: Scope,
    ) -> SeedSubscription {
        let url = format!("https://hooks.example.com/{}", self.source.uuid());
        SeedSubscription {
            team,
            label: "tests".to_owned(),
            event_type,
            scope,
            target: TargetUrl::parse(&url).expect("a target"),
            source: self.source.clone(),
        }
    }

    /// Subscribes to what `kind` there is in the scene, by its narrowest scope.
    pub async fn subscribe(&self, scene: &Scene, kind: EventType) -> Subscription {
        self.subscribe_to(scene.team, kind, scene.scope(kind)).await
    }

    /// Subscribes to a target of its own.
    pub async fn subscribe_to(&self, team: TeamId, kind: EventType, scope: Scope) -> Subscription {
        self.tick();
        let seed = self.unstored_subscription(team, kind, scope);
        self.store
            .write(seed)
            .await
            .expect("a subscription is made")
            .0
    }

    /// Puts a subscription into a state; answers whether it changed.
    pub async fn put_state(&self, id: SubscriptionId, state: SubscriptionState) -> bool {
        let change = StateChange {
            state,
            reason: format!("put to {state}"),
            by: "Bob".to_owned(),
            at: self.tick(),
        };
        self.write(writing!([id, change] tx => tx.subscription_state_put(*id, change).await))
            .await
    }

    /// Has a subscription get the events of each checklist in order, or no longer.
    pub async fn order(&self, team: TeamId, subscription: SubscriptionId, ordered: bool) {
        let seed = SeedOrder {
            team,
            subscription,
            ordered,
        };
        self.store.write(seed).await.expect("it is changed");
    }

    /// An event of the scene happens, a millisecond after what was before.
    pub async fn happen(&self, scene: &Scene, kind: EventType) -> Event {
        self.tick();
        let event = scene.event(kind, &self.source);
        self.append(&event).await;
        event
    }

    /// Adds an event.
    pub async fn append(&self, event: &Event) {
        let added = self.store.write(SeedEvent(event.clone())).await;
        added.expect("an event is added");
    }

    /// Adds an event, and counts the deliveries it has then.
    pub async fn reach(&self, event: &Event) -> usize {
        self.append(event).await;
        let deliveries = self.deliveries(event.team).await.into_iter();
        deliveries.filter(|row| row.event_id == event.id).count()
    }
}
