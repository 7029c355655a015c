//! Parameters in a template document, and reading them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ControlDocument, is_false, read::Reader};
use crate::{
    Control, ControlKey, ControlType, PARAMETERS_MAX, Parameter,
    template::parameter::{names_in, parameter, unknown},
};

/// A value that a checklist is made with, by its name: shown by a `Text` and put into controls where
/// `{{its name}}` stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterDocument {
    /// What it is called, which has no case.
    #[schema(example = "Customer")]
    pub name: String,
    /// `ShortText`, `LongText`, `DropDown`, `MultiChoice`, `Date`, `Email`, `Website` or `Members`.
    #[serde(rename = "type")]
    #[schema(example = "ShortText")]
    pub kind: String,
    /// Whether a checklist can't be made without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What it is when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What may be chosen of a `DropDown` or `MultiChoice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Whether a `Date` must have a time and offset, or must not. Left out, both will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_time: Option<bool>,
    /// Whether `Members` takes several; one when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple: Option<bool>,
}

impl Reader<'_> {
    pub(super) fn parameters(&mut self, documents: &[ParameterDocument]) -> Vec<Parameter> {
        if documents.len() > PARAMETERS_MAX {
            let message = format!("must hold at most {PARAMETERS_MAX} parameters");
            self.wrong("parameters", message);
            return Vec::new();
        }
        let mut parameters: Vec<Parameter> = Vec::with_capacity(documents.len());
        for (index, document) in documents.iter().enumerate() {
            let at = format!("parameters[{index}]");
            if parameter(&parameters, &document.name).is_some() {
                let message = format!("{:?} is there twice (names have no case)", document.name);
                self.wrong(&format!("{at}.name"), message);
            }
            parameters.extend(self.one_parameter(&at, document));
        }
        parameters
    }

    fn one_parameter(&mut self, at: &str, document: &ParameterDocument) -> Option<Parameter> {
        let as_control = ControlDocument {
            kind: document.kind.clone(),
            name: document.name.clone(),
            required: document.required,
            options: document.options.clone(),
            with_time: document.with_time,
            multiple: document.multiple,
            ..ControlDocument::default()
        };
        let mut control = self.control(at, &as_control)?;
        control.key = ControlKey::ZERO;
        let kind = control.kind.kind();
        if !kind.is_input() || kind == ControlType::FileUpload {
            let message = format!(
                "{kind} can't be given by name; there are ShortText, LongText, DropDown, MultiChoice, \
                 Date, Email, Website and Members"
            );
            self.wrong(&format!("{at}.type"), message);
            return None;
        }
        if document.name.contains(['{', '}']) {
            let message = "must have no braces, between which it is named";
            self.wrong(&format!("{at}.name"), message.to_owned());
        }
        let given = document.default.as_deref().unwrap_or_default();
        let default = control.accept(given).unwrap_or_else(|refusal| {
            self.wrong(&format!("{at}.default"), refusal.to_string());
            String::new()
        });
        Some(Parameter { control, default })
    }

    /// What a control begins with: a text that may have parameters in it.
    pub(super) fn beginning(&mut self, at: &str, control: &Control, value: &str) {
        let at = format!("{at}.value");
        let names = names_in(value);
        for name in &names {
            if parameter(&self.parameters, name).is_none() {
                let message = unknown(name, &self.parameters);
                self.wrong(&at, message);
            }
        }
        if names.is_empty()
            && let Err(refusal) = control.accept(value)
        {
            self.wrong(&at, refusal.to_string());
        }
    }
}

/// A parameter as a document has it.
pub(super) fn parameter_document(parameter: &Parameter) -> ParameterDocument {
    let Parameter { control, default } = parameter;
    let as_control = super::control_document(control);
    ParameterDocument {
        name: as_control.name,
        kind: as_control.kind,
        required: as_control.required,
        default: Some(default.clone()).filter(|default| !default.is_empty()),
        options: as_control.options,
        with_time: as_control.with_time,
        multiple: as_control.multiple,
    }
}
