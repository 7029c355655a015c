//! Filling a database that nobody else sees yet.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use rusqlite::{
    CachedStatement, Connection, OpenFlags, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    super::{
        fault::{Fault, is_full},
        migrations,
        open::{
            DATABASE_FILE, DRAFT_FILE, OpenError, connection_open, folder_make, not_writable,
            open_lock, refused, server_lock,
        },
    },
    During, Shared, Source, blocking, meaning, read,
};
use crate::copy::{CopyError, Row, Slices, TABLES, Table, Target, Value};

/// Finds an event's number by its GUID, while deliveries are written.
const EVENT_INDEX: &str = "copying_event";

/// A new database in a folder, which gets its name at the end.
pub(crate) struct CopyTarget {
    conn: Shared,
    place: String,
    folder: PathBuf,
    _lock: File,
}

impl CopyTarget {
    pub(crate) fn open(folder: &Path, place: String) -> Result<Self, CopyError> {
        folder_make(folder)?;
        let lock = server_lock(folder).map_err(|error| match error {
            OpenError::InUse(_) => CopyError::InUse(place.clone()),
            other => other.into(),
        })?;
        if folder.join(DATABASE_FILE).exists() {
            let what = holds(folder)?;
            return Err(CopyError::NotEmpty { place, what });
        }
        let draft = folder.join(DRAFT_FILE);
        let conn = draft_open(folder, &draft)?;
        Ok(Self {
            conn: Arc::new(Mutex::new(conn)),
            place,
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    fn doing(&self, doing: &'static str, table: &'static str) -> During<'_> {
        During {
            place: &self.place,
            doing,
            table,
        }
    }
}

/// What is in the database that is there.
fn holds(folder: &Path) -> Result<String, CopyError> {
    let path = folder.join(DATABASE_FILE);
    let conn = connection_open(folder, true).map_err(|error| refused(&path, &error))?;
    let mut found = Vec::new();
    for table in TABLES.iter().filter(|table| !table.preset) {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        // One that has no such table is not ours, or has not been begun.
        let Ok(count) = conn.query_row(&sql, (), |row| row.get::<_, i64>(0)) else {
            break;
        };
        if count > 0 {
            found.push(format!("{} ({count})", table.name));
        }
    }
    Ok(if found.is_empty() {
        format!("{DATABASE_FILE}, though with nothing in it")
    } else {
        found.join(", ")
    })
}

/// A new database in place of what a copy that was cut off may have left.
fn draft_open(folder: &Path, draft: &Path) -> Result<Connection, CopyError> {
    remove(draft).map_err(|error| not_writable(folder, error))?;
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(draft);
    drop(made.map_err(|error| not_writable(folder, error))?);
    let failed = |error: rusqlite::Error| refused(draft, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(draft, flags).map_err(failed)?;
    // Whatever ends this before its end leaves a file that is thrown away, so there is nothing to roll back
    // to, and it is synced once, at the end.
    conn.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON",
    )
    .map_err(failed)?;
    migrations::migrate(&mut conn).map_err(|error| migrations::failed(draft, error))?;
    for table in TABLES.iter().filter(|table| table.preset) {
        conn.execute(&format!("DELETE FROM {}", table.name), ())
            .map_err(failed)?;
    }
    conn.execute_batch(&format!("CREATE INDEX {EVENT_INDEX} ON event (id); BEGIN"))
        .map_err(failed)?;
    Ok(conn)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[async_trait]
impl Source for CopyTarget {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        read(&self.conn, &self.place, table, out).await
    }
}

#[async_trait]
impl Target for CopyTarget {
    async fn write(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError> {
        let doing = self.doing("writing", table.name);
        blocking(&self.conn, doing, move |conn| {
            let mut insert = conn.prepare_cached(&insert(table))?;
            for row in &rows {
                one(&mut insert, row)?;
            }
            Ok(())
        })
        .await
    }

    async fn filled(&self) -> Result<(), CopyError> {
        let doing = self.doing("finishing", "event");
        let draft = self.folder.join(DRAFT_FILE);
        blocking(&self.conn, doing, move |conn| {
            conn.execute_batch(&format!("COMMIT; DROP INDEX {EVENT_INDEX}"))?;
            // What is compared is read from the file, not from what this connection remembers.
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            *conn = Connection::open_with_flags(draft, flags)?;
            Ok(())
        })
        .await
    }

    async fn keep(self: Box<Self>) -> Result<(), CopyError> {
        let folder = self.folder.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&folder)).await;
        let kept = kept.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        kept.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CopyError::NotEmpty {
                place: self.place.clone(),
                what: format!("{DATABASE_FILE}, which somebody made meanwhile"),
            },
            _ => not_writable(&self.folder, error).into(),
        })
    }
}

/// Gives the database its name, unless there is another by now.
fn keep(folder: &Path) -> io::Result<()> {
    let draft = folder.join(DRAFT_FILE);
    File::open(&draft)?.sync_all()?;
    let _opening = open_lock(folder).map_err(io::Error::other)?;
    fs::hard_link(&draft, folder.join(DATABASE_FILE))?;
    fs::remove_file(&draft)?;
    File::open(folder)?.sync_all()
}

impl Drop for CopyTarget {
    fn drop(&mut self) {
        // What was kept has another name by now; what was not is of no use.
        if let Err(error) = remove(&self.folder.join(DRAFT_FILE)) {
            tracing::debug!(%error, "what was copied in vain could not be removed");
        }
    }
}

fn insert(table: &Table) -> String {
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let values = table.columns.iter().enumerate().map(|(at, column)| {
        let at = at + 1;
        match (table.name, column.name) {
            ("delivery", "event") => format!("(SELECT number FROM event WHERE id = ?{at})"),
            _ => format!("?{at}"),
        }
    });
    let values: Vec<_> = values.collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        columns.join(", "),
        values.join(", ")
    )
}

fn one(insert: &mut CachedStatement<'_>, row: &Row) -> Result<(), Fault> {
    let done = insert.execute(rusqlite::params_from_iter(row));
    match done {
        Err(error) if is_full(&error) => Err(meaning(error).into()),
        done => Ok(done.map(|_| ())?),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Int(number) | Self::Time(number) => {
                ToSqlOutput::Borrowed(ValueRef::Integer(*number))
            }
            Self::Bool(is) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*is))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Guid(guid) => ToSqlOutput::Borrowed(ValueRef::Blob(guid.as_bytes())),
            Self::Json(json) => ToSqlOutput::from(json.to_string()),
        })
    }
}
