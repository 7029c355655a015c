//! What is said where files and database do not belong together.

use uuid::Uuid;

use super::{FileStoreError, identity::ID_NAME};
use crate::StoreError;

/// Why these files are not used with this database. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FilesElsewhere {
    /// The database has begun with other files.
    #[error(
        "the files of this database are not in {place}: it holds those with the id {there}, and this database has the \
         id {known}; name where its files are, with --files or in the data folder"
    )]
    Others {
        /// Where they were looked for.
        place: String,
        /// What the store is known by.
        there: Uuid,
        /// What the database knows.
        known: Uuid,
    },
    /// The database has begun with files, which are not here.
    #[error(
        "the files of this database are not in {place}: nothing there has their id, {known}; name where they are, with \
         --files or in the data folder, or restore them, the object {ID_NAME} included"
    )]
    Missing {
        /// Where they were looked for.
        place: String,
        /// What the database knows.
        known: Uuid,
    },
    /// The database is new, and the files are another's.
    #[error(
        "{place} holds the files of another database, which has the id {there}; choose another place for those of this \
         one, or, if that database is gone for good, remove the object {ID_NAME} there"
    )]
    Taken {
        /// Where files were to be put.
        place: String,
        /// What the store is known by.
        there: Uuid,
    },
    /// The database has files, and does not know where; they are not here.
    #[error(
        "the files of this database are not in {0}: none of its newest is there; name where they are, with \
         --files s3://BUCKET/PREFIX, or with --data if they are in the folder `files` of another data folder"
    )]
    NotHere(String),
    /// Files were copied to where they are, and the copy did not come to its end.
    #[error(
        "{0} holds files of a `checkflow copy` that did not come to its end, or is at work; run it again, name another \
         place, or remove the object {ID_NAME} there if they are not needed"
    )]
    Copying(String),
    /// What should hold the id holds something else.
    #[error("the object {ID_NAME} in {0} holds no id; restore it, or name another place for files")]
    NoId(String),
    /// The file store did not answer.
    #[error("the files in {place} can't be used")]
    Files {
        /// Where they are.
        place: String,
        /// Why.
        #[source]
        source: FileStoreError,
    },
    /// The database did not answer.
    #[error("the database did not say which files are its own")]
    Database(#[from] StoreError),
}
