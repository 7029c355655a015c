//! Opening: the folder, its lock, the connections, the schema and the master key.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use domain::Source;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{
    checkpoint::checkpoint,
    fault::{is_full, is_lost_sync},
    migrations::{self, migrate},
};
use crate::{MasterKey, secrets::KEY_NAME};

/// The database, in the data folder.
pub const DATABASE_FILE: &str = "checkflow.db";
/// What it is called until all is in it, while it is copied into the folder.
pub(super) const DRAFT_FILE: &str = "checkflow.db.copying";
/// Locked by the one server of a folder for as long as it runs.
const SERVER_LOCK_FILE: &str = "checkflow.lock";
/// Locked by whoever opens, while it opens.
const OPEN_LOCK_FILE: &str = "checkflow.open.lock";

/// How long a statement waits for another process that writes.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: more than there are texts.
const STATEMENTS_KEPT: usize = 256;
/// Memory for pages per connection, in KiB (negative, as SQLite wants it).
const CACHE_KIB: i64 = -8 * 1024;
/// The WAL file is cut to this when it starts over.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Why the database was not opened. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is something else where the folder should be.
    #[error("{} is not a folder; name another data folder", .0.display())]
    NotAFolder(PathBuf),
    /// The folder can't be made or written.
    #[error(
        "the data folder {} can't be written ({source}); check its owner, or name another one",
        path.display()
    )]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its disk is full, or refuses to write for another reason that SQLite has no word for.
    #[error(
        "the disk of the data folder {} takes no more ({message}); make room on it, or name another \
         folder",
        path.display()
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// What the system or SQLite says.
        message: String,
    },
    /// Another server runs on it.
    #[error(
        "the data folder {} is in use by another server; stop that one, or name another folder",
        .0.display()
    )]
    InUse(PathBuf),
    /// A newer version of the program has been here.
    #[error(
        "{} was made by a newer version of this program; run that version, or restore a backup \
         from before it",
        .0.display()
    )]
    NewerSchema(PathBuf),
    /// The secrets in it are encrypted with another key.
    #[error(
        "{} was made with another master key; give the one it was made with",
        .0.display()
    )]
    OtherKey(PathBuf),
    /// There is no database, and one that was to come.
    #[error(
        "{} was left by a `checkflow copy` that did not come to its end, or is at work; run it again, which begins \
         anew, or remove the file to begin with an empty database",
        .0.display()
    )]
    Leftover(PathBuf),
    /// The file is no database, or a damaged one.
    #[error("{} is not a database or is damaged; restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// Anything else that SQLite says.
    #[error("{} can't be opened: {message}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        message: String,
    },
}

/// Makes the data folder, for its owner alone, if it is not there.
pub(crate) fn folder_make(folder: &Path) -> Result<(), OpenError> {
    if folder.exists() && !folder.is_dir() {
        return Err(OpenError::NotAFolder(folder.to_owned()));
    }
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|source| match source.kind() {
        io::ErrorKind::NotADirectory => OpenError::NotAFolder(folder.to_owned()),
        _ => not_writable(folder, source),
    })
}

/// Refuses to begin a database where a copy was to bring one and has not: what is begun would be taken for it, and
/// keep it out.
pub(crate) fn refuse_leftover(folder: &Path) -> Result<(), OpenError> {
    let draft = folder.join(DRAFT_FILE);
    if draft.exists() && !folder.join(DATABASE_FILE).exists() {
        return Err(OpenError::Leftover(draft));
    }
    Ok(())
}

/// Takes the lock of the server, which nobody but a server asks for.
pub(crate) fn server_lock(folder: &Path) -> Result<File, OpenError> {
    let file = lock_file(folder, SERVER_LOCK_FILE)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(OpenError::InUse(folder.to_owned())),
        Err(error) => Err(not_writable(folder, error.into())),
    }
}

/// Waits until nobody else is opening: two processes that start at once migrate once.
pub(super) fn open_lock(folder: &Path) -> Result<File, OpenError> {
    let file = lock_file(folder, OPEN_LOCK_FILE)?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(error) => return Err(not_writable(folder, error.into())),
        }
    }
}

fn lock_file(folder: &Path, name: &str) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    options
        .open(folder.join(name))
        .map_err(|source| not_writable(folder, source))
}

/// What the system's refusal to make or write something in `folder` means to the operator.
pub(crate) fn not_writable(folder: &Path, source: io::Error) -> OpenError {
    let path = folder.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full {
            path,
            message: source.to_string(),
        },
        _ => OpenError::NotWritable { path, source },
    }
}

/// The connection that writes, its schema up to date and its master key checked.
pub(super) fn writer_open(
    folder: &Path,
    key: &MasterKey,
    source: &Source,
) -> Result<Connection, OpenError> {
    refuse_leftover(folder)?;
    let path = folder.join(DATABASE_FILE);
    // Made here rather than by SQLite, so that nobody else can read it. SQLite gives its other files
    // the same permissions.
    let mut options = OpenOptions::new();
    let made = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    drop(made.map_err(|source| not_writable(folder, source))?);
    let failed = |error: rusqlite::Error| refused(&path, &error);
    let mut conn = connection_open(folder, false).map_err(failed)?;
    if migrate(&mut conn)
        .map_err(|error| migrations::failed(&path, error))?
        .is_none()
    {
        return Err(OpenError::NewerSchema(path));
    }
    if !key_check(&mut conn, key, source).map_err(failed)? {
        return Err(OpenError::OtherKey(path));
    }
    Ok(conn)
}

/// Takes up what a server that ended at once left in the WAL, and begins it anew.
///
/// If that server ended because a sync failed, the file may have a hole that reading does not show, and what is
/// written behind it would be lost with the power. Taken up, it is written again, into the database.
pub(super) fn wal_take_up(conn: &Connection, folder: &Path) -> Result<(), OpenError> {
    match checkpoint(conn, "TRUNCATE") {
        Ok(_) => Ok(()),
        Err(error) if is_lost_sync(&error) => Err(refused(&folder.join(DATABASE_FILE), &error)),
        // A full disk, on which there is still much to read; the writer tries again.
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log could not be taken up at the start");
            Ok(())
        }
    }
}

/// A connection with the settings that all of them have.
pub(super) fn connection_open(folder: &Path, read_only: bool) -> rusqlite::Result<Connection> {
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    // Each connection belongs to one thread, so SQLite need not lock it.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(folder.join(DATABASE_FILE), flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    if !read_only {
        conn.pragma_update(None, "journal_mode", "WAL")?;
    }
    // Syncs the WAL before a checkpoint, and leaves the syncing of commits to `syncer`.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    conn.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    // Checkpoints have their own thread; a commit that does one would make its callers wait.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(conn)
}

/// Whether `key` is the one of this database; a new database takes it for its own.
fn key_check(conn: &mut Connection, key: &MasterKey, source: &Source) -> rusqlite::Result<bool> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let known: Option<Vec<u8>> = conn
        .query_row(sql, [KEY_NAME], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(key.is_known_by(&known));
    }
    conn.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)",
        (KEY_NAME, key.known_by(source)),
    )?;
    Ok(true)
}

/// What SQLite's `error` while opening means to the operator.
pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let folder = || path.parent().map_or(path.clone(), Path::to_owned);
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path),
        _ if is_full(error) => OpenError::Full {
            path: folder(),
            message,
        },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => OpenError::NotWritable {
            path: folder(),
            source: io::Error::other(message),
        },
        _ => OpenError::Failed { path, message },
    }
}
