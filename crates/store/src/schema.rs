//! How far the schema of a database is, and bringing it further without opening the database for work.

use std::path::Path;

use crate::{OpenStoreError, postgres, sqlite};

/// The steps of a schema, by name, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaSteps {
    /// How many had been done before.
    pub before: usize,
    /// Those that were done now.
    pub made: Vec<&'static str>,
    /// Those that are still to be done.
    pub outstanding: Vec<&'static str>,
}

impl SchemaSteps {
    /// How many are done.
    pub fn done(&self) -> usize {
        self.before + self.made.len()
    }
}

/// What is done about steps that are outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outstanding {
    /// They are told, and nothing is changed.
    Told,
    /// They are done.
    Done,
}

/// Looks how far the schema is, of the database in `folder` or of another one, and brings it up to date if
/// it is to be. Needs no master key.
///
/// # Errors
/// One line that says what to do, as when the store is opened.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn store_schema(
    folder: &Path,
    database: Option<&str>,
    outstanding: Outstanding,
) -> Result<SchemaSteps, OpenStoreError> {
    match database {
        None => Ok(sqlite::schema(folder, outstanding)?),
        Some(url) => Ok(postgres::schema(url, outstanding).await?),
    }
}

/// A step: its name, and its statements.
pub(crate) type Step = (&'static str, &'static str);

/// What is known of a schema of which `before` steps are done; none if a newer program did more.
pub(crate) fn steps_of(steps: &[Step], before: usize) -> Option<SchemaSteps> {
    let outstanding = steps.get(before..)?.iter().map(|(name, _)| *name);
    Some(SchemaSteps {
        before,
        made: Vec::new(),
        outstanding: outstanding.collect(),
    })
}

impl SchemaSteps {
    /// The same, once what was outstanding is done.
    pub(crate) fn all_made(self) -> Self {
        Self {
            before: self.before,
            made: self.outstanding,
            outstanding: Vec::new(),
        }
    }
}
