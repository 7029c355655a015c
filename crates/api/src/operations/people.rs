//! Members, and the lists of members and groups that CheckFlow has.

use app::{
    AddMember, ChangeMember, DeactivateMember, GetMember, ListPeople, MemberGone, MemberRow,
    MemberWish, MembersAndGroups,
};
use axum::{Json, extract::State};
use domain::{MemberId, Role};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, rows};
use crate::{
    Api,
    ask::Ask,
    input::{Input, Needed},
    problem::Problem,
};

/// The number that stands for a member where CheckFlow wants the type of an assignee.
const MEMBER: i64 = 1;
/// The number that stands for a group there.
const GROUP: i64 = 2;

/// A member or a group, as those that tasks are assigned to are listed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AssignableRow {
    /// Their number.
    id: i64,
    /// The same.
    assignee_id: i64,
    /// Their name.
    #[schema(example = "Ann Smith")]
    assignee_name: String,
    /// 1 for a member, 2 for a group.
    assignee_type: i64,
}

impl AssignableRow {
    const fn new(id: i64, assignee_name: String, assignee_type: i64) -> Self {
        Self {
            id,
            assignee_id: id,
            assignee_name,
            assignee_type,
        }
    }
}

async fn people(api: &Api, ask: &mut Ask) -> Result<MembersAndGroups, crate::instead::Instead> {
    let name = ask.input.filled("nameContains");
    ask.input.done()?;
    Ok(api.app.query(&ask.caller, ListPeople { name }).await?)
}

/// List members and groups
///
/// The members who are active and the groups, by name.
#[utoipa::path(
    get,
    path = "/api/team/members-and-groups",
    tag = "Team",
    params(("nameContains" = Option<String>, Query, description = "With this in their name, whatever its case.")),
    responses((status = 200, description = "Members and groups.", body = MembersAndGroups))
)]
pub(crate) async fn list_people(State(api): State<Api>, mut ask: Ask) -> Answer<MembersAndGroups> {
    let found = people(&api, &mut ask).await?;
    if found.members.is_empty() && found.groups.is_empty() {
        return Err(Problem::nothing_found("members or groups").into());
    }
    Ok(Json(found))
}

/// List members
///
/// Those who are active, by name.
#[utoipa::path(
    get,
    path = "/api/team/members",
    tag = "Team",
    params(("nameContains" = Option<String>, Query, description = "With this in their name, whatever its case.")),
    responses((status = 200, description = "The members.", body = Vec<AssignableRow>))
)]
pub(crate) async fn list_members(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<AssignableRow>> {
    let found = people(&api, &mut ask).await?.members.into_iter();
    let row =
        |member: app::PersonRow| AssignableRow::new(member.id.get(), member.full_name, MEMBER);
    rows(found.map(row).collect(), "members")
}

/// List groups
///
/// By name.
#[utoipa::path(
    get,
    path = "/api/team/groups",
    tag = "Team",
    params(("nameContains" = Option<String>, Query, description = "With this in their name, whatever its case.")),
    responses((status = 200, description = "The groups.", body = Vec<AssignableRow>))
)]
pub(crate) async fn list_groups(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<AssignableRow>> {
    let found = people(&api, &mut ask).await?.groups.into_iter();
    let row = |group: app::GroupOfPeople| AssignableRow::new(group.id.get(), group.name, GROUP);
    rows(found.map(row).collect(), "groups")
}

/// Get a member
///
/// By number or by address, those who are no longer active included.
#[utoipa::path(
    get,
    path = "/api/team/member",
    tag = "Team",
    params(
        ("memberId" = Option<i64>, Query, description = "The member, by number."),
        ("email" = Option<String>, Query, description = "The member, by address, whatever its case; instead of the number."),
    ),
    responses((status = 200, description = "The member.", body = MemberRow))
)]
pub(crate) async fn get_member(State(api): State<Api>, mut ask: Ask) -> Answer<MemberRow> {
    let input = &mut ask.input;
    input.known(&["memberId", "email"]);
    let (id, email) = (input.number("memberId"), input.filled("email"));
    let wanted = match (id, email) {
        (Some(id), None) => Some(GetMember::Id(MemberId::new(id))),
        (None, Some(email)) => Some(GetMember::Email(email)),
        (Some(_), Some(_)) => {
            input.wrong("email", "is given with memberId; give one of them");
            None
        }
        (None, None) => None,
    };
    let wanted = input.need("memberId", |_, _| wanted);
    let wanted = input.all(wanted)?;
    Ok(Json(api.app.query(&ask.caller, wanted).await?))
}

/// Add a member
///
/// Nobody is written to: a member is somebody whom calls can name and tasks be assigned to. The address is one member's
/// in the team, whatever its case.
#[utoipa::path(
    post,
    path = "/api/team/member",
    tag = "Team",
    params(
        ("name" = String, Query, description = "Their full name.", example = "Ann Smith"),
        ("email" = String, Query, description = "Their address.", example = "ann@example.com"),
        ("role" = inline(Option<Role>), Query, description = "`Administrator`, `Member` (the default) or `Guest`."),
    ),
    responses((status = 200, description = "The member.", body = MemberRow))
)]
pub(crate) async fn add_member(State(api): State<Api>, mut ask: Ask) -> Answer<MemberRow> {
    let input = &mut ask.input;
    input.known(&["name", "email", "role"]);
    let name = input.need("name", Input::filled);
    let email = input.need("email", Input::filled);
    let role = input.word::<Role>("role").unwrap_or_default();
    let (name, email) = input.all((name, email))?;
    let add = AddMember { name, email, role };
    Ok(Json(api.app.change(&ask.caller, add).await?))
}

/// Change a member
///
/// What is left out stays. One active Administrator always remains, once there is one.
#[utoipa::path(
    patch,
    path = "/api/team/member",
    tag = "Team",
    params(
        ("memberId" = i64, Query, description = "The member, by number."),
        ("name" = Option<String>, Query, description = "Their full name."),
        ("email" = Option<String>, Query, description = "Their address."),
        ("role" = inline(Option<Role>), Query, description = "`Administrator`, `Member` or `Guest`."),
        ("isActive" = Option<bool>, Query, description = "Whether they can do anything."),
    ),
    responses((status = 200, description = "The member as they are now.", body = MemberRow))
)]
pub(crate) async fn change_member(State(api): State<Api>, mut ask: Ask) -> Answer<MemberRow> {
    let input = &mut ask.input;
    input.known(&["memberId", "name", "email", "role", "isActive"]);
    let id = member(input);
    let wish = MemberWish {
        name: input.text("name"),
        email: input.text("email"),
        role: input.word("role"),
        active: input.flag("isActive"),
    };
    let id = input.all(id)?;
    let change = ChangeMember { id, wish };
    Ok(Json(api.app.change(&ask.caller, change).await?))
}

/// Deactivate a member
///
/// They can do nothing any more and are listed no more; what they did stays theirs, and so does their address. Doing it
/// again changes nothing. `isActive` of a change has them back.
#[utoipa::path(
    delete,
    path = "/api/team/member",
    tag = "Team",
    params(("memberId" = i64, Query, description = "The member, by number.")),
    responses((status = 200, description = "They are not active.", body = MemberGone))
)]
pub(crate) async fn deactivate_member(State(api): State<Api>, mut ask: Ask) -> Answer<MemberGone> {
    ask.input.known(&["memberId"]);
    let id = member(&mut ask.input);
    let id = ask.input.all(id)?;
    let gone = api.app.change(&ask.caller, DeactivateMember(id)).await?;
    Ok(Json(gone))
}

fn member(input: &mut Input) -> Needed<MemberId> {
    let number = |input: &mut Input, name: &str| input.number(name).map(MemberId::new);
    input.need("memberId", number)
}
