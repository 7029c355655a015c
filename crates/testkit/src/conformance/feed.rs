//! The feed of a subscription: every delivery by its sequence, whatever has become of it.

use domain::{DeliveryState, EventType, Scope, SubscriptionId, SubscriptionState, TeamId};
use store::{Ending, FeedItem, FeedPage, FeedQuery, Forget};

use crate::{World, reading, writing};

const KIND: EventType = EventType::TaskCompleted;

async fn page(world: &World, team: TeamId, query: FeedQuery) -> Option<FeedPage> {
    world
        .read(reading!([team, query] tx => tx.feed_page(*team, query).await))
        .await
}

/// What comes after `after`, all of it.
async fn read(world: &World, team: TeamId, subscription: SubscriptionId, after: i64) -> FeedPage {
    let query = FeedQuery {
        subscription,
        after,
        limit: 1_000,
        bytes_max: u64::MAX,
    };
    let found = page(world, team, query).await;
    found.expect("the team has the subscription")
}

fn sequences(page: &FeedPage) -> Vec<i64> {
    page.items.iter().map(|item| item.sequence).collect()
}

pub(super) async fn the_feed_holds_what_each_delivery_carries(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, KIND).await;
    world.subscribe(&scene, KIND).await;
    let empty = read(world, scene.team, mine.id, 0).await;
    assert_eq!((empty.first, empty.last, empty.items.len()), (None, 0, 0));
    let mut happened = Vec::new();
    for _ in 0..3 {
        happened.push(world.happen(&scene, KIND).await);
    }
    let found = read(world, scene.team, mine.id, 0).await;
    assert_eq!((found.first, found.last), (Some(1), 3));
    let listed = world.deliveries(scene.team).await;
    for ((item, event), sequence) in found.items.iter().zip(&happened).zip(1..) {
        let delivery = listed
            .iter()
            .find(|row| row.event_id == event.id && row.subscription_id == mine.id);
        let expected = FeedItem {
            sequence,
            delivery: delivery.expect("it is in the log").delivery_id,
            event: event.id,
            event_type: KIND,
            body: event.body.clone(),
        };
        assert_eq!(*item, expected);
    }
    assert_eq!(found.items.len(), 3);
    assert_eq!(found.destination.subscription, mine.id);
    assert_eq!(found.destination.target, mine.target);
    assert!(!found.destination.secrets.is_empty(), "it can be signed");
}

pub(super) async fn the_feed_goes_on_after_a_sequence_and_ends_at_its_bounds(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, KIND).await;
    let mut sizes = Vec::new();
    for _ in 0..5 {
        sizes.push(world.happen(&scene, KIND).await.body.len() as u64);
    }
    let query = |after, limit, bytes_max| FeedQuery {
        subscription: mine.id,
        after,
        limit,
        bytes_max,
    };
    for (asked, expected) in [
        (query(0, 2, u64::MAX), vec![1, 2]),
        (query(2, 2, u64::MAX), vec![3, 4]),
        (query(4, 2, u64::MAX), vec![5]),
        (query(5, 2, u64::MAX), vec![]),
        (query(99, 2, u64::MAX), vec![]),
        // The first one is there however large it is; no other begins once so many bytes are there.
        (query(0, 9, 1), vec![1]),
        (query(1, 9, sizes[1] + 1), vec![2, 3]),
        (query(1, 9, sizes[1]), vec![2]),
    ] {
        let found = page(world, scene.team, asked).await.expect("it is there");
        assert_eq!(sequences(&found), expected, "{asked:?}");
        assert_eq!((found.first, found.last), (Some(1), 5), "{asked:?}");
    }
}

pub(super) async fn the_feed_goes_on_past_what_is_not_kept(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, KIND).await;
    for _ in 0..5 {
        world.happen(&scene, KIND).await;
    }
    let all = world
        .read(reading!([] tx => tx.event_walk(None, 10).await))
        .await;
    let gone: Vec<_> = [0, 1, 3].map(|place| all[place].place).to_vec();
    let ending = Ending {
        state: DeliveryState::Expired,
        reason: String::new(),
        stopped_by: None,
    };
    let unit = writing!([gone, ending] tx => tx.event_body_remove(gone, ending, 100).await);
    world.write(unit).await;
    let mut after = 0;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let query = FeedQuery {
            subscription: mine.id,
            after,
            limit: 1,
            bytes_max: u64::MAX,
        };
        let found = page(world, scene.team, query).await.expect("it is there");
        assert_eq!(found.reached, after + 1, "each look goes on");
        after = found.reached;
        seen.extend(sequences(&found));
    }
    assert_eq!(seen, [3, 5]);
    let oldest = vec![all[0].place];
    let unit = writing!([oldest] tx => tx.event_forget(oldest, Forget::All, 100).await);
    world.write(unit).await;
    let rest = read(world, scene.team, mine.id, 0).await;
    assert_eq!((rest.first, rest.reached), (Some(2), 5));
}

pub(super) async fn the_feed_holds_what_was_not_sent_and_goes_on_when_nothing_is(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let delivered = world.take_one(mine.id).await;
    world.deliver(&delivered).await;
    assert!(world.put_state(mine.id, SubscriptionState::Paused).await);
    world.happen(&scene, KIND).await;
    assert_eq!(
        sequences(&read(world, scene.team, mine.id, 0).await),
        [1, 2],
        "what is held has its sequence"
    );
    world.happen(&scene, KIND).await;
    assert_eq!(sequences(&read(world, scene.team, mine.id, 2).await), [3]);
    assert!(world.put_state(mine.id, SubscriptionState::Gone).await);
    assert_eq!(
        sequences(&read(world, scene.team, mine.id, 1).await),
        [2, 3],
        "nor is what it has had taken from one that ended"
    );
}

pub(super) async fn the_feed_of_another_team_is_not_there(world: &World) {
    let scene = world.scene().await;
    let red = world.team("Red").await;
    let mine = world.subscribe(&scene, KIND).await;
    let theirs = world.subscribe_to(red, KIND, Scope::Team).await;
    world.happen(&scene, KIND).await;
    let query = |subscription| FeedQuery {
        subscription,
        after: 0,
        limit: 10,
        bytes_max: u64::MAX,
    };
    assert!(page(world, red, query(mine.id)).await.is_none());
    assert!(page(world, scene.team, query(theirs.id)).await.is_none());
    let unknown = SubscriptionId::new(world.source.uuid());
    assert!(page(world, scene.team, query(unknown)).await.is_none());
    assert!(sequences(&read(world, red, theirs.id, 0).await).is_empty());
}

pub(super) async fn the_feed_shows_what_its_own_transaction_stored(world: &World) {
    let scene = world.scene().await;
    let mine = world.subscribe(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let query = FeedQuery {
        subscription: mine.id,
        after: 0,
        limit: 10,
        bytes_max: u64::MAX,
    };
    let (team, event) = (scene.team, scene.event(KIND, &world.source));
    let unit = writing!([team, query, event] tx => {
        tx.event_append(event).await?;
        tx.feed_page(*team, query).await
    });
    let found = world.write(unit).await.expect("it is there");
    assert_eq!(sequences(&found), [1, 2]);
    assert_eq!(
        sequences(&read(world, scene.team, mine.id, 0).await),
        [1, 2]
    );
}
