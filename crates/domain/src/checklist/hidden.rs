//! What is hidden, worked out from what the controls hold.

use super::{Checklist, FieldState};
use crate::{Condition, Element};

/// What of a checklist is hidden at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// By place; empty where nothing is.
    tasks: Vec<bool>,
    controls: Vec<bool>,
}

impl Hidden {
    /// Whether the task or heading at this place is.
    pub fn task(&self, index: usize) -> bool {
        self.tasks.get(index).copied().unwrap_or(false)
    }

    /// Whether the control at this place is, counted over the whole template: by itself, or with its
    /// task.
    pub fn control(&self, place: usize) -> bool {
        self.controls.get(place).copied().unwrap_or(false)
    }
}

impl Checklist {
    /// What is hidden. The values that the template's rules look at must be loaded, which they are
    /// with whatever else is.
    pub fn hidden(&self) -> Hidden {
        let template = &self.template;
        let (tasks, rules) = (&template.tasks, &template.rules);
        let begins_hidden = tasks.iter().any(|task| task.hidden)
            || template.controls().any(|(_, control)| control.hidden);
        if rules.targets.is_empty() && !begins_hidden {
            return Hidden::default();
        }
        let mut hidden = Hidden {
            tasks: tasks.iter().map(|task| task.hidden).collect(),
            controls: template
                .controls()
                .map(|(_, control)| control.hidden)
                .collect(),
        };
        let mut known: Vec<Option<bool>> = vec![None; rules.conditions.len()];
        for target in &rules.targets {
            for (index, shows) in &target.by {
                let holds = *known[*index]
                    .get_or_insert_with(|| self.holds(&rules.conditions[*index], &hidden));
                if holds {
                    match target.element {
                        Element::Task(index) => hidden.tasks[index] = !shows,
                        Element::Control(place) => hidden.controls[place] = !shows,
                    }
                }
            }
        }
        for (index, task) in tasks.iter().enumerate() {
            if hidden.tasks[index] {
                let places = task.first_control..task.first_control + task.controls.len();
                hidden.controls[places].fill(true);
            }
        }
        hidden
    }

    /// Whether all tests of a condition hold. What is hidden counts as empty; whether it is has been
    /// settled for all that the condition looks at, by the order of the targets.
    fn holds(&self, condition: &Condition, hidden: &Hidden) -> bool {
        condition.when.iter().all(|test| {
            let there = !hidden.task(test.task) && !hidden.control(test.place);
            let value = self.value(test.place).filter(|_| there).unwrap_or_default();
            let control = self.template.control_at(test.place);
            control.is_some_and(|(_, control)| test.holds(&control.kind, value))
        })
    }

    /// What the control at `place` holds, if anything.
    pub(crate) fn value(&self, place: usize) -> Option<&str> {
        let field: Option<&FieldState> = self.fields.get(&place);
        field.map(|field| field.value.as_str())
    }
}
