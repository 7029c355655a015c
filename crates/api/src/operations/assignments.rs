//! Who is to do which task.

use app::{AssignByName, AssignmentRow, ListAssignments, SetAssignees};
use axum::{Json, extract::State};
use domain::{AssigneeId, TaskId, TaskRow};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Answer, MODIFIED_BY};
use crate::{
    Api,
    ask::Ask,
    input::{Input, Needed},
};

/// What an unknown type of an assignee is answered.
const TYPES: &str = "must be 1 for a member, or 2 for a group";

/// List what is assigned to somebody
///
/// Tasks of checklists that are not archived, those of the newest checklist first; at most 1,000.
#[utoipa::path(
    get,
    path = "/api/task/assignments",
    tag = "Tasks",
    params(
        ("assigneeId" = i64, Query, description = "The member or group, by number."),
        ("assigneeType" = i64, Query, description = "1 for a member, 2 for a group.", minimum = 1, maximum = 2),
        ("includeTeamMemberGroups" = Option<bool>, Query, description = "Also tasks of the groups that the member is in."),
        ("includeCompletedTasks" = Option<bool>, Query, description = "Also tasks that are complete or not applicable."),
    ),
    responses((status = 200, description = "The tasks.", body = Vec<AssignmentRow>))
)]
pub(crate) async fn list_assignments(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<AssignmentRow>> {
    let input = &mut ask.input;
    let id = input.need("assigneeId", Input::number);
    let kind = input.need("assigneeType", kind);
    let with_groups = input.flag("includeTeamMemberGroups").unwrap_or(false);
    let with_done = input.flag("includeCompletedTasks").unwrap_or(false);
    let (id, kind) = input.all((id, kind))?;
    let list = ListAssignments {
        to: kind(id),
        with_groups,
        with_done,
    };
    Ok(Json(api.app.query(&ask.caller, list).await?))
}

/// What makes an assignee of a number.
type Kind = fn(i64) -> AssigneeId;

fn kind(input: &mut Input, name: &str) -> Option<Kind> {
    let number = input.number(name)?;
    let kind: Kind = match number {
        1 => |id| AssigneeId::Member(domain::MemberId::new(id)),
        2 => |id| AssigneeId::Group(domain::GroupId::new(id)),
        _ => {
            input.wrong(name, format!("{TYPES}, but is {number}"));
            return None;
        }
    };
    Some(kind)
}

/// Somebody whom a task is to be assigned to.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
#[expect(clippy::struct_field_names, reason = "the members are CheckFlow's")]
pub(crate) struct AssigneeBody {
    /// The member or group, by number.
    assignee_id: i64,
    /// 1 for a member, 2 for a group.
    #[schema(minimum = 1, maximum = 2)]
    assignee_type: i64,
    /// Their name. May be left out, and is not looked at.
    assignee_name: Option<String>,
}

/// What `task/assignments` takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct AssignmentsBody {
    /// The task, by its number. `taskId` is the same.
    #[serde(rename = "taskID")]
    #[schema(example = 1024)]
    task_id: i64,
    /// To whom; nobody, when empty.
    #[schema(max_items = 50)]
    assignees: Vec<AssigneeBody>,
    /// Whether no other member may complete it.
    is_assigned_exclusively: bool,
    /// Who does it: the number of a member, or 0 for the API key itself, as when it is left out.
    #[serde(rename = "modifiedByUserID")]
    modified_by_user_id: Option<i64>,
}

/// Assign a task
///
/// To these members and groups, and to nobody else. Each member of a group counts as one of its assignees. With
/// `isAssignedExclusively` no other member may complete, reopen or excuse it.
#[utoipa::path(
    put,
    path = "/api/task/assignments",
    tag = "Tasks",
    request_body(content = AssignmentsBody, description = "Which task, and to whom."),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn set_assignees(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let input = &mut ask.input;
    let task = task(input);
    let to = input.need("assignees", |input, name| input.objects(name, assignee));
    let exclusively = input.need("isAssignedExclusively", Input::flag);
    let member = input.number(MODIFIED_BY);
    let (task, to, exclusively) = input.all((task, to, exclusively))?;
    let set = SetAssignees {
        task,
        to,
        exclusively,
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, set).await?))
}

fn task(input: &mut Input) -> Needed<TaskId> {
    let number = |input: &mut Input, name: &str| input.number(name).map(TaskId::new);
    input.need("taskID", number)
}

/// An assignee of a body, by the names of its members in lower case.
fn assignee(given: &Map<String, Value>) -> Result<AssigneeId, String> {
    let number = |name: &str| {
        let value = given.get(&name.to_ascii_lowercase());
        let number = value.and_then(|value| match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        });
        number.ok_or_else(|| format!("must have {name}, a whole number"))
    };
    let (id, kind) = (number("assigneeId")?, number("assigneeType")?);
    AssigneeId::of(kind, id).ok_or_else(|| format!("assigneeType {TYPES}, but is {kind}"))
}

/// Assign a task to nobody
///
/// Any member may complete it then, guests aside.
#[utoipa::path(
    delete,
    path = "/api/task/assignments",
    tag = "Tasks",
    params(
        ("taskId" = i64, Query, description = "The task, by its number."),
        ("modifiedByUserID" = Option<i64>, Query, description = "Who does it: the number of a member, or 0 for the API key \
            itself, as when it is left out."),
    ),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn clear_assignees(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let input = &mut ask.input;
    let task = task(input);
    let member = input.number(MODIFIED_BY);
    let task = input.all(task)?;
    let clear = SetAssignees {
        task,
        to: Vec::new(),
        exclusively: false,
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, clear).await?))
}

/// What `task/assign-by-name` takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct ByNameBody {
    /// The task, by its number. `taskId` is the same.
    #[serde(rename = "taskID")]
    #[schema(example = 1024)]
    task_id: i64,
    /// Names of members and groups, whatever their case.
    #[schema(max_items = 50)]
    assignee_names: Vec<String>,
    /// Whether no other member may complete it.
    is_assigned_exclusively: bool,
    /// Whether those to whom it is assigned already are so no more.
    delete_existing_assignees: bool,
    /// Who does it: the number of a member, or 0 for the API key itself, as when it is left out.
    #[serde(rename = "modifiedByUserID")]
    modified_by_user_id: Option<i64>,
}

/// Assign a task by name
///
/// A name that no active member and no group has, or more than one, is an error, and nothing is changed then.
#[utoipa::path(
    post,
    path = "/api/task/assign-by-name",
    tag = "Tasks",
    request_body(content = ByNameBody, description = "Which task, and to whom."),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn assign_by_name(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let input = &mut ask.input;
    let task = task(input);
    let names = input.need("assigneeNames", Input::texts);
    let exclusively = input.need("isAssignedExclusively", Input::flag);
    let anew = input.need("deleteExistingAssignees", Input::flag);
    let member = input.number(MODIFIED_BY);
    let (task, names, exclusively, anew) = input.all((task, names, exclusively, anew))?;
    let assign = AssignByName {
        task,
        names,
        exclusively,
        keep: !anew,
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, assign).await?))
}
