//! Templates: the blueprint that checklists are made from.
//!
//! A [`Template`] here is one edition of it, checked and never changed: editing makes another. What
//! people write and read is the [`TemplateDocument`].

mod condition;
mod document;
mod due;
mod parameter;

pub use condition::*;
pub use document::{
    CalendarDocument, ConditionDocument, ControlDocument, DueDocument, FieldError, KnownKeys,
    ParameterDocument, TaskDocument, TemplateDocument, TestDocument,
};
pub use due::*;
pub use parameter::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Control, ControlKey, TaskKey, TemplateKey};
use condition::Target;
pub(crate) use document::{Names, Wanted};

/// Most tasks of one template, headings included.
pub const TASKS_MAX: usize = 1_000;
/// Most controls of one template.
pub const CONTROLS_MAX: usize = 2_000;

const _: () = assert!(TASKS_MAX < 1 << crate::ids::TASK_BITS);
const _: () = assert!(CONTROLS_MAX < 1 << crate::ids::FIELD_BITS);

/// How a task holds up the ones after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Halt {
    /// Not at all.
    #[default]
    None,
    /// Until this task is complete (or not applicable).
    Task,
    /// Until this task and all before it are complete (or not applicable).
    Preceding,
}

/// One edition of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Stays the same across edits.
    pub key: TemplateKey,
    /// What people call it.
    pub name: String,
    /// In order.
    pub tasks: Vec<Task>,
    /// What looks at the values of a checklist.
    pub rules: Rules,
    /// What a checklist is made with.
    pub parameters: Vec<Parameter>,
}

/// A part of a template, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// A task or heading.
    Task(usize),
    /// A control, counted over the whole template.
    Control(usize),
}

/// A task of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Stays the same across edits and in every checklist.
    pub key: TaskKey,
    /// What people call it.
    pub name: String,
    /// Whether it only groups the tasks below it.
    pub heading: bool,
    /// How it holds up the tasks after it.
    pub halt: Halt,
    /// Whether it is hidden unless a condition shows it.
    pub hidden: bool,
    /// When it is due, unless somebody says otherwise.
    pub due: Option<DueRule>,
    /// The place of the first of its controls, counted over the whole template.
    pub first_control: usize,
    /// In order.
    pub controls: Vec<Control>,
}

impl Template {
    /// The place of a task.
    pub fn task_index(&self, key: TaskKey) -> Option<usize> {
        self.tasks.iter().position(|task| task.key == key)
    }

    /// Whether a task is hidden at times.
    pub(crate) fn may_hide(&self, index: usize) -> bool {
        let target = |target: &Target| target.element == Element::Task(index);
        self.tasks[index].hidden || self.rules.targets.iter().any(target)
    }

    /// What people call a part; nothing for one that is not there.
    pub(crate) fn name_of(&self, element: Element) -> &str {
        let name = match element {
            Element::Task(index) => self.tasks.get(index).map(|task| &task.name),
            Element::Control(place) => self.control_at(place).map(|(_, control)| &control.name),
        };
        name.map_or("", String::as_str)
    }

    /// The key of a part; zero for one that is not there.
    pub(crate) fn key_of(&self, element: Element) -> uuid::Uuid {
        let key = match element {
            Element::Task(index) => self.tasks.get(index).map(|task| task.key.uuid()),
            Element::Control(place) => {
                let control = self.control_at(place);
                control.map(|(_, control)| control.key.uuid())
            }
        };
        key.unwrap_or_default()
    }

    /// All controls with their tasks, in order, so that the place in this sequence is the place
    /// in a checklist's fields.
    pub fn controls(&self) -> impl Iterator<Item = (&Task, &Control)> {
        self.tasks
            .iter()
            .flat_map(|task| task.controls.iter().map(move |control| (task, control)))
    }

    /// The control at a place counted over the whole template, and the place of its task.
    pub fn control_at(&self, index: usize) -> Option<(usize, &Control)> {
        // Tasks without controls share their `first_control` with the next one; the last whose
        // first is not beyond the place is the one that has it.
        let task = self
            .tasks
            .partition_point(|task| task.first_control <= index)
            .checked_sub(1)?;
        let control = self.tasks[task]
            .controls
            .get(index - self.tasks[task].first_control)?;
        Some((task, control))
    }

    /// A control by its key, and its place counted over the whole template.
    pub fn control(&self, key: ControlKey) -> Option<(usize, &Control)> {
        let mut controls = self.controls().map(|(_, control)| control).enumerate();
        controls.find(|(_, control)| control.key == key)
    }
}
