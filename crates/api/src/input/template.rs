//! A template document out of the body of `PUT /api/template`.
//!
//! Only the shape is checked here: names, types, nothing twice. What the values mean is checked by
//! the domain. Names have no case, as everywhere in the API, but an unknown one is a mistake: a
//! misspelt `required` would make another template than its author meant. Everything that is wrong
//! is said at once, each with its path.

mod rules;
mod values;

use domain::{ControlDocument, ControlId, Halt, TaskDocument, TemplateDocument};

use self::values::{Members, Reader};
use super::{tree::Tree, unreadable};
use crate::problem::Problem;

/// Members of a template.
const TEMPLATE: &[&str] = &["templateKey", "name", "parameters", "tasks", "conditions"];
/// Members of a task.
const TASK: &[&str] = &[
    "key", "name", "heading", "halt", "hidden", "due", "controls",
];
/// Members of a control.
const CONTROL: &[&str] = &[
    "key",
    "contentID",
    "type",
    "name",
    "required",
    "hidden",
    "value",
    "text",
    "pattern",
    "options",
    "withTime",
    "multiple",
    "url",
    "minFiles",
    "maxFiles",
];
/// The words of `halt`.
const HALTS: [(&str, Halt); 3] = [
    ("none", Halt::None),
    ("task", Halt::Task),
    ("preceding", Halt::Preceding),
];

/// The template that `bytes` hold.
pub(crate) fn template(bytes: &[u8]) -> Result<TemplateDocument, Problem> {
    let tree: Tree = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    let mut reader = Reader::default();
    let document = reader.template(tree);
    if reader.errors.is_empty() {
        Ok(document)
    } else {
        Err(Problem::invalid(&reader.errors))
    }
}

impl Reader {
    fn template(&mut self, tree: Tree) -> TemplateDocument {
        let Some(mut members) = self.members("", tree, TEMPLATE) else {
            return TemplateDocument::default();
        };
        TemplateDocument {
            template_key: self.key(&mut members, "templateKey"),
            name: self.needed(&mut members, "name"),
            parameters: self
                .each(&mut members, "parameters", Self::parameter)
                .unwrap_or_default(),
            tasks: self
                .each(&mut members, "tasks", Self::task)
                .unwrap_or_default(),
            conditions: self
                .each(&mut members, "conditions", Self::condition)
                .unwrap_or_default(),
        }
    }

    fn task(&mut self, path: &str, tree: Tree) -> TaskDocument {
        let Some(mut members) = self.members(path, tree, TASK) else {
            return TaskDocument::default();
        };
        TaskDocument {
            key: self.key(&mut members, "key"),
            name: self.needed(&mut members, "name"),
            heading: self.flag(&mut members, "heading"),
            halt: self.halt(&mut members, "halt"),
            hidden: self.flag(&mut members, "hidden"),
            due: self.due(&mut members),
            controls: self
                .each(&mut members, "controls", Self::control)
                .unwrap_or_default(),
        }
    }

    fn control(&mut self, path: &str, tree: Tree) -> ControlDocument {
        let Some(mut members) = self.members(path, tree, CONTROL) else {
            return ControlDocument::default();
        };
        ControlDocument {
            key: self.key(&mut members, "key"),
            content_id: self.number(&mut members, "contentID").map(ControlId::new),
            kind: self.needed(&mut members, "type"),
            name: self.needed(&mut members, "name"),
            required: self.flag(&mut members, "required"),
            hidden: self.flag(&mut members, "hidden"),
            value: self.text(&mut members, "value"),
            text: self.text(&mut members, "text"),
            pattern: self.text(&mut members, "pattern"),
            options: self.each(&mut members, "options", Self::option),
            with_time: self.choice(&mut members, "withTime"),
            multiple: self.choice(&mut members, "multiple"),
            url: self.text(&mut members, "url"),
            min_files: self.count(&mut members, "minFiles"),
            max_files: self.count(&mut members, "maxFiles"),
        }
    }

    pub(super) fn option(&mut self, path: &str, tree: Tree) -> String {
        self.string(path, tree).unwrap_or_default()
    }

    /// A count; how many are too many is not checked here.
    pub(super) fn count(&mut self, members: &mut Members, name: &str) -> Option<u32> {
        let number = self.number(members, name)?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            let message = format!("must be a number from 0 to {}, but is {number}", u32::MAX);
            self.wrong(&members.path(name), message);
        }
        count
    }

    fn halt(&mut self, members: &mut Members, name: &str) -> Halt {
        self.word(members, name, &HALTS).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
