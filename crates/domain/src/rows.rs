//! The rows that lists answer and webhooks carry: one type and one serializer for both.
//!
//! Names and casing are CheckFlow's (`CHECKFLOW_API.md` of its public record: `taskContentID`,
//! `checklistIsShared`), with members of ours beside them. A row holds nothing that depends on who
//! asks, from where, or when. Addresses are made from the public URL that the operator set, never
//! from a request.

mod build;

use std::{fmt, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    ChecklistId, ChecklistKey, ControlId, ControlKey, EventType, FieldId, FileKey, TaskId, TaskKey,
    TemplateKey, Timestamp,
};

/// Where this server is reached from outside: scheme, host and port, no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Arc<str>);

/// The text is no address that links can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute http or https address without query, such as https://checks.example.com"
)]
pub struct NotAPublicUrl;

impl PublicUrl {
    /// Takes `text` for it.
    pub fn new(text: &str) -> Result<Self, NotAPublicUrl> {
        let url = url::Url::parse(text.trim()).map_err(|_| NotAPublicUrl)?;
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(NotAPublicUrl);
        }
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }

    /// The host in it, which is what this server calls itself.
    pub fn host(&self) -> String {
        let url = url::Url::parse(&self.0);
        let host = url
            .ok()
            .and_then(|url| url.host_str().map(ToOwned::to_owned));
        host.unwrap_or_default()
    }

    /// The page of a checklist.
    pub fn checklist(&self, id: ChecklistId) -> String {
        format!("{}/checklists/{id}", self.0)
    }

    /// The place of a task on the page of its checklist.
    pub fn task(&self, id: TaskId) -> String {
        format!("{}/checklists/{}#task-{id}", self.0, id.checklist())
    }

    /// The JSON Schema of an event's body.
    pub fn event_schema(&self, kind: EventType) -> String {
        format!("{}/schemas/{kind}.json", self.0)
    }

    /// The bytes of a file.
    pub fn file(&self, key: FileKey) -> String {
        format!("{}/api/checklist/file?fileKey={key}", self.0)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A template, as far as rows about its checklists name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRef {
    /// The template's key.
    pub template_key: TemplateKey,
    /// Its name, in the edition that the checklist is a snapshot of.
    pub template_name: String,
}

/// A checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChecklistRow {
    /// Its number.
    pub checklist_id: ChecklistId,
    /// Its GUID.
    pub checklist_key: ChecklistKey,
    /// What people call it.
    pub checklist_name: String,
    /// Its page.
    pub checklist_url: String,
    /// Whether people without an account may work on it.
    pub checklist_is_shared: bool,
    /// Where they do; null while it is not shared.
    pub checklist_shared_url: Option<String>,
    /// Whether it was put away.
    pub checklist_is_archived: bool,
    /// Who made it.
    pub checklist_created_by_name: String,
    /// Their address; null for an API key.
    pub checklist_created_by_email: Option<String>,
    /// When it was or is to be started, if a schedule does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checklist_scheduled_date_time: Option<Timestamp>,
    /// When work on it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checklist_start_date_time: Option<Timestamp>,
    /// When its last task was done; null while one is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checklist_end_date_time: Option<Timestamp>,
    /// The template it was made from.
    pub template: TemplateRef,
    /// Its tasks, in order. Left out where the row is the head of another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskRow>>,
    /// Its tags. Left out where the row is the head of another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<TagRow>>,
}

/// A task of a checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the members are CheckFlow's")]
pub struct TaskRow {
    /// Its number.
    pub task_id: TaskId,
    /// Its key, the same in every checklist of the template.
    pub task_key: TaskKey,
    /// What people call it.
    pub task_name: String,
    /// Its place on the checklist's page.
    pub task_url: String,
    /// Whether it only groups the tasks below it.
    pub task_is_heading: bool,
    /// Whether it is complete.
    pub task_is_complete: bool,
    /// Whether it was found not applicable.
    pub task_is_not_applicable: bool,
    /// Whether a task before it holds it up.
    pub task_is_currently_halted: bool,
    /// Whether a condition hides it.
    pub task_is_currently_hidden: bool,
    /// When it is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub task_due_date_time: Option<Timestamp>,
    /// When it was completed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub task_completed_date_time: Option<Timestamp>,
    /// By whom.
    pub task_completed_by_name: Option<String>,
    /// Their address; null for an API key.
    pub task_completed_by_email: Option<String>,
    /// When it was found not applicable.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub task_not_applicable_date_time: Option<Timestamp>,
    /// By whom.
    pub task_not_applicable_by_name: Option<String>,
    /// Their address; null for an API key.
    pub task_not_applicable_by_email: Option<String>,
    /// How often it has been completed; tells a second time from a repeated message.
    pub completion_count: u32,
    /// Who is to do it.
    pub assignees: Vec<AssigneeRow>,
    /// What its controls hold.
    pub fields: Vec<FieldRow>,
    /// What its `Text`, `File` and `Image` controls show, with values in the place of names. In
    /// `task/details` alone, and left out where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<FieldRow>,
    /// What people said about it.
    pub comments: Vec<CommentRow>,
    /// Its tags.
    pub tags: Vec<TagRow>,
}

/// A task with the checklist and template it is of: a row of `checklist/tasks`, and the `data` of
/// `task_completed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TaskHit {
    /// The task.
    #[serde(flatten)]
    pub task: TaskRow,
    /// Its checklist, without tasks.
    pub checklist: ChecklistRow,
    /// The template of the checklist.
    pub template: TemplateRef,
}

/// What a control holds in one checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldRow {
    /// The control's number in this checklist.
    #[serde(rename = "taskContentID")]
    pub task_content_id: FieldId,
    /// The control's number in the template.
    #[serde(rename = "contentID")]
    pub content_id: ControlId,
    /// The control's key.
    pub key: ControlKey,
    /// The control's type, by its word.
    #[serde(rename = "contentType")]
    #[schema(example = "ShortText")]
    pub content_type: &'static str,
    /// The label.
    pub name: String,
    /// The value as text; of a File Upload, the names of its files as a JSON array; empty when
    /// there is none.
    pub value: String,
}

/// Who is to do a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssigneeRow {
    /// Number of the member or group.
    pub assignee_id: i64,
    /// 1 for a member, 2 for a group.
    pub assignee_type: i64,
    /// Their name.
    pub assignee_name: String,
}

/// What somebody said about a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommentRow {
    /// Sanitised HTML.
    pub comment_html: String,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// By whom.
    pub created_by_name: String,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagRow {
    /// Its key.
    #[schema(value_type = String, format = Uuid)]
    pub key: uuid::Uuid,
    /// What it says.
    pub name: String,
}

/// A stored file: a row of `checklist/uploaded-files`, and the `data` of `file_uploaded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileRow {
    /// Its key.
    pub file_key: FileKey,
    /// Its name, as its owner gave it.
    pub file_name: String,
    /// Its size in bytes.
    pub file_size: u64,
    /// Its media type, as its owner gave it.
    pub file_media_type: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub file_sha256: String,
    /// Where its bytes are, for whoever has a key of the team.
    pub file_url: String,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub uploaded_date_time: Timestamp,
    /// By whom.
    pub uploaded_by_name: String,
    /// Their address; null for an API key.
    pub uploaded_by_email: Option<String>,
    /// The number of its control in this checklist.
    #[serde(rename = "taskContentID")]
    pub task_content_id: FieldId,
    /// The key of its control.
    pub task_content_key: ControlKey,
    /// The label of its control.
    pub task_content_name: String,
    /// The number of its task.
    pub task_id: TaskId,
    /// The key of its task.
    pub task_key: TaskKey,
    /// The name of its task.
    pub task_name: String,
    /// Its task's place on the checklist's page.
    pub task_url: String,
    /// Its checklist, without tasks.
    pub checklist: ChecklistRow,
    /// The template of the checklist.
    pub template: TemplateRef,
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_from_the_public_url() {
        let url = PublicUrl::new("https://checks.example.com/flow/ ").unwrap();
        assert_eq!(
            url.checklist(ChecklistId::new(7)),
            "https://checks.example.com/flow/checklists/7"
        );
        let task = TaskId::of(ChecklistId::new(7), 1);
        assert_eq!(
            url.task(task),
            "https://checks.example.com/flow/checklists/7#task-7169"
        );
        for bad in [
            "checks.example.com",
            "ftp://a",
            "https://a/?b=1",
            "https://a/#b",
            "https://u@a/",
            "https://:p@a/",
        ] {
            assert_eq!(PublicUrl::new(bad), Err(NotAPublicUrl), "{bad}");
        }
    }

    #[test]
    fn hexadecimal_is_lower_case() {
        assert_eq!(hex(&[0, 0xAB, 0x1f]), "00ab1f");
    }
}
