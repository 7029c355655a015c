//! Behind a pooler that gives a connection to a client for one transaction only, PostgreSQL keeps every promise
//! of the seam as well; only hearing of each other is not among them.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{EventType, Scope, Source};
use store::{LeaseClock, MasterKey, PostgresAccess, PostgresOptions, Store, open_postgres};
use testkit::{Fixture, PostgresPooler, PostgresServer, SeedEvent, SeedTeam, TestLanes, World};

struct Pooled {
    pooler: PostgresPooler,
    told: bool,
}

impl Pooled {
    fn new() -> Self {
        let database = PostgresServer::of_this_process().database();
        Self {
            pooler: PostgresPooler::before(database),
            told: true,
        }
    }
}

#[async_trait]
impl Fixture for Pooled {
    async fn open(&self, source: Source) -> Store {
        let key =
            MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
        let mut options = PostgresOptions::new(self.pooler.url(), key, source);
        options.limits.connections = 8;
        options.lease_clock = LeaseClock::Own;
        options.access = PostgresAccess { pooler: self.told };
        open_postgres(options).await.expect("a database")
    }

    fn tamper(&self, statement: &str) {
        self.pooler.database().sql(statement);
    }

    fn is_one_line(&self) -> bool {
        false
    }
}

testkit::conformance_tests!(Pooled::new());

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_share_the_connections_of_one_pooler() {
    const EACH: usize = 20;
    let shared = Arc::new(Pooled::new());
    let world = World::start(shared.clone()).await;
    let scene = world.scene().await;
    let kind = EventType::TaskCompleted;
    let lane = world.subscribe_to(scene.team, kind, Scope::Team).await.id;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let store = shared.open(world.source.clone()).await;
        let lanes = TestLanes::new(&world.source);
        store.attach(lanes.clone());
        nodes.push((store, lanes));
    }
    let adding = nodes.iter().flat_map(|(store, _)| {
        (0..EACH).map(|_| {
            let event = scene.event(kind, &world.source);
            let store = store.clone();
            tokio::spawn(async move { store.write(SeedEvent(event)).await })
        })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.expect("the task ends").expect("it is stored");
    }
    let mut sequences = Vec::new();
    while sequences.len() < 3 * EACH {
        let taken = world.take(lane, 7).await;
        sequences.extend(taken.iter().map(|leased| leased.sequence));
    }
    sequences.sort_unstable();
    let all = i64::try_from(3 * EACH).expect("few");
    assert_eq!(sequences, (1..=all).collect::<Vec<_>>());
    for (store, lanes) in nodes {
        lanes.let_go();
        store.stop().await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_told_of_a_pooler_is_told_what_to_set() {
    const AT_ONCE: usize = 20;
    let shared = Arc::new(Pooled {
        told: false,
        ..Pooled::new()
    });
    let (source, _) = testkit::test_source();
    let store = shared.open(source.clone()).await;
    // Sooner or later one gets a connection on which what it prepared is not.
    let mut complaint = None;
    for _ in 0..50 {
        let asking = (0..AT_ONCE).map(|_| {
            let store = store.clone();
            let (name, source) = ("Finance".to_owned(), source.clone());
            tokio::spawn(async move { store.write(SeedTeam { name, source }).await })
        });
        for asked in asking.collect::<Vec<_>>() {
            let refused = asked.await.expect("the task ends").err();
            complaint = complaint.or(refused);
        }
        if complaint.is_some() {
            break;
        }
    }
    let complaint = format!("{:?}", complaint.expect("not all can go well"));
    assert!(complaint.contains("set store.pooler = true"), "{complaint}");
    store.stop().await;
}
