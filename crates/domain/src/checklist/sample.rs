//! A checklist made up to show what would be told of a real one.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Checklist, ChecklistHead, Done, FieldState, StoredFile, TaskState, TaskStatus};
use crate::{Control, ControlKind, FieldId, FileKey, Template};

/// The bytes of a sample's file.
const FILE: &[u8] = b"sample\n";

impl Checklist {
    /// One of `template` that `done` has filled in and completed up to the task at `index`: with the first of what
    /// may be chosen, and elsewhere with a text that says what it is. A control that takes no such value, because
    /// of its pattern, stays empty.
    pub fn sample(head: ChecklistHead, template: Arc<Template>, index: usize, done: &Done) -> Self {
        let mut list = Self::new(head, template);
        let template = list.template.clone();
        let tasks = template.tasks.iter().zip(&mut list.tasks);
        for (task, state) in tasks.take(index + 1) {
            let controls = (task.first_control..).zip(&task.controls);
            let filled = controls.filter_map(|(place, control)| {
                let id = FieldId::of(list.head.id, place);
                Some((place, field(control, id, done)?))
            });
            list.fields.extend(filled);
            if !task.heading {
                *state = TaskState {
                    status: TaskStatus::Complete,
                    done: Some(done.clone()),
                    completions: 1,
                    due_at: None,
                };
            }
        }
        list
    }
}

/// What is in a control of a sample; nothing in one that only shows something.
fn field(control: &Control, id: FieldId, done: &Done) -> Option<FieldState> {
    let value = match &control.kind {
        ControlKind::Text { .. }
        | ControlKind::File { .. }
        | ControlKind::Image { .. }
        // Who is in the team is not known here.
        | ControlKind::Members { .. } => return None,
        ControlKind::FileUpload { .. } => {
            return Some(FieldState {
                value: String::new(),
                files: vec![file(id, done)],
            });
        }
        ControlKind::ShortText { .. } | ControlKind::LongText { .. } => "Sample".to_owned(),
        ControlKind::DropDown { options } => options.first()?.clone(),
        ControlKind::MultiChoice { options } => {
            serde_json::to_string(&[options.first()?]).expect("a list of strings")
        }
        ControlKind::Date {
            with_time: Some(true),
        } => done.at.to_string(),
        ControlKind::Date { .. } => done.at.to_string().get(..10)?.to_owned(),
        ControlKind::Email => "sample@example.com".to_owned(),
        ControlKind::Website => "https://example.com/".to_owned(),
    };
    control.check(&value, 0).ok()?;
    Some(FieldState {
        value,
        files: Vec::new(),
    })
}

fn file(field: FieldId, done: &Done) -> StoredFile {
    StoredFile {
        key: FileKey::ZERO,
        field,
        name: "sample.txt".to_owned(),
        size: FILE.len() as u64,
        media_type: "text/plain".to_owned(),
        sha256: Sha256::digest(FILE).into(),
        uploaded: done.clone(),
    }
}
