//! The template as people write it (`PUT /api/template`) and read it back, and the way from one to
//! the other.

mod conditions;
mod due;
mod due_circle;
mod kinds;
mod names;
mod parameters;
mod patterns;
mod read;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use conditions::{ConditionDocument, TestDocument};
pub use due::{CalendarDocument, DueDocument};
pub(crate) use names::{Names, Wanted};
pub use parameters::ParameterDocument;
use patterns::pattern;
use read::Reader;

use super::{Halt, Template};
use crate::{
    Control, ControlId, ControlKey, ControlKind, ControlType, Source, TaskKey, TemplateKey,
};

/// Most complaints about one document; after that its author has enough to do.
const ERRORS_MAX: usize = 50;

/// A template as one document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateDocument {
    /// The template's key. Answered; in a request it is taken from the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_key: Option<TemplateKey>,
    /// What people call it.
    #[schema(example = "Invoice review")]
    pub name: String,
    /// What a checklist is made with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterDocument>,
    /// In order.
    #[serde(default)]
    pub tasks: Vec<TaskDocument>,
    /// What is shown and hidden by the values of controls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionDocument>,
}

/// A task in a [`TemplateDocument`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskDocument {
    /// The task's key. Leave it out to have one made; give it to keep it across an edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<TaskKey>,
    /// What people call it.
    #[schema(example = "Receive the invoice")]
    pub name: String,
    /// Whether it only groups the tasks below it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub heading: bool,
    /// Whether it holds up the tasks after it: until it is done (`task`), or until it and all
    /// before it are done (`preceding`).
    #[serde(default, skip_serializing_if = "Halt::is_none")]
    pub halt: Halt,
    /// Whether it is hidden unless a condition shows it. Hiding a heading hides it alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// When it is due, unless somebody says otherwise by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<DueDocument>,
    /// In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<ControlDocument>,
}

/// A control in a [`TaskDocument`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlDocument {
    /// The control's key. Leave it out to have one made; give it to keep it across an edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<ControlKey>,
    /// The control's number. Answered; ignored in a request.
    #[serde(rename = "contentID", skip_serializing_if = "Option::is_none")]
    pub content_id: Option<ControlId>,
    /// `Text`, `ShortText`, `LongText`, `DropDown`, `MultiChoice`, `Date`, `Email`, `Website`,
    /// `FileUpload`, `Members`, `File` or `Image`.
    #[serde(rename = "type")]
    #[schema(example = "ShortText")]
    pub kind: String,
    /// The label.
    #[schema(example = "Invoice number")]
    pub name: String,
    /// Whether the task can't be completed while it is empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Whether it is hidden unless a condition shows it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// What it begins with in a new checklist, where it is one that is filled in: a value, with `{{name}}`
    /// for that of a parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "{{Customer}}")]
    pub value: Option<String>,
    /// What a `Text` shows, with `{{name}}` for the value of a parameter or of another control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the whole value of a `ShortText` or `LongText` must match (Rust `regex` syntax).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "INV-[0-9]+")]
    pub pattern: Option<String>,
    /// What may be chosen in a `DropDown` or `MultiChoice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Whether a `Date` must have a time and offset, or must not. Left out, both will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_time: Option<bool>,
    /// Whether `Members` takes several; one when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple: Option<bool>,
    /// Where what a `File` or `Image` shows is: an `http` or `https` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://example.com/plan.png")]
    pub url: Option<String>,
    /// Fewest files of a `FileUpload` for its task to be completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_files: Option<u32>,
    /// Most files of a `FileUpload`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_files: Option<u32>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde calls"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Halt {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the shape that serde calls"
    )]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which part, as a path into the request: `tasks[2].controls[0].pattern`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl FieldError {
    /// Says that `field` is wrong, and how.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl Template {
    /// Checks `document` and takes it as an edition of the template `key`.
    ///
    /// Keys in the document must be ones that `known` says the template has (or had); the rest is
    /// made new. Controls without a number get [`ControlId`] 0 until [`Template::number`].
    /// Everything that is wrong is said at once.
    pub fn from_document(
        document: &TemplateDocument,
        key: TemplateKey,
        known: &KnownKeys,
        source: &Source,
    ) -> Result<Self, Vec<FieldError>> {
        Reader::new(known, source).template(document, key)
    }

    /// Gives a number to each control that has none, from what `next` hands out.
    pub fn number(&mut self, mut next: impl FnMut() -> ControlId) {
        for control in self.tasks.iter_mut().flat_map(|task| &mut task.controls) {
            if control.id.get() == 0 {
                control.id = next();
            }
        }
    }

    /// How many controls have no number yet.
    pub fn unnumbered(&self) -> usize {
        self.controls()
            .filter(|(_, control)| control.id.get() == 0)
            .count()
    }

    /// The template as a document with every key.
    pub fn to_document(&self) -> TemplateDocument {
        TemplateDocument {
            template_key: Some(self.key),
            name: self.name.clone(),
            tasks: (0..self.tasks.len())
                .map(|index| self.task_document(index))
                .collect(),
            parameters: self
                .parameters
                .iter()
                .map(parameters::parameter_document)
                .collect(),
            conditions: conditions::condition_documents(self),
        }
    }
}

/// The keys that a template has or had, by which an edit may name its parts.
#[derive(Clone, Debug, Default)]
pub struct KnownKeys {
    /// Its tasks.
    pub tasks: HashSet<TaskKey>,
    /// Its controls: key, number and type, which do not change.
    pub controls: std::collections::HashMap<ControlKey, (ControlId, ControlType)>,
}

impl Template {
    fn task_document(&self, index: usize) -> TaskDocument {
        let task = &self.tasks[index];
        TaskDocument {
            key: Some(task.key),
            name: task.name.clone(),
            heading: task.heading,
            halt: task.halt,
            hidden: task.hidden,
            due: due::due_document(self, index),
            controls: task.controls.iter().map(control_document).collect(),
        }
    }
}

fn control_document(control: &Control) -> ControlDocument {
    let mut document = ControlDocument {
        key: Some(control.key),
        content_id: Some(control.id),
        kind: control.kind.kind().word().to_owned(),
        name: control.name.clone(),
        required: control.required,
        hidden: control.hidden,
        value: Some(control.value.clone()).filter(|value| !value.is_empty()),
        ..ControlDocument::default()
    };
    match &control.kind {
        ControlKind::Text { text } => document.text = Some(text.clone()),
        ControlKind::ShortText { pattern } | ControlKind::LongText { pattern } => {
            document.pattern = pattern.as_ref().map(|pattern| pattern.text().to_owned());
        }
        ControlKind::DropDown { options } | ControlKind::MultiChoice { options } => {
            document.options = Some(options.clone());
        }
        ControlKind::FileUpload {
            min_files,
            max_files,
        } => {
            document.min_files = Some(*min_files);
            document.max_files = Some(*max_files);
        }
        ControlKind::Date { with_time } => document.with_time = *with_time,
        ControlKind::Members { multiple } => document.multiple = multiple.then_some(true),
        ControlKind::File { url } | ControlKind::Image { url } => document.url = Some(url.clone()),
        ControlKind::Email | ControlKind::Website => {}
    }
    document
}

#[cfg(test)]
mod tests;
