//! Conditions: tasks, headings and controls that are shown or hidden by what controls hold.
//!
//! What is visible follows from the values alone and is worked out anew each time
//! ([`Checklist::hidden`](crate::Checklist::hidden)); nothing of it is stored.

use std::{cmp::Ordering, ops::Range};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Anchor, Element, Template};
use crate::{ControlKind, ControlType, control::date_order};

/// Most conditions of one template.
pub const CONDITIONS_MAX: usize = 200;
/// Most tests of one condition.
pub const TESTS_MAX: usize = 10;
/// Most tasks and controls that one condition shows and hides.
pub const TARGETS_MAX: usize = 100;
/// Longest value that a test compares with, in characters.
pub const TEST_VALUE_CHARS_MAX: usize = 1_000;

/// How a test looks at a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// It is this one: the option, the day, the text whatever its case. Of several choices: this one alone.
    #[default]
    Is,
    /// It is another one, or there is none.
    IsNot,
    /// The text is in it, whatever its case; of several choices, this is one.
    Contains,
    /// There is none.
    IsEmpty,
    /// There is one.
    IsFilled,
    /// The date is earlier.
    Before,
    /// The date is later.
    After,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Is,
        Self::IsNot,
        Self::Contains,
        Self::IsEmpty,
        Self::IsFilled,
        Self::Before,
        Self::After,
    ];

    /// The word for it in documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "isNot",
            Self::Contains => "contains",
            Self::IsEmpty => "isEmpty",
            Self::IsFilled => "isFilled",
            Self::Before => "before",
            Self::After => "after",
        }
    }

    /// Whether it compares with a value.
    pub const fn compares(self) -> bool {
        !matches!(self, Self::IsEmpty | Self::IsFilled)
    }

    /// Whether it can be asked of a control of this type.
    pub const fn fits(self, kind: ControlType) -> bool {
        match self {
            Self::Is | Self::IsNot | Self::IsEmpty | Self::IsFilled => true,
            Self::Contains => !matches!(kind, ControlType::DropDown | ControlType::Date),
            Self::Before | Self::After => matches!(kind, ControlType::Date),
        }
    }
}

/// A question about the value of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The place of the control's task.
    pub task: usize,
    /// The place of the control, counted over the whole template.
    pub place: usize,
    /// How its value is looked at.
    pub operator: Operator,
    /// What it is compared with; empty where nothing is.
    pub value: String,
}

impl Test {
    /// The answer for a control of this kind that holds `value`.
    pub fn holds(&self, kind: &ControlKind, value: &str) -> bool {
        match self.operator {
            Operator::IsEmpty => value.trim().is_empty(),
            Operator::IsFilled => !value.trim().is_empty(),
            Operator::Is => self.is(kind, value),
            Operator::IsNot => !self.is(kind, value),
            Operator::Contains => self.is_in(kind, value),
            Operator::Before => date_order(value, &self.value) == Some(Ordering::Less),
            Operator::After => date_order(value, &self.value) == Some(Ordering::Greater),
        }
    }

    fn is(&self, kind: &ControlKind, value: &str) -> bool {
        match kind.kind() {
            ControlType::DropDown => value == self.value,
            ControlType::MultiChoice => chosen(value) == [&*self.value],
            ControlType::Date => date_order(value, &self.value) == Some(Ordering::Equal),
            _ => folded(value) == folded(&self.value),
        }
    }

    fn is_in(&self, kind: &ControlKind, value: &str) -> bool {
        if kind.kind() == ControlType::MultiChoice {
            return chosen(value).contains(&self.value);
        }
        folded(value).contains(&folded(&self.value))
    }
}

/// A text as people compare it.
fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

fn chosen(value: &str) -> Vec<String> {
    serde_json::from_str(value).unwrap_or_default()
}

/// Shows and hides parts while all its tests hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What must hold, all of it.
    pub when: Vec<Test>,
    /// What is shown then.
    pub show: Vec<Element>,
    /// What is hidden then.
    pub hide: Vec<Element>,
}

/// A part that conditions decide about: which ones, and whether each shows or hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) element: Element,
    pub(crate) by: Vec<(usize, bool)>,
}

/// The rules of one edition that look at what controls hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// In the order of the document; of several that decide about the same part the last that holds
    /// does.
    pub conditions: Vec<Condition>,
    /// What the conditions decide about, each behind all that decides about it.
    pub(crate) targets: Vec<Target>,
    pub(crate) watched: Range<usize>,
}

impl Rules {
    /// The places of all controls whose values the rules look at, and whatever lies between; counted over
    /// the whole template.
    pub fn watched(&self) -> Range<usize> {
        self.watched.clone()
    }

    /// The rules of a template that has its due rules, and whose conditions these are, or the circle they go in.
    pub(crate) fn new(conditions: Vec<Condition>, template: &Template) -> Result<Self, String> {
        let mut targets: Vec<Target> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (index, condition) in conditions.iter().enumerate() {
            let shown = condition.show.iter().map(|element| (*element, true));
            let hidden = condition.hide.iter().map(|element| (*element, false));
            for (element, shows) in shown.chain(hidden) {
                let place = *places.entry(element).or_insert_with(|| {
                    targets.push(Target {
                        element,
                        by: Vec::new(),
                    });
                    targets.len() - 1
                });
                targets[place].by.push((index, shows));
            }
        }
        let targets = ordered(&conditions, targets, template)?;
        let tested = conditions.iter().flat_map(|condition| &condition.when);
        let tested = tested.map(|test| test.place);
        let dated = template
            .tasks
            .iter()
            .filter_map(|task| match task.due?.anchor {
                Anchor::Control(place) => Some(place),
                Anchor::Start | Anchor::Previous | Anchor::Task(_) => None,
            });
        let looked_at: Vec<usize> = tested.chain(dated).collect();
        let first = looked_at.iter().min().copied().unwrap_or(0);
        let end = looked_at.iter().max().map_or(0, |place| place + 1);
        Ok(Self {
            conditions,
            targets,
            watched: first..end,
        })
    }
}

/// The targets, each behind all that decides about it; or the circle that keeps them from being so.
///
/// In rounds, of which there are no more than conditions: along a chain no condition comes twice.
fn ordered(
    conditions: &[Condition],
    mut open: Vec<Target>,
    template: &Template,
) -> Result<Vec<Target>, String> {
    let mut settled = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let waiting: std::collections::HashSet<Element> =
            open.iter().map(|target| target.element).collect();
        let ready: Vec<bool> = conditions
            .iter()
            .map(|condition| {
                condition
                    .when
                    .iter()
                    .all(|test| depends(test, &waiting).is_none())
            })
            .collect();
        let (now, later): (Vec<Target>, Vec<Target>) = open
            .into_iter()
            .partition(|target| target.by.iter().all(|(condition, _)| ready[*condition]));
        if now.is_empty() {
            return Err(circle(conditions, &later, &waiting, template));
        }
        settled.extend(now);
        open = later;
    }
    Ok(settled)
}

/// What the answer of a test depends on among `waiting`: whether its control is there, or its task.
fn depends(test: &Test, waiting: &std::collections::HashSet<Element>) -> Option<Element> {
    let on = [Element::Control(test.place), Element::Task(test.task)];
    on.into_iter().find(|element| waiting.contains(element))
}

/// The circle among targets that all wait for another, in words.
fn circle(
    conditions: &[Condition],
    open: &[Target],
    waiting: &std::collections::HashSet<Element>,
    template: &Template,
) -> String {
    let mut way: Vec<(Element, String)> = Vec::new();
    let mut at = open[0].element;
    loop {
        if let Some(begin) = way.iter().position(|(element, _)| *element == at) {
            let links: Vec<&str> = way[begin..].iter().map(|(_, link)| link.as_str()).collect();
            return links.join(", and ");
        }
        let of = open.iter().find(|target| target.element == at);
        let mut tests = of
            .iter()
            .flat_map(|target| &target.by)
            .flat_map(|(condition, _)| &conditions[*condition].when);
        let step = tests.find_map(|test| Some((test, depends(test, waiting)?)));
        let Some((test, next)) = step else {
            return String::new();
        };
        let by = template.name_of(Element::Control(test.place));
        let within = template.name_of(Element::Task(test.task));
        let link = format!(
            "whether {:?} is shown depends on {by:?} in {within:?}",
            template.name_of(at)
        );
        way.push((at, link));
        at = next;
    }
}
