//! Groups: making them, changing them, and removing them.

use domain::{
    Actor, Colour, FieldError, GROUP_MEMBERS_MAX, GROUPS_MAX, Group, GroupId, Member, MemberId,
    Right, avatar, avatar_of, people_name,
};
use store::{Doing, WriteTx};

use super::{GroupRow, People, same};
use crate::{App, AppError, Change, Missing, emit::audit};

const DOING: &str = "changing groups";

/// What a group is to be; what is not said stays.
#[derive(Clone, Debug, Default)]
pub struct GroupWish {
    /// What people call it.
    pub name: Option<String>,
    /// What it shows in the place of a picture.
    pub avatar: Option<String>,
    /// The colour behind that.
    pub colour: Option<Colour>,
    /// Who is in it.
    pub members: Option<Vec<MemberId>>,
}

impl GroupWish {
    /// `group` as it is to be, or all that is wrong with the wish.
    fn apply(&self, group: &mut Group, people: &[Member]) -> Result<(), AppError> {
        let mut wrong = Vec::new();
        if let Some(called) = &self.name {
            match people_name(called) {
                Ok(called) => group.name = called,
                Err(error) => wrong.push(FieldError::new("name", error.to_string())),
            }
        }
        if let Some(shown) = &self.avatar {
            match avatar(shown) {
                Ok(shown) => group.avatar = shown,
                Err(error) => wrong.push(FieldError::new("avatar", error.to_string())),
            }
        }
        if let Some(colour) = &self.colour {
            group.colour = colour.clone();
        }
        if let Some(members) = &self.members {
            match placed(members, &group.members, people) {
                Ok(members) => group.members = members,
                Err(message) => wrong.push(FieldError::new("memberIds", message)),
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(AppError::Invalid(wrong))
        }
    }
}

/// The members that are to be in a group, in order, once each. Who is no longer active may stay where they were.
fn placed(
    wanted: &[MemberId],
    before: &[MemberId],
    people: &[Member],
) -> Result<Vec<MemberId>, String> {
    let mut members = wanted.to_vec();
    members.sort_unstable();
    members.dedup();
    if members.len() > GROUP_MEMBERS_MAX {
        return Err(format!(
            "must be at most {GROUP_MEMBERS_MAX} members, but are {}",
            members.len()
        ));
    }
    for id in &members {
        match people.iter().find(|member| member.id == *id) {
            None => return Err(format!("{id} is no member of the team")),
            Some(member) if member.is_active() || before.contains(id) => {}
            Some(_) => {
                return Err(format!(
                    "{id} is no longer active; PATCH /api/team/member with isActive=true changes that"
                ));
            }
        }
    }
    Ok(members)
}

fn name_is_free(groups: &[Group], group: &Group) -> Result<(), AppError> {
    let taken = |other: &&Group| other.id != group.id && same(&other.name, &group.name);
    match groups.iter().find(taken) {
        None => Ok(()),
        Some(other) => Err(AppError::GroupNameTaken {
            name: group.name.clone(),
            by: other.id,
        }),
    }
}

/// Everybody in the team, for whoever is about to change its groups.
async fn held(tx: &mut dyn WriteTx, actor: &Actor) -> Result<People, AppError> {
    tx.people_lock(actor.team).await.doing::<AppError>(DOING)?;
    People::of(tx, actor.team).await
}

/// `POST team/group`: a new group.
#[derive(Clone, Debug)]
pub struct MakeGroup {
    /// What people call it.
    pub name: String,
    /// What else it is to be.
    pub wish: GroupWish,
}

impl Change for MakeGroup {
    const NEEDS: Right = Right::Admin;

    type Answer = GroupRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<GroupRow, AppError> {
        let People { members, groups } = held(tx, actor).await?;
        let now = app.source().now();
        let mut group = Group {
            id: GroupId::new(0),
            team: actor.team,
            name: String::new(),
            avatar: String::new(),
            colour: Colour::default(),
            created_at: now,
            members: Vec::new(),
        };
        let mut wish = self.wish.clone();
        wish.avatar = wish.avatar.or_else(|| Some(avatar_of(&self.name)));
        wish.name = Some(self.name.clone());
        wish.apply(&mut group, &members)?;
        name_is_free(&groups, &group)?;
        if groups.len() as u64 >= GROUPS_MAX {
            let (what, max) = ("groups", GROUPS_MAX);
            return Err(AppError::Full { what, max });
        }
        let stored = tx.group_insert(&group).await;
        group.id = stored.doing::<AppError>(DOING)?;
        let subject = ("group.make", group.id.to_string());
        let detail = format!("{:?} with {} members", group.name, group.members.len());
        audit(tx, actor, now, subject, detail).await?;
        Ok(GroupRow::of(&group, &members))
    }
}

/// `PATCH team/group`: what is said of a group is so from now on.
#[derive(Clone, Debug)]
pub struct ChangeGroup {
    /// Which group.
    pub id: GroupId,
    /// What it is to be.
    pub wish: GroupWish,
}

impl Change for ChangeGroup {
    const NEEDS: Right = Right::Admin;

    type Answer = GroupRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<GroupRow, AppError> {
        let People { members, groups } = held(tx, actor).await?;
        let before = groups.iter().find(|group| group.id == self.id);
        let before = before.ok_or(Missing::Group(self.id))?;
        let mut group = before.clone();
        self.wish.apply(&mut group, &members)?;
        if group != *before {
            name_is_free(&groups, &group)?;
            tx.group_put(&group).await.doing::<AppError>(DOING)?;
            let subject = ("group.change", group.id.to_string());
            let detail = format!("{:?} with {} members", group.name, group.members.len());
            audit(tx, actor, app.source().now(), subject, detail).await?;
        }
        Ok(GroupRow::of(&group, &members))
    }
}

/// `DELETE team/group`: it is gone for good; its name stays with what was assigned to it.
#[derive(Clone, Copy, Debug)]
pub struct RemoveGroup(pub GroupId);

impl Change for RemoveGroup {
    const NEEDS: Right = Right::Admin;

    type Answer = GroupId;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<GroupId, AppError> {
        let (id, now) = (self.0, app.source().now());
        tx.people_lock(actor.team).await.doing::<AppError>(DOING)?;
        let found = tx.group_get(actor.team, id).await;
        let found = found.doing::<AppError>(DOING)?;
        let group = found.ok_or(Missing::Group(id))?;
        let removed = tx.group_remove(id, now).await;
        removed.doing::<AppError>(DOING)?;
        let subject = ("group.remove", id.to_string());
        audit(tx, actor, now, subject, format!("{:?}", group.name)).await?;
        Ok(id)
    }
}
