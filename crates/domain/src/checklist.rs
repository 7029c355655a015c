//! Checklists: what has been done of a template, and the rules of doing it.
//!
//! Everything here is pure. A use case loads a [`Checklist`], asks it to change, and stores what
//! came of it. Halted and hidden are worked out anew each time and never stored.

mod due;
mod filter;
mod hidden;
mod refusal;
mod sample;
mod state;

use std::{collections::BTreeMap, sync::Arc};

pub use filter::{ChecklistFilter, RECENTLY, UnknownFilter};
pub use hidden::Hidden;
pub use refusal::{ControlFailure, Refusal};
pub use state::{Done, FieldState, Person, StoredFile, TaskState, TaskStatus, UnknownTaskStatus};

use crate::{
    ChecklistId, ChecklistKey, Control, FieldId, Halt, TaskId, TeamId, Template, Timestamp,
    VersionId,
};

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
    /// A use case may load only those of the task it is about; those that the template's rules look at
    /// come with them.
    pub fields: BTreeMap<usize, FieldState>,
    /// To whom the tasks are assigned, by their place; those that are assigned to nobody are absent.
    pub assigned: BTreeMap<usize, crate::Assigned>,
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
        self.halting(index, &self.hidden())
    }

    fn halting(&self, index: usize, hidden: &Hidden) -> Option<usize> {
        self.first_halt(hidden).filter(|halting| *halting < index)
    }

    /// The first task whose halt is not satisfied; everything after it is halted. What is hidden
    /// holds nobody up.
    pub(crate) fn first_halt(&self, hidden: &Hidden) -> Option<usize> {
        let mut all_done = true;
        for (index, task) in self.template.tasks.iter().enumerate() {
            let done = task.heading || hidden.task(index) || self.tasks[index].is_done();
            all_done &= done;
            let satisfied = match task.halt {
                Halt::None => true,
                Halt::Task => done,
                Halt::Preceding => all_done || hidden.task(index),
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
        let hidden = self.hidden();
        self.not_hidden(index, &hidden)?;
        if to != TaskStatus::Incomplete {
            self.not_halted(index, &hidden)?;
        }
        if to == TaskStatus::Complete {
            self.controls_satisfied(index, &hidden)?;
        }
        let at = done.at;
        let state = &mut self.tasks[index];
        state.status = to;
        state.done = (to != TaskStatus::Incomplete).then_some(done);
        state.completions += u32::from(to == TaskStatus::Complete);
        self.end(at, &hidden);
        Ok(match to {
            TaskStatus::Complete => StatusChange::Completed,
            TaskStatus::Incomplete | TaskStatus::NotApplicable => StatusChange::Silent,
        })
    }

    /// Puts `value`, as the control takes it, into the control at `place`, and with it the end time of
    /// the checklist, whose tasks it may show and hide. Answers whether that changed anything.
    pub fn set_field(&mut self, place: usize, value: String, at: Timestamp) -> bool {
        let field = self.fields.entry(place).or_default();
        if field.value == value {
            return false;
        }
        field.value = value;
        if self.template.rules.watched.contains(&place) {
            self.end(at, &self.hidden());
        }
        true
    }

    /// The end time is there as long as every visible task is done.
    fn end(&mut self, at: Timestamp, hidden: &Hidden) {
        let ended_at = self.head.ended_at.or(Some(at));
        self.head.ended_at = ended_at.filter(|_| self.all_done(hidden));
    }

    fn all_done(&self, hidden: &Hidden) -> bool {
        let tasks = self.template.tasks.iter().zip(&self.tasks).enumerate();
        let mut open = tasks.filter(|(index, _)| !hidden.task(*index));
        open.all(|(_, (task, state))| task.heading || state.is_done())
    }

    fn controls_satisfied(&self, index: usize, hidden: &Hidden) -> Result<(), Refusal> {
        let task = &self.template.tasks[index];
        let empty = FieldState::default();
        let failures: Vec<ControlFailure> = (task.first_control..)
            .zip(&task.controls)
            .filter(|(place, _)| !hidden.control(*place))
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

    /// Whether what the control at `place` in the task at `index` holds may be changed: values and files
    /// of hidden, halted, done or archived things stay as they are.
    pub fn may_edit(&self, index: usize, place: usize) -> Result<(), Refusal> {
        self.not_archived()?;
        let hidden = self.hidden();
        self.not_hidden(index, &hidden)?;
        if hidden.control(place) {
            let name = self.template.name_of(crate::Element::Control(place));
            return Err(Refusal::ControlHidden(name.to_owned()));
        }
        self.not_halted(index, &hidden)?;
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
        self.may_edit(index, place)?;
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

    fn not_hidden(&self, index: usize, hidden: &Hidden) -> Result<(), Refusal> {
        if !hidden.task(index) {
            return Ok(());
        }
        let name = self.template.tasks[index].name.clone();
        Err(Refusal::TaskHidden(name))
    }

    fn not_halted(&self, index: usize, hidden: &Hidden) -> Result<(), Refusal> {
        let Some(halting) = self.halting(index, hidden) else {
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

#[cfg(test)]
mod tests;
