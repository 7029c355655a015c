//! Telling of what happened: the event with its body, and the trace in the audit log.

use domain::{
    Actor, AuditEntry, Checklist, ChecklistRow, ControlKey, Envelope, Event, EventId, EventType,
    FileRow, TaskHit, TaskKey, Timestamp,
};
use serde::Serialize;
use store::{Doing, WriteTx};

use crate::{App, AppError};

/// What happened to which part of a checklist, with the row that tells of it.
pub(crate) enum Happened<'a> {
    NewChecklist(&'a ChecklistRow),
    TaskCompleted(&'a TaskHit),
    FileUploaded(&'a FileRow),
}

impl Happened<'_> {
    fn kind(&self) -> EventType {
        match self {
            Self::NewChecklist(_) => EventType::NewChecklist,
            Self::TaskCompleted(_) => EventType::TaskCompleted,
            Self::FileUploaded(_) => EventType::FileUploaded,
        }
    }

    fn keys(&self) -> (TaskKey, ControlKey) {
        match self {
            Self::NewChecklist(_) => (TaskKey::ZERO, ControlKey::ZERO),
            Self::TaskCompleted(hit) => (hit.task.task_key, ControlKey::ZERO),
            Self::FileUploaded(file) => (file.task_key, file.task_content_key),
        }
    }
}

impl Serialize for Happened<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NewChecklist(row) => row.serialize(serializer),
            Self::TaskCompleted(row) => row.serialize(serializer),
            Self::FileUploaded(row) => row.serialize(serializer),
        }
    }
}

/// Stores an event about `list` with its deliveries. Comes after all effects of the change, for the
/// body is made here, once.
pub(crate) async fn emit(
    app: &App,
    tx: &mut dyn WriteTx,
    list: &Checklist,
    at: Timestamp,
    happened: Happened<'_>,
) -> Result<(), AppError> {
    let event = event(app, list, at, &happened);
    tx.event_append(&event)
        .await
        .doing::<AppError>("storing an event")?;
    Ok(())
}

/// The event about `list` that tells of what happened.
pub(crate) fn event(app: &App, list: &Checklist, at: Timestamp, happened: &Happened<'_>) -> Event {
    let kind = happened.kind();
    let (task, control) = happened.keys();
    Event {
        id: EventId::new(app.source().uuid()),
        team: list.head.team,
        kind,
        at,
        checklist: list.head.id,
        about: None,
        template: list.template.key,
        task,
        control,
        body: Envelope {
            kind,
            timestamp: at,
            data: happened,
        }
        .to_bytes(),
    }
}

/// Leaves the trace of a change.
pub(crate) async fn audit(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    at: Timestamp,
    (action, subject): (&'static str, String),
    detail: String,
) -> Result<(), AppError> {
    let entry = AuditEntry {
        at,
        actor: actor.clone(),
        action,
        subject,
        detail,
    };
    tx.audit_append(&entry).await.doing("writing the audit log")
}
