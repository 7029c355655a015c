//! Arrays of objects that each have two texts.

use serde_json::Value;

use super::{Input, plain};

impl Input {
    /// The two members of each object of an array, by names without regard to case. Numbers and flags are
    /// taken as their text; null, or nothing, as empty where `members` has it second.
    pub(crate) fn pairs(&mut self, name: &str, members: [&str; 2]) -> Vec<(String, String)> {
        let Some(given) = self.given.get(&name.to_ascii_lowercase()).cloned() else {
            return Vec::new();
        };
        let Value::Array(items) = given else {
            let [first, second] = members;
            self.wrong(
                name,
                format!("must be an array of objects with {first} and {second}"),
            );
            return Vec::new();
        };
        let mut pairs = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = |member: &str| format!("{name}[{index}].{member}");
            let Some(object) = item.as_object() else {
                self.wrong(&format!("{name}[{index}]"), "must be an object");
                continue;
            };
            let [first, second] = members.map(|member| {
                let mut found = object.iter();
                let found = found.find(|(known, _)| known.eq_ignore_ascii_case(member));
                found
                    .map(|(_, value)| value)
                    .filter(|value| !value.is_null())
            });
            let Some(first) = first else {
                self.wrong(&at(members[0]), "must be given");
                continue;
            };
            if first.is_object() || first.is_array() {
                self.wrong(&at(members[0]), "must be a string");
                continue;
            }
            pairs.push((plain(first), second.map(plain).unwrap_or_default()));
        }
        pairs
    }
}
