//! Several nodes on one PostgreSQL: what they know of each other, and what they never wait for.

use std::{sync::Arc, time::Duration};

use domain::{EventType, NodeId, Scope, SubscriptionId, SubscriptionState, Timestamp};
use store::{
    Chore, ChoreHold, ChoreTurn, DeliveryQuery, Differing, Lanes as _, LeasedDelivery, Node as _,
    NodeSettings, Rescue, Store, StoreError, Take,
};
use testkit::{Fixture as _, Scene, SeedEvent, SeedKey, TestLanes, World, reading, writing};
use tokio::sync::Notify;

use crate::OnPostgres;

const KIND: EventType = EventType::TaskCompleted;

/// A world and its database, on which further nodes can be started.
async fn world() -> (World, Arc<OnPostgres>) {
    let shared = Arc::new(OnPostgres::new());
    (World::start(shared.clone()).await, shared)
}

/// Another node with an engine.
async fn node(world: &World, database: &OnPostgres) -> (Store, Arc<TestLanes>) {
    let store = database.open(world.source.clone()).await;
    let lanes = TestLanes::new(&world.source);
    store.attach(lanes.clone());
    (store, lanes)
}

async fn lane(world: &World, scene: &Scene) -> SubscriptionId {
    world.subscribe_to(scene.team, KIND, Scope::Team).await.id
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_how_many_they_are() {
    let (world, database) = world().await;
    let alone = |lanes: &TestLanes| lanes.alive() == 1;
    world.lanes.wait_until("one node", alone).await;
    let (other, lanes) = node(&world, &database).await;
    for lanes in [&world.lanes, &lanes] {
        lanes
            .wait_until("two nodes", |lanes| lanes.alive() == 2)
            .await;
    }
    other.stop().await;
    world.lanes.wait_until("one node again", alone).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_who_was_given_other_settings_and_by_which_name() {
    let (world, database) = world().await;
    let given = |targets: &str, url: &str| {
        let settings = NodeSettings::default().with("targets", targets);
        TestLanes::given(settings.with("url", url), &world.source)
    };
    let (one, same, odd) = (given("a", "x"), given("a", "x"), given("b", "x"));
    let mut stores = Vec::new();
    for lanes in [&one, &same, &odd] {
        let store = database.open(world.source.clone()).await;
        store.attach(lanes.clone());
        stores.push(store);
    }
    let differs = |lanes: &TestLanes, settings: &[&str]| Differing {
        node: lanes.node(),
        settings: settings.iter().copied().map(String::from).collect(),
    };
    for lanes in [&one, &same] {
        let expected = [differs(&odd, &["targets"])];
        let sees = |lanes: &TestLanes| lanes.differing() == expected;
        lanes.wait_until("the odd one", sees).await;
    }
    let mut expected = vec![differs(&one, &["targets"]), differs(&same, &["targets"])];
    expected.sort_by_key(|other| other.node);
    let sees = |lanes: &TestLanes| lanes.differing() == expected;
    odd.wait_until("the two others", sees).await;
    // The world's own node tells of no setting, as one of an earlier version, and is one of four.
    assert_eq!(one.alive(), 4);
    assert_eq!(world.lanes.differing(), []);

    stores.pop().expect("the odd one's").stop().await;
    for lanes in [&one, &same] {
        let agree = |lanes: &TestLanes| lanes.differing().is_empty();
        lanes.wait_until("the odd one to be gone", agree).await;
    }
    for store in stores {
        store.stop().await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_sends_nothing_is_compared_and_has_no_part_of_a_bound() {
    let (world, database) = world().await;
    let given = |targets| {
        let settings = NodeSettings::default().with("targets", targets);
        TestLanes::given(settings, &world.source)
    };
    let (sends, answers) = (given("a"), given("b"));
    let (one, other) = (
        database.open(world.source.clone()).await,
        database.open(world.source.clone()).await,
    );
    one.attach(sends.clone());
    other.join(answers.clone());
    for (lanes, others) in [(&sends, &answers), (&answers, &sends)] {
        let sees = |lanes: &TestLanes| {
            let nodes: Vec<_> = lanes.differing().iter().map(|other| other.node).collect();
            nodes == [others.node()] && lanes.alive() == 2
        };
        lanes
            .wait_until("the other, and the two that send", sees)
            .await;
    }
    other.stop().await;
    let agree = |lanes: &TestLanes| lanes.differing().is_empty();
    sends.wait_until("the other to be gone", agree).await;
    one.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_hears_of_what_another_does_not_send_itself() {
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    // A node that answers requests and sends nothing.
    let api = database.open(world.source.clone()).await;
    // It listens from the moment on at which it looks of its own accord.
    world
        .lanes
        .wait_until("the node to listen", |lanes| lanes.wakes() > 0)
        .await;
    let before = world.lanes.wakes();
    let event = scene.event(KIND, &world.source);
    api.write(SeedEvent(event.clone())).await.expect("an event");
    world
        .lanes
        .wait_until("a word from the other", |lanes| lanes.wakes() > before)
        .await;
    assert_eq!(world.take_one(lane).await.event, event.id);
    api.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_no_commit_of_another_and_no_number_is_left_out() {
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    let (other, _) = node(&world, &database).await;
    let (slow, quick) = (
        scene.event(KIND, &world.source),
        scene.event(KIND, &world.source),
    );
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let begun = tokio::spawn({
        let (event, store) = (slow.clone(), world.store.clone());
        let (reached, go_on) = (reached.clone(), go_on.clone());
        async move {
            let unit = writing!([event, reached, go_on] tx => {
                tx.event_append(event).await?;
                reached.notify_one();
                go_on.notified().await;
                Ok::<_, store::StoreError>(())
            });
            store.write(unit).await
        }
    });
    reached.notified().await;
    // The first is stored and not committed. The second is committed and sent meanwhile.
    other
        .write(SeedEvent(quick.clone()))
        .await
        .expect("it does not wait");
    let first = world.take_one(lane).await;
    assert_eq!((first.event, first.sequence), (quick.id, 1));
    go_on.notify_one();
    begun.await.expect("the task ends").expect("it commits");
    let second = world.take_one(lane).await;
    assert_eq!((second.event, second.sequence), (slow.id, 2));
    other.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_lane_are_consecutive_whichever_node_gives_them() {
    const EACH: usize = 30;
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    let (other, lanes) = node(&world, &database).await;
    world.lanes.set_permits(EACH / 2);
    lanes.set_permits(EACH / 2);
    let append = |store: &Store| {
        let store = store.clone();
        let events: Vec<_> = (0..EACH)
            .map(|_| scene.event(KIND, &world.source))
            .collect();
        tokio::spawn(async move {
            for event in events {
                store.write(SeedEvent(event)).await.expect("an event");
            }
        })
    };
    let (one, two) = (append(&world.store), append(&other));
    one.await.expect("the task ends");
    two.await.expect("the task ends");
    let mut numbers = Vec::new();
    for lanes in [&world.lanes, &lanes] {
        let handed = lanes.wait_handed(EACH / 2).await;
        numbers.extend(handed.iter().map(|leased| leased.sequence));
    }
    // What is being leased at this moment is passed over, so until there is nothing more.
    while numbers.len() < 2 * EACH {
        let taken = world.take(lane, 100).await;
        numbers.extend(taken.iter().map(|leased| leased.sequence));
    }
    numbers.sort_unstable();
    let all = i64::try_from(2 * EACH).expect("few");
    assert_eq!(numbers, (1..=all).collect::<Vec<_>>());
    lanes.let_go();
    other.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_leaves_the_leases_of_the_living_alone() {
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    world
        .lanes
        .wait_until("a sign of life", |lanes| lanes.alive() > 0)
        .await;
    let wanted = [Take {
        subscription: lane,
        limit: 1,
    }];
    let of = async |node: NodeId| world.take_as(node, &wanted).await.deliveries.remove(0);
    let living = of(world.lanes.node()).await;
    of(world.other_node()).await;
    let (starting, lanes) = node(&world, &database).await;
    let (node, now) = (lanes.node(), world.now());
    let unit = writing!([node, now] tx => {
        tx.delivery_rescue(Rescue::OfTheDead(*node), *now, 10, 10).await
    });
    let rescued: Result<u32, store::StoreError> = starting.write(unit).await;
    assert_eq!(rescued.expect("they are ended"), 1, "that of the dead");
    world.deliver(&living).await;
    starting.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_open_a_new_database_at_once_both_find_it_made() {
    let shared = Arc::new(OnPostgres::new());
    let (source, _) = testkit::test_source();
    let stores = futures_util::future::join_all((0..4).map(|_| shared.open(source.clone()))).await;
    for store in stores {
        store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_clocks_differ_agree_when_a_lease_lapses() {
    let shared = Arc::new(OnPostgres::by_its_clock());
    // Its clock stands, years from the database's.
    let world = World::start(shared.clone()).await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(lane).await;
    let early = Duration::from_hours(1);
    let (source, clock) = testkit::test_source();
    clock.set(world.now().after(early));
    let other = shared.open(source.clone()).await;
    let rescue = async |now: Timestamp| -> u32 {
        let unit = writing!([now] tx => tx.delivery_rescue(Rescue::Lapsed, *now, 10, 10).await);
        let ended: Result<u32, store::StoreError> = other.write(unit).await;
        ended.expect("they are ended")
    };
    assert_eq!(rescue(source.now()).await, 0, "its clock is an hour early");
    world.deliver(&leased).await;
    world.happen(&scene, KIND).await;
    world.take_one(lane).await;
    let over = TestLanes::LEASE + Duration::from_secs(10);
    assert_eq!(rescue(source.now().after(over)).await, 1, "now it is over");
    other.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chore_of_a_dead_node_is_another_nodes_when_the_database_says_so() {
    const CHORE: Chore = Chore {
        name: "a chore",
        every: Duration::from_hours(1),
        lease: Duration::from_millis(200),
    };
    let shared = Arc::new(OnPostgres::by_its_clock());
    let (source, clock) = testkit::test_source();
    let (one, other) = (
        shared.open(source.clone()).await,
        shared.open(source.clone()).await,
    );
    // The clocks of the nodes stand, and differ from each other's by years.
    let early = clock.now();
    let late = early.after(Duration::from_hours(100_000));
    let ChoreTurn::Ours(lost) = one.chore_begin(CHORE, late).await.expect("a turn") else {
        panic!("nobody has it");
    };
    // It is heard of no more. Each answer says how long to wait, and in the end there is none to wait.
    let mut asked = 0;
    let next = loop {
        asked += 1;
        assert!(asked < 100, "it is never free");
        match other.chore_begin(CHORE, early).await.expect("a turn") {
            ChoreTurn::Ours(lease) => break lease,
            ChoreTurn::NotBefore(wait) => {
                assert!(wait <= CHORE.lease, "{wait:?}");
                tokio::time::sleep(wait).await;
            }
        }
    };
    assert!(asked > 1, "it was somebody's");
    let kept = one.chore_keep(lost, late).await.expect("an answer");
    assert_eq!(kept, ChoreHold::Lost);
    let ended = other.chore_end(next, early).await.expect("an answer");
    assert_eq!(ended, ChoreHold::Ours);
    let turn = one.chore_begin(CHORE, late).await.expect("a turn");
    assert!(matches!(turn, ChoreTurn::NotBefore(wait) if wait > Duration::from_mins(59)));
    for store in [one, other] {
        store.stop().await;
    }
}

/// What another node takes of a lane now.
async fn taken_by(
    store: &Store,
    lanes: &TestLanes,
    lane: SubscriptionId,
    now: Timestamp,
) -> Vec<LeasedDelivery> {
    let take = [Take {
        subscription: lane,
        limit: 1,
    }];
    let (node, until) = (lanes.node(), lanes.lease_until(now));
    let unit = writing!([take, node, now, until] tx => {
        tx.delivery_take(&take[..], *node, *now, *until).await
    });
    let taken: Result<_, store::StoreError> = store.write(unit).await;
    taken.expect("a take").deliveries
}

/// What one node commits holds for all that another takes after it, whether they hear each other or not.
async fn what_one_node_changes_holds_for_the_next_take_of_another(hears: bool) {
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = lane(&world, &scene).await;
    let other = if hears {
        database.open(world.source.clone()).await
    } else {
        database.open_deaf(world.source.clone()).await
    };
    let lanes = TestLanes::new(&world.source);
    other.attach(lanes.clone());
    let taken = async || taken_by(&other, &lanes, lane, world.now()).await;
    for _ in 0..6 {
        world.happen(&scene, KIND).await;
    }
    // It knows the subscription by now, and keeps what it knows.
    let before = taken().await.remove(0).destination;

    assert!(world.put_state(lane, SubscriptionState::Paused).await);
    assert!(taken().await.is_empty(), "it is paused");
    assert!(world.put_state(lane, SubscriptionState::Active).await);
    assert_eq!(taken().await.len(), 1, "it is resumed");

    // A secret that is rolled and an address that is changed are a new revision.
    let rolled = "https://example.com/rolled";
    let changed = database.database.sql(&format!(
        "UPDATE subscription SET target_url = '{rolled}', revision = revision + 1 WHERE id = '{}'",
        lane.uuid()
    ));
    assert_eq!(changed, "");
    let after = taken().await.remove(0).destination;
    assert_ne!(after.target, before.target);
    assert_eq!(after.target.as_str(), rolled);

    assert!(world.put_state(lane, SubscriptionState::Gone).await);
    assert!(taken().await.is_empty(), "it is gone");

    let seed = SeedKey {
        team: scene.team,
        name: "scripts".to_owned(),
        rights: domain::Rights::USUAL,
        expires_at: None,
        source: world.source.clone(),
    };
    let (key, secret) = world.store.write(seed).await.expect("a key");
    let hash = secret.hash();
    let revoked = async || {
        let look = reading!([hash] tx => tx.api_key_get(hash).await);
        let (key, _) = {
            let found: Result<_, StoreError> = other.read(look).await;
            found.expect("a look").expect("the key")
        };
        key.revoked_at.is_some()
    };
    assert!(!revoked().await);
    let (team, id, now) = (scene.team, key.id, world.now());
    world
        .write(writing!([team, id, now] tx => tx.api_key_revoke(*team, *id, *now).await))
        .await;
    assert!(revoked().await, "it opens nothing any more");
    lanes.let_go();
    other.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_changes_holds_for_another_at_once() {
    what_one_node_changes_holds_for_the_next_take_of_another(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_changes_holds_for_another_that_hears_nothing() {
    what_one_node_changes_holds_for_the_next_take_of_another(false).await;
}

/// A subscription with order per checklist, and another node.
async fn in_order_on_two_nodes() -> (World, Scene, Store) {
    let (world, database) = world().await;
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    world.order(scene.team, lane, true).await;
    // Before anything happens, so that identifiers are by its own clock alone.
    let (other, _) = node(&world, &database).await;
    (world, scene, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checklist_is_numbered_in_its_order_whatever_the_clocks_of_nodes_say() {
    let (world, scene, other) = in_order_on_two_nodes().await;
    let first = world.happen(&scene, KIND).await;
    let behind = |seconds| {
        let mut event = scene.event(KIND, &world.source);
        event.at = first.at.before(Duration::from_secs(seconds));
        event
    };
    let (second, third) = (behind(60), behind(30));
    for event in [&second, &third] {
        other
            .write(SeedEvent(event.clone()))
            .await
            .expect("it is added");
    }
    // The last by its identifier is read alone, with what is older by that: all of them are numbered for it.
    let rows = world.deliveries(scene.team).await;
    let mut sequences: Vec<_> = rows
        .iter()
        .map(|row| (row.sequence, row.event_id))
        .collect();
    sequences.sort_unstable();
    let order = [(1, first.id), (2, second.id), (3, third.id)];
    assert_eq!(sequences, order);
    let oldest = rows.last().map(|row| row.event_id);
    assert_eq!(oldest, Some(second.id), "its clock was behind");
    other.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_oldest_alone_has_what_is_before_it_numbered_as_well() {
    let (world, scene, other) = in_order_on_two_nodes().await;
    let first = world.happen(&scene, KIND).await;
    let mut second = scene.event(KIND, &world.source);
    second.at = first.at.before(Duration::from_mins(1));
    other
        .write(SeedEvent(second.clone()))
        .await
        .expect("it is added");
    let until = DeliveryQuery {
        until: Some(first.at),
        limit: 10,
        ..DeliveryQuery::default()
    };
    let rows = world.page(scene.team, until).await;
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.sequence, row.event_id))
        .collect();
    assert_eq!(
        found,
        [(2, second.id)],
        "behind the one that nobody has read yet"
    );
    other.stop().await;
    world.finish().await;
}
