//! The schema, step by step. Steps are appended, never changed.
//!
//! Each step and the note that it was done commit together, under a lock that all nodes ask for, so that
//! several which start at once migrate once.

use tokio_postgres::{Client, Error, GenericClient, Row};

use super::open::{failed, lone_client, version_check};
use crate::{
    Outstanding, PostgresError, SchemaSteps,
    schema::{Step, steps_of},
};

const STEPS: &[Step] = &[
    (
        "0001_start",
        include_str!("../../migrations/postgres/0001_start.sql"),
    ),
    (
        "0002_node_settings",
        include_str!("../../migrations/postgres/0002_node_settings.sql"),
    ),
    (
        "0003_subscription_settings",
        include_str!("../../migrations/postgres/0003_subscription_settings.sql"),
    ),
    (
        "0004_order",
        include_str!("../../migrations/postgres/0004_order.sql"),
    ),
    (
        "0005_health",
        include_str!("../../migrations/postgres/0005_health.sql"),
    ),
    (
        "0006_replay",
        include_str!("../../migrations/postgres/0006_replay.sql"),
    ),
];

/// The advisory lock of whoever migrates: "checkflo" as a number.
pub(super) const LOCK: i64 = 0x6368_6563_6b66_6c6f;

/// How far the schema of the database at `url` is, brought up to date if it is to be.
pub(crate) async fn schema(
    url: &str,
    outstanding: Outstanding,
) -> Result<SchemaSteps, PostgresError> {
    let mut client = lone_client(url).await?;
    version_check(&client).await?;
    let found = match outstanding {
        Outstanding::Done => migrate(&mut client).await,
        Outstanding::Told => look(&client).await,
    };
    found
        .map_err(|error| failed(&error))?
        .ok_or(PostgresError::NewerSchema)
}

/// How far the schema is, without changing anything; none if a newer program has been here.
pub(super) async fn look(client: &impl GenericClient) -> Result<Option<SchemaSteps>, Error> {
    let sql = "SELECT to_regclass('schema_step') IS NOT NULL";
    let known: bool = one(client, sql).await?.try_get(0)?;
    let done = if known { steps_done(client).await? } else { 0 };
    Ok(steps_of(STEPS, done))
}

/// Brings the schema up to date. Where a newer program has been, it is left alone and there is no answer: what
/// that did can't be known.
///
/// Whoever finds nothing to be done needs no right to change the schema.
pub(super) async fn migrate(client: &mut Client) -> Result<Option<SchemaSteps>, Error> {
    let found = look(client).await?;
    if found
        .as_ref()
        .is_none_or(|steps| steps.outstanding.is_empty())
    {
        return Ok(found);
    }
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
    let done = steps_done(&tx).await?;
    let Some(found) = steps_of(STEPS, done) else {
        return Ok(None);
    };
    for (number, (_, step)) in (1_i64..).zip(STEPS).skip(done) {
        tx.batch_execute(step).await?;
        tx.execute("INSERT INTO schema_step (number) VALUES ($1)", &[&number])
            .await?;
    }
    tx.commit().await?;
    Ok(Some(found.all_made()))
}

async fn steps_done(client: &impl GenericClient) -> Result<usize, Error> {
    let sql = "SELECT coalesce(max(number), 0) FROM schema_step";
    let done: i64 = one(client, sql).await?.try_get(0)?;
    Ok(usize::try_from(done).unwrap_or(usize::MAX))
}

/// The one row that `sql` answers, asked for whole: what is prepared is not there in the next transaction where a
/// pooler stands between.
async fn one(client: &impl GenericClient, sql: &str) -> Result<Row, Error> {
    client.query_typed_one(sql, &[]).await
}
