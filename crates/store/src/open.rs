//! Opening a store, whichever database it is on: nobody outside of this crate asks which.

use std::path::PathBuf;

use domain::Source;

use crate::{
    DATABASE_FILE, MasterKey, OpenError, PostgresAccess, PostgresError, PostgresLimits,
    PostgresOptions, SqliteLimits, SqliteOptions, StatementCount, Store, open_sqlite,
    postgres::open_holding,
    sqlite::{folder_make, server_lock},
};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data folder. The database lies in it, unless another is named.
    pub folder: PathBuf,
    /// Another database: `postgres://…`.
    pub database: Option<String>,
    /// Whether this is a server. Tools do one thing at a time, beside it.
    pub server: bool,
    /// Whether files are kept in the folder, which then has one server at a time, wherever the database is.
    pub keeps_files: bool,
    /// What secrets are encrypted with.
    pub key: MasterKey,
    /// Where time and randomness come from.
    pub source: Source,
    /// What the store counts its statements with.
    pub statements: StatementCount,
    /// Bounds, where the database lies in the folder.
    pub sqlite: SqliteLimits,
    /// Bounds, where it is on PostgreSQL.
    pub postgres: PostgresLimits,
    /// What lies on the way to it there.
    pub access: PostgresAccess,
}

/// Why a store was not opened. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The one in the folder.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// One server has it to itself, and this one was to do a part of the work only.
    #[error(
        "the database in the data folder has one server, which does everything: leave the role at all, or \
         name a PostgreSQL that several nodes share, with --database postgres://…"
    )]
    NotShared,
    /// The one on PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

/// Opens the store, and makes or updates what is in it.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn open_store(options: StoreOptions) -> Result<Store, OpenStoreError> {
    let (key, source) = (options.key, options.source);
    let Some(url) = options.database else {
        let folder = SqliteOptions::new(options.folder, key, source);
        return Ok(open_sqlite(SqliteOptions {
            exclusive: options.server,
            limits: options.sqlite,
            statements: options.statements,
            ..folder
        })?);
    };
    // The files are in the folder, whose partial uploads are those of its one server.
    let lock = (options.server && options.keeps_files)
        .then(|| folder_make(&options.folder).and_then(|()| server_lock(&options.folder)))
        .transpose()?;
    let mut shared = PostgresOptions::new(url, key, source);
    shared.limits = options.postgres;
    shared.access = options.access;
    shared.statements = options.statements;
    if !options.server {
        // A tool does one thing at a time.
        shared.limits.connections = 1;
    }
    Ok(open_holding(shared, lock).await?)
}

/// Refuses a store that nodes can't share, each doing a part of the work. Makes nothing.
pub fn store_to_share(database: Option<&str>) -> Result<(), OpenStoreError> {
    database.map(|_| ()).ok_or(OpenStoreError::NotShared)
}

/// Whether there may be something in the store: a folder without a database was never used, and may be
/// a misspelt one. What is on PostgreSQL shows when it is opened.
pub fn store_may_be_there(folder: &std::path::Path, database: Option<&str>) -> bool {
    let found = std::fs::metadata(folder.join(DATABASE_FILE));
    database.is_some()
        || !found.is_err_and(|error| {
            // Any other trouble is told by opening it.
            matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            )
        })
}
