//! Teams, their API keys, and the audit log.

use std::time::Duration;

use domain::{Acting, Actor, ApiKeyId, AuditEntry, Door, KeyHash, MemberId, Rights, Role, TeamId};
use store::{AuditLine, Revoked};

use crate::{SeedKey, World, person, reading, writing};

async fn key(world: &World, team: TeamId, name: &str) -> (domain::ApiKey, domain::ApiKeySecret) {
    world.tick();
    let seed = SeedKey {
        team,
        name: name.to_owned(),
        rights: Rights::USUAL,
        expires_at: Some(world.now().after(Duration::from_hours(24))),
        source: world.source.clone(),
    };
    world.store.write(seed).await.expect("a key is made")
}

async fn revoke(world: &World, team: TeamId, id: ApiKeyId) -> Revoked {
    let at = world.tick();
    world
        .write(writing!([team, id, at] tx => tx.api_key_revoke(*team, *id, *at).await))
        .await
}

pub(super) async fn a_team_is_found_by_its_number(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Rot & Söhne").await);
    assert_ne!(blue, red);
    let found = world
        .read(reading!([red] tx => tx.team_get(*red).await))
        .await;
    let found = found.expect("the team is there");
    assert_eq!((found.id, found.name.as_str()), (red, "Rot & Söhne"));
    assert_eq!(found.created_at, world.now());
    let other = TeamId::new(red.get() + 1_000);
    let missing = world
        .read(reading!([other] tx => tx.team_get(*other).await))
        .await;
    assert_eq!(missing, None);
}

pub(super) async fn a_key_is_found_by_its_hash_with_its_team(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    key(world, blue, "first").await;
    let (second, secret) = key(world, red, "second").await;
    let hash = secret.hash();
    let found = world
        .read(reading!([hash] tx => tx.api_key_get(hash).await))
        .await;
    let (found, team) = found.expect("the key is there");
    assert_eq!(found, second);
    assert_eq!((team.id, team.name.as_str()), (red, "Red"));
    let wrong = KeyHash::of("ck_something_else");
    let missing = world
        .read(reading!([wrong] tx => tx.api_key_get(wrong).await))
        .await;
    assert_eq!(missing, None);
}

pub(super) async fn keys_of_a_team_are_listed_oldest_first(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let (zulu, _) = key(world, blue, "zulu").await;
    key(world, red, "other").await;
    let (alpha, _) = key(world, blue, "alpha").await;
    let listed = world
        .read(reading!([blue] tx => tx.api_key_list(*blue, None, 10).await))
        .await;
    assert_eq!(listed, [zulu.clone(), alpha.clone()]);
    let after = zulu.id;
    let rest = world
        .read(reading!([blue, after] tx => tx.api_key_list(*blue, Some(*after), 10).await))
        .await;
    assert_eq!(rest, [alpha]);
    let first = world
        .read(reading!([blue] tx => tx.api_key_list(*blue, None, 1).await))
        .await;
    assert_eq!(first, [zulu]);
    let count = world
        .read(reading!([blue] tx => tx.api_key_count(*blue).await))
        .await;
    assert_eq!(count, 2, "another team's are not counted");
}

pub(super) async fn a_revoked_key_says_so_from_the_commit_on(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let (made, secret) = key(world, blue, "script").await;
    assert_eq!(
        revoke(world, red, made.id).await,
        Revoked::NotThere,
        "not another team's"
    );
    let unknown = ApiKeyId::new(world.source.uuid());
    assert_eq!(revoke(world, blue, unknown).await, Revoked::NotThere);

    assert_eq!(revoke(world, blue, made.id).await, Revoked::Now);
    let at = world.now();
    assert_eq!(revoke(world, blue, made.id).await, Revoked::Before);
    let hash = secret.hash();
    let found = world
        .read(reading!([hash] tx => tx.api_key_get(hash).await))
        .await;
    let (found, _) = found.expect("a revoked key is still known");
    assert_eq!(found.revoked_at, Some(at), "the first time counts");
    let listed = world
        .read(reading!([blue] tx => tx.api_key_list(*blue, None, 10).await))
        .await;
    assert_eq!(listed, [found]);
}

pub(super) async fn a_key_keeps_what_it_may_do_until_when_and_its_last_use(world: &World) {
    let blue = world.team("Blue").await;
    let (other, _) = key(world, blue, "other").await;
    let (made, secret) = key(world, blue, "script").await;
    assert_eq!(made.rights, Rights::USUAL);
    assert!(made.expires_at.is_some() && made.used_at.is_none());
    let (id, at) = (made.id, world.tick());
    world
        .write(writing!([id, at] tx => tx.api_key_touch(*id, *at).await))
        .await;
    let hash = secret.hash();
    let found = world
        .read(reading!([hash] tx => tx.api_key_get(hash).await))
        .await;
    let used = domain::ApiKey {
        used_at: Some(at),
        ..made
    };
    assert_eq!(found.expect("the key is there").0, used);
    let listed = world
        .read(reading!([blue] tx => tx.api_key_list(*blue, None, 10).await))
        .await;
    assert_eq!(listed, [other, used], "the other was not used");
}

pub(super) async fn audit_lines_are_read_back_newest_first(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let (used, _) = key(world, blue, "script").await;
    let entry = |team, key, door, action| AuditEntry {
        at: world.tick(),
        actor: Actor {
            team,
            key,
            member: key.map(|_| Acting {
                id: MemberId::new(7),
                role: Role::Guest,
            }),
            person: person("Ann"),
            door,
            rights: Rights::USUAL,
        },
        action,
        subject: "task 17".to_owned(),
        detail: "was \"open\"".to_owned(),
    };
    let entries = vec![
        entry(blue, None, Door::CommandLine, "team.create"),
        entry(red, None, Door::Api, "team.rename"),
        entry(blue, Some(used.id), Door::Api, "task.complete"),
        entry(blue, None, Door::System, "subscription.pause"),
    ];
    world
        .write(writing!([entries] tx => {
            for entry in entries {
                tx.audit_append(entry).await?;
            }
            Ok(())
        }))
        .await;
    let lines = world
        .read(reading!([blue] tx => tx.audit_list(*blue, None, 2).await))
        .await;
    let line = |entry: &AuditEntry, number| AuditLine {
        at: entry.at,
        key: entry.actor.key,
        member: entry.actor.member.map(|member| member.id),
        by: "Ann".to_owned(),
        door: entry.actor.door.word().to_owned(),
        action: entry.action.to_owned(),
        subject: entry.subject.clone(),
        detail: entry.detail.clone(),
        number,
    };
    let wanted = [
        line(&entries[3], lines[0].number),
        line(&entries[2], lines[1].number),
    ];
    assert_eq!(lines, wanted);
    let last = lines[1].number;
    assert!(last < lines[0].number, "later lines have higher numbers");
    let older = world
        .read(reading!([blue, last] tx => tx.audit_list(*blue, Some(*last), 10).await))
        .await;
    assert_eq!(older, [line(&entries[0], older[0].number)]);
    let all = world
        .read(reading!([blue] tx => tx.audit_list(*blue, None, 100).await))
        .await;
    assert_eq!(all.len(), 3, "another team's lines are not there");
}
