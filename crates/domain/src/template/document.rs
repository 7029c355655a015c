//! The template as people write it (`PUT /api/template`) and read it back, and the way from one to
//! the other.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CONTROLS_MAX, Halt, TASKS_MAX, Task, Template};
use crate::control::has_control_characters;
use crate::{
    Control, ControlId, ControlKey, ControlKind, ControlType, FILES_MAX, NAME_CHARS_MAX,
    OPTIONS_MAX, PATTERNS_BYTES_MAX, Pattern, Source, TaskKey, TemplateKey, name,
};

/// Longest text of a Text control, in characters.
const TEXT_CHARS_MAX: usize = 20_000;
/// Longest option of a Drop Down or Multi Choice, in characters.
const OPTION_CHARS_MAX: usize = 250;
/// Files a File Upload takes when its author does not say.
const FILES_DEFAULT: u32 = 10;
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
    /// In order.
    #[serde(default)]
    pub tasks: Vec<TaskDocument>,
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
    /// `Text`, `ShortText`, `LongText`, `DropDown`, `MultiChoice`, `Date`, `Email`, `Website` or
    /// `FileUpload`.
    #[serde(rename = "type")]
    #[schema(example = "ShortText")]
    pub kind: String,
    /// The label.
    #[schema(example = "Invoice number")]
    pub name: String,
    /// Whether the task can't be completed while it is empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What a `Text` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the whole value of a `ShortText` or `LongText` must match (Rust `regex` syntax).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "INV-[0-9]+")]
    pub pattern: Option<String>,
    /// What may be chosen in a `DropDown` or `MultiChoice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
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
        Reader {
            known,
            source,
            errors: Vec::new(),
            used: HashSet::new(),
        }
        .template(document, key)
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
            tasks: self.tasks.iter().map(task_document).collect(),
        }
    }
}

fn pattern(document: &ControlDocument) -> Option<Pattern> {
    document.pattern.as_deref().map(Pattern::new)
}

impl TemplateDocument {
    /// Checks the patterns, apart from [`Template::from_document`]: compiling them takes time, which
    /// nobody who waits for the database should wait for.
    pub fn check_patterns(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut bytes = 0;
        for (t, task) in self.tasks.iter().enumerate() {
            for (c, control) in task.controls.iter().enumerate() {
                let Some(pattern) = pattern(control) else {
                    continue;
                };
                let at = || format!("tasks[{t}].controls[{c}].pattern");
                match pattern.check() {
                    Ok(one) => bytes += one,
                    Err(message) => errors.push(FieldError::new(at(), message)),
                }
                if bytes > PATTERNS_BYTES_MAX {
                    let message = "is one too many: the patterns of this template together take \
                        too much memory; write simpler ones, with [0-9] for \\d";
                    errors.push(FieldError::new(at(), message));
                }
                if bytes > PATTERNS_BYTES_MAX || errors.len() >= ERRORS_MAX {
                    return Err(errors);
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
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

fn task_document(task: &Task) -> TaskDocument {
    TaskDocument {
        key: Some(task.key),
        name: task.name.clone(),
        heading: task.heading,
        halt: task.halt,
        controls: task.controls.iter().map(control_document).collect(),
    }
}

fn control_document(control: &Control) -> ControlDocument {
    let mut document = ControlDocument {
        key: Some(control.key),
        content_id: Some(control.id),
        kind: control.kind.kind().word().to_owned(),
        name: control.name.clone(),
        required: control.required,
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
        ControlKind::Date | ControlKind::Email | ControlKind::Website => {}
    }
    document
}

/// Reads a document and gathers what is wrong with it.
struct Reader<'a> {
    known: &'a KnownKeys,
    source: &'a Source,
    errors: Vec<FieldError>,
    used: HashSet<uuid::Uuid>,
}

impl Reader<'_> {
    fn template(
        mut self,
        document: &TemplateDocument,
        key: TemplateKey,
    ) -> Result<Template, Vec<FieldError>> {
        let name = self.name("name", &document.name);
        if let Some(given) = document.template_key.filter(|given| *given != key) {
            self.wrong(
                "templateKey",
                format!("is {given}, but the request is about {key}"),
            );
        }
        let controls: usize = document.tasks.iter().map(|task| task.controls.len()).sum();
        if document.tasks.is_empty() {
            self.wrong("tasks", "must hold at least one task".to_owned());
        }
        if document.tasks.len() > TASKS_MAX || controls > CONTROLS_MAX {
            let limit = format!("must hold at most {TASKS_MAX} tasks and {CONTROLS_MAX} controls");
            self.wrong("tasks", limit);
            return Err(self.errors);
        }
        let mut first_control = 0;
        let mut tasks = Vec::with_capacity(document.tasks.len());
        for (index, task) in document.tasks.iter().enumerate() {
            tasks.push(self.task(&format!("tasks[{index}]"), task, first_control));
            first_control += task.controls.len();
        }
        if !tasks.is_empty() && tasks.iter().all(|task| task.heading) {
            self.wrong(
                "tasks",
                "must hold at least one task that is not a heading".to_owned(),
            );
        }
        if self.errors.is_empty() {
            return Ok(Template { key, name, tasks });
        }
        self.errors.truncate(ERRORS_MAX);
        Err(self.errors)
    }

    fn task(&mut self, at: &str, document: &TaskDocument, first_control: usize) -> Task {
        let known = document
            .key
            .is_some_and(|key| self.known.tasks.contains(&key));
        let key = self.key(&format!("{at}.key"), document.key.map(TaskKey::uuid), known);
        if document.heading && !document.controls.is_empty() {
            let message = "must be empty: a heading has no controls; give them to a task below it";
            self.wrong(&format!("{at}.controls"), message.to_owned());
        }
        if document.heading && document.halt != Halt::None {
            let message = "must be none: a heading is never completed, so it would halt for ever";
            self.wrong(&format!("{at}.halt"), message.to_owned());
        }
        let controls = document.controls.iter().enumerate();
        Task {
            key: TaskKey::new(key),
            name: self.name(&format!("{at}.name"), &document.name),
            heading: document.heading,
            halt: document.halt,
            first_control,
            controls: controls
                .filter_map(|(index, control)| {
                    self.control(&format!("{at}.controls[{index}]"), control)
                })
                .collect(),
        }
    }

    fn control(&mut self, at: &str, document: &ControlDocument) -> Option<Control> {
        let known = document
            .key
            .and_then(|key| self.known.controls.get(&key).copied());
        let key = self.key(
            &format!("{at}.key"),
            document.key.map(ControlKey::uuid),
            known.is_some(),
        );
        let name = self.name(&format!("{at}.name"), &document.name);
        let kind = match document.kind.parse::<ControlType>() {
            Ok(kind) => kind,
            Err(error) => {
                self.wrong(
                    &format!("{at}.type"),
                    format!("{:?} is {error}", document.kind),
                );
                return None;
            }
        };
        if let Some((_, before)) = known.filter(|(_, before)| *before != kind) {
            let message = format!(
                "was {before} and can't become {kind}; leave the key out to make a new control"
            );
            self.wrong(&format!("{at}.type"), message);
        }
        if document.required && !kind.is_input() {
            self.wrong(
                &format!("{at}.required"),
                format!("must be false: {kind} takes no value"),
            );
        }
        self.settings_fit(at, document, kind);
        Some(Control {
            key: ControlKey::new(key),
            id: known.map_or(ControlId::new(0), |(id, _)| id),
            name,
            required: document.required,
            kind: self.kind(at, document, kind),
        })
    }

    /// A setting that the type does not have is a mistake that should not pass unseen.
    fn settings_fit(&mut self, at: &str, document: &ControlDocument, kind: ControlType) {
        use ControlType::{DropDown, FileUpload, LongText, MultiChoice, ShortText, Text};
        let settings: [(&str, bool, &[ControlType]); 5] = [
            ("text", document.text.is_some(), &[Text]),
            (
                "pattern",
                document.pattern.is_some(),
                &[ShortText, LongText],
            ),
            (
                "options",
                document.options.is_some(),
                &[DropDown, MultiChoice],
            ),
            ("minFiles", document.min_files.is_some(), &[FileUpload]),
            ("maxFiles", document.max_files.is_some(), &[FileUpload]),
        ];
        for (setting, given, fits) in settings {
            if given && !fits.contains(&kind) {
                let fits: Vec<&str> = fits.iter().map(|kind| kind.word()).collect();
                let message = format!("belongs to {}, not to {kind}", fits.join(" and "));
                self.wrong(&format!("{at}.{setting}"), message);
            }
        }
    }

    fn kind(&mut self, at: &str, document: &ControlDocument, kind: ControlType) -> ControlKind {
        match kind {
            ControlType::Text => ControlKind::Text {
                text: self.text(at, document),
            },
            ControlType::ShortText => ControlKind::ShortText {
                pattern: pattern(document),
            },
            ControlType::LongText => ControlKind::LongText {
                pattern: pattern(document),
            },
            ControlType::DropDown => ControlKind::DropDown {
                options: self.options(at, document),
            },
            ControlType::MultiChoice => ControlKind::MultiChoice {
                options: self.options(at, document),
            },
            ControlType::Date => ControlKind::Date,
            ControlType::Email => ControlKind::Email,
            ControlType::Website => ControlKind::Website,
            ControlType::FileUpload => self.files(at, document),
        }
    }

    fn text(&mut self, at: &str, document: &ControlDocument) -> String {
        let text = document.text.clone().unwrap_or_default();
        if text.chars().count() > TEXT_CHARS_MAX {
            let message = format!("must be at most {TEXT_CHARS_MAX} characters long");
            self.wrong(&format!("{at}.text"), message);
        }
        if has_control_characters(&text) {
            let message = "must be text without control characters";
            self.wrong(&format!("{at}.text"), message.to_owned());
        }
        text
    }

    fn options(&mut self, at: &str, document: &ControlDocument) -> Vec<String> {
        let at = format!("{at}.options");
        let given = document.options.as_deref().unwrap_or_default();
        if given.is_empty() || given.len() > OPTIONS_MAX {
            self.wrong(&at, format!("must hold 1 to {OPTIONS_MAX} options"));
            return Vec::new();
        }
        let mut options: Vec<String> = Vec::with_capacity(given.len());
        for (index, text) in given.iter().enumerate() {
            match name(text, OPTION_CHARS_MAX) {
                Ok(option) if options.contains(&option) => {
                    self.wrong(
                        &format!("{at}[{index}]"),
                        format!("{option:?} is there twice"),
                    );
                }
                Ok(option) => options.push(option),
                Err(error) => self.wrong(&format!("{at}[{index}]"), error.to_string()),
            }
        }
        options
    }

    fn files(&mut self, at: &str, document: &ControlDocument) -> ControlKind {
        let min_files = document.min_files.unwrap_or(0);
        let max_files = document.max_files.unwrap_or(FILES_DEFAULT.max(min_files));
        if !(1..=FILES_MAX).contains(&max_files) {
            self.wrong(
                &format!("{at}.maxFiles"),
                format!("must be from 1 to {FILES_MAX}"),
            );
        }
        if min_files > max_files {
            let message = format!("must be at most maxFiles, which is {max_files}");
            self.wrong(&format!("{at}.minFiles"), message);
        }
        ControlKind::FileUpload {
            min_files,
            max_files,
        }
    }

    fn name(&mut self, at: &str, text: &str) -> String {
        name(text, NAME_CHARS_MAX).unwrap_or_else(|error| {
            self.wrong(at, error.to_string());
            String::new()
        })
    }

    fn key(&mut self, at: &str, given: Option<uuid::Uuid>, known: bool) -> uuid::Uuid {
        let Some(key) = given else {
            return self.source.uuid();
        };
        if !known {
            let message =
                format!("{key} is no key of this template; leave it out to have one made");
            self.wrong(at, message);
        } else if !self.used.insert(key) {
            self.wrong(at, format!("{key} is there twice"));
        }
        key
    }

    fn wrong(&mut self, field: &str, message: String) {
        self.errors.push(FieldError::new(field, message));
    }
}

#[cfg(test)]
mod tests;
