//! What a request gives, wherever it gives it: query parameters and members of a JSON body in one
//! map, found by name without regard to case.
//!
//! CheckFlow takes parameters of a POST in the query and mixes `taskId` with `taskID`; integrators
//! copy from either. So every operation reads names here and does not care where they stood. The
//! getters gather what is wrong, and one answer says all of it. Names that no operation asks for
//! are ignored, as clients of CheckFlow send more than is needed, save by operations that say which there are ([`names`]).

mod body;
mod lists;
mod members;
mod names;
mod needed;
mod pairs;
mod query;
mod template;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use domain::{FieldError, NotAGuid, Timestamp};
use serde_json::Value;

use body::unreadable;
pub(crate) use needed::{AllNeeded, Needed};
pub(crate) use template::template;

use crate::problem::Problem;

/// Most complaints about one request; after that its author has enough to do.
const ERRORS_MAX: usize = 50;
/// Most characters of a wrong value that an answer repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// What is said of a name that is given twice.
const TWICE: &str = "is given twice with different values; give it once";

/// What a request gives.
#[derive(Debug, Default)]
pub(crate) struct Input {
    given: BTreeMap<String, Value>,
    /// Names given in the query.
    in_query: BTreeSet<String>,
    /// Names given as null.
    cleared: BTreeSet<String>,
    errors: Vec<FieldError>,
}

impl Input {
    /// The parameters of a query.
    pub(crate) fn of_query(query: &str) -> Result<Self, Problem> {
        let mut input = Self::default();
        for (name, value) in query::pairs(query)? {
            input.in_query.insert(name.to_ascii_lowercase());
            input.add(&name, Value::String(value));
        }
        Ok(input)
    }

    /// Adds the members of a JSON object.
    pub(crate) fn add_body(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        for (name, tree) in body::members(bytes)? {
            let value = self.value(&name, tree);
            self.add(&name, value);
        }
        Ok(())
    }

    fn add(&mut self, name: &str, value: Value) {
        // Null is how many clients write that they have nothing to say.
        if value.is_null() {
            self.cleared.insert(name.to_ascii_lowercase());
            return;
        }
        let known = name.to_ascii_lowercase();
        match self.given.get(&known) {
            Some(before) if plain(before) == plain(&value) => {}
            Some(_) => self.wrong(name, TWICE),
            None => {
                self.given.insert(known, value);
            }
        }
    }

    /// Says that `name` is wrong. Only the first complaint about a name is kept.
    pub(crate) fn wrong(&mut self, name: &str, message: impl Into<String>) {
        let said = |error: &FieldError| error.field.eq_ignore_ascii_case(name);
        if self.errors.len() < ERRORS_MAX && !self.errors.iter().any(said) {
            let field: String = name.chars().take(SHOWN_CHARS_MAX).collect();
            self.errors.push(FieldError::new(field, message));
        }
    }

    /// Whether `name` is given as nothing: as null, or as an empty text.
    pub(crate) fn cleared(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let empty = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        match self.given.get(&name) {
            Some(value) => empty(value),
            None => self.cleared.contains(&name),
        }
    }

    /// Takes a JSON array of texts for the same with commas between, as a query has it.
    pub(crate) fn join_list(&mut self, name: &str) {
        let Some(Value::Array(items)) = self.given.get(&name.to_ascii_lowercase()) else {
            return;
        };
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        if let Some(texts) = texts {
            let joined = texts.join(",");
            self.given.insert(name.to_ascii_lowercase(), joined.into());
        }
    }

    /// Whether `name` is given in the query, and so in the address.
    pub(crate) fn is_in_query(&self, name: &str) -> bool {
        self.in_query.contains(&name.to_ascii_lowercase())
    }

    /// A text as it was given, empty or not.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let found = self.given.get(&name.to_ascii_lowercase())?;
        let text = found.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(name, "must be a string");
        }
        text
    }

    /// A text or whatever else was given, as text; absent when it is empty.
    pub(crate) fn any(&self, name: &str) -> Option<String> {
        let text = plain(self.given.get(&name.to_ascii_lowercase())?);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A text, taken for absent when it is empty.
    pub(crate) fn filled(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.trim().is_empty())
    }

    /// One of several words, or anything else that is read from text.
    pub(crate) fn word<T: FromStr<Err: ToString>>(&mut self, name: &str) -> Option<T> {
        let text = self.filled(name)?;
        match text.trim().parse() {
            Ok(word) => Some(word),
            Err(error) => {
                self.wrong(
                    name,
                    format!("{}, but is {}", error.to_string(), shown(&text)),
                );
                None
            }
        }
    }

    /// One of several words, or `ALL`, which is the same as leaving it out.
    pub(crate) fn word_or_all<T: FromStr<Err: ToString>>(&mut self, name: &str) -> Option<T> {
        let text = self.filled(name)?;
        if text.trim().eq_ignore_ascii_case("ALL") {
            return None;
        }
        match text.trim().parse() {
            Ok(word) => Some(word),
            Err(error) => {
                let (error, text) = (error.to_string(), shown(&text));
                self.wrong(name, format!("{error}, or ALL; but is {text}"));
                None
            }
        }
    }

    /// A GUID.
    pub(crate) fn key<T: FromStr<Err = NotAGuid>>(&mut self, name: &str) -> Option<T> {
        let text = match self.given.get(&name.to_ascii_lowercase())? {
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.clone(),
            other => plain(other),
        };
        match text.parse() {
            Ok(key) => Some(key),
            Err(error) => {
                let message = format!("{} is {error}{}", shown(&text), source_of(name));
                self.wrong(name, message);
                None
            }
        }
    }

    /// A date and time with its offset.
    pub(crate) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.filled(name)?;
        let moment = text.trim().parse::<Timestamp>();
        if let Err(error) = &moment {
            self.wrong(name, format!("{} is {error}", shown(&text)));
        }
        moment.ok()
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &str) -> Option<i64> {
        let text = match self.given.get(&name.to_ascii_lowercase())? {
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().to_owned(),
            other => plain(other),
        };
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong(
                name,
                format!("must be a whole number, but is {}", shown(&text)),
            );
        }
        number
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn number_in<N>(&mut self, name: &str, least: N, most: N) -> Option<N>
    where
        N: TryFrom<i64> + PartialOrd + Copy + fmt::Display,
    {
        let number = self.number(name)?;
        let fits = N::try_from(number)
            .ok()
            .filter(|number| (&least..=&most).contains(&number));
        if fits.is_none() {
            self.wrong(
                name,
                format!("must be from {least} to {most}, but is {number}"),
            );
        }
        fits
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        let text = plain(self.given.get(&name.to_ascii_lowercase())?);
        match text.trim().to_ascii_lowercase().as_str() {
            "" => None,
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.wrong(
                    name,
                    format!("must be true or false, but is {}", shown(&text)),
                );
                None
            }
        }
    }

    /// Whatever `get` finds under `name`, which must be there.
    pub(crate) fn need<T>(
        &mut self,
        name: &str,
        get: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Needed<T> {
        let found = get(self, name);
        if found.is_none() {
            // Says nothing where `get` has complained already.
            self.wrong(name, format!("must be given{}", source_of(name)));
        }
        Needed(found)
    }

    /// Nothing is wrong, or the answer that says what is.
    pub(crate) fn done(&self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(&self.errors))
        }
    }

    /// What was needed, if nothing at all is wrong.
    pub(crate) fn all<N: AllNeeded>(&self, needed: N) -> Result<N::All, Problem> {
        self.done()?;
        needed.open().ok_or_else(|| Problem::invalid(&self.errors))
    }
}

/// The value as text, so that `5` in a body equals `5` in a query.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() < text.len() {
        format!("{cut:?}…")
    } else {
        format!("{cut:?}")
    }
}

/// Where the value of a parameter comes from, for whoever has none.
fn source_of(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "templatekey" => "; GET /api/template/templates lists them",
        "taskkey" => "; GET /api/template/tasks lists them",
        "taskcontentkey" => "; GET /api/template/task-content lists them",
        "checklistkey" | "checklistid" => "; GET /api/checklist/find lists them",
        "filekey" => "; GET /api/checklist/uploaded-files lists them",
        "subscriptionid" => "; GET /api/web-hook/subscriptions lists them",
        "secretid" => "; GET /api/web-hook/secrets lists them",
        "deliveryid" => "; GET /api/web-hook/deliveries lists them",
        "eventid" => "; GET /api/web-hook/event-log lists them",
        "jobid" => "; GET /api/web-hook/redelivery-jobs lists them",
        "noticeid" | "upto" => "; GET /api/web-hook/notices lists them",
        "memberid" => "; GET /api/team/members lists them",
        "groupid" => "; GET /api/team/groups lists them",
        "cursor" => "; give the nextCursor of the page before this one",
        "taskid" | "taskcontentid" => "; GET /api/checklist/details lists them",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
