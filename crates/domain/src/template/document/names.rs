//! How one part of a document names another: by its key, or by its name as long as that is the only one.

use std::collections::HashMap;

use crate::{Element, Task};

/// What the parts of a document are called.
pub(crate) struct Names<'a> {
    /// The parts.
    pub(super) tasks: &'a [Task],
    /// By key, by name, and controls also by `Task / Control`.
    known: HashMap<String, Vec<Element>>,
}

/// Which parts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Tasks, headings and controls.
    Part,
    /// Tasks that are no headings.
    Task,
    /// Controls.
    Control,
}

impl Wanted {
    const fn words(self) -> &'static str {
        match self {
            Self::Part => "task, heading or control",
            Self::Task => "task",
            Self::Control => "control",
        }
    }
}

impl<'a> Names<'a> {
    /// Those of `tasks`.
    pub(crate) fn of(tasks: &'a [Task]) -> Self {
        let mut known: HashMap<String, Vec<Element>> = HashMap::new();
        let mut put = |name: String, element| known.entry(name).or_default().push(element);
        for (index, task) in tasks.iter().enumerate() {
            put(task.key.to_string(), Element::Task(index));
            put(task.name.clone(), Element::Task(index));
            for (place, control) in (task.first_control..).zip(&task.controls) {
                let element = Element::Control(place);
                put(control.key.to_string(), element);
                put(control.name.clone(), element);
                put(format!("{} / {}", task.name, control.name), element);
            }
        }
        Self { tasks, known }
    }

    /// The one part that `text` means, or why there is none.
    pub(crate) fn find(&self, text: &str, wanted: Wanted) -> Result<Element, String> {
        let text = text.trim();
        let fits = |element: &&Element| match (wanted, element) {
            (Wanted::Task, Element::Task(index)) => !self.tasks[*index].heading,
            (Wanted::Part, _) | (Wanted::Control, Element::Control(_)) => true,
            _ => false,
        };
        // A key may have been written in capitals.
        let key = text.parse::<uuid::Uuid>().map(|key| key.to_string());
        let found = self.known.get(text);
        let found = found.or_else(|| self.known.get(&key.ok()?));
        let mut found = found.into_iter().flatten().filter(fits);
        match (found.next(), found.count()) {
            (Some(element), 0) => Ok(*element),
            (None, _) => Err(format!(
                "{text:?} is no {} of this template; give the name or the key of one",
                wanted.words()
            )),
            (Some(_), others) => Err(format!(
                "{text:?} is the name of {}; give the key, or for a control \"task / control\"",
                others + 1
            )),
        }
    }
}
