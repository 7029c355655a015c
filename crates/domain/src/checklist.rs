//! Checklists: what has been done of a template, and the rules of doing it.
//!
//! Everything here is pure. A use case loads a [`Checklist`], asks it to change, and stores what
//! came of it. Halted is worked out anew each time and never stored.

mod sample;

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use crate::{
    ChecklistId, ChecklistKey, Control, ControlKey, FieldId, FileKey, Halt, TaskId, TeamId,
    Template, Timestamp, Unsatisfied, VersionId,
};

/// Who did something, as others get to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// A member's full name, or the name of an API key.
    pub name: String,
    /// A member's address; keys have none.
    pub email: Option<String>,
}

/// When something was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The moment.
    pub at: Timestamp,
    /// The person or key.
    pub by: Person,
}

/// What was decided about a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskStatus {
    /// To be done.
    #[default]
    Incomplete,
    /// Done.
    Complete,
    /// Need not be done; counts as done.
    NotApplicable,
}

impl TaskStatus {
    /// The API's words, in the order of the variants.
    pub const ALL: [Self; 3] = [Self::Incomplete, Self::Complete, Self::NotApplicable];

    /// The word that the API has for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "Incomplete",
            Self::Complete => "Complete",
            Self::NotApplicable => "NotApplicable",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Complete, Incomplete or NotApplicable")]
pub struct UnknownTaskStatus;

impl FromStr for TaskStatus {
    type Err = UnknownTaskStatus;

    fn from_str(text: &str) -> Result<Self, UnknownTaskStatus> {
        let found = Self::ALL
            .into_iter()
            .find(|status| status.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownTaskStatus)
    }
}

/// The stored state of one task of a checklist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// What was decided about it.
    pub status: TaskStatus,
    /// When and by whom it was completed or found not applicable; none while it is incomplete.
    pub done: Option<Done>,
    /// How often it has been completed, so that receivers can tell a second time from a retry.
    pub completions: u32,
}

impl TaskState {
    /// Whether it holds nobody up: complete or not applicable.
    pub fn is_done(&self) -> bool {
        self.status != TaskStatus::Incomplete
    }
}

/// A file that lies in a File Upload control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The file's key.
    pub key: FileKey,
    /// Where it lies.
    pub field: FieldId,
    /// Its name, as its owner gave it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, as its owner gave it.
    pub media_type: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// When it was stored, and by whom.
    pub uploaded: Done,
}

/// What one control of a checklist holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldState {
    /// The value; empty when there is none.
    pub value: String,
    /// The files, oldest first.
    pub files: Vec<StoredFile>,
}

impl FieldState {
    fn file_count(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }
}

/// A checklist without its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecklistHead {
    /// The number.
    pub id: ChecklistId,
    /// The GUID.
    pub key: ChecklistKey,
    /// Whose it is.
    pub team: TeamId,
    /// Which edition of which template it is a snapshot of.
    pub version: VersionId,
    /// What people call it.
    pub name: String,
    /// When it came to be, and by whom.
    pub created: Done,
    /// When it was or is to be started, for one that a schedule starts.
    pub scheduled_at: Option<Timestamp>,
    /// When work on it began; none while it waits for its schedule.
    pub started_at: Option<Timestamp>,
    /// When its last task was done; none while one is open.
    pub ended_at: Option<Timestamp>,
    /// When it was put away.
    pub archived_at: Option<Timestamp>,
}

/// A checklist with all that its rules look at.
#[derive(Clone, Debug)]
pub struct Checklist {
    /// Itself.
    pub head: ChecklistHead,
    /// The edition it is a snapshot of.
    pub template: Arc<Template>,
    /// The state of each task, in the template's order.
    pub tasks: Vec<TaskState>,
    /// What the controls hold, by their place in the template; those that hold nothing are absent.
    /// A use case may load only those of the task it is about.
    pub fields: BTreeMap<usize, FieldState>,
    /// To whom the tasks are assigned, by their place; those that are assigned to nobody are absent.
    pub assigned: BTreeMap<usize, crate::Assigned>,
}

/// Why something can't be done to a checklist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The checklist was put away.
    #[error("the checklist is archived; nothing in it can be changed")]
    ChecklistArchived,
    /// A heading has no status.
    #[error("{0:?} is a heading; only the tasks below it can be completed")]
    TaskIsHeading(String),
    /// Another task must be done first.
    #[error("the task waits for {waits_for:?}{and_before}; complete that first",
        and_before = if *.and_before { " and the tasks before it" } else { "" })]
    TaskHalted {
        /// The name of the task that halts.
        waits_for: String,
        /// Its key.
        key: crate::TaskKey,
        /// Whether the tasks before that one must be done as well.
        and_before: bool,
    },
    /// The task is done; what is in it stays.
    #[error("the task is {0}; set it to Incomplete to change what is in it")]
    TaskDone(TaskStatus),
    /// Controls are not as the template wants them.
    #[error("the task can't be completed yet: {}", listed(.0))]
    ControlsUnsatisfied(Vec<ControlFailure>),
    /// The control takes no more files.
    #[error("{name:?} takes at most {max} files; remove one first")]
    FilesFull {
        /// The control's label.
        name: String,
        /// Most files.
        max: u32,
    },
    /// Not a File Upload.
    #[error("{0:?} takes no files; only a FileUpload does")]
    NotAnUpload(String),
}

fn listed(failures: &[ControlFailure]) -> String {
    let listed: Vec<String> = failures
        .iter()
        .map(|failure| format!("{:?} {}", failure.name, failure.reason))
        .collect();
    listed.join("; ")
}

/// A control that keeps its task from being completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFailure {
    /// The control's key.
    pub key: ControlKey,
    /// Its number in this checklist.
    pub field: FieldId,
    /// Its label.
    pub name: String,
    /// What is wrong with it.
    pub reason: Unsatisfied,
}

/// What came of setting a task's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// It had that status already: nothing to store, nothing to tell.
    None,
    /// It changed without an event: reopened, or found not applicable.
    Silent,
    /// It was completed.
    Completed,
}

impl Checklist {
    /// A new one, with every task to be done.
    pub fn new(head: ChecklistHead, template: Arc<Template>) -> Self {
        let tasks = vec![TaskState::default(); template.tasks.len()];
        Self {
            head,
            template,
            tasks,
            fields: BTreeMap::new(),
            assigned: BTreeMap::new(),
        }
    }

    /// The number of the task at a place.
    pub fn task_id(&self, index: usize) -> TaskId {
        TaskId::of(self.head.id, index)
    }

    /// The task that holds up the one at `index`, if any: the first before it whose halt is not
    /// satisfied.
    pub fn halted_by(&self, index: usize) -> Option<usize> {
        self.first_halt().filter(|halting| *halting < index)
    }

    /// The first task whose halt is not satisfied; everything after it is halted.
    pub(crate) fn first_halt(&self) -> Option<usize> {
        let mut all_done = true;
        for (index, task) in self.template.tasks.iter().enumerate() {
            let done = task.heading || self.tasks[index].is_done();
            all_done &= done;
            let satisfied = match task.halt {
                Halt::None => true,
                Halt::Task => done,
                Halt::Preceding => all_done,
            };
            if !satisfied {
                return Some(index);
            }
        }
        None
    }

    /// Sets the status of the task at `index`, if the rules allow it, and with it the end time of
    /// the checklist.
    ///
    /// Reopening is allowed even where the task has become halted since: an earlier task that was
    /// reopened must not lock up what was done after it.
    pub fn set_status(
        &mut self,
        index: usize,
        to: TaskStatus,
        done: Done,
    ) -> Result<StatusChange, Refusal> {
        let task = &self.template.tasks[index];
        if task.heading {
            return Err(Refusal::TaskIsHeading(task.name.clone()));
        }
        if self.tasks[index].status == to {
            return Ok(StatusChange::None);
        }
        self.not_archived()?;
        if to != TaskStatus::Incomplete {
            self.not_halted(index)?;
        }
        if to == TaskStatus::Complete {
            self.controls_satisfied(index)?;
        }
        let at = done.at;
        let state = &mut self.tasks[index];
        state.status = to;
        state.done = (to != TaskStatus::Incomplete).then_some(done);
        state.completions += u32::from(to == TaskStatus::Complete);
        let ended_at = self.head.ended_at.or(Some(at));
        self.head.ended_at = ended_at.filter(|_| self.all_done());
        Ok(match to {
            TaskStatus::Complete => StatusChange::Completed,
            TaskStatus::Incomplete | TaskStatus::NotApplicable => StatusChange::Silent,
        })
    }

    fn all_done(&self) -> bool {
        let mut tasks = self.template.tasks.iter().zip(&self.tasks);
        tasks.all(|(task, state)| task.heading || state.is_done())
    }

    fn controls_satisfied(&self, index: usize) -> Result<(), Refusal> {
        let task = &self.template.tasks[index];
        let empty = FieldState::default();
        let failures: Vec<ControlFailure> = (task.first_control..)
            .zip(&task.controls)
            .filter_map(|(place, control)| {
                let field = self.fields.get(&place).unwrap_or(&empty);
                let reason = control.check(&field.value, field.file_count()).err()?;
                let (key, name) = (control.key, control.name.clone());
                let field = FieldId::of(self.head.id, place);
                Some(ControlFailure {
                    key,
                    field,
                    name,
                    reason,
                })
            })
            .collect();
        if failures.is_empty() {
            Ok(())
        } else {
            Err(Refusal::ControlsUnsatisfied(failures))
        }
    }

    /// Whether what is in the task at `index` may be changed: values and files of halted, done or
    /// archived things stay as they are.
    pub fn may_edit(&self, index: usize) -> Result<(), Refusal> {
        self.not_archived()?;
        self.not_halted(index)?;
        match self.tasks[index].status {
            TaskStatus::Incomplete => Ok(()),
            status => Err(Refusal::TaskDone(status)),
        }
    }

    /// Whether `control`, at `place` in the task at `index`, takes one more file. The files it
    /// has must be loaded. Answers how many it may have.
    pub fn may_upload(
        &self,
        index: usize,
        place: usize,
        control: &Control,
    ) -> Result<u32, Refusal> {
        let crate::ControlKind::FileUpload { max_files, .. } = control.kind else {
            return Err(Refusal::NotAnUpload(control.name.clone()));
        };
        self.may_edit(index)?;
        if self.fields.get(&place).map_or(0, FieldState::file_count) >= max_files {
            return Err(Refusal::FilesFull {
                name: control.name.clone(),
                max: max_files,
            });
        }
        Ok(max_files)
    }

    fn not_archived(&self) -> Result<(), Refusal> {
        match self.head.archived_at {
            None => Ok(()),
            Some(_) => Err(Refusal::ChecklistArchived),
        }
    }

    fn not_halted(&self, index: usize) -> Result<(), Refusal> {
        let Some(halting) = self.halted_by(index) else {
            return Ok(());
        };
        let task = &self.template.tasks[halting];
        Err(Refusal::TaskHalted {
            waits_for: task.name.clone(),
            key: task.key,
            and_before: task.halt == Halt::Preceding,
        })
    }
}

/// The `status` filter of the checklist lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecklistFilter {
    /// Every one.
    #[default]
    All,
    /// Those that wait for their schedule.
    Scheduled,
    /// Those with an open task.
    InProgress,
    /// Those whose last task was done within [`RECENTLY`].
    RecentlyComplete,
    /// Those whose tasks are all done.
    Complete,
}

/// How long a checklist counts as recently complete. The original's figure is not on record.
pub const RECENTLY: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// The word is no `status` filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be ALL, SCHEDULED, INPROGRESS, RECENTLYCOMPLETE or COMPLETE")]
pub struct UnknownFilter;

impl FromStr for ChecklistFilter {
    type Err = UnknownFilter;

    fn from_str(text: &str) -> Result<Self, UnknownFilter> {
        match text.to_ascii_uppercase().as_str() {
            "ALL" => Ok(Self::All),
            "SCHEDULED" => Ok(Self::Scheduled),
            "INPROGRESS" => Ok(Self::InProgress),
            "RECENTLYCOMPLETE" => Ok(Self::RecentlyComplete),
            "COMPLETE" => Ok(Self::Complete),
            _ => Err(UnknownFilter),
        }
    }
}

#[cfg(test)]
mod tests;
