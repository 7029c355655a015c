//! The way from a document to a template: everything is looked at, and everything that is wrong said.

use std::collections::HashSet;

use super::{
    super::{CONTROLS_MAX, TASKS_MAX},
    ControlDocument, ERRORS_MAX, FieldError, KnownKeys, TaskDocument, TemplateDocument,
    due_circle::due_circle,
    names::Names,
};
use crate::{
    Control, ControlId, ControlKey, ControlType, Halt, NAME_CHARS_MAX, Parameter, Rules, Source,
    Task, TaskKey, Template, TemplateKey, name,
};

/// Reads a document and gathers what is wrong with it.
pub(super) struct Reader<'a> {
    known: &'a KnownKeys,
    source: &'a Source,
    errors: Vec<FieldError>,
    /// Those of the template, once they are read.
    pub(super) parameters: Vec<Parameter>,
    used: HashSet<uuid::Uuid>,
}

impl<'a> Reader<'a> {
    /// Keys in the document must be `known`; new ones are made from `source`.
    pub(super) fn new(known: &'a KnownKeys, source: &'a Source) -> Self {
        Self {
            known,
            source,
            errors: Vec::new(),
            parameters: Vec::new(),
            used: HashSet::new(),
        }
    }

    pub(super) fn template(
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
        self.parameters = self.parameters(&document.parameters);
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
        // What names other parts is looked at once all parts are what they should be.
        if self.errors.is_empty()
            && let Some(template) = self.with_rules(document, key, name, tasks)
        {
            return Ok(template);
        }
        self.errors.truncate(ERRORS_MAX);
        Err(self.errors)
    }

    /// The template with the rules that look at its values; none when something is wrong with them.
    fn with_rules(
        &mut self,
        document: &TemplateDocument,
        key: TemplateKey,
        name: String,
        tasks: Vec<Task>,
    ) -> Option<Template> {
        let mut template = Template {
            key,
            name,
            tasks,
            rules: Rules::default(),
            parameters: std::mem::take(&mut self.parameters),
        };
        let dated = document.tasks.iter().any(|task| task.due.is_some());
        if document.conditions.is_empty() && !dated {
            return Some(template);
        }
        let names = Names::of(&template.tasks);
        let conditions = self.conditions(&document.conditions, &names);
        let dues = document.tasks.iter().enumerate();
        let dues = dues.filter_map(|(index, task)| Some((index, task.due.as_ref()?)));
        let dues: Vec<_> = dues
            .map(|(index, due)| (index, self.due(index, due, &names)))
            .collect();
        for (index, due) in dues {
            template.tasks[index].due = due;
        }
        if !self.errors.is_empty() {
            return None;
        }
        match Rules::new(conditions, &template) {
            Ok(rules) => template.rules = rules,
            Err(circle) => {
                let message = format!("go in a circle: {circle}; take one of them out");
                self.wrong("conditions", message);
                return None;
            }
        }
        if let Some(circle) = due_circle(&template) {
            let message =
                format!("have due rules that go in a circle: {circle}; change one of them");
            self.wrong("tasks", message);
            return None;
        }
        Some(template)
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
            hidden: document.hidden,
            due: None,
            first_control,
            controls: controls
                .filter_map(|(index, control)| {
                    self.control(&format!("{at}.controls[{index}]"), control)
                })
                .collect(),
        }
    }

    pub(super) fn control(&mut self, at: &str, document: &ControlDocument) -> Option<Control> {
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
        let value = document.value.clone().unwrap_or_default();
        let control = Control {
            key: ControlKey::new(key),
            id: known.map_or(ControlId::new(0), |(id, _)| id),
            name,
            required: document.required,
            hidden: document.hidden,
            value: value.trim().to_owned(),
            kind: self.kind(at, document, kind),
        };
        if !control.value.is_empty() {
            self.beginning(at, &control, &control.value);
        }
        Some(control)
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

    pub(super) fn wrong(&mut self, field: &str, message: String) {
        self.errors.push(FieldError::new(field, message));
    }
}
