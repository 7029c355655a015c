//! Lists inside of a request.

use serde_json::{Map, Value};

use super::{Input, plain};

impl Input {
    /// A list of objects, each read by `read`, which says what is wrong with one.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Map<String, Value>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let given = self.given.get(&name.to_ascii_lowercase())?;
        let Value::Array(items) = given else {
            self.wrong(name, "must be a JSON array of objects, in a body");
            return None;
        };
        let one = |(place, item): (usize, &Value)| match item {
            Value::Object(members) => {
                let folded = members.iter();
                let folded = folded.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
                read(&folded.collect()).map_err(|message| format!("[{place}] {message}"))
            }
            _ => Err(format!("[{place}] must be an object")),
        };
        match items.iter().enumerate().map(one).collect() {
            Ok(all) => Some(all),
            Err(message) => {
                self.wrong(name, message);
                None
            }
        }
    }

    /// A list of texts, as a JSON array.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = match self.given.get(&name.to_ascii_lowercase())? {
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.wrong(name, "must be a JSON array of strings, in a body");
        }
        texts
    }

    /// A list of whole numbers: a JSON array, or with commas between them, as a query has it.
    pub(crate) fn numbers(&mut self, name: &str) -> Option<Vec<i64>> {
        let given = self.given.get(&name.to_ascii_lowercase())?;
        let texts: Vec<String> = match given {
            Value::Array(items) => items.iter().map(plain).collect(),
            other => {
                let text = plain(other);
                if text.trim().is_empty() {
                    return None;
                }
                text.split(',').map(str::to_owned).collect()
            }
        };
        let numbers = texts.iter().map(|text| text.trim().parse().ok());
        let numbers: Option<Vec<i64>> = numbers.collect();
        if numbers.is_none() {
            self.wrong(
                name,
                "must be a list of whole numbers: a JSON array, or with commas between them",
            );
        }
        numbers
    }
}
