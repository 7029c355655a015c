//! A JSON object as the list of its members, so that one that is there twice is seen.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use serde_json::{Map, Value};

use super::{Input, TWICE, plain, tree::Tree};
use crate::{Code, problem::Problem};

/// The members of a JSON object in the order they were written.
pub(super) struct Members(pub(super) Vec<(String, Tree)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// The members of the object that `bytes` hold.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<(String, Tree)>, Problem> {
    let read: Result<Members, _> = serde_json::from_slice(bytes);
    read.map(|members| members.0)
        .map_err(|error| unreadable(&error))
}

impl Input {
    /// The value of a member that is called `path`. Within objects as without, names have no case, and one that is there
    /// twice with different values is wrong.
    pub(super) fn value(&mut self, path: &str, tree: Tree) -> Value {
        match tree {
            Tree::Null => Value::Null,
            Tree::Flag(flag) => flag.into(),
            Tree::Number(number) => number.into(),
            Tree::OtherNumber(number) => Value::Number(number),
            Tree::Text(text) => text.into(),
            Tree::List(list) => {
                let one = |(at, tree)| self.value(&format!("{path}[{at}]"), tree);
                list.into_iter().enumerate().map(one).collect()
            }
            Tree::Object(members) => {
                let (mut object, mut spelt) = (Map::new(), BTreeMap::new());
                for (name, tree) in members {
                    let path = format!("{path}.{name}");
                    let value = self.value(&path, tree);
                    let name = spelt.entry(name.to_ascii_lowercase()).or_insert(name);
                    match object.get_mut(name) {
                        None => {
                            object.insert(name.clone(), value);
                        }
                        // Null says nothing.
                        Some(_) if value.is_null() => {}
                        Some(before) if before.is_null() => *before = value,
                        Some(before) if plain(before) == plain(&value) => {}
                        Some(_) => self.wrong(&path, TWICE),
                    }
                }
                Value::Object(object)
            }
        }
    }
}

/// What is wrong with a JSON body, and where.
pub(super) fn unreadable(error: &serde_json::Error) -> Problem {
    // The text of the error ends in ` at line 3 column 7`; it names members, never values of secrets.
    let detail = format!("the body can't be taken: {error}");
    if error.is_data() {
        return Problem::field("body", format!("can't be taken: {error}"));
    }
    Problem::new(Code::MalformedJson).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_repetitions() {
        let read = members(br#"{"b":1,"a":"x","b":2}"#).unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a", "b"]);
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (bad, code) in [
            ("{", Code::MalformedJson),
            ("{\"a\":}", Code::MalformedJson),
            ("{} x", Code::MalformedJson),
            ("{\"a\":\"\u{1}\"}", Code::MalformedJson),
            ("[]", Code::InvalidRequest),
            ("3", Code::InvalidRequest),
        ] {
            let problem = members(bad.as_bytes()).err().unwrap();
            assert_eq!(problem.code(), code, "{bad}");
            assert!(format!("{problem:?}").contains("line 1 column"), "{bad}");
        }
        assert_eq!(
            members(b"{\"a\":\"\xff\"}").err().unwrap().code(),
            Code::MalformedJson
        );
    }
}
