//! Opening a store, whichever database it is on: nobody outside of this crate asks which.

use std::path::{Path, PathBuf};

use domain::Source;

use crate::{
    DATABASE_FILE, MasterKey, MasterKeyError, OpenError, PostgresAccess, PostgresError,
    PostgresLimits, PostgresOptions, SqliteLimits, SqliteOptions, StatementCount, Store,
    open_sqlite,
    postgres::{key_in, open_holding},
    sqlite::{folder_make, refuse_leftover, server_lock},
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
    /// What secrets are encrypted with; none: the key in the folder, which the first start makes.
    pub key: Option<MasterKey>,
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
    /// The key of the one in the folder.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
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

/// Opens the store, and makes or updates what is in it. Of a store that is not opened nothing is made: no folder, and
/// no key.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn open_store(options: StoreOptions) -> Result<Store, OpenStoreError> {
    match options.database.clone() {
        None => open_in_folder(options),
        Some(url) => open_shared(options, url).await,
    }
}

fn open_in_folder(options: StoreOptions) -> Result<Store, OpenStoreError> {
    let (folder, source) = (options.folder, options.source);
    let key = if let Some(key) = options.key {
        key
    } else {
        refuse_leftover(&folder)?;
        MasterKey::load_or_create(&folder, &source)?
    };
    Ok(open_sqlite(SqliteOptions {
        exclusive: options.server,
        limits: options.sqlite,
        statements: options.statements,
        ..SqliteOptions::new(folder, key, source)
    })?)
}

async fn open_shared(options: StoreOptions, url: String) -> Result<Store, OpenStoreError> {
    let (folder, source) = (options.folder, options.source);
    let key = match options.key {
        Some(key) => key,
        None => key_in(&folder, &url, &source).await?,
    };
    let mut shared = PostgresOptions::new(url, key, source);
    shared.limits = options.postgres;
    shared.access = options.access;
    shared.statements = options.statements;
    if !options.server {
        // A tool does one thing at a time.
        shared.limits.connections = 1;
    }
    // The files are in the folder, whose partial uploads are those of its one server.
    let locked = options.server && options.keeps_files;
    open_holding(shared, || {
        if !locked {
            return Ok(None);
        }
        folder_make(&folder)?;
        Ok(Some(server_lock(&folder)?))
    })
    .await
}

/// Refuses a store that nodes can't share, each doing a part of the work. Makes nothing.
pub fn store_to_share(database: Option<&str>) -> Result<(), OpenStoreError> {
    database.map(|_| ()).ok_or(OpenStoreError::NotShared)
}

/// Whether there may be something in the store: a folder without a database was never used, and may be
/// a misspelt one. What is on PostgreSQL shows when it is opened.
///
/// # Errors
/// What a copy left there that did not come to its end.
pub fn store_may_be_there(folder: &Path, database: Option<&str>) -> Result<bool, OpenStoreError> {
    if database.is_some() {
        return Ok(true);
    }
    refuse_leftover(folder)?;
    let found = std::fs::metadata(folder.join(DATABASE_FILE));
    Ok(!found.is_err_and(|error| {
        // Any other trouble is told by opening it.
        matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        )
    }))
}
