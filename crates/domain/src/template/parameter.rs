//! Parameters: values that a checklist is made with, and where they go.
//!
//! A text names one as `{{its name}}`. A `Text` shows parameters and fields so; a control that is filled in can
//! begin with a text that has parameters in it.

use std::collections::BTreeMap;

use super::{FieldError, Names, Template, Wanted};
use crate::{Checklist, Control, ControlKind, Element, FieldState, Hidden};

/// Most parameters of one template.
pub const PARAMETERS_MAX: usize = 50;
/// Most that a text grows to by what is put into it, in bytes. Whatever is named beyond stays as it is
/// written.
const FILLED_BYTES_MAX: usize = 256 * 1024;

/// The values of a checklist's parameters, by name.
pub type ParameterValues = BTreeMap<String, String>;

/// A value that a checklist is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, whether it must be given, and what it may be: all that of a control, whose key and number
    /// say nothing here.
    pub control: Control,
    /// What it is when it is not given; empty for nothing.
    pub default: String,
}

impl Template {
    /// A parameter by its name, whatever its case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        parameter(&self.parameters, name)
    }

    /// The values of all parameters, from those that are given by name, or all that is wrong with them.
    pub fn parameter_values(
        &self,
        given: &[(String, String)],
    ) -> Result<ParameterValues, Vec<FieldError>> {
        let mut errors = Vec::new();
        if given.len() > PARAMETERS_MAX {
            let message = format!("must hold at most {PARAMETERS_MAX} parameters");
            return Err(vec![FieldError::new("parameters", message)]);
        }
        let mut values = ParameterValues::new();
        for (index, (name, value)) in given.iter().enumerate() {
            let at = |member: &str| format!("parameters[{index}].{member}");
            let Some(parameter) = self.parameter(name) else {
                let message = unknown(name, &self.parameters);
                errors.push(FieldError::new(at("parameterName"), message));
                continue;
            };
            let control = &parameter.control;
            match control.accept(value) {
                Ok(value) => {
                    if values.insert(control.name.clone(), value).is_some() {
                        let message = format!("{:?} is there twice", control.name);
                        errors.push(FieldError::new(at("parameterName"), message));
                    }
                }
                Err(refusal) => {
                    let message = format!("{:?} {refusal}", control.name);
                    errors.push(FieldError::new(at("parameterValue"), message));
                }
            }
        }
        for Parameter { control, default } in &self.parameters {
            let value = values.entry(control.name.clone()).or_default();
            if value.trim().is_empty() {
                value.clone_from(default);
            }
            if let Err(unsatisfied) = control.check(value, 0) {
                let message = format!("{:?} {unsatisfied}", control.name);
                errors.push(FieldError::new("parameters", message));
            }
        }
        values.retain(|_, value| !value.is_empty());
        if errors.is_empty() {
            Ok(values)
        } else {
            Err(errors)
        }
    }

    /// What the controls of a checklist with these parameters begin with, or which of them can't.
    pub fn beginnings(
        &self,
        values: &ParameterValues,
    ) -> Result<BTreeMap<usize, FieldState>, Vec<FieldError>> {
        let mut fields = BTreeMap::new();
        let mut errors = Vec::new();
        let controls = self.controls().enumerate();
        for (place, (_, control)) in controls.filter(|(_, (_, control))| !control.value.is_empty())
        {
            let filled = fill(&control.value, |name| {
                let known = &self.parameter(name)?.control.name;
                Some(values.get(known).cloned().unwrap_or_default())
            });
            match control.accept(filled.trim()) {
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    let files = Vec::new();
                    fields.insert(place, FieldState { value, files });
                }
                Err(refusal) => {
                    let message = format!(
                        "the control {:?} can't begin with them: {refusal}",
                        control.name
                    );
                    errors.push(FieldError::new("parameters", message));
                }
            }
        }
        if errors.is_empty() {
            Ok(fields)
        } else {
            Err(errors)
        }
    }
}

impl Checklist {
    /// A text with what parameters and controls hold put in the place of their names. What is hidden holds
    /// nothing; what is named and not there stays as it is written.
    pub(crate) fn filled(&self, text: &str, values: &ParameterValues, hidden: &Hidden) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        let names = Names::of(&self.template.tasks);
        fill(text, |name| {
            if let Some(parameter) = self.template.parameter(name) {
                let value = values.get(&parameter.control.name);
                return Some(
                    value.map_or_else(String::new, |value| shown(&parameter.control, value)),
                );
            }
            let Element::Control(place) = names.find(name, Wanted::Control).ok()? else {
                return None;
            };
            let (_, control) = self.template.control_at(place)?;
            let value = self.value(place).filter(|_| !hidden.control(place));
            Some(value.map_or_else(String::new, |value| shown(control, value)))
        })
    }
}

/// A value as people read it: several choices or members with commas between.
fn shown(control: &Control, value: &str) -> String {
    let list = matches!(
        control.kind,
        ControlKind::MultiChoice { .. } | ControlKind::Members { .. }
    );
    let items: Option<Vec<serde_json::Value>> =
        list.then(|| serde_json::from_str(value).ok()).flatten();
    let Some(items) = items else {
        return value.to_owned();
    };
    let text = |item: &serde_json::Value| item.as_str().map_or(item.to_string(), str::to_owned);
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A parameter by its name, whatever its case.
pub(super) fn parameter<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a Parameter> {
    let name = name.trim().to_lowercase();
    let mut found = parameters.iter();
    found.find(|parameter| parameter.control.name.to_lowercase() == name)
}

/// What is said of a name that no parameter has.
pub(super) fn unknown(name: &str, parameters: &[Parameter]) -> String {
    let known = parameters
        .iter()
        .map(|parameter| format!("{:?}", parameter.control.name));
    let known: Vec<String> = known.collect();
    if known.is_empty() {
        return format!("{name:?} is no parameter of this template, which has none");
    }
    format!(
        "{name:?} is no parameter of this template; there are {}",
        known.join(", ")
    )
}

/// `text` with what `look` finds in the place of each `{{name}}`.
fn fill(text: &str, mut look: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((name, before, after)) = named(rest) {
        filled.push_str(before);
        let found = Some(()).filter(|()| filled.len() < FILLED_BYTES_MAX);
        let whole = &rest[before.len()..rest.len() - after.len()];
        let value = found.and_then(|()| look(name));
        filled.push_str(value.as_deref().unwrap_or(whole));
        rest = after;
    }
    filled + rest
}

/// The names in `text`.
pub(super) fn names_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((name, _, after)) = named(rest) {
        names.push(name);
        rest = after;
    }
    names
}

/// The first name in `text`, what is before it, and what is behind.
fn named(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((name.trim(), before, after))
}
