//! A database in a folder, copied from and to.
//!
//! A source is read on one view, with the folder's lock held so that no server begins meanwhile. A target is
//! a file of its own beside where the database will be; it gets its name once all is in it, and before that no
//! program takes it for a database.

mod target;

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::{Connection, Row as Cells, types::ValueRef};
use uuid::Uuid;

use super::{
    fault::{Fault, meaning},
    migrations,
    open::{DATABASE_FILE, OpenError, connection_open, refuse_leftover, refused, server_lock},
};
use crate::{
    StoreError,
    copy::{Column, CopyError, During, Kind, Row, Slice, Slices, Source, Table, Value},
    place::Place,
};

pub(crate) use target::CopyTarget;

/// A database in a folder, held still.
pub(crate) struct CopySource {
    conn: Shared,
    place: String,
    _lock: File,
}

/// A connection, used by one thread at a time.
type Shared = Arc<Mutex<Connection>>;

impl CopySource {
    pub(crate) fn open(folder: &Path, place: String) -> Result<Self, CopyError> {
        refuse_leftover(folder)?;
        let path = folder.join(DATABASE_FILE);
        if !path.is_file() {
            return Err(CopyError::NothingThere(place));
        }
        let lock = server_lock(folder).map_err(|error| match error {
            OpenError::InUse(_) => CopyError::InUse(place.clone()),
            other => other.into(),
        })?;
        let conn = connection_open(folder, true).map_err(|error| refused(&path, &error))?;
        let steps = migrations::look(&conn)
            .map_err(|error| migrations::failed(&path, error))?
            .ok_or_else(|| OpenError::NewerSchema(path.clone()))?;
        if steps.done() == 0 {
            return Err(CopyError::NothingThere(place));
        }
        if !steps.outstanding.is_empty() {
            return Err(CopyError::Behind {
                place,
                steps: steps.outstanding.len(),
            });
        }
        // The first look at a table takes the view, which then stays as it is.
        conn.execute_batch("BEGIN; SELECT count(*) FROM meta")
            .map_err(|error| refused(&path, &error))?;
        Ok(Self {
            conn: Arc::new(Mutex::new(conn)),
            place,
            _lock: lock,
        })
    }
}

#[async_trait]
impl Source for CopySource {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        read(&self.conn, &self.place, table, out).await
    }
}

/// Does `work` with the connection on a thread that may block.
async fn blocking<T: Send + 'static>(
    conn: &Shared,
    doing: During<'_>,
    work: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
) -> Result<T, CopyError> {
    let conn = conn.clone();
    let done = tokio::task::spawn_blocking(move || {
        let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut conn).map_err(StoreError::from)
    });
    let done = done.await.unwrap_or(Err(StoreError::Panicked));
    done.map_err(|error| doing.failed(&error))
}

async fn read(
    conn: &Shared,
    place: &str,
    table: &'static Table,
    out: Slices,
) -> Result<(), CopyError> {
    let doing = During {
        place,
        doing: "reading",
        table: table.name,
    };
    blocking(conn, doing, move |conn| {
        let mut statement = conn.prepare(&select(table))?;
        let mut rows = statement.query(())?;
        let mut slice = Slice::default();
        while let Some(cells) = rows.next()? {
            if let Some(full) = slice.push(row(table, cells)?)
                && out.blocking_send(full).is_err()
            {
                // Nobody wants the rest.
                return Ok(());
            }
        }
        let _ = out.blocking_send(slice.take());
        Ok(())
    })
    .await
}

fn select(table: &Table) -> String {
    let columns = table.columns.iter();
    let columns: Vec<_> = columns.map(|column| read_as(table, column)).collect();
    // In the order of the numbers that SQLite gave of its own.
    let order = match table.name {
        "event" | "template_version" => "number",
        _ => table.key,
    };
    let name = table.name;
    format!("SELECT {} FROM {name} ORDER BY {order}", columns.join(", "))
}

/// How a column is read that means the same in both databases.
fn read_as(table: &Table, column: &Column) -> String {
    let name = column.name;
    match (table.name, name) {
        // Here a delivery refers to its event by the event's number.
        ("delivery", "event") => "(SELECT id FROM event WHERE number = delivery.event)".to_owned(),
        // Where one stands among events is said in the database's own order, so it begins anew, and passes over
        // what it has made already.
        ("replay_job", "reached" | "reached_at") => {
            format!("CASE WHEN to_subscription IS NULL THEN {name} END")
        }
        _ => name.to_owned(),
    }
}

fn row(table: &'static Table, cells: &Cells<'_>) -> Result<Row, Fault> {
    let mut row = Row::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let found = cells.get_ref(at)?;
        let Some(value) = value(column.kind, found) else {
            let place = Place {
                table: table.name,
                column: column.name,
            };
            // Which row it is stands in the columns before, which are the key.
            return Err(place.corrupt(format!("{row:?}")).into());
        };
        row.push(value);
    }
    Ok(row)
}

/// What lies in a cell, if it can be of that kind.
fn value(kind: Kind, found: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, found) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Int, ValueRef::Integer(number)) => Value::Int(number),
        (Kind::Time, ValueRef::Integer(millis)) => Value::Time(millis),
        (Kind::Bool, ValueRef::Integer(is @ (0 | 1))) => Value::Bool(is == 1),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (Kind::Guid, ValueRef::Blob(bytes)) => Value::Guid(Uuid::from_slice(bytes).ok()?),
        (Kind::Text, ValueRef::Text(text)) => Value::Text(str::from_utf8(text).ok()?.to_owned()),
        (Kind::Json, ValueRef::Text(text)) => Value::Json(serde_json::from_slice(text).ok()?),
        _ => return None,
    })
}
