//! Rows on their way from one database to another, and what tells whether they arrived.

use std::fmt::Write as _;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::tables::Table;

/// A value, by what it means rather than by how a database keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    Guid(Uuid),
    /// Milliseconds since 1970 in UTC.
    Time(i64),
    Json(Json),
}

/// A row, with the columns of its table in their order.
pub(crate) type Row = Vec<Value>;

/// Rows that travel together at most.
const SLICE_ROWS: usize = 1_000;
/// Bytes of texts and bodies after which a slice is full.
const SLICE_BYTES: usize = 1024 * 1024;

/// Rows of one table that travel together. What is in memory at a time is a few of these, however large the
/// database is.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    rows: Vec<Row>,
    bytes: usize,
}

impl Slice {
    /// Adds a row; answers the slice once it is full, and begins another.
    pub(crate) fn push(&mut self, row: Row) -> Option<Vec<Row>> {
        self.bytes += row.iter().map(Value::bytes).sum::<usize>();
        self.rows.push(row);
        let full = self.rows.len() >= SLICE_ROWS || self.bytes >= SLICE_BYTES;
        full.then(|| self.take())
    }

    /// What it holds, however little.
    pub(crate) fn take(&mut self) -> Vec<Row> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            // As many as it takes to write most of them.
            Self::Json(_) => 4_096,
            _ => 16,
        }
    }

    /// Adds it to `hash`: what kind it is, how long, and its bytes, so that no two rows read alike.
    fn hash_into(&self, hash: &mut Sha256) {
        let mut add = |tag: u8, bytes: &[u8]| {
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Null => add(0, &[]),
            Self::Int(number) => add(1, &number.to_be_bytes()),
            Self::Bool(is) => add(2, &[u8::from(*is)]),
            Self::Text(text) => add(3, text.as_bytes()),
            Self::Bytes(bytes) => add(4, bytes),
            Self::Guid(guid) => add(5, guid.as_bytes()),
            Self::Time(millis) => add(6, &millis.to_be_bytes()),
            Self::Json(json) => add(7, canonical(json).as_bytes()),
        }
    }
}

/// A document with its members in the order of their names: one database keeps those of the text, the other
/// has an order of its own.
fn canonical(json: &Json) -> String {
    let mut text = String::new();
    write_canonical(json, &mut text);
    text
}

fn write_canonical(json: &Json, out: &mut String) {
    match json {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                let _ = write!(out, "{}:", Json::from(name.as_str()));
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        leaf => {
            let _ = write!(out, "{leaf}");
        }
    }
}

/// How many rows there are, and the sum of their SHA-256s: the same for the same rows in whatever order,
/// because the two databases do not sort alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    sum: [u64; 4],
}

impl Tally {
    pub(crate) fn add(&mut self, table: &Table, rows: &[Row]) {
        for row in rows {
            let mut hash = Sha256::new();
            hash.update(table.name);
            for value in row {
                value.hash_into(&mut hash);
            }
            let hash: [u8; 32] = hash.finalize().into();
            let (parts, _) = hash.as_chunks::<8>();
            for (sum, part) in self.sum.iter_mut().zip(parts) {
                *sum = sum.wrapping_add(u64::from_be_bytes(*part));
            }
        }
        self.rows += rows.len() as u64;
    }

    /// The sum, as bytes.
    pub(crate) fn sum(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (parts, _) = bytes.as_chunks_mut::<8>();
        for (part, sum) in parts.iter_mut().zip(self.sum) {
            *part = sum.to_be_bytes();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tables::table, *};

    fn tally(rows: &[Row]) -> Tally {
        let mut tally = Tally::default();
        tally.add(table("meta"), rows);
        tally
    }

    fn row(name: &str, value: &[u8]) -> Row {
        vec![Value::Text(name.to_owned()), Value::Bytes(value.to_vec())]
    }

    #[test]
    fn the_order_of_rows_does_not_count_and_everything_else_does() {
        let (one, two) = (row("a", b"bc"), row("b", b""));
        let both = tally(&[one.clone(), two.clone()]);
        assert_eq!(both, tally(&[two.clone(), one.clone()]));
        for other in [
            vec![one.clone()],
            vec![one.clone(), one.clone()],
            vec![one.clone(), two.clone(), two.clone()],
            vec![row("ab", b"c"), two.clone()],
            vec![row("a", b"bd"), two.clone()],
            vec![
                vec![Value::Text("a".to_owned()), Value::Text("bc".to_owned())],
                two.clone(),
            ],
            vec![vec![Value::Text("a".to_owned()), Value::Null], two],
        ] {
            assert_ne!(both, tally(&other), "{other:?}");
        }
        let elsewhere = {
            let mut tally = Tally::default();
            tally.add(table("counter"), std::slice::from_ref(&one));
            tally
        };
        assert_ne!(tally(&[one]), elsewhere);
    }

    #[test]
    fn a_document_is_the_same_in_whatever_order_its_members_stand() {
        let one: Json = serde_json::from_str(r#"{"b":[1,{"y":null,"x":"é\n"}],"a":1.5}"#).unwrap();
        let two: Json =
            serde_json::from_str(r#"{ "a": 1.50, "b": [1, {"x": "é\n", "y": null}] }"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
        for other in [
            json!({"a": 1.5}),
            json!({"a": 1.5, "b": [{"x": "é\n", "y": null}, 1]}),
        ] {
            assert_ne!(canonical(&one), canonical(&other));
        }
    }

    #[test]
    fn a_slice_is_full_by_rows_or_by_bytes() {
        let mut slice = Slice::default();
        assert_eq!(
            slice.push(row("a", &vec![0; SLICE_BYTES])).unwrap().len(),
            1
        );
        for _ in 1..SLICE_ROWS {
            assert!(slice.push(row("a", b"")).is_none());
        }
        assert_eq!(slice.push(row("a", b"")).unwrap().len(), SLICE_ROWS);
        assert!(slice.take().is_empty());
    }
}
