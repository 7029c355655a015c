//! When tasks are due.

use super::{Checklist, Hidden, Refusal};
use crate::{Anchor, Timestamp, control::date_has_time, control::date_moment};

impl Checklist {
    /// When the task at `index` is due: as it was set by hand, or as its rule says. What its rule looks at
    /// must be loaded, which it is with whatever else is.
    pub fn due_at(&self, index: usize, hidden: &Hidden) -> Option<Timestamp> {
        let state = &self.tasks[index];
        if state.due_at.is_some() {
            return state.due_at;
        }
        let rule = self.template.tasks[index].due.as_ref()?;
        let done = |task: usize| Some(self.tasks[task].done.as_ref()?.at);
        match rule.anchor {
            Anchor::Start => rule.at(self.head.started_at?, true),
            Anchor::Previous => {
                let before = (0..index).rev();
                let mut before = before
                    .filter(|task| !self.template.tasks[*task].heading && !hidden.task(*task));
                rule.at(done(before.next()?)?, true)
            }
            Anchor::Task(task) if hidden.task(task) => None,
            Anchor::Task(task) => rule.at(done(task)?, true),
            Anchor::Control(place) if hidden.control(place) => None,
            Anchor::Control(place) => {
                let value = self.value(place)?;
                rule.at(date_moment(value)?, date_has_time(value)?)
            }
        }
    }

    /// Sets by hand when the task at `index` is due, or leaves it to the rule again. Answers whether that
    /// changed anything.
    pub fn set_due(&mut self, index: usize, due: Option<Timestamp>) -> Result<bool, Refusal> {
        let task = &self.template.tasks[index];
        if task.heading {
            return Err(Refusal::TaskIsHeading(task.name.clone()));
        }
        if self.tasks[index].due_at == due {
            return Ok(false);
        }
        self.not_archived()?;
        self.not_hidden(index, &self.hidden())?;
        self.tasks[index].due_at = due;
        Ok(true)
    }
}
