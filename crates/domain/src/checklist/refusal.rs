//! Why something can't be done to a checklist.

use super::TaskStatus;
use crate::{ControlKey, FieldId, TaskKey, Unsatisfied};

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
        key: TaskKey,
        /// Whether the tasks before that one must be done as well.
        and_before: bool,
    },
    /// A condition hides the task.
    #[error("{0:?} is hidden; it can be changed once the values of the checklist show it")]
    TaskHidden(String),
    /// A condition hides the control.
    #[error("{0:?} is hidden; it can be changed once the values of the checklist show it")]
    ControlHidden(String),
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
