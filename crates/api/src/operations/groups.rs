//! Groups of members: looking at them and changing them, which CheckFlow's API has not.

use app::{ChangeGroup, GetGroup, GroupRow, GroupWish, MakeGroup, RemoveGroup};
use axum::{Json, extract::State};
use domain::{Colour, GroupId, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{
    Api,
    ask::Ask,
    input::{Input, Needed},
};

fn group(input: &mut Input) -> Needed<GroupId> {
    let number = |input: &mut Input, name: &str| input.number(name).map(GroupId::new);
    input.need("groupId", number)
}

/// What a group is to be, its name aside.
fn wish(input: &mut Input) -> GroupWish {
    let members = input.numbers("memberIds");
    GroupWish {
        name: None,
        avatar: input.filled("avatar"),
        colour: input.word::<Colour>("colour"),
        members: members.map(|ids| ids.into_iter().map(MemberId::new).collect()),
    }
}

/// Get a group
///
/// With its members who are active.
#[utoipa::path(
    get,
    path = "/api/team/group",
    tag = "Team",
    params(("groupId" = i64, Query, description = "The group, by number.")),
    responses((status = 200, description = "The group.", body = GroupRow))
)]
pub(crate) async fn get_group(State(api): State<Api>, mut ask: Ask) -> Answer<GroupRow> {
    ask.input.known(&["groupId"]);
    let id = group(&mut ask.input);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetGroup(id)).await?))
}

/// Make a group
///
/// A task can be assigned to it wherever it can to a member, and each of its members counts as assigned. The name is one
/// group's in the team, whatever its case.
#[utoipa::path(
    post,
    path = "/api/team/group",
    tag = "Team",
    params(
        ("name" = String, Query, description = "What people call it.", example = "Night shift"),
        ("avatar" = Option<String>, Query, description = "One or two characters that stand for it; letters of its name, \
            when left out.", example = "NS"),
        ("colour" = Option<String>, Query, description = "The colour behind them, such as `#1f6feb`.", example = "#1f6feb"),
        ("memberIds" = Option<String>, Query, description = "Who is in it: a JSON array of numbers in a body, or with commas \
            between them.", example = "1,2"),
    ),
    responses((status = 200, description = "The group.", body = GroupRow))
)]
pub(crate) async fn make_group(State(api): State<Api>, mut ask: Ask) -> Answer<GroupRow> {
    let input = &mut ask.input;
    input.known(&["name", "avatar", "colour", "memberIds"]);
    let name = input.need("name", Input::filled);
    let wish = wish(input);
    let name = input.all(name)?;
    let make = MakeGroup { name, wish };
    Ok(Json(api.app.change(&ask.caller, make).await?))
}

/// Change a group
///
/// What is left out stays; `memberIds` are all of its members, not those to add. Whoever is in it counts as assigned to its
/// tasks from now on.
#[utoipa::path(
    patch,
    path = "/api/team/group",
    tag = "Team",
    params(
        ("groupId" = i64, Query, description = "The group, by number."),
        ("name" = Option<String>, Query, description = "What people call it."),
        ("avatar" = Option<String>, Query, description = "One or two characters that stand for it."),
        ("colour" = Option<String>, Query, description = "The colour behind them, such as `#1f6feb`."),
        ("memberIds" = Option<String>, Query, description = "Who is in it: a JSON array of numbers in a body, or with commas \
            between them."),
    ),
    responses((status = 200, description = "The group as it is now.", body = GroupRow))
)]
pub(crate) async fn change_group(State(api): State<Api>, mut ask: Ask) -> Answer<GroupRow> {
    let input = &mut ask.input;
    input.known(&["groupId", "name", "avatar", "colour", "memberIds"]);
    let id = group(input);
    let wish = GroupWish {
        name: input.text("name"),
        ..wish(input)
    };
    let id = input.all(id)?;
    let change = ChangeGroup { id, wish };
    Ok(Json(api.app.change(&ask.caller, change).await?))
}

/// What came of removing a group.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupRemoved {
    /// The group.
    group_id: GroupId,
}

/// Remove a group
///
/// For good. Its members stay, and tasks that were assigned to it go on showing its name.
#[utoipa::path(
    delete,
    path = "/api/team/group",
    tag = "Team",
    params(("groupId" = i64, Query, description = "The group, by number.")),
    responses((status = 200, description = "It is removed.", body = GroupRemoved))
)]
pub(crate) async fn remove_group(State(api): State<Api>, mut ask: Ask) -> Answer<GroupRemoved> {
    ask.input.known(&["groupId"]);
    let id = group(&mut ask.input);
    let id = ask.input.all(id)?;
    let group_id = api.app.change(&ask.caller, RemoveGroup(id)).await?;
    Ok(Json(GroupRemoved { group_id }))
}
