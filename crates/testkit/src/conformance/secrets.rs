//! Secrets of subscriptions: what signs, from when until when, and what may be known of it.

use std::time::Duration;

use domain::{
    EventType, PublicKey, Scope, SecretHead, SecretId, SecretKind, SigningSecret, Subscription,
    SubscriptionId, SubscriptionSecret, SubscriptionState, TeamId, Timestamp,
};

use crate::{Refused, World, reading, writing};

const KIND: EventType = EventType::TaskCompleted;

async fn list(world: &World, team: TeamId, of: SubscriptionId) -> Vec<SecretHead> {
    world
        .read(reading!([team, of] tx => tx.secret_list(*team, *of).await))
        .await
}

async fn published(
    world: &World,
    team: TeamId,
    after: Timestamp,
    limit: u32,
) -> Vec<(SecretId, PublicKey)> {
    let look =
        reading!([team, after, limit] tx => tx.secret_published(*team, *after, *limit).await);
    world.read(look).await
}

/// Adds a new secret, and answers it.
async fn add(world: &World, to: &Subscription, kind: SecretKind) -> SubscriptionSecret {
    world.tick();
    let secret = SubscriptionSecret::generate(kind, &world.source);
    let (team, id) = (to.team, to.id);
    let unit = writing!([team, id, secret] tx => {
        assert!(tx.secret_hold(*team, *id).await?, "it is there");
        tx.secret_insert(*team, *id, secret).await
    });
    world.write(unit).await;
    secret
}

/// Gives a secret an end.
async fn end(world: &World, of: SubscriptionId, secret: SecretId, until: Timestamp) {
    let unit = writing!([of, secret, until] tx => tx.secret_end(*of, &[*secret], *until).await);
    world.write(unit).await;
}

async fn remove(world: &World, of: &Subscription, secret: SecretId) {
    let (team, of) = (of.team, of.id);
    let unit = writing!([team, of, secret] tx => {
        tx.secret_hold(*team, *of).await?;
        tx.secret_remove(*of, &[*secret]).await
    });
    world.write(unit).await;
}

pub(super) async fn what_may_be_known_of_secrets_is_listed_newest_first_to_their_team_alone(
    world: &World,
) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made = world.subscribe_to(blue, KIND, Scope::Team).await;
    let other = world.subscribe_to(blue, KIND, Scope::Team).await;
    let first = list(world, blue, made.id).await.remove(0);
    assert_eq!((first.kind, first.public_key), (SecretKind::Hmac, None));
    let hmac = add(world, &made, SecretKind::Hmac).await;
    let key = add(world, &made, SecretKind::Ed25519).await;
    let until = world.now().after(Duration::from_mins(1));
    end(world, made.id, hmac.id, until).await;
    let hmac = SecretHead {
        valid_until: Some(until),
        ..hmac.head()
    };
    assert_eq!(
        list(world, blue, made.id).await,
        [key.head(), hmac, first.clone()]
    );
    assert_eq!(list(world, red, made.id).await, []);
    // That of another subscription is not touched by its name.
    end(world, other.id, first.id, until).await;
    remove(world, &other, first.id).await;
    assert!(list(world, blue, made.id).await.contains(&first));
    assert_eq!(list(world, blue, other.id).await.len(), 1);
}

pub(super) async fn a_secret_is_known_again_by_its_own_subscription_alone(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made = world.subscribe_to(blue, KIND, Scope::Team).await;
    let other = world.subscribe_to(blue, KIND, Scope::Team).await;
    let same = async |team: TeamId, of: SubscriptionId, secret: &SigningSecret| {
        let secret = secret.clone();
        world
            .read(reading!([team, of, secret] tx => tx.secret_same(*team, *of, secret).await))
            .await
    };
    for kind in [SecretKind::Hmac, SecretKind::Ed25519] {
        let (held, stranger) = (
            add(world, &made, kind).await,
            SigningSecret::generate(kind, &world.source),
        );
        add(world, &made, kind).await;
        let of = &held.secret;
        assert_eq!(same(blue, made.id, of).await, [held.id]);
        assert_eq!(same(blue, made.id, &stranger).await, []);
        assert_eq!(same(red, made.id, of).await, []);
        assert_eq!(same(blue, other.id, of).await, []);
        end(world, made.id, held.id, world.now()).await;
        assert_eq!(
            same(blue, made.id, of).await,
            [held.id],
            "though it has run out"
        );
        remove(world, &made, held.id).await;
        assert_eq!(same(blue, made.id, of).await, []);
    }
}

pub(super) async fn what_is_taken_after_a_change_of_secrets_is_signed_so(world: &mut World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await;
    let taken = async |world: &World| {
        world.happen(&scene, KIND).await;
        let taken = world.take_one(made.id).await;
        world.deliver(&taken).await;
        (*taken.destination).clone()
    };
    let before = taken(world).await;
    let [old] = &before.secrets[..] else {
        panic!("it has one: {:?}", before.secrets)
    };
    let new = add(world, &made, SecretKind::Hmac).await;
    let key = add(world, &made, SecretKind::Ed25519).await;
    let until = world.now().after(Duration::from_mins(1));
    let (team, id, of) = (made.team, old.id, made.id);
    let unit = writing!([team, of, id, until] tx => {
        tx.secret_hold(*team, *of).await?;
        tx.secret_end(*of, &[*id], *until).await
    });
    world.write(unit).await;
    let ended = SubscriptionSecret {
        valid_until: Some(until),
        ..old.clone()
    };
    let all = [key.clone(), new.clone(), ended];
    let after = taken(world).await;
    assert_eq!(after.secrets, all);
    assert!(after.revision > before.revision);
    // What it is decrypted from is on disk.
    world.reopen().await;
    assert_eq!(taken(world).await.secrets, all);
    remove(world, &made, old.id).await;
    assert_eq!(taken(world).await.secrets, [key, new]);
}

pub(super) async fn only_one_that_is_there_and_not_gone_is_held(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made = world.subscribe_to(blue, KIND, Scope::Team).await;
    let hold = async |team: TeamId, id: SubscriptionId| {
        world
            .write(writing!([team, id] tx => tx.secret_hold(*team, *id).await))
            .await
    };
    assert!(hold(blue, made.id).await);
    assert!(!hold(red, made.id).await);
    assert!(!hold(blue, SubscriptionId::new(world.source.uuid())).await);
    world.put_state(made.id, SubscriptionState::Paused).await;
    assert!(hold(blue, made.id).await);
    world.put_state(made.id, SubscriptionState::Gone).await;
    assert!(!hold(blue, made.id).await);
}

pub(super) async fn those_who_roll_at_once_see_each_others_secrets(world: &World) {
    const MOST: usize = 3;
    const ROUNDS: usize = 20;
    let team = world.team("Blue").await;
    for _ in 0..ROUNDS {
        let made = world.subscribe_to(team, KIND, Scope::Team).await;
        let roll = async || {
            let secret = SubscriptionSecret::generate(SecretKind::Hmac, &world.source);
            let id = made.id;
            let unit = writing!([team, id, secret] tx => {
                tx.secret_hold(*team, *id).await?;
                if tx.secret_list(*team, *id).await?.len() >= MOST {
                    return Err(Refused::Because("full"));
                }
                tx.secret_insert(*team, *id, secret).await?;
                Ok(())
            });
            world.attempt(unit).await.is_ok()
        };
        let all = tokio::join!(roll(), roll(), roll(), roll());
        let rolled = [all.0, all.1, all.2, all.3];
        assert_eq!(rolled.iter().filter(|rolled| **rolled).count(), MOST - 1);
        assert_eq!(list(world, team, made.id).await.len(), MOST);
    }
}

pub(super) async fn public_keys_of_a_team_are_published_until_they_end(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let made = world.subscribe_to(blue, KIND, Scope::Team).await;
    let gone = world.subscribe_to(blue, KIND, Scope::Team).await;
    let theirs = world.subscribe_to(red, KIND, Scope::Team).await;
    let one = add(world, &made, SecretKind::Ed25519).await;
    let two = add(world, &made, SecretKind::Ed25519).await;
    let of_gone = add(world, &gone, SecretKind::Ed25519).await;
    add(world, &theirs, SecretKind::Ed25519).await;
    // Its feed stays, and is signed.
    world.put_state(gone.id, SubscriptionState::Gone).await;
    let key = |of: &SubscriptionSecret| (of.id, of.secret.public_key().expect("a public key"));
    let (now, later) = (world.now(), world.now().after(Duration::from_mins(1)));
    assert_eq!(
        published(world, blue, now, 10).await,
        [key(&of_gone), key(&two), key(&one)]
    );
    assert_eq!(published(world, blue, now, 1).await, [key(&of_gone)]);
    end(world, made.id, one.id, later).await;
    let before = Timestamp::from_millis(later.as_millis() - 1);
    assert_eq!(published(world, blue, before, 10).await.len(), 3);
    assert_eq!(
        published(world, blue, later, 10).await,
        [key(&of_gone), key(&two)]
    );
    assert_eq!(published(world, TeamId::new(9_999), now, 10).await, []);
}
