//! An object inside of a body, read member by member; what is wrong with one is said with its path.
//!
//! Its values may be secrets, so no message repeats one.

use serde_json::{Map, Value};

use super::Input;

/// The members of an object that was given.
pub(crate) struct Members<'a> {
    input: &'a mut Input,
    of: &'static str,
    given: Map<String, Value>,
}

impl Input {
    /// The object under `name`, if there is one.
    pub(crate) fn members(&mut self, name: &'static str) -> Option<Members<'_>> {
        let found = self.given.get(&name.to_ascii_lowercase())?;
        match found {
            Value::Object(given) => {
                let given = given.clone();
                Some(Members {
                    input: self,
                    of: name,
                    given,
                })
            }
            // Nothing, in a query.
            Value::String(text) if text.trim().is_empty() => None,
            _ => {
                self.wrong(name, "must be an object in a JSON body, or null");
                None
            }
        }
    }
}

impl Members<'_> {
    /// Says that a member is wrong, and how.
    pub(crate) fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.input.wrong(&format!("{}.{name}", self.of), message);
    }

    /// The member of this name, which has no case.
    fn get(&self, name: &str) -> Option<&Value> {
        let mut given = self.given.iter();
        let found = given.find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// A text; none if it is absent or null.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => {
                self.wrong(name, "must be a string");
                None
            }
        }
    }

    /// A text that must be given.
    pub(crate) fn need(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_none() {
            self.wrong(name, "must be given");
        }
        text
    }

    /// A list of texts; empty if it is absent or null.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = match self.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(list)) => {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                list.iter().map(text).collect()
            }
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.wrong(name, "must be an array of strings");
            Vec::new()
        })
    }

    /// Refuses every member that is not among `known`.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let is_known = |name: &String| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let is_strange = |name: &&String| !is_known(name);
        let strange: Vec<String> = self.given.keys().filter(is_strange).cloned().collect();
        for name in strange {
            self.wrong(&name, format!("is unknown; there are {}", known.join(", ")));
        }
    }

    /// Every member, whose values must be texts.
    pub(crate) fn all_texts(mut self) -> Vec<(String, String)> {
        let names: Vec<String> = self.given.keys().cloned().collect();
        let one = |name: String| {
            let text = self.text(&name);
            if text.is_none() {
                self.wrong(&name, "must be a string; leave it out to take it away");
            }
            Some((name, text?))
        };
        names.into_iter().filter_map(one).collect()
    }
}
