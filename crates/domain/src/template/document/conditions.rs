//! Conditions in a template document, and reading them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    names::{Names, Wanted},
    read::Reader,
};
use crate::{
    CONDITIONS_MAX, Condition, ControlKind, ControlType, Element, Operator, TARGETS_MAX,
    TEST_VALUE_CHARS_MAX, TESTS_MAX, Template, Test, control::date_order,
};

/// Shows and hides parts of a checklist while all its tests hold.
///
/// A part is shown as its `hidden` says, unless a condition that holds says otherwise; of several that
/// hold the last one does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionDocument {
    /// What must hold, all of it.
    pub when: Vec<TestDocument>,
    /// What is shown then: tasks, headings and controls, by key, or by name where only one has it, or a
    /// control as `Task / Control`. Answered as keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["Pay"]))]
    pub show: Vec<String>,
    /// What is hidden then, named in the same ways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<String>,
}

/// A question about the value of a control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestDocument {
    /// Which `DropDown`, `MultiChoice`, `ShortText`, `LongText`, `Website`, `Email` or `Date`: by key,
    /// or by name where only one has it, or as `Task / Control`. Answered as its key.
    #[schema(example = "Decision")]
    pub control: String,
    /// How its value is looked at. What is hidden counts as empty.
    pub operator: Operator,
    /// What it is compared with; left out with `isEmpty` and `isFilled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Approve")]
    pub value: Option<String>,
}

/// Whether conditions may look at controls of this type.
const fn is_trigger(kind: ControlType) -> bool {
    matches!(
        kind,
        ControlType::DropDown
            | ControlType::MultiChoice
            | ControlType::ShortText
            | ControlType::LongText
            | ControlType::Website
            | ControlType::Email
            | ControlType::Date
    )
}

impl Reader<'_> {
    /// The conditions of a document whose parts are `names`.
    pub(super) fn conditions(
        &mut self,
        documents: &[ConditionDocument],
        names: &Names<'_>,
    ) -> Vec<Condition> {
        if documents.len() > CONDITIONS_MAX {
            let message = format!("must hold at most {CONDITIONS_MAX} conditions");
            self.wrong("conditions", message);
            return Vec::new();
        }
        let documents = documents.iter().enumerate();
        let read = documents.map(|(index, document)| {
            self.condition(&format!("conditions[{index}]"), document, names)
        });
        read.collect()
    }

    fn condition(
        &mut self,
        at: &str,
        document: &ConditionDocument,
        names: &Names<'_>,
    ) -> Condition {
        let mut condition = Condition {
            when: Vec::new(),
            show: Vec::new(),
            hide: Vec::new(),
        };
        if !(1..=TESTS_MAX).contains(&document.when.len()) {
            let message = format!("must hold 1 to {TESTS_MAX} tests");
            self.wrong(&format!("{at}.when"), message);
            return condition;
        }
        let count = document.show.len() + document.hide.len();
        if !(1..=TARGETS_MAX).contains(&count) {
            let message = format!("must name 1 to {TARGETS_MAX} parts in show and hide together");
            self.wrong(&format!("{at}.show"), message);
            return condition;
        }
        for (index, test) in document.when.iter().enumerate() {
            let at = format!("{at}.when[{index}]");
            condition.when.extend(self.test(&at, test, names));
        }
        let mut seen = Vec::with_capacity(count);
        for (member, given, into) in [
            ("show", &document.show, &mut condition.show),
            ("hide", &document.hide, &mut condition.hide),
        ] {
            for (index, text) in given.iter().enumerate() {
                let at = format!("{at}.{member}[{index}]");
                match names.find(text, Wanted::Part) {
                    Ok(element) if seen.contains(&element) => {
                        self.wrong(&at, format!("{text:?} is there twice in this condition"));
                    }
                    Ok(element) => {
                        seen.push(element);
                        into.push(element);
                    }
                    Err(message) => self.wrong(&at, message),
                }
            }
        }
        condition
    }

    fn test(&mut self, at: &str, document: &TestDocument, names: &Names<'_>) -> Option<Test> {
        let found = names.find(&document.control, Wanted::Control);
        let place = match found {
            Ok(Element::Control(place)) => place,
            Ok(Element::Task(_)) => return None,
            Err(message) => {
                self.wrong(&format!("{at}.control"), message);
                return None;
            }
        };
        let tasks = names.tasks;
        let task = tasks.partition_point(|task| task.first_control <= place) - 1;
        let kind = &tasks[task].controls[place - tasks[task].first_control].kind;
        let operator = document.operator;
        if !is_trigger(kind.kind()) {
            let message = format!(
                "{:?} is a {}; conditions look at DropDown, MultiChoice, ShortText, LongText, Website, \
                 Email and Date",
                document.control,
                kind.kind()
            );
            self.wrong(&format!("{at}.control"), message);
            return None;
        }
        if !operator.fits(kind.kind()) {
            let fits = Operator::ALL
                .into_iter()
                .filter(|operator| operator.fits(kind.kind()));
            let fits: Vec<&str> = fits.map(Operator::word).collect();
            let message = format!(
                "must be one of {} for a {}, but is {}",
                fits.join(", "),
                kind.kind(),
                operator.word()
            );
            self.wrong(&format!("{at}.operator"), message);
            return None;
        }
        let value = document.value.as_deref().unwrap_or_default().trim();
        if let Err(message) = value_fits(operator, kind, value) {
            self.wrong(&format!("{at}.value"), message);
            return None;
        }
        Some(Test {
            task,
            place,
            operator,
            value: value.to_owned(),
        })
    }
}

/// Whether a test can compare with `value`: one that no control can ever hold is a mistake.
fn value_fits(operator: Operator, kind: &ControlKind, value: &str) -> Result<(), String> {
    if !operator.compares() {
        return match value {
            "" => Ok(()),
            _ => Err(format!(
                "must be left out: {} compares with nothing",
                operator.word()
            )),
        };
    }
    if value.is_empty() {
        return Err(format!(
            "must be given: {} compares with it",
            operator.word()
        ));
    }
    if value.chars().count() > TEST_VALUE_CHARS_MAX {
        return Err(format!(
            "must be at most {TEST_VALUE_CHARS_MAX} characters long"
        ));
    }
    match kind {
        ControlKind::DropDown { options } | ControlKind::MultiChoice { options } => {
            if options.iter().any(|option| option == value) {
                return Ok(());
            }
            let options: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
            Err(format!("{value:?} is not an option; there are {}", options.join(", ")))
        }
        ControlKind::Date { .. } if date_order(value, value).is_none() => Err(
            "must be a date such as 2026-11-23, or with a time and offset 2026-11-23T09:30:00+01:00"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// The conditions of a template as a document has them, with keys.
pub(super) fn condition_documents(template: &Template) -> Vec<ConditionDocument> {
    let key = |element: &Element| template.key_of(*element).to_string();
    let test = |test: &Test| TestDocument {
        control: key(&Element::Control(test.place)),
        operator: test.operator,
        value: test.operator.compares().then(|| test.value.clone()),
    };
    let conditions = template.rules.conditions.iter();
    let document = |condition: &Condition| ConditionDocument {
        when: condition.when.iter().map(test).collect(),
        show: condition.show.iter().map(key).collect(),
        hide: condition.hide.iter().map(key).collect(),
    };
    conditions.map(document).collect()
}
