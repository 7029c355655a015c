//! The schema, step by step. Steps are appended, never changed.
//!
//! Each step and the note that it was done commit together, under a lock that all nodes ask for, so that
//! several which start at once migrate once.

use tokio_postgres::{Client, Error};

const STEPS: &[&str] = &[include_str!("../../migrations/postgres/0001_start.sql")];

/// The advisory lock of whoever migrates: "checkflo" as a number.
const LOCK: i64 = 0x6368_6563_6b66_6c6f;

/// What became of the schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Migrated {
    /// It is as this program wants it.
    Done,
    /// A newer program has been here; what it did can't be known.
    TooNew,
}

/// Brings the schema up to date.
pub(super) async fn migrate(client: &mut Client) -> Result<Migrated, Error> {
    let tx = client.transaction().await?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    tx.batch_execute(
        "SET LOCAL client_min_messages = warning;
        CREATE TABLE IF NOT EXISTS schema_step (
            number  bigint      PRIMARY KEY,
            done_at timestamptz NOT NULL DEFAULT now())",
    )
    .await?;
    let row = tx
        .query_one("SELECT coalesce(max(number), 0) FROM schema_step", &[])
        .await?;
    let done: i64 = row.try_get(0)?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    let Some(missing) = STEPS.get(done..) else {
        return Ok(Migrated::TooNew);
    };
    for (number, step) in (1_i64..).zip(STEPS).skip(done).take(missing.len()) {
        tx.batch_execute(step).await?;
        tx.execute("INSERT INTO schema_step (number) VALUES ($1)", &[&number])
            .await?;
    }
    tx.commit().await?;
    Ok(Migrated::Done)
}
