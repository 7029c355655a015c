//! A JSON document as it was written, every member of every object kept.
//!
//! `serde_json::Value` keeps the last of two members with one name, so that a mistake would pass
//! unseen; this keeps both.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// A value with all that is in it. How deep it may be is bounded by the parser, how large by the
/// limit on bodies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A number that is not whole, or is beyond 64 bits.
    OtherNumber(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object, its members in the order they were written.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// What it is, for whoever wanted something else.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(true) => "true",
            Self::Flag(false) => "false",
            Self::Number(_) => "a number",
            Self::OtherNumber(_) => "a number that is not whole or too large",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        let other = |_| Tree::OtherNumber(number.into());
        Ok(i64::try_from(number).map_or_else(other, Tree::Number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        // Text has no other numbers than finite ones.
        Ok(Number::from_f64(number).map_or(Tree::Null, Tree::OtherNumber))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut found = Vec::new();
        while let Some(value) = list.next_element()? {
            found.push(value);
        }
        Ok(Tree::List(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = object.next_entry()? {
            found.push(member);
        }
        Ok(Tree::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_kept_as_it_was_written() {
        let text =
            r#"{"b": [1, -2, 0.5, 18446744073709551615], "a": null, "b": {"x": true, "y": "z"}}"#;
        let read: Tree = serde_json::from_str(text).unwrap();
        let flag = ("x".to_owned(), Tree::Flag(true));
        let word = ("y".to_owned(), Tree::Text("z".to_owned()));
        let numbers = vec![
            Tree::Number(1),
            Tree::Number(-2),
            Tree::OtherNumber(Number::from_f64(0.5).unwrap()),
            Tree::OtherNumber(u64::MAX.into()),
        ];
        let expected = Tree::Object(vec![
            ("b".to_owned(), Tree::List(numbers)),
            ("a".to_owned(), Tree::Null),
            ("b".to_owned(), Tree::Object(vec![flag, word])),
        ]);
        assert_eq!(read, expected);
    }

    #[test]
    fn too_deep_a_document_is_refused_by_the_parser() {
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<Tree>(&deep).is_err());
    }
}
