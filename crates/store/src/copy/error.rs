//! Why a copy was not made.

use std::path::PathBuf;

use domain::FileKey;

use crate::{FilesElsewhere, MasterKeyError, OpenError, OpenStoreError, PostgresError, StoreError};

/// Why nothing was copied. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two can't be opened.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    /// The master key of the target can't be read, or that of the source not be copied.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The folder or the database holds nothing.
    #[error("there is no CheckFlow data in {0}")]
    NothingThere(String),
    /// Steps of its schema are to be done.
    #[error("the schema of {place} is {steps} steps behind; run `checkflow migrate` on it first")]
    Behind {
        /// Which of the two.
        place: String,
        /// How many are to be done.
        steps: usize,
    },
    /// A server works on it.
    #[error(
        "a server works on {0}; stop it first, and wait ten seconds after one that was killed: what is done \
         meanwhile would be lost"
    )]
    InUse(String),
    /// Somebody else holds it for a moment, or copies as well.
    #[error(
        "{0} is being opened, migrated or copied by somebody else; try again when that is over"
    )]
    Busy(String),
    /// They are one.
    #[error("the source and the target are the same database")]
    Same,
    /// There is something in the target.
    #[error("{place} is not empty, it holds {what}; copy into an empty one")]
    NotEmpty {
        /// The target.
        place: String,
        /// What is in it.
        what: String,
    },
    /// The target's folder has a master key that opens nothing of the source's.
    #[error(
        "{} has another master key than the one that {source_place} was made with; move its master.key \
         away, or name another folder", folder.display()
    )]
    OtherKey {
        /// The target's folder.
        folder: PathBuf,
        /// The source.
        source_place: String,
    },
    /// What was read back is not what was written.
    #[error(
        "the copy differs from the source in the table {table} ({found} rows where {expected} were copied); \
         nothing of it was kept"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows of the source.
        expected: u64,
        /// Rows of the target.
        found: u64,
    },
    /// Files were to be copied where those of another database are.
    #[error(transparent)]
    Files(#[from] FilesElsewhere),
    /// A file is not what its row says, or not there.
    #[error(
        "the file {key} of {size} bytes {wrong}; nothing of the database was copied. Restore it, or \
         copy without files"
    )]
    File {
        /// Its key.
        key: FileKey,
        /// The size that its row says.
        size: u64,
        /// What is wrong with it.
        wrong: String,
    },
    /// The store failed while something was done.
    #[error("{place} failed while {doing} the table {table}; nothing was kept: {message}")]
    Failed {
        /// Which of the two.
        place: String,
        /// What was being done.
        doing: &'static str,
        /// With which table.
        table: &'static str,
        /// Why.
        message: String,
    },
}

impl From<OpenError> for CopyError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl From<PostgresError> for CopyError {
    fn from(error: PostgresError) -> Self {
        Self::Open(error.into())
    }
}

/// Names the table and what was done with it where a backend failed.
pub(crate) struct During<'a> {
    pub(crate) place: &'a str,
    pub(crate) doing: &'static str,
    pub(crate) table: &'static str,
}

impl During<'_> {
    pub(crate) fn failed(&self, error: &StoreError) -> CopyError {
        let mut message = error.to_string();
        // What the database says is at the bottom of the chain.
        let mut cause = std::error::Error::source(error);
        while let Some(at) = cause {
            message = at.to_string();
            cause = at.source();
        }
        CopyError::Failed {
            place: self.place.to_owned(),
            doing: self.doing,
            table: self.table,
            message,
        }
    }
}
