//! Values as they lie in columns, and back.

use std::str::FromStr;

use domain::{Done, Person, Timestamp};
use rusqlite::{Row, types::Value};
use uuid::Uuid;

use super::fault::Fault;
use crate::place::Place;

/// Reading a row by the places of its columns.
pub(super) trait Cells {
    /// A moment.
    fn time(&self, at: usize) -> Result<Timestamp, Fault>;
    /// A moment that may be absent.
    fn time_opt(&self, at: usize) -> Result<Option<Timestamp>, Fault>;
    /// A GUID.
    fn guid(&self, at: usize) -> Result<Uuid, Fault>;
    /// When and by whom, from three columns that begin at `at`.
    fn done(&self, at: usize) -> Result<Done, Fault>;
    /// A word, read back as what it stands for.
    fn word<T: FromStr>(&self, at: usize, place: Place) -> Result<T, Fault>;
}

impl Cells for Row<'_> {
    fn time(&self, at: usize) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_millis(self.get(at)?))
    }

    fn time_opt(&self, at: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
    }

    fn guid(&self, at: usize) -> Result<Uuid, Fault> {
        Ok(self.get(at)?)
    }

    fn done(&self, at: usize) -> Result<Done, Fault> {
        let by = Person {
            name: self.get(at + 1)?,
            email: self.get(at + 2)?,
        };
        Ok(Done {
            at: self.time(at)?,
            by,
        })
    }

    fn word<T: FromStr>(&self, at: usize, place: Place) -> Result<T, Fault> {
        let word = self.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?;
        // The row's own key is not always among the columns; the word itself finds it as well.
        word.parse()
            .map_err(|_| place.corrupt(format!("with {word:?}")).into())
    }
}

/// A moment as it is stored.
pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

/// A GUID as a value of its own.
pub(super) fn blob(guid: Uuid) -> Value {
    Value::Blob(guid.as_bytes().to_vec())
}
