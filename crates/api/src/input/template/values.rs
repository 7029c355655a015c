//! Members and values of a document, each with its path; knows nothing of templates.

use std::str::FromStr;

use domain::{FieldError, NotAGuid};

use crate::input::{ERRORS_MAX, SHOWN_CHARS_MAX, shown, tree::Tree};

/// Gathers what is wrong. What can't be read becomes a default, and the document is not used then.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) errors: Vec<FieldError>,
}

/// The members of one object that say something.
#[derive(Default)]
pub(super) struct Members {
    /// The path of the object, with a dot behind it unless it is the document.
    path: String,
    found: Vec<(&'static str, Tree)>,
}

impl Members {
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Tree> {
        let place = self.found.iter().position(|(known, _)| *known == name)?;
        Some(self.found.swap_remove(place).1)
    }
}

impl Reader {
    /// The members of the object at `path`, under the names in `known`.
    pub(super) fn members(
        &mut self,
        path: &str,
        tree: Tree,
        known: &'static [&'static str],
    ) -> Option<Members> {
        let Tree::Object(given) = tree else {
            let message = format!("must be an object, but is {}", tree.what());
            self.wrong(if path.is_empty() { "body" } else { path }, message);
            return None;
        };
        let mut members = Members::default();
        if !path.is_empty() {
            members.path = format!("{path}.");
        }
        let mut seen: Vec<&str> = Vec::with_capacity(known.len());
        for (name, value) in given {
            let Some(name) = known.iter().find(|known| known.eq_ignore_ascii_case(&name)) else {
                let name: String = name.chars().take(SHOWN_CHARS_MAX).collect();
                let message = format!("is not known here; known are {}", known.join(", "));
                self.wrong(&members.path(&name), message);
                continue;
            };
            if seen.contains(name) {
                let message = "is there twice (names have no case); give it once";
                self.wrong(&members.path(name), message);
                continue;
            }
            seen.push(name);
            // Null is how many clients write that they have nothing to say.
            if value != Tree::Null {
                members.found.push((name, value));
            }
        }
        Some(members)
    }

    /// The elements of an array, each read by `read` with its path.
    pub(super) fn each<T>(
        &mut self,
        members: &mut Members,
        name: &str,
        read: impl Fn(&mut Self, &str, Tree) -> T,
    ) -> Option<Vec<T>> {
        let path = members.path(name);
        let list = match members.take(name)? {
            Tree::List(list) => list,
            other => {
                self.wrong(&path, format!("must be an array, but is {}", other.what()));
                return None;
            }
        };
        let elements = list.into_iter().enumerate();
        let read = elements.map(|(index, tree)| read(self, &format!("{path}[{index}]"), tree));
        Some(read.collect())
    }

    pub(super) fn string(&mut self, path: &str, tree: Tree) -> Option<String> {
        match tree {
            Tree::Text(text) => Some(text),
            other => {
                self.wrong(path, format!("must be a string, but is {}", other.what()));
                None
            }
        }
    }

    pub(super) fn text(&mut self, members: &mut Members, name: &str) -> Option<String> {
        let found = members.take(name)?;
        self.string(&members.path(name), found)
    }

    /// A text that must be there; what it may be is not checked here.
    pub(super) fn needed(&mut self, members: &mut Members, name: &str) -> String {
        let Some(found) = members.take(name) else {
            self.wrong(&members.path(name), "must be given");
            return String::new();
        };
        self.string(&members.path(name), found).unwrap_or_default()
    }

    pub(super) fn key<T: FromStr<Err = NotAGuid>>(
        &mut self,
        members: &mut Members,
        name: &str,
    ) -> Option<T> {
        let text = self.text(members, name)?;
        if text.trim().is_empty() {
            return None;
        }
        let key = text.parse();
        if let Err(error) = &key {
            let message = format!("{} is {error}; leave it out if you have none", shown(&text));
            self.wrong(&members.path(name), message);
        }
        key.ok()
    }

    pub(super) fn flag(&mut self, members: &mut Members, name: &str) -> bool {
        self.choice(members, name).unwrap_or(false)
    }

    /// A flag that may be left out.
    pub(super) fn choice(&mut self, members: &mut Members, name: &str) -> Option<bool> {
        let found = members.take(name)?;
        let read = match &found {
            Tree::Flag(flag) => Some(*flag),
            Tree::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                "" => return None,
                _ => None,
            },
            _ => None,
        };
        if read.is_none() {
            let message = format!("must be true or false, but is {}", said(&found));
            self.wrong(&members.path(name), message);
        }
        read
    }

    pub(super) fn number(&mut self, members: &mut Members, name: &str) -> Option<i64> {
        let found = members.take(name)?;
        let read = match &found {
            Tree::Number(number) => Some(*number),
            Tree::Text(text) if text.trim().is_empty() => return None,
            Tree::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        if read.is_none() {
            let message = format!("must be a whole number, but is {}", said(&found));
            self.wrong(&members.path(name), message);
        }
        read
    }

    /// One of `words`, whatever its case.
    pub(super) fn word<T: Copy>(
        &mut self,
        members: &mut Members,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let found = members.take(name)?;
        let known = match &found {
            Tree::Text(text) if text.trim().is_empty() => return None,
            Tree::Text(text) => words
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(text.trim())),
            _ => None,
        };
        if let Some((_, meant)) = known {
            return Some(*meant);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!(
            "must be one of {}, but is {}",
            words.join(", "),
            said(&found)
        );
        self.wrong(&members.path(name), message);
        None
    }

    pub(super) fn wrong(&mut self, path: &str, message: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldError::new(path, message));
        }
    }
}

/// A value as a message repeats it.
fn said(tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => shown(text),
        Tree::Number(number) => number.to_string(),
        other => other.what().to_owned(),
    }
}
