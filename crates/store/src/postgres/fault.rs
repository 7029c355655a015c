//! What PostgreSQL's errors mean to the callers of the store.

use std::time::Duration;

use tokio_postgres::{
    Error,
    error::{DbError, Severity, SqlState},
};

use super::tx::Spoilt;
use crate::StoreError;

/// An error while a statement ran or its rows were read.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL's, or of the way to it.
    Sql(Error),
    /// Ours, such as a stored value that can't be.
    Store(StoreError),
    /// No answer came for so long.
    Silent(Duration),
}

impl Fault {
    /// What it says of the connection.
    pub(super) fn spoilt(&self) -> Spoilt {
        match self {
            Self::Silent(_) => Spoilt::All,
            // It was the one that takes writes when the connection was made, and so for the others.
            Self::Sql(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
                Spoilt::All
            }
            Self::Sql(error) if is_fatal(error) || is_transport(error) => Spoilt::This,
            Self::Sql(_) | Self::Store(_) => Spoilt::No,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => meaning(error),
            Fault::Store(error) => error,
            Fault::Silent(time) => {
                StoreError::Unavailable(Some(format!("it gave no answer for {time:?}").into()))
            }
        }
    }
}

/// What `error` means to the caller.
pub(super) fn meaning(error: Error) -> StoreError {
    let Some(state) = error.code() else {
        // No word from the server: the way to it is broken, or what came back is no answer.
        return if is_transport(&error) {
            StoreError::Unavailable(Some(error.into()))
        } else {
            StoreError::Failed(error.into())
        };
    };
    // By class: the connection; asked to try again; short of memory or connections; a lock that was waited for
    // too long; interrupted, going down or coming up.
    let passes = ["08", "40", "53", "55", "57"].contains(&&state.code()[..2])
        // A standby that has not been promoted yet.
        || *state == SqlState::READ_ONLY_SQL_TRANSACTION;
    if is_taken_away(state) {
        let said = error
            .as_db_error()
            .map_or_else(String::new, |said| said.message().to_owned());
        return StoreError::Failed(format!("{said}; {POOLER_HINT}").into());
    }
    if *state == SqlState::DISK_FULL {
        StoreError::Full(Some(error.into()))
    } else if passes || is_fatal(&error) {
        StoreError::Unavailable(Some(error.into()))
    } else {
        StoreError::Failed(error.into())
    }
}

/// What to do about a pooler that nobody told us of.
const POOLER_HINT: &str = "a pooler that gives a connection away after each transaction seems to stand before \
    PostgreSQL: set store.pooler = true";

/// Whether what was prepared is gone, or what was not is there: the connection was another's meanwhile.
fn is_taken_away(state: &SqlState) -> bool {
    [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
    ]
    .contains(state)
}

/// Whether the server ended the connection by it, which it does for reasons of its own.
fn is_fatal(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

/// Whether there is no way to the server any more.
fn is_transport(error: &Error) -> bool {
    if error.is_closed() {
        return true;
    }
    let mut source = std::error::Error::source(error);
    while let Some(at) = source {
        if at.is::<std::io::Error>() {
            return true;
        }
        source = at.source();
    }
    false
}

/// Whether a unit that met `error` may be run again at once, because another got in its way: two that
/// waited for each other, or made the same thing at the same time, which the second run then sees.
pub(super) fn is_collision(error: &Error) -> bool {
    let again = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
    ];
    error.code().is_some_and(|state| again.contains(state))
}
