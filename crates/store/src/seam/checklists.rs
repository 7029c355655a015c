//! Checklists: their state, what their controls hold, and their files.

use std::ops::Range;

use async_trait::async_trait;
use domain::{
    Checklist, ChecklistFilter, ChecklistId, ChecklistKey, ControlKey, FieldId, FileKey,
    ParameterValues, StoredFile, TaskId, TaskKey, TaskState, TaskStatus, TeamId, Template,
    TemplateKey, Timestamp,
};

use crate::{Page, StoreError};

/// How much of what a checklist's controls hold is loaded with it. Whatever it is, what the template's
/// rules look at comes as well: without it nobody could say what is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Nothing.
    None,
    /// That of the task at this place.
    OfTask(usize),
    /// That of the control at this place, counted over the whole template.
    At(usize),
    /// Everything.
    All,
}

impl Fields {
    /// Which places of the template's controls these are. One range, so that rules cost no statement:
    /// what lies between what is asked for and what the rules look at is loaded too.
    pub fn places(self, template: &Template) -> Range<usize> {
        let asked = self.asked(template);
        let watched = template.rules.watched();
        match (asked.is_empty(), watched.is_empty()) {
            (_, true) => asked,
            (true, false) => watched,
            (false, false) => asked.start.min(watched.start)..asked.end.max(watched.end),
        }
    }

    fn asked(self, template: &Template) -> Range<usize> {
        match self {
            Self::None => 0..0,
            Self::OfTask(index) => template.tasks.get(index).map_or(0..0, |task| {
                task.first_control..task.first_control + task.controls.len()
            }),
            Self::At(place) => template
                .control_at(place)
                .map_or(0..0, |_| place..place + 1),
            Self::All => template
                .tasks
                .last()
                .map_or(0..0, |task| 0..task.first_control + task.controls.len()),
        }
    }
}

/// Which checklists a list is about.
#[derive(Clone, Debug)]
pub struct ChecklistQuery {
    /// Whose.
    pub team: TeamId,
    /// Made from which template.
    pub template: TemplateKey,
    /// The one with this key.
    pub key: Option<ChecklistKey>,
    /// Those with this in their name, whatever its case.
    pub name: Option<String>,
    /// Those that stand so.
    pub status: ChecklistFilter,
    /// The present moment, for what is recent.
    pub now: Timestamp,
    /// Which part of the list.
    pub page: Page,
}

/// Reading checklists.
#[async_trait]
pub trait ReadChecklists: Send {
    /// A checklist with its tasks.
    async fn checklist_get(
        &mut self,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError>;

    /// What a checklist was made with; nothing for one that is not there.
    async fn checklist_parameters(
        &mut self,
        team: TeamId,
        id: ChecklistId,
    ) -> Result<ParameterValues, StoreError>;

    /// The checklists that `query` is about, newest first.
    async fn checklist_page(
        &mut self,
        query: &ChecklistQuery,
    ) -> Result<Vec<ChecklistId>, StoreError>;

    /// Tasks in the team's checklists that are not archived, those of the newest checklist first,
    /// headings left out: with this key if one is given, with this status if one is given.
    async fn task_page(
        &mut self,
        team: TeamId,
        key: Option<TaskKey>,
        status: Option<TaskStatus>,
        page: Page,
    ) -> Result<Vec<TaskId>, StoreError>;

    /// The files in one control, in whichever of the team's checklists, newest first.
    async fn file_page(
        &mut self,
        team: TeamId,
        control: ControlKey,
        page: Page,
    ) -> Result<Vec<StoredFile>, StoreError>;

    /// A file.
    async fn file_get(
        &mut self,
        team: TeamId,
        key: FileKey,
    ) -> Result<Option<StoredFile>, StoreError>;

    /// Which of `keys` have no row, in whichever team.
    async fn file_orphans(&mut self, keys: &[FileKey]) -> Result<Vec<FileKey>, StoreError>;

    /// The keys of the newest files, in whichever team.
    async fn file_newest(&mut self, count: u32) -> Result<Vec<FileKey>, StoreError>;
}

/// Changing checklists.
#[async_trait]
pub trait WriteChecklists: Send {
    /// The same as [`ReadChecklists::checklist_get`], and keeps others from changing the checklist until
    /// this transaction ends.
    async fn checklist_hold(
        &mut self,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError>;

    /// Stores a new checklist with every task to be done and answers its number; the number in
    /// `list` is passed over.
    async fn checklist_insert(&mut self, list: &Checklist) -> Result<ChecklistId, StoreError>;

    /// Stores what a checklist was made with.
    async fn checklist_parameters_put(
        &mut self,
        id: ChecklistId,
        values: &ParameterValues,
    ) -> Result<(), StoreError>;

    /// Stores a task's state, save when it is due.
    async fn task_put(&mut self, id: TaskId, state: &TaskState) -> Result<(), StoreError>;

    /// Stores when a task is due by hand; nothing where its rule says so.
    async fn task_due_put(
        &mut self,
        id: TaskId,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Stores when the last task of a checklist was done; nothing while one is to be done.
    async fn checklist_end_put(
        &mut self,
        id: ChecklistId,
        ended_at: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Stores the value of a control; an empty one removes it.
    async fn field_put(&mut self, id: FieldId, value: &str) -> Result<(), StoreError>;

    /// Stores that a file lies in a control. Its bytes are safe already.
    async fn file_insert(
        &mut self,
        team: TeamId,
        control: ControlKey,
        file: &StoredFile,
    ) -> Result<(), StoreError>;
}
