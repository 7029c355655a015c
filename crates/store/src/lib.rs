//! Where everything is kept: the seam that the use cases speak to, with SQLite or PostgreSQL behind it.
//!
//! Called by `app` and `delivery`, which see [`Store`], the transaction traits and [`FileStore`], and
//! nothing of the database. Each kind of data has a file of the same name in `seam/` and in each
//! backend's folder. No rule of checklists lives here, and no request is made from here, save to
//! the object store.

mod assignments;
mod cache;
mod copy;
mod destinations;
mod editions;
mod error;
mod files;
mod identifiers;
mod looking;
mod names;
mod open;
mod overview;
mod parameters;
mod people;
mod place;
mod postgres;
mod request;
mod schema;
mod seam;
mod secrets;
mod shown;
mod slot;
mod sql;
mod sqlite;
mod statements;
#[cfg(test)]
mod testing;
mod tls;
mod work;

pub use copy::{
    CopyError, CopyPlace, CopyPlaceError, CopyProgress, CopyWatch, Copying, FilesCopied, KeyCopied,
    TableCopied, is_address_like,
};
pub use error::{Doing, StoreError};
pub use files::{
    BadS3Location, FileBytes, FileStore, FileStoreError, FilesElsewhere, FilesOptions,
    FilesTrouble, OpenFilesError, S3Credentials, S3Error, S3Limits, S3Location, S3Options,
    StoredBytes,
};
pub use open::{OpenStoreError, StoreOptions, open_store, store_may_be_there, store_to_share};
pub use postgres::{
    LeaseClock, PostgresAccess, PostgresError, PostgresLimits, PostgresOptions,
    database_without_password, open_postgres,
};
pub use schema::{Outstanding, SchemaSteps, store_schema};
pub use seam::*;
pub use secrets::{MasterKey, MasterKeyError};
pub use sqlite::{DATABASE_FILE, OpenError, SqliteLimits, SqliteOptions, open_sqlite};
pub use statements::StatementCount;
pub use work::{Backend, Purpose, Read, ReadJob, Store, Verdict, Write, WriteJob};
