//! What can go wrong with the store, named for what the caller can do about it.

use std::error::Error;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Busy, restarting or stopping: the same request may succeed in a moment.
    #[error("the database is not available at the moment")]
    Unavailable(#[source] Option<BoxError>),
    /// The way to the database broke before it said whether the change was stored: it is, or nothing of it is.
    #[error("the database went away before it said whether the change was stored")]
    Unsure(#[source] Option<BoxError>),
    /// The disk is full or read-only: nothing was written, and reading goes on.
    #[error("the disk is full or read-only")]
    Full(#[source] Option<BoxError>),
    /// A stored value is not what only this program writes.
    #[error("column {column} of table {table} holds what can't be, in row {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Its primary key, as text.
        row: String,
    },
    /// The database refused for a reason that trying again will not change.
    #[error("the database failed")]
    Failed(#[source] BoxError),
    /// A use case panicked; its changes were undone.
    #[error("the operation panicked")]
    Panicked,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl StoreError {
    /// Whether the same request may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Unsure(_) | Self::Full(_) => true,
            Self::Corrupt { .. } | Self::Failed(_) | Self::Panicked => false,
        }
    }

    /// Whether the database was not there, or had no time: of which whoever looks after it tells, once for all who
    /// meet it.
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unsure(_))
    }

    /// What it says and what led to it.
    pub(crate) fn with_sources(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// The same failure for another participant of the group that failed. The source stays with
    /// the first.
    #[must_use]
    pub fn share(&self) -> Self {
        match self {
            Self::Unavailable(_) => Self::Unavailable(None),
            Self::Unsure(_) => Self::Unsure(None),
            Self::Full(_) => Self::Full(None),
            Self::Corrupt { table, column, row } => Self::Corrupt {
                table,
                column,
                row: row.clone(),
            },
            Self::Failed(error) => Self::Failed(error.to_string().into()),
            Self::Panicked => Self::Panicked,
        }
    }
}

/// Says what was being done when the store failed.
pub trait Doing<T> {
    /// The error of a use case, with `doing` (such as "completing a task") in it.
    fn doing<E: From<(&'static str, StoreError)>>(self, doing: &'static str) -> Result<T, E>;
}

impl<T> Doing<T> for Result<T, StoreError> {
    fn doing<E: From<(&'static str, StoreError)>>(self, doing: &'static str) -> Result<T, E> {
        self.map_err(|error| E::from((doing, error)))
    }
}

/// The reason at the bottom of an error: those above it repeat it, or say less.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => reason(source),
        None => error.to_string(),
    }
}
