use std::sync::Arc;

use async_trait::async_trait;
use domain::{Delivery, EventType, SubscriptionId};
use store::{MasterKey, SqliteOptions, Take, open_sqlite};
use testkit::{Fixture, Scene, World, writing};

use super::*;

const KIND: EventType = EventType::TaskCompleted;
const DAY: Duration = Duration::from_hours(24);
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct Folder(tempfile::TempDir);

#[async_trait]
impl Fixture for Folder {
    async fn open(&self, source: Source) -> Store {
        let key = MasterKey::from_text(KEY).unwrap();
        open_sqlite(SqliteOptions::new(self.0.path(), key, source)).unwrap()
    }
}

/// A world with a subscription, and a pruner in it.
struct Stage {
    world: World,
    scene: Scene,
    lane: SubscriptionId,
    pruner: Pruner,
}

impl Stage {
    async fn new(log: Option<u32>, bodies: Option<u32>, answers: Option<u32>) -> Self {
        let days = |days: Option<u32>| days.map(|days| DAY * days);
        let world = World::start(Arc::new(Folder(tempfile::tempdir().unwrap()))).await;
        let scene = world.scene().await;
        let lane = world.subscribe(&scene, KIND).await.id;
        let keeping = Keeping {
            log: days(log),
            bodies: days(bodies),
            answers: days(answers),
        };
        let pruner = Pruner::new(world.store.clone(), world.source.clone(), keeping);
        Self {
            world,
            scene,
            lane,
            pruner,
        }
    }

    /// A delivery that the receiver took.
    async fn delivered(&self) {
        self.world.happen(&self.scene, KIND).await;
        let leased = self.world.take_one(self.lane).await;
        self.world.deliver(&leased).await;
    }

    /// What a round removes once so many days more have passed.
    async fn after(&self, days: u32) -> Removed {
        self.world.clock.advance(DAY * days);
        self.world.tick();
        self.pruner.round().await.unwrap()
    }

    async fn listed(&self) -> Vec<Delivery> {
        self.world.deliveries(self.scene.team).await
    }

    async fn end(self) {
        self.world.finish().await;
    }
}

#[tokio::test]
async fn what_is_too_old_goes_and_what_expired_shows_for_a_day() {
    let stage = Stage::new(Some(30), Some(30), Some(30)).await;
    stage.delivered().await;
    stage.world.happen(&stage.scene, KIND).await;
    assert_eq!(stage.after(29).await, Removed::default());
    stage.world.happen(&stage.scene, KIND).await;
    let first = Removed {
        events: 1,
        deliveries: 1,
        expired: 1,
        bodies: 1,
        answers: 0,
        jobs: 0,
    };
    assert_eq!(stage.after(1).await, first);
    let listed = stage.listed().await;
    let shown: Vec<_> = listed.iter().map(|row| (row.sequence, row.state)).collect();
    assert_eq!(
        shown,
        [(3, DeliveryState::Waiting), (2, DeliveryState::Expired)]
    );
    assert_eq!(listed[1].reason, TOO_OLD);
    let second = Removed {
        events: 1,
        deliveries: 1,
        ..Removed::default()
    };
    assert_eq!(stage.after(1).await, second);
    assert_eq!(stage.listed().await.len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn bodies_and_answers_may_go_before_the_log() {
    let stage = Stage::new(Some(90), Some(30), Some(7)).await;
    stage.delivered().await;
    stage.delivered().await;
    let id = stage.listed().await[0].delivery_id;
    let answers = Removed {
        answers: 2,
        ..Removed::default()
    };
    assert_eq!(stage.after(7).await, answers);
    assert_eq!(stage.after(22).await, Removed::default());
    let bodies = Removed {
        bodies: 2,
        ..Removed::default()
    };
    assert_eq!(stage.after(1).await, bodies);
    let log = stage.world.log(stage.scene.team, id).await;
    assert_eq!((log.body, log.attempts.len()), (None, 1));
    assert_eq!(stage.after(59).await, Removed::default());
    let gone = stage.after(2).await;
    assert_eq!(gone.deliveries, 2);
    assert_eq!(stage.listed().await, []);
    stage.end().await;
}

#[tokio::test]
async fn what_is_answered_to_an_old_event_goes_within_a_day() {
    let stage = Stage::new(None, None, Some(7)).await;
    stage.delivered().await;
    let id = stage.listed().await[0].delivery_id;
    assert_eq!(stage.after(8).await.answers, 1);
    let (team, now) = (stage.scene.team, stage.world.now());
    let unit = writing!([team, id, now] tx => {
        tx.delivery_redeliver(*team, *id, "Ann", *now).await
    });
    stage.world.write(unit).await;
    let again = stage.world.take_one(stage.lane).await;
    stage.world.deliver(&again).await;
    assert_eq!(stage.after(0).await.answers, 0, "it was passed over");
    assert_eq!(stage.after(1).await.answers, 1);
    stage.end().await;
}

#[tokio::test]
async fn what_is_kept_for_ever_stays() {
    let stage = Stage::new(None, None, None).await;
    stage.delivered().await;
    assert_eq!(stage.after(10_000).await, Removed::default());
    assert_eq!(stage.listed().await.len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn more_than_one_look_and_one_slice_can_take_goes_in_one_round() {
    let stage = Stage::new(Some(1), Some(1), Some(1)).await;
    let many = LOOKED_AT + ROWS_MAX;
    let source = stage.world.source.clone();
    let events: Vec<_> = (0..many)
        .map(|_| stage.scene.event(KIND, &source))
        .collect();
    let unit = writing!([events] tx => {
        for event in events {
            tx.event_append(event).await?;
        }
        Ok(())
    });
    stage.world.write(unit).await;
    // One is being sent, and so stays with its event.
    let take = Take {
        subscription: stage.lane,
        limit: 1,
    };
    let node = stage.world.other_node();
    stage.world.take_as(node, &[take]).await;
    let removed = stage.after(3).await;
    assert_eq!(removed.deliveries, u64::from(many) - 1);
    let left = stage.listed().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state, DeliveryState::Leased);
    stage.end().await;
}
