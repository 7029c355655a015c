//! The members of a team, and their groups.

use domain::{Colour, Group, GroupId, Member, MemberId, Role, TeamId};
use store::StoreError;
use tokio::task::JoinSet;

use crate::{World, reading, writing};

/// Somebody who is not stored yet.
fn somebody(world: &World, team: TeamId, name: &str) -> Member {
    Member {
        id: MemberId::new(0),
        team,
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role: Role::Member,
        created_at: world.now(),
        deactivated_at: None,
    }
}

/// Stores them.
async fn joined(world: &World, member: Member) -> Member {
    let id = world
        .write(writing!([member] tx => tx.member_insert(member).await))
        .await;
    Member { id, ..member }
}

async fn member(world: &World, team: TeamId, name: &str) -> Member {
    world.tick();
    joined(world, somebody(world, team, name)).await
}

async fn group(world: &World, team: TeamId, name: &str, members: &[MemberId]) -> Group {
    let mut group = Group {
        id: GroupId::new(0),
        team,
        name: name.to_owned(),
        avatar: "Ü2".to_owned(),
        colour: Colour::default(),
        created_at: world.tick(),
        members: members.to_vec(),
    };
    let unstored = group.clone();
    group.id = world
        .write(writing!([unstored] tx => tx.group_insert(unstored).await))
        .await;
    group
}

async fn members(world: &World, team: TeamId) -> Vec<Member> {
    world
        .read(reading!([team] tx => tx.member_list(*team).await))
        .await
}

async fn groups(world: &World, team: TeamId) -> Vec<Group> {
    world
        .read(reading!([team] tx => tx.group_list(*team).await))
        .await
}

async fn found(world: &World, team: TeamId, id: MemberId) -> Option<Member> {
    world
        .read(reading!([team, id] tx => tx.member_get(*team, *id).await))
        .await
}

async fn found_group(world: &World, team: TeamId, id: GroupId) -> Option<Group> {
    world
        .read(reading!([team, id] tx => tx.group_get(*team, *id).await))
        .await
}

pub(super) async fn a_member_is_read_back_and_changed(world: &World) {
    let blue = world.team("Blue").await;
    let mut ann = member(world, blue, "Ann").await;
    let bob = member(world, blue, "Bob").await;
    assert_ne!(ann.id, bob.id);
    assert_eq!(found(world, blue, ann.id).await, Some(ann.clone()));
    "Ann Élan".clone_into(&mut ann.name);
    "Ann.Elan@example.com".clone_into(&mut ann.email);
    ann.role = Role::Guest;
    ann.deactivated_at = Some(world.tick());
    let changed = ann.clone();
    world
        .write(writing!([changed] tx => tx.member_put(changed).await))
        .await;
    assert_eq!(found(world, blue, ann.id).await, Some(ann.clone()));
    assert_eq!(found(world, blue, bob.id).await, Some(bob), "the other");
    ann.deactivated_at = None;
    let changed = ann.clone();
    world
        .write(writing!([changed] tx => tx.member_put(changed).await))
        .await;
    assert_eq!(found(world, blue, ann.id).await, Some(ann));
}

pub(super) async fn an_address_is_one_members_whatever_its_case(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let ann = member(world, blue, "Ann").await;
    let same = Member {
        email: ann.email.to_uppercase(),
        ..somebody(world, blue, "Another")
    };
    let twice = world
        .store
        .write(writing!([same] tx => tx.member_insert(same).await))
        .await;
    let twice: Result<MemberId, StoreError> = twice;
    assert!(twice.is_err(), "{twice:?}");
    let elsewhere = Member { team: red, ..same };
    joined(world, elsewhere).await;
    assert_eq!(members(world, blue).await, [ann]);
}

pub(super) async fn people_of_another_team_are_not_there(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let ann = member(world, blue, "Ann").await;
    let crew = group(world, blue, "Crew", &[ann.id]).await;
    assert_eq!(found(world, red, ann.id).await, None);
    assert_eq!(found_group(world, red, crew.id).await, None);
    assert!(members(world, red).await.is_empty());
    assert!(groups(world, red).await.is_empty());
}

pub(super) async fn people_are_listed_by_name(world: &World) {
    let blue = world.team("Blue").await;
    let zoe = member(world, blue, "Zoe").await;
    let ann = member(world, blue, "ann").await;
    let bob = member(world, blue, "Bob").await;
    let night = group(world, blue, "night", &[zoe.id, bob.id]).await;
    let day = group(world, blue, "Day", &[]).await;
    assert_eq!(members(world, blue).await, [ann, bob.clone(), zoe.clone()]);
    let night = Group {
        members: vec![zoe.id, bob.id],
        ..night
    };
    assert_eq!(groups(world, blue).await, [day, night]);
}

pub(super) async fn a_group_has_the_members_that_it_was_given_last(world: &World) {
    let blue = world.team("Blue").await;
    let (ann, bob) = (
        member(world, blue, "Ann").await,
        member(world, blue, "Bob").await,
    );
    let mut crew = group(world, blue, "Crew", &[ann.id]).await;
    let other = group(world, blue, "Other", &[ann.id]).await;
    assert_eq!(found_group(world, blue, crew.id).await, Some(crew.clone()));
    "Crew 2".clone_into(&mut crew.name);
    "C2".clone_into(&mut crew.avatar);
    crew.colour = "#0a0b0c".parse().expect("a colour");
    crew.members = vec![bob.id];
    let changed = crew.clone();
    world
        .write(writing!([changed] tx => tx.group_put(changed).await))
        .await;
    assert_eq!(found_group(world, blue, crew.id).await, Some(crew.clone()));
    let id = other.id;
    assert_eq!(found_group(world, blue, id).await, Some(other), "the other");
    for (member, expected) in [(ann.id, id), (bob.id, crew.id)] {
        let of = world
            .read(reading!([member] tx => tx.member_groups(*member).await))
            .await;
        assert_eq!(of, [expected]);
    }
}

pub(super) async fn a_removed_group_is_gone_and_its_name_is_free(world: &World) {
    let blue = world.team("Blue").await;
    let ann = member(world, blue, "Ann").await;
    let crew = group(world, blue, "Crew", &[ann.id]).await;
    let (id, at, who) = (crew.id, world.tick(), ann.id);
    world
        .write(writing!([id, at] tx => tx.group_remove(*id, *at).await))
        .await;
    assert_eq!(found_group(world, blue, id).await, None);
    assert!(groups(world, blue).await.is_empty());
    let of = world
        .read(reading!([who] tx => tx.member_groups(*who).await))
        .await;
    assert!(of.is_empty(), "{of:?}");
    let next = group(world, blue, "CREW", &[]).await;
    assert_ne!(next.id, id, "no number is given twice");
}

pub(super) async fn who_changes_people_waits_for_who_does_already(world: &World) {
    const MOST: usize = 5;
    let blue = world.team("Blue").await;
    let mut at_once = JoinSet::new();
    for number in 0..16 {
        let wish = somebody(world, blue, &format!("member{number}"));
        let unit = writing!([blue, wish] tx => {
            tx.people_lock(*blue).await?;
            if tx.member_list(*blue).await?.len() < MOST {
                tx.member_insert(wish).await?;
            }
            Ok(())
        });
        let store = world.store.clone();
        at_once.spawn(async move {
            let done: Result<(), StoreError> = store.write(unit).await;
            done.expect("the store does it");
        });
    }
    at_once.join_all().await;
    assert_eq!(members(world, blue).await.len(), MOST);
}
