//! The members of a team, and their groups: who they are, and how an administrator's key changes them.

mod change;
mod groups;

use domain::{Actor, Group, GroupId, Member, MemberId, Right, Role, TeamId, Timestamp};
use serde::Serialize;
use store::{Doing, ReadTx};
use utoipa::ToSchema;

use crate::{App, AppError, Missing, Query};

pub use change::{AddMember, ChangeMember, DeactivateMember, MemberGone, MemberWish};
pub(crate) use change::{add, change};
pub use groups::{ChangeGroup, GroupWish, MakeGroup, RemoveGroup};

const DOING: &str = "looking for people";

/// A member, with all that is known of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRow {
    /// Their number.
    pub member_id: MemberId,
    /// Their full name.
    #[schema(example = "Ann Smith")]
    pub name: String,
    /// Their address.
    #[schema(example = "ann@example.com")]
    pub email: String,
    /// What kind of member they are.
    pub role: Role,
    /// Whether they can do anything.
    pub is_active: bool,
    /// Since when they are a member.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// Since when they are no longer active.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deactivated_date_time: Option<Timestamp>,
}

impl From<&Member> for MemberRow {
    fn from(member: &Member) -> Self {
        Self {
            member_id: member.id,
            name: member.name.clone(),
            email: member.email.clone(),
            role: member.role,
            is_active: member.is_active(),
            created_date_time: member.created_at,
            deactivated_date_time: member.deactivated_at,
        }
    }
}

/// A person, as `team/members-and-groups` has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonRow {
    /// The member's number.
    pub id: MemberId,
    /// Their name.
    pub full_name: String,
}

impl From<&Member> for PersonRow {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id,
            full_name: member.name.clone(),
        }
    }
}

/// A group, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRow {
    /// Its number.
    pub group_id: GroupId,
    /// What people call it.
    #[schema(example = "Night shift")]
    pub name: String,
    /// One or two characters that stand for it.
    #[schema(example = "NS")]
    pub avatar: String,
    /// The colour behind them.
    pub colour: domain::Colour,
    /// Who is in it and active, by name.
    pub members: Vec<PersonRow>,
    /// Since when it is there.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
}

impl GroupRow {
    fn of(group: &Group, people: &[Member]) -> Self {
        Self {
            group_id: group.id,
            name: group.name.clone(),
            avatar: group.avatar.clone(),
            colour: group.colour.clone(),
            members: active(people, &group.members),
            created_date_time: group.created_at,
        }
    }
}

/// Those of `people` who are active and among `ids`, which are in order.
fn active(people: &[Member], ids: &[MemberId]) -> Vec<PersonRow> {
    let is_in = |member: &&Member| member.is_active() && ids.binary_search(&member.id).is_ok();
    people.iter().filter(is_in).map(PersonRow::from).collect()
}

/// Everybody in a team, and every group.
pub(crate) struct People {
    /// By name, those who are no longer active included.
    pub(crate) members: Vec<Member>,
    /// By name.
    pub(crate) groups: Vec<Group>,
}

impl People {
    pub(crate) async fn of<T: ReadTx + ?Sized>(tx: &mut T, team: TeamId) -> Result<Self, AppError> {
        let members = tx.member_list(team).await.doing::<AppError>(DOING)?;
        let groups = tx.group_list(team).await.doing::<AppError>(DOING)?;
        Ok(Self { members, groups })
    }
}

/// A group, as `team/members-and-groups` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupOfPeople {
    /// Its number.
    pub id: GroupId,
    /// What people call it.
    pub name: String,
    /// Who is in it and active, by name.
    pub members: Vec<PersonRow>,
}

/// Who tasks can be assigned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MembersAndGroups {
    /// The members who are active, by name.
    pub members: Vec<PersonRow>,
    /// The groups, by name.
    pub groups: Vec<GroupOfPeople>,
}

/// `GET team/members-and-groups`, and what `team/members` and `team/groups` are made of: the members who are active, and
/// the groups, by name.
#[derive(Clone, Debug)]
pub struct ListPeople {
    /// With this in their name, whatever its case.
    pub name: Option<String>,
}

impl Query for ListPeople {
    const NEEDS: Right = Right::Read;

    type Answer = MembersAndGroups;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<MembersAndGroups, AppError> {
        let People { members, groups } = People::of(tx, actor.team).await?;
        let wanted = self.name.as_ref().map(|name| name.to_lowercase());
        let named = |name: &str| {
            let has = |wanted: &String| name.to_lowercase().contains(wanted);
            wanted.as_ref().is_none_or(has)
        };
        let groups = groups.iter().filter(|group| named(&group.name));
        let groups = groups.map(|group| GroupOfPeople {
            id: group.id,
            name: group.name.clone(),
            members: active(&members, &group.members),
        });
        let wanted = |member: &&Member| member.is_active() && named(&member.name);
        Ok(MembersAndGroups {
            groups: groups.collect(),
            members: members.iter().filter(wanted).map(PersonRow::from).collect(),
        })
    }
}

/// `GET team/member`: a member, active or not.
#[derive(Clone, Debug)]
pub enum GetMember {
    /// By number.
    Id(MemberId),
    /// By address, whatever its case.
    Email(String),
}

impl Query for GetMember {
    const NEEDS: Right = Right::Read;

    type Answer = MemberRow;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<MemberRow, AppError> {
        match self {
            Self::Id(id) => {
                let found = tx.member_get(actor.team, *id).await;
                let found = found
                    .doing::<AppError>(DOING)?
                    .ok_or(Missing::Member(*id))?;
                Ok((&found).into())
            }
            Self::Email(email) => {
                let all = tx.member_list(actor.team).await.doing::<AppError>(DOING)?;
                let found = all.iter().find(|member| same(&member.email, email.trim()));
                Ok(found
                    .ok_or_else(|| Missing::MemberOf(email.clone()))?
                    .into())
            }
        }
    }
}

/// `GET team/group`: a group with its members.
#[derive(Clone, Copy, Debug)]
pub struct GetGroup(pub GroupId);

impl Query for GetGroup {
    const NEEDS: Right = Right::Read;

    type Answer = GroupRow;

    async fn run(&self, _: &App, actor: &Actor, tx: &mut dyn ReadTx) -> Result<GroupRow, AppError> {
        let found = tx.group_get(actor.team, self.0).await;
        let found = found.doing::<AppError>(DOING)?;
        let group = found.ok_or(Missing::Group(self.0))?;
        let people = tx.member_list(actor.team).await.doing::<AppError>(DOING)?;
        Ok(GroupRow::of(&group, &people))
    }
}

/// Whether two names or addresses are the same without regard to case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
