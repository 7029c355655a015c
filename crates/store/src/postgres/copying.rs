//! A database on PostgreSQL, copied from and to.
//!
//! Either side is one transaction: a source's reads one view, a target's commits all or nothing. Both hold the
//! lock of whoever migrates, which every node and every tool asks for when it starts: it waits until the copy
//! is over.

mod target;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use tokio::time::{Instant, sleep};
use tokio_postgres::{
    Client, Row as Cells,
    types::{FromSql, Json},
};
use uuid::Uuid;

use super::{
    fault::Fault,
    migrations::{self, LOCK},
    nodes::ALIVE,
    open::{failed, lone_client, version_check},
    values::Moment,
};
use crate::{
    PostgresError, SchemaSteps,
    copy::{Column, CopyError, During, Kind, Row, Slice, Slices, Source, Table, Value},
};

pub(crate) use target::CopyTarget;

/// A transaction that may last as long as it takes, and stand still while the other side is at work.
const WITHOUT_LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// How long a lock is waited for that somebody else holds, and how often it is looked at.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// A database, on one view of it.
pub(crate) struct CopySource {
    client: Client,
    place: String,
    mark: i64,
}

impl CopySource {
    pub(crate) async fn open(url: &str, place: String) -> Result<Self, CopyError> {
        let client = lone_client(url).await?;
        version_check(&client).await?;
        let steps = schema(&client).await?;
        if steps.done() == 0 {
            return Err(CopyError::NothingThere(place));
        }
        up_to_date(&steps, &place)?;
        if !begin_alone(&client).await? {
            return Err(CopyError::Busy(place));
        }
        if is_worked_on(&client).await? {
            return Err(CopyError::InUse(place));
        }
        // Like no other's: the moment, to the microsecond, at which the lock was held.
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let row = client.query_one(sql, &[]).await.map_err(open_failed)?;
        let mark = row.try_get(0).map_err(open_failed)?;
        try_lock(&client, mark).await?;
        Ok(Self {
            client,
            place,
            mark,
        })
    }
}

#[async_trait]
impl Source for CopySource {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        read(&self.client, &self.place, table, out).await
    }

    fn mark(&self) -> Option<i64> {
        Some(self.mark)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is handed over where an error is turned into another"
)]
fn open_failed(error: tokio_postgres::Error) -> CopyError {
    failed(&error).into()
}

async fn schema(client: &Client) -> Result<SchemaSteps, CopyError> {
    let steps = migrations::look(client).await.map_err(open_failed)?;
    Ok(steps.ok_or(PostgresError::NewerSchema)?)
}

fn up_to_date(steps: &SchemaSteps, place: &str) -> Result<(), CopyError> {
    if steps.outstanding.is_empty() {
        return Ok(());
    }
    Err(CopyError::Behind {
        place: place.to_owned(),
        steps: steps.outstanding.len(),
    })
}

/// Begins to read at a moment at which nobody opens, migrates or copies the database, if there is one soon: the database
/// may notice a little late that somebody who did is gone.
async fn begin_alone(client: &Client) -> Result<bool, CopyError> {
    let view = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let begin = format!("{view}; {WITHOUT_LIMITS}");
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        client.batch_execute(&begin).await.map_err(open_failed)?;
        if try_lock(client, LOCK).await? {
            return Ok(true);
        }
        if Instant::now() >= patience {
            return Ok(false);
        }
        // Anew, because a transaction sees what there was when it first asked.
        client
            .batch_execute("ROLLBACK")
            .await
            .map_err(open_failed)?;
        sleep(LOCK_LOOK).await;
    }
}

/// Takes an advisory lock until the transaction ends, if it is free.
async fn try_lock(client: &Client, lock: i64) -> Result<bool, CopyError> {
    let sql = "SELECT pg_try_advisory_xact_lock($1)";
    let row = client.query_one(sql, &[&lock]).await.map_err(open_failed)?;
    row.try_get(0).map_err(open_failed)
}

/// Whether a node has said lately that it is alive.
async fn is_worked_on(client: &Client) -> Result<bool, CopyError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM node WHERE seen_at > clock_timestamp() - interval '{ALIVE}')"
    );
    let row = client.query_one(&sql, &[]).await.map_err(open_failed)?;
    row.try_get(0).map_err(open_failed)
}

async fn read(
    client: &Client,
    place: &str,
    table: &'static Table,
    out: Slices,
) -> Result<(), CopyError> {
    let read = async {
        let none: [&str; 0] = [];
        let cells = client.query_raw(&select(table), none).await?;
        let mut cells = std::pin::pin!(cells);
        let mut slice = Slice::default();
        while let Some(cells) = cells.try_next().await? {
            if let Some(full) = slice.push(row(table, &cells)?)
                && out.send(full).await.is_err()
            {
                // Nobody wants the rest.
                return Ok(());
            }
        }
        let _ = out.send(slice.take()).await;
        Ok::<_, Fault>(())
    };
    let doing = During {
        place,
        doing: "reading",
        table: table.name,
    };
    read.await.map_err(|fault| doing.failed(&fault.into()))
}

fn select(table: &Table) -> String {
    let columns = table.columns.iter();
    let columns: Vec<_> = columns.map(|column| read_as(table, column)).collect();
    let name = table.name;
    // A delivery that was neither sent nor read yet has no sequence: it gets the one that it would be given.
    let beside = match name {
        "delivery" => {
            " LEFT JOIN (SELECT id, row_number() OVER (PARTITION BY subscription_id ORDER BY id) AS place
                FROM delivery WHERE sequence IS NULL) unnumbered USING (id)
            LEFT JOIN subscription_sequence USING (subscription_id)"
        }
        "subscription_sequence" => {
            " LEFT JOIN (SELECT subscription_id, count(*) AS count FROM delivery
                WHERE sequence IS NULL GROUP BY subscription_id) unnumbered USING (subscription_id)"
        }
        _ => "",
    };
    let columns = columns.join(", ");
    format!(
        "SELECT {columns} FROM {name}{beside} ORDER BY {}",
        table.key
    )
}

/// How a column is read that means the same in both databases.
fn read_as(table: &Table, column: &Column) -> String {
    let name = column.name;
    match (table.name, name) {
        ("delivery", "sequence") => "coalesce(sequence, last + place)".to_owned(),
        ("subscription_sequence", "last") => "last + coalesce(count, 0)".to_owned(),
        // Where one stands among events is said in the database's own order, so it begins anew, and passes over
        // what it has made already.
        ("replay_job", "reached" | "reached_at") => {
            format!("CASE WHEN to_subscription IS NULL THEN {name} END")
        }
        _ => name.to_owned(),
    }
}

fn row(table: &Table, cells: &Cells) -> Result<Row, tokio_postgres::Error> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(at, column)| value(column.kind, cells, at))
        .collect()
}

fn value(kind: Kind, cells: &Cells, at: usize) -> Result<Value, tokio_postgres::Error> {
    fn get<'a, T: FromSql<'a>>(
        cells: &'a Cells,
        at: usize,
        value: impl FnOnce(T) -> Value,
    ) -> Result<Value, tokio_postgres::Error> {
        let found: Option<T> = cells.try_get(at)?;
        Ok(found.map_or(Value::Null, value))
    }
    match kind {
        Kind::Int => get(cells, at, Value::Int),
        Kind::Bool => get(cells, at, Value::Bool),
        Kind::Text => get(cells, at, Value::Text),
        Kind::Bytes => get(cells, at, Value::Bytes),
        Kind::Guid => get::<Uuid>(cells, at, Value::Guid),
        Kind::Time => get(cells, at, |Moment(at)| Value::Time(at.as_millis())),
        Kind::Json => get(cells, at, |Json(json)| Value::Json(json)),
    }
}
