//! What of a subscription's wishes is secret: kept encrypted, and there for whoever sends.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Authorization, Credentials, DeliveryState, EventType, HttpVersion, Proxy, ReasonCode,
    RequestSettings, RequestStyle, Secret, Subscription, SubscriptionId, SubscriptionSettings,
    SubscriptionState, TargetUrl, TeamId, Timestamp, TlsSettings,
};
use store::{StoreError, SubscriptionChange};

use crate::{World, reading, writing};

/// Wishes for all there is, and the secrets of them.
fn wishes() -> (RequestSettings, Credentials) {
    let url = |text| TargetUrl::parse(text).expect("a target");
    let settings = RequestSettings {
        https_only: true,
        http_version: HttpVersion::Http2,
        headers: vec!["x-key".to_owned()],
        authorization: Some(Authorization::Basic {
            user: "me".to_owned(),
        }),
        tls: Some(TlsSettings {
            ca_sha256: vec!["aa".to_owned()],
            certificate_sha256: Some("bb".to_owned()),
            certificate_valid_until: Some(Timestamp::from_millis(1_893_456_000_000)),
        }),
        proxy: Some(Proxy {
            url: url("http://proxy.example.com:3128"),
            user: Some("me".to_owned()),
        }),
        ..RequestSettings::default()
    };
    let credentials = Credentials {
        headers: BTreeMap::from([("x-key".to_owned(), Secret::new("in-a-header"))]),
        authorization: Some(Secret::new("a-password")),
        ca: Some("authorities".to_owned()),
        certificate: Some("a chain".to_owned()),
        key: Some(Secret::new("a-key")),
        proxy: Some(Secret::new("of-the-proxy")),
    };
    (settings, credentials)
}

async fn get(world: &World, team: TeamId, id: SubscriptionId) -> Option<Credentials> {
    world
        .read(reading!([team, id] tx => tx.credentials_get(*team, *id).await))
        .await
}

async fn put(world: &World, id: SubscriptionId, credentials: Option<&Credentials>) -> bool {
    let credentials = credentials.cloned();
    let unit = writing!([id, credentials] tx => {
        tx.credentials_put(*id, credentials.as_ref()).await
    });
    world.write(unit).await
}

/// Has a subscription wish for `request`.
async fn wish(world: &World, of: &Subscription, request: RequestSettings) {
    let change = SubscriptionChange {
        source: of.source.clone(),
        target: of.target.clone(),
        settings: SubscriptionSettings {
            request,
            ..of.settings.clone()
        },
    };
    let id = of.id;
    let unit = writing!([id, change] tx => tx.subscription_put(*id, change).await);
    assert!(world.write(unit).await);
}

pub(super) async fn credentials_are_read_back_whole_and_by_their_team_alone(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let of_team = |team| world.subscribe_to(team, EventType::TaskCompleted, domain::Scope::Team);
    let (made, other) = (of_team(blue).await, of_team(red).await);
    assert_eq!(get(world, blue, made.id).await, None);
    let (_, credentials) = wishes();
    assert!(put(world, made.id, Some(&credentials)).await);
    assert_eq!(get(world, blue, made.id).await, Some(credentials.clone()));
    assert_eq!(get(world, red, made.id).await, None);
    assert_eq!(get(world, red, other.id).await, None);
    assert!(put(world, made.id, None).await);
    assert_eq!(get(world, blue, made.id).await, None);
    world.put_state(made.id, SubscriptionState::Gone).await;
    assert!(!put(world, made.id, Some(&credentials)).await);
    let nobody = SubscriptionId::new(world.source.uuid());
    assert!(!put(world, nobody, Some(&credentials)).await);
}

pub(super) async fn what_is_sent_after_a_wish_is_sent_so(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::TaskCompleted).await;
    world.happen(&scene, EventType::TaskCompleted).await;
    // Who wishes for nothing has nothing to look at.
    assert_eq!(world.take_one(made.id).await.destination.request, None);
    let (settings, mut credentials) = wishes();
    wish(world, &made, settings.clone()).await;
    for password in ["one", "another"] {
        credentials.authorization = Some(Secret::new(password));
        assert!(put(world, made.id, Some(&credentials)).await);
        world.happen(&scene, EventType::TaskCompleted).await;
        let sent = world.take_one(made.id).await.destination.request.clone();
        let expected = RequestStyle {
            settings: settings.clone(),
            credentials: credentials.clone(),
        };
        assert_eq!(sent.as_deref(), Some(&expected), "not kept of before");
    }
    wish(world, &made, RequestSettings::default()).await;
    world.happen(&scene, EventType::TaskCompleted).await;
    assert_eq!(world.take_one(made.id).await.destination.request, None);
}

pub(super) async fn credentials_are_there_after_a_restart(world: &mut World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::TaskCompleted).await;
    let (settings, credentials) = wishes();
    wish(world, &made, settings).await;
    assert!(put(world, made.id, Some(&credentials)).await);
    // Twice, so that a fixture that moves to another kind of database comes back.
    for _ in 0..2 {
        world.reopen().await;
        let found = get(world, scene.team, made.id).await;
        assert_eq!(found, Some(credentials.clone()));
    }
    world.happen(&scene, EventType::TaskCompleted).await;
    let sent = world.take_one(made.id).await.destination.request.clone();
    let sent = sent.expect("it has wishes");
    assert_eq!(sent.credentials, credentials);
}

/// Has a subscription wish for what there is no secret of, which is never written so.
async fn tear(world: &World, of: &Subscription) {
    let (settings, _) = wishes();
    wish(world, of, settings).await;
}

pub(super) async fn a_subscription_that_cannot_be_read_holds_up_nobody_else(world: &World) {
    let scene = world.scene().await;
    let torn = world.subscribe(&scene, EventType::TaskCompleted).await;
    let sound = world.subscribe(&scene, EventType::TaskCompleted).await;
    tear(world, &torn).await;
    // With permits for all, where the event itself may hand over.
    world.lanes.set_permits(10);
    world.happen(&scene, EventType::TaskCompleted).await;
    let handed = world.lanes.wait_handed(1).await;
    assert_eq!(handed[0].destination.subscription, sound.id);
    world.lanes.set_permits(0);

    world.happen(&scene, EventType::TaskCompleted).await;
    let wanted = [torn.id, sound.id].map(|subscription| store::Take {
        subscription,
        limit: 10,
    });
    let taken = world.take_as(world.other_node(), &wanted).await.deliveries;
    let from: Vec<_> = taken
        .iter()
        .map(|one| one.destination.subscription)
        .collect();
    assert_eq!(from, [sound.id]);
    let listed = world.deliveries(scene.team).await;
    let of_torn: Vec<_> = listed
        .iter()
        .filter(|row| row.subscription_id == torn.id)
        .collect();
    assert_eq!(of_torn.len(), 2);
    for row in of_torn {
        assert_eq!((row.state, row.attempts), (DeliveryState::Waiting, 0));
        assert!(row.reason.contains("credentials"), "{}", row.reason);
        assert_eq!(row.reason_code, ReasonCode::Unreadable);
    }
    let (team, of) = (scene.team, torn.id);
    let look = reading!([team, of] tx => {
        Ok((tx.undelivered_summary(*team, *of).await?, tx.subscription_fault(*of).await?))
    });
    let (summary, fault) = world.read(look).await;
    let counts: Vec<_> = summary
        .counts
        .iter()
        .map(|one| (one.reason_code, one.count))
        .collect();
    assert_eq!(counts, [(ReasonCode::Unreadable, 2)]);
    assert!(fault.is_some_and(|fault| fault.contains("credentials")));
    let of = sound.id;
    let look = reading!([of] tx => tx.subscription_fault(*of).await);
    assert_eq!(world.read(look).await, None);
    // Its feed needs none of it.
    let query = store::FeedQuery {
        subscription: torn.id,
        after: 0,
        limit: 10,
        bytes_max: u64::MAX,
    };
    let look = reading!([team, query] tx => tx.feed_page(*team, query).await);
    let feed = world.read(look).await.expect("it is there");
    assert_eq!(feed.items.len(), 2);
    assert!(!feed.destination.secrets.is_empty(), "it can be signed");
    assert_eq!(world.take(torn.id, 10).await.len(), 0, "not at once again");
    wish(world, &torn, RequestSettings::default()).await;
    world.clock.advance(Duration::from_mins(1));
    let of = torn.id;
    let look = reading!([of] tx => tx.subscription_fault(*of).await);
    assert_eq!(world.read(look).await, None, "once it is mended");
    let taken = world.take(torn.id, 10).await;
    let sequences: Vec<_> = taken
        .iter()
        .map(|one| (one.sequence, one.lease.attempt))
        .collect();
    assert_eq!(sequences, [(1, 1), (2, 1)], "once it is mended");
}

pub(super) async fn credentials_that_cannot_be_opened_are_told_and_replaced(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::TaskCompleted).await;
    let (settings, credentials) = wishes();
    wish(world, &made, settings).await;
    // Sealed for another place, as after a write that went astray.
    world.tamper(
        "UPDATE subscription SET credentials = (SELECT sealed FROM subscription_secret LIMIT 1)",
    );
    let (team, id) = (scene.team, made.id);
    let look = reading!([team, id] tx => Ok(tx.credentials_get(*team, *id).await));
    let found = world.read(look).await;
    assert!(
        matches!(found, Err(StoreError::Corrupt { .. })),
        "{found:?}"
    );
    assert!(put(world, id, Some(&credentials)).await);
    assert_eq!(get(world, team, id).await, Some(credentials));
}

pub(super) async fn a_secret_that_cannot_be_opened_is_named(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, EventType::TaskCompleted).await;
    let (team, id) = (scene.team, made.id);
    let look = reading!([team, id] tx => tx.secret_list(*team, *id).await);
    let secret = world.read(look).await.remove(0).id;
    let (_, credentials) = wishes();
    assert!(put(world, id, Some(&credentials)).await);
    world.tamper(
        "UPDATE subscription_secret SET sealed = (SELECT credentials FROM subscription LIMIT 1)",
    );
    let look = reading!([id] tx => tx.subscription_fault(*id).await);
    let fault = world.read(look).await.expect("it can't be read");
    assert!(fault.contains(&secret.to_string()), "{fault}");
    assert!(fault.contains("roll-secret"), "{fault}");
}
