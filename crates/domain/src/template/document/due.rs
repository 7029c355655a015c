//! Due rules in a template document, and reading them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    is_false,
    names::{Names, Wanted},
    read::Reader,
};
use crate::{
    Anchor, ControlType, DUE_DAYS_MAX, DUE_HOURS_MAX, DUE_MINUTES_MAX, DUE_MONTHS_MAX, Distance,
    DueDay, DueFrom, DuePlace, DueRule, Element, Task, Template,
};

/// When a task is due: so long after what is counted from, or at a place in the calendar. Days are those
/// of UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DueDocument {
    /// What is counted from: the `start` of the checklist (the default), the completion of the `previous`
    /// task or of the one in `task`, or the date in `control`. As long as that is not there, nor is the due
    /// date.
    #[serde(default)]
    pub from: DueFrom,
    /// With `from: task`, the task: by key, or by name where only one has it. Answered as its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// With `from: control`, a `Date`: by key, by name, or as `Task / Control`. Answered as its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Whether it is due earlier than the date in `control`, by what follows, instead of later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub before: bool,
    /// Months between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
    /// Days between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3)]
    pub days: Option<u32>,
    /// Hours between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    /// Minutes between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// A place in the calendar instead of an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarDocument>,
    /// When in the day, as `17:00`. Left out, it is as what is counted from, or the end of the day (23:59)
    /// where only days are said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "17:00")]
    pub time: Option<String>,
}

/// A place in the calendar, such as the last weekday of the month: the first such day that is not before
/// what is counted from; with `next`, the first one after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalendarDocument {
    /// Which one: the `next`, or the `first`, `second`, `third`, `fourth` or `last` of a month.
    #[schema(example = "last")]
    pub place: DuePlace,
    /// Which kind of day: `day`, `weekday` (Monday to Friday), or one of the week.
    #[schema(example = "weekday")]
    pub day: DueDay,
}

impl Reader<'_> {
    /// The due rule of the task at `index`.
    pub(super) fn due(
        &mut self,
        index: usize,
        document: &DueDocument,
        names: &Names<'_>,
    ) -> Option<DueRule> {
        let at = format!("tasks[{index}].due");
        if names.tasks[index].heading {
            let message = "must be left out: a heading is never done; give it to a task below it";
            self.wrong(&at, message.to_owned());
            return None;
        }
        let anchor = self.anchor(&at, index, document, names)?;
        let distance = self.distance(&at, document)?;
        let time = match document.time.as_deref() {
            None => None,
            Some(text) => {
                let time = jiff::civil::Time::strptime("%H:%M", text.trim());
                if time.is_err() {
                    let message = format!("{text:?} is no time of day such as 17:00");
                    self.wrong(&format!("{at}.time"), message);
                }
                Some(time.ok()?)
            }
        };
        let by_hours = document.hours.is_some() || document.minutes.is_some();
        if time.is_some() && by_hours {
            let message = "must be left out with hours or minutes, which it would overrule";
            self.wrong(&format!("{at}.time"), message.to_owned());
            return None;
        }
        Some(DueRule {
            anchor,
            distance,
            time,
        })
    }

    fn anchor(
        &mut self,
        at: &str,
        index: usize,
        document: &DueDocument,
        names: &Names<'_>,
    ) -> Option<Anchor> {
        let from = document.from;
        for (member, given, belongs) in [
            ("task", document.task.is_some(), DueFrom::Task),
            ("control", document.control.is_some(), DueFrom::Control),
            ("before", document.before, DueFrom::Control),
        ] {
            if given && from != belongs {
                let word = word(belongs);
                self.wrong(
                    &format!("{at}.{member}"),
                    format!("belongs to from: {word}"),
                );
                return None;
            }
        }
        let referred = |given: &Option<String>, wanted| {
            let text = given.as_deref().unwrap_or_default();
            if text.trim().is_empty() {
                return Err(format!("must be given with from: {}", word(from)));
            }
            names.find(text, wanted)
        };
        match from {
            DueFrom::Start => Some(Anchor::Start),
            DueFrom::Previous if names.tasks[..index].iter().all(|task| task.heading) => {
                let message = "there is no task before this one; count from start".to_owned();
                self.wrong(&format!("{at}.from"), message);
                None
            }
            DueFrom::Previous => Some(Anchor::Previous),
            DueFrom::Task => match referred(&document.task, Wanted::Task) {
                Ok(Element::Task(task)) => Some(Anchor::Task(task)),
                Ok(Element::Control(_)) => None,
                Err(message) => {
                    self.wrong(&format!("{at}.task"), message);
                    None
                }
            },
            DueFrom::Control => match referred(&document.control, Wanted::Control) {
                Ok(Element::Control(place)) => self.date(at, place, names.tasks),
                Ok(Element::Task(_)) => None,
                Err(message) => {
                    self.wrong(&format!("{at}.control"), message);
                    None
                }
            },
        }
    }

    fn date(&mut self, at: &str, place: usize, tasks: &[Task]) -> Option<Anchor> {
        let task = &tasks[tasks.partition_point(|task| task.first_control <= place) - 1];
        let control = &task.controls[place - task.first_control];
        let kind = control.kind.kind();
        if kind != ControlType::Date {
            let message = format!(
                "{:?} is of type {kind}; due dates count from a Date",
                control.name
            );
            self.wrong(&format!("{at}.control"), message);
            return None;
        }
        Some(Anchor::Control(place))
    }

    fn distance(&mut self, at: &str, document: &DueDocument) -> Option<Distance> {
        let parts = [
            ("months", document.months, DUE_MONTHS_MAX),
            ("days", document.days, DUE_DAYS_MAX),
            ("hours", document.hours, DUE_HOURS_MAX),
            ("minutes", document.minutes, DUE_MINUTES_MAX),
        ];
        for (member, given, max) in parts {
            let message = match given {
                Some(_) if document.calendar.is_some() => {
                    "must be left out with calendar, which says the day".to_owned()
                }
                Some(given) if given > max => format!("must be at most {max}"),
                _ => continue,
            };
            self.wrong(&format!("{at}.{member}"), message);
            return None;
        }
        if let Some(calendar) = document.calendar {
            if document.before {
                let message = "must be left out with calendar, which looks ahead".to_owned();
                self.wrong(&format!("{at}.before"), message);
                return None;
            }
            return Some(Distance::Calendar(calendar.place, calendar.day));
        }
        let [months, days, hours, minutes] = parts.map(|(_, given, _)| given.unwrap_or(0));
        Some(Distance::Offset {
            before: document.before,
            months,
            days,
            hours,
            minutes,
        })
    }
}

fn word(from: DueFrom) -> &'static str {
    let words = DueFrom::WORDS.into_iter();
    let mut found = words.filter(|(_, known)| *known == from);
    found.next().map_or("", |(word, _)| word)
}

/// The rule of the task at `index` as a document has it, with keys.
pub(super) fn due_document(template: &Template, index: usize) -> Option<DueDocument> {
    let rule = template.tasks[index].due.as_ref()?;
    let key = |element| Some(template.key_of(element).to_string());
    let mut document = DueDocument {
        time: rule.time.map(|time| time.strftime("%H:%M").to_string()),
        ..DueDocument::default()
    };
    match rule.anchor {
        Anchor::Start => document.from = DueFrom::Start,
        Anchor::Previous => document.from = DueFrom::Previous,
        Anchor::Task(task) => {
            document.from = DueFrom::Task;
            document.task = key(Element::Task(task));
        }
        Anchor::Control(place) => {
            document.from = DueFrom::Control;
            document.control = key(Element::Control(place));
        }
    }
    match rule.distance {
        Distance::Calendar(place, day) => {
            document.calendar = Some(CalendarDocument { place, day });
        }
        Distance::Offset {
            before,
            months,
            days,
            hours,
            minutes,
        } => {
            let some = |count: u32| Some(count).filter(|count| *count > 0);
            document.before = before;
            document.months = some(months);
            document.days = some(days);
            document.hours = some(hours);
            document.minutes = some(minutes);
        }
    }
    Some(document)
}
