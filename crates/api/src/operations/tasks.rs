//! One task of a checklist: looking at it, completing it.

use app::{GetTask, SetTaskStatus};
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
