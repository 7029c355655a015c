//! Lists inside of a request.

use serde_json::Value;

use super::{Input, plain};

impl Input {
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
