//! What a control of a checklist holds.

use app::{SetField, SetFieldAnswer};
use axum::{Json, extract::State};
use domain::{ControlId, ControlKey, ControlType, FieldId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, MODIFIED_BY};
use crate::{Api, ask::Ask, input::Input};

/// What `task/update-task-content` takes.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct FieldBody {
    /// The control in its checklist, by its number.
    #[serde(rename = "taskContentID")]
    #[schema(example = 4096)]
    task_content_id: i64,
    /// The control in its template, by its number. May be left out; must fit when given.
    #[serde(rename = "contentID")]
    content_id: Option<i64>,
    /// The control's key. May be left out; must fit when given.
    #[schema(format = Uuid)]
    key: Option<String>,
    /// The control's type, by its word. May be left out, and is not looked at when it is right.
    #[serde(rename = "contentType")]
    #[schema(example = "ShortText")]
    content_type: Option<String>,
    /// The control's label. May be left out, and is not looked at.
    name: Option<String>,
    /// Who does it: the number of a member, or 0 for the API key itself, as when it is left out.
    #[serde(rename = "modifiedByUserID")]
    modified_by_user_id: Option<i64>,
    /// The value as text; empty clears it. Several choices are a JSON array in the string.
    #[schema(example = "INV-4711")]
    value: String,
}

/// The control as it is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldAnswer {
    /// The control in its checklist, by its number.
    #[serde(rename = "taskContentID")]
    task_content_id: FieldId,
    /// The control in its template, by its number.
    #[serde(rename = "contentID")]
    content_id: ControlId,
    /// The control's key.
    key: ControlKey,
    /// The control's type, by its number, in this one answer.
    #[serde(rename = "contentType")]
    #[schema(example = 2)]
    content_type: u8,
    /// The label.
    name: String,
    /// The value as text.
    value: String,
}

impl From<SetFieldAnswer> for FieldAnswer {
    fn from(answer: SetFieldAnswer) -> Self {
        let SetFieldAnswer { row, content_type } = answer;
        Self {
            task_content_id: row.task_content_id,
            content_id: row.content_id,
            key: row.key,
            content_type,
            name: row.name,
            value: row.value,
        }
    }
}

/// Set the value of a control
///
/// `taskContentID` alone says which. The other members that CheckFlow's clients send may be given
/// and must fit then. Patterns, email and web addresses are checked when the task is completed.
#[utoipa::path(
    put,
    path = "/api/task/update-task-content",
    tag = "Tasks",
    request_body(content = FieldBody, description = "Which control, and what it is to hold."),
    responses((status = 200, description = "The control as it is now.", body = FieldAnswer))
)]
pub(crate) async fn set_field(State(api): State<Api>, mut ask: Ask) -> Answer<FieldAnswer> {
    let input = &mut ask.input;
    let field = input.need("taskContentID", Input::number);
    let value = input.need("value", Input::text);
    let control = input.number("contentID").map(ControlId::new);
    let key = input.key("key");
    content_type(input);
    let member = input.number(MODIFIED_BY);
    let (field, value) = input.all((field, value))?;
    let change = SetField {
        field: FieldId::new(field),
        control,
        key,
        value,
    };
    let caller = ask.caller_for(MODIFIED_BY, member);
    Ok(Json(api.app.change(&caller, change).await?.into()))
}

/// A word of no type is a mistake that should not pass unseen. A number is the type as this
/// operation answers it, so that its answer can be sent back.
fn content_type(input: &mut Input) {
    let Some(text) = input.any("contentType") else {
        return;
    };
    let known = |kind: &ControlType| kind.number().to_string() == text;
    if text.parse::<ControlType>().is_err() && !ControlType::ALL.iter().any(known) {
        let words = ControlType::ALL.map(ControlType::word).join(", ");
        input.wrong("contentType", format!("must be one of {words}"));
    }
}
