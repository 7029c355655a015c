//! Making rows from what was loaded.

use super::{
    AssigneeRow, ChecklistRow, FieldRow, FileRow, PublicUrl, TaskHit, TaskRow, TemplateRef, hex,
};
use crate::{
    Assigned, Assignee, Checklist, ControlKind, Done, FieldId, FieldState, Hidden, ParameterValues,
    StoredFile, TaskStatus,
};

/// What follows from the state of a whole checklist, worked out once for all its rows.
struct Standing {
    /// The first task whose halt is not satisfied.
    halting: Option<usize>,
    hidden: Hidden,
}

impl Standing {
    fn of(list: &Checklist) -> Self {
        let hidden = list.hidden();
        Self {
            halting: list.first_halt(&hidden),
            hidden,
        }
    }
}

impl TemplateRef {
    fn of(list: &Checklist) -> Self {
        Self {
            template_key: list.template.key,
            template_name: list.template.name.clone(),
        }
    }
}

impl ChecklistRow {
    /// The checklist without tasks and tags, as the head of another row.
    pub fn head(list: &Checklist, url: &PublicUrl) -> Self {
        let head = &list.head;
        Self {
            checklist_id: head.id,
            checklist_key: head.key,
            checklist_name: head.name.clone(),
            checklist_url: url.checklist(head.id),
            checklist_is_shared: false,
            checklist_shared_url: None,
            checklist_is_archived: head.archived_at.is_some(),
            checklist_created_by_name: head.created.by.name.clone(),
            checklist_created_by_email: head.created.by.email.clone(),
            checklist_scheduled_date_time: head.scheduled_at,
            checklist_start_date_time: head.started_at,
            checklist_end_date_time: head.ended_at,
            template: TemplateRef::of(list),
            tasks: None,
            tags: None,
        }
    }

    /// The checklist with all its tasks and fields, which must be loaded.
    pub fn whole(list: &Checklist, url: &PublicUrl) -> Self {
        let now = Standing::of(list);
        let tasks = 0..list.tasks.len();
        Self {
            tasks: Some(
                tasks
                    .map(|index| TaskRow::new(list, index, &now, url))
                    .collect(),
            ),
            tags: Some(Vec::new()),
            ..Self::head(list, url)
        }
    }
}

impl TaskRow {
    /// The task at `index`, whose fields must be loaded.
    pub fn of(list: &Checklist, index: usize, url: &PublicUrl) -> Self {
        Self::new(list, index, &Standing::of(list), url)
    }

    fn new(list: &Checklist, index: usize, now: &Standing, url: &PublicUrl) -> Self {
        let (task, state) = (&list.template.tasks[index], &list.tasks[index]);
        let done = |status| state.done.as_ref().filter(|_| state.status == status);
        let complete = done(TaskStatus::Complete);
        let not_applicable = done(TaskStatus::NotApplicable);
        let name = |done: &Done| done.by.name.clone();
        let email = |done: &Done| done.by.email.clone();
        let id = list.task_id(index);
        Self {
            task_id: id,
            task_key: task.key,
            task_name: task.name.clone(),
            task_url: url.task(id),
            task_is_heading: task.heading,
            task_is_complete: state.status == TaskStatus::Complete,
            task_is_not_applicable: state.status == TaskStatus::NotApplicable,
            task_is_currently_halted: now.halting.is_some_and(|halting| halting < index),
            task_is_currently_hidden: now.hidden.task(index),
            task_due_date_time: list.due_at(index, &now.hidden),
            task_completed_date_time: complete.map(|done| done.at),
            task_completed_by_name: complete.map(name),
            task_completed_by_email: complete.and_then(email),
            task_not_applicable_date_time: not_applicable.map(|done| done.at),
            task_not_applicable_by_name: not_applicable.map(name),
            task_not_applicable_by_email: not_applicable.and_then(email),
            completion_count: state.completions,
            assignees: AssigneeRow::all(list.assigned.get(&index)),
            fields: FieldRow::of_task(list, index, &now.hidden),
            shown: Vec::new(),
            comments: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// The task at `index` of a checklist that was made with `values`, with what its controls show. All
    /// fields must be loaded.
    pub fn with_shown(
        list: &Checklist,
        index: usize,
        values: &ParameterValues,
        url: &PublicUrl,
    ) -> Self {
        let now = Standing::of(list);
        let mut row = Self::new(list, index, &now, url);
        let task = &list.template.tasks[index];
        for (place, control) in (task.first_control..).zip(&task.controls) {
            let value = match &control.kind {
                ControlKind::Text { text } => list.filled(text, values, &now.hidden),
                ControlKind::File { url } | ControlKind::Image { url } => url.clone(),
                _ => continue,
            };
            if !now.hidden.control(place) {
                let shown = FieldRow::of(list, place);
                row.shown
                    .extend(shown.map(|shown| FieldRow { value, ..shown }));
            }
        }
        row
    }
}

impl AssigneeRow {
    /// To whom a task is assigned.
    pub fn all(assigned: Option<&Assigned>) -> Vec<Self> {
        let to = assigned.map_or(&[][..], |assigned| &assigned.to);
        let row = |assignee: &Assignee| Self {
            assignee_id: assignee.id.number(),
            assignee_type: assignee.id.kind(),
            assignee_name: assignee.name.clone(),
        };
        to.iter().map(row).collect()
    }
}

impl TaskHit {
    /// The task at `index`, whose fields must be loaded.
    pub fn of(list: &Checklist, index: usize, url: &PublicUrl) -> Self {
        Self {
            task: TaskRow::of(list, index, url),
            checklist: ChecklistRow::head(list, url),
            template: TemplateRef::of(list),
        }
    }
}

impl FieldRow {
    /// The control at a place of the template.
    pub fn of(list: &Checklist, place: usize) -> Option<Self> {
        let (_, control) = list.template.control_at(place)?;
        Some(Self {
            task_content_id: FieldId::of(list.head.id, place),
            content_id: control.id,
            key: control.key,
            content_type: control.kind.kind().word(),
            name: control.name.clone(),
            value: list.fields.get(&place).map(shown_value).unwrap_or_default(),
        })
    }

    /// What the task's input controls hold, in order, without those that are hidden.
    fn of_task(list: &Checklist, index: usize, hidden: &Hidden) -> Vec<Self> {
        let task = &list.template.tasks[index];
        let places = (task.first_control..).zip(&task.controls);
        places
            .filter(|(place, control)| control.kind.kind().is_input() && !hidden.control(*place))
            .filter_map(|(place, _)| Self::of(list, place))
            .collect()
    }
}

fn shown_value(field: &FieldState) -> String {
    if field.files.is_empty() {
        return field.value.clone();
    }
    let names: Vec<&str> = field.files.iter().map(|file| file.name.as_str()).collect();
    serde_json::to_string(&names).expect("a list of strings")
}

impl FileRow {
    /// The file, with the checklist it lies in. None when the control is not of that checklist.
    pub fn of(list: &Checklist, file: &StoredFile, url: &PublicUrl) -> Option<Self> {
        let (task_index, control) = list.template.control_at(file.field.index())?;
        let task = &list.template.tasks[task_index];
        let task_id = list.task_id(task_index);
        Some(Self {
            file_key: file.key,
            file_name: file.name.clone(),
            file_size: file.size,
            file_media_type: file.media_type.clone(),
            file_sha256: hex(&file.sha256),
            file_url: url.file(file.key),
            uploaded_date_time: file.uploaded.at,
            uploaded_by_name: file.uploaded.by.name.clone(),
            uploaded_by_email: file.uploaded.by.email.clone(),
            task_content_id: file.field,
            task_content_key: control.key,
            task_content_name: control.name.clone(),
            task_id,
            task_key: task.key,
            task_name: task.name.clone(),
            task_url: url.task(task_id),
            checklist: ChecklistRow::head(list, url),
            template: TemplateRef::of(list),
        })
    }
}
