//! The rules in a template document: parameters, conditions, and when tasks are due.

use domain::{
    CalendarDocument, ConditionDocument, DueDay, DueDocument, DueFrom, DuePlace, Operator,
    ParameterDocument, TestDocument,
};

use super::values::{Members, Reader};
use crate::input::tree::Tree;

/// Members of a parameter.
const PARAMETER: &[&str] = &[
    "name", "type", "required", "default", "options", "withTime", "multiple",
];
/// Members of a condition.
const CONDITION: &[&str] = &["when", "show", "hide"];
/// Members of a test.
const TEST: &[&str] = &["control", "operator", "value"];
/// Members of a due rule.
const DUE: &[&str] = &[
    "from", "task", "control", "before", "months", "days", "hours", "minutes", "calendar", "time",
];
/// Members of a place in the calendar.
const CALENDAR: &[&str] = &["place", "day"];

impl Reader {
    pub(super) fn parameter(&mut self, path: &str, tree: Tree) -> ParameterDocument {
        let Some(mut members) = self.members(path, tree, PARAMETER) else {
            return ParameterDocument::default();
        };
        ParameterDocument {
            name: self.needed(&mut members, "name"),
            kind: self.needed(&mut members, "type"),
            required: self.flag(&mut members, "required"),
            default: self.text(&mut members, "default"),
            options: self.each(&mut members, "options", Self::option),
            with_time: self.choice(&mut members, "withTime"),
            multiple: self.choice(&mut members, "multiple"),
        }
    }

    pub(super) fn condition(&mut self, path: &str, tree: Tree) -> ConditionDocument {
        let Some(mut members) = self.members(path, tree, CONDITION) else {
            return ConditionDocument::default();
        };
        ConditionDocument {
            when: self
                .each(&mut members, "when", Self::test)
                .unwrap_or_default(),
            show: self.parts(&mut members, "show"),
            hide: self.parts(&mut members, "hide"),
        }
    }

    fn parts(&mut self, members: &mut Members, name: &str) -> Vec<String> {
        self.each(members, name, Self::option).unwrap_or_default()
    }

    fn test(&mut self, path: &str, tree: Tree) -> TestDocument {
        let Some(mut members) = self.members(path, tree, TEST) else {
            return TestDocument::default();
        };
        let words = Operator::ALL.map(|operator| (operator.word(), operator));
        TestDocument {
            control: self.needed(&mut members, "control"),
            operator: self.needed_word(&mut members, "operator", &words),
            value: self.text(&mut members, "value"),
        }
    }

    /// The due rule of a task.
    pub(super) fn due(&mut self, members: &mut Members) -> Option<DueDocument> {
        let path = members.path("due");
        let tree = members.take("due")?;
        let mut members = self.members(&path, tree, DUE)?;
        let from = self.word(&mut members, "from", &DueFrom::WORDS);
        Some(DueDocument {
            from: from.unwrap_or_default(),
            task: self.text(&mut members, "task"),
            control: self.text(&mut members, "control"),
            before: self.flag(&mut members, "before"),
            months: self.count(&mut members, "months"),
            days: self.count(&mut members, "days"),
            hours: self.count(&mut members, "hours"),
            minutes: self.count(&mut members, "minutes"),
            calendar: self.calendar(&mut members),
            time: self.text(&mut members, "time"),
        })
    }

    fn calendar(&mut self, members: &mut Members) -> Option<CalendarDocument> {
        let path = members.path("calendar");
        let tree = members.take("calendar")?;
        let mut members = self.members(&path, tree, CALENDAR)?;
        Some(CalendarDocument {
            place: self.needed_word(&mut members, "place", &DuePlace::WORDS),
            day: self.needed_word(&mut members, "day", &DueDay::WORDS),
        })
    }

    /// One of `words` that must be there.
    fn needed_word<T: Copy + Default>(
        &mut self,
        members: &mut Members,
        name: &str,
        words: &[(&str, T)],
    ) -> T {
        let complaints = self.errors.len();
        let word = self.word(members, name, words);
        if word.is_none() && self.errors.len() == complaints {
            self.wrong(&members.path(name), "must be given");
        }
        word.unwrap_or_default()
    }
}
