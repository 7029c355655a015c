//! One task of a checklist: looking at it, completing it.

use app::{GetTask, SetTaskDue, SetTaskStatus};
use axum::{Json, extract::State};
use domain::{ChecklistId, TaskId, TaskRow, TaskStatus};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, MODIFIED_BY};
use crate::{Api, ask::Ask, input::Input};

/// Get a task of a checklist
///
/// With what its controls hold.
#[utoipa::path(
    get,
    path = "/api/task/details",
    tag = "Tasks",
    params(
        ("checklistId" = i64, Query, description = "The checklist, by its number."),
        ("taskKey" = String, Query, format = Uuid, description = "The task, by its key."),
    ),
    responses((status = 200, description = "The task.", body = TaskRow))
)]
pub(crate) async fn task_details(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let checklist = ask.input.need("checklistId", Input::number);
    let task = ask.input.need("taskKey", Input::key);
    let (checklist, task) = ask.input.all((checklist, task))?;
    let wanted = GetTask {
        checklist: ChecklistId::new(checklist),
        task,
    };
    Ok(Json(api.app.query(&ask.caller, wanted).await?))
}

/// What `task/status` takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct StatusBody {
    /// The task, by its number. `taskID` is the same.
    #[schema(example = 1024)]
    task_id: i64,
    /// `Complete`, `Incomplete` or `NotApplicable`.
    #[schema(example = "Complete")]
    status: String,
    /// Who does it: the number of a member, whose role counts then and who is told of; or 0, which stands for the API key
    /// itself.
    #[serde(rename = "modifiedByUserID")]
    #[schema(example = 0)]
    modified_by_user_id: i64,
}

/// Complete a task, reopen it, or excuse it
///
/// Completing checks every control of the task and says all that is missing at once. It tells the
/// subscribers to `task_completed`; reopening and excusing tell nobody. Setting the status that a
/// task has already changes nothing.
#[utoipa::path(
    put,
    path = "/api/task/status",
    tag = "Tasks",
    request_body(content = StatusBody, description = "Which task, and what it becomes."),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn set_status(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let input = &mut ask.input;
    let task = input.need("taskId", Input::number);
    let status = input.need("status", Input::word::<TaskStatus>);
    let member = input.need(MODIFIED_BY, Input::number);
    let (task, status, member) = input.all((task, status, member))?;
    let change = SetTaskStatus {
        task: TaskId::new(task),
        status,
    };
    let caller = ask.caller_for(MODIFIED_BY, Some(member));
    Ok(Json(api.app.change(&caller, change).await?))
}

/// What `PUT task/due-date` takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct DueBody {
    /// The task, by its number. `taskID` is the same.
    #[schema(example = 1024)]
    task_id: i64,
    /// When it is due.
    #[schema(format = DateTime, example = "2026-12-01T17:00:00Z")]
    due_date_time: String,
    /// Who does it: the number of a member, or 0 for the API key itself, as when it is left out.
    #[serde(rename = "modifiedByUserID")]
    #[schema(example = 0)]
    modified_by_user_id: Option<i64>,
}

/// Say when a task is due
///
/// In this one checklist, whatever the template's rule says, until that is undone with `DELETE`. Tells
/// nobody.
#[utoipa::path(
    put,
    path = "/api/task/due-date",
    tag = "Tasks",
    request_body(content = DueBody, description = "Which task, and when it is due."),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn set_due(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let task = ask.input.need("taskId", Input::number);
    let due = ask.input.need("dueDateTime", Input::moment);
    let member = ask.input.number(MODIFIED_BY);
    let (task, due) = ask.input.all((task, due))?;
    let change = SetTaskDue {
        task: TaskId::new(task),
        due: Some(due),
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, change).await?))
}

/// Leave it to the template when a task is due
///
/// The due date that was set by hand is forgotten. What the template's rule says is true again; without a
/// rule the task has no due date.
#[utoipa::path(
    delete,
    path = "/api/task/due-date",
    tag = "Tasks",
    params(
        ("taskId" = i64, Query, description = "The task, by its number. `taskID` is the same."),
        ("modifiedByUserID" = Option<i64>, Query, description = "Who does it: the number of a member, or 0 for the API key \
            itself, as when it is left out."),
    ),
    responses((status = 200, description = "The task as it is now.", body = TaskRow))
)]
pub(crate) async fn clear_due(State(api): State<Api>, mut ask: Ask) -> Answer<TaskRow> {
    let task = ask.input.need("taskId", Input::number);
    let member = ask.input.number(MODIFIED_BY);
    let task = ask.input.all(task)?;
    let change = SetTaskDue {
        task: TaskId::new(task),
        due: None,
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, change).await?))
}
