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
    (
        "0007_secrets",
        include_str!("../../migrations/postgres/0007_secrets.sql"),
    ),
    (
        "0008_credentials",
        include_str!("../../migrations/postgres/0008_credentials.sql"),
    ),
    (
        "0009_resumed",
        include_str!("../../migrations/postgres/0009_resumed.sql"),
    ),
    (
        "0010_rights",
        include_str!("../../migrations/postgres/0010_rights.sql"),
    ),
    (
        "0011_answers",
        include_str!("../../migrations/postgres/0011_answers.sql"),
    ),
    (
        "0012_people",
        include_str!("../../migrations/postgres/0012_people.sql"),
    ),
    (
        "0013_acting",
        include_str!("../../migrations/postgres/0013_acting.sql"),
    ),
    (
        "0014_assignments",
        include_str!("../../migrations/postgres/0014_assignments.sql"),
    ),
    (
        "0015_due",
        include_str!("../../migrations/postgres/0015_due.sql"),
    ),
    (
        "0016_parameters",
        include_str!("../../migrations/postgres/0016_parameters.sql"),
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

#[cfg(test)]
mod tests {
    use testkit::PostgresServer;
    use tokio_postgres::NoTls;

    use super::*;

    #[tokio::test]
    async fn the_secret_that_a_subscription_had_is_still_its_own_and_only_one() {
        let database = PostgresServer::of_this_process().database();
        let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let sql = "CREATE TABLE schema_step (
            number bigint PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now())";
        client.batch_execute(sql).await.unwrap();
        let before = STEPS.iter().take_while(|(name, _)| *name != "0007_secrets");
        for (number, (_, step)) in (1_i64..).zip(before) {
            client.batch_execute(step).await.unwrap();
            let sql = "INSERT INTO schema_step (number) VALUES ($1)";
            client.execute(sql, &[&number]).await.unwrap();
        }
        client
            .batch_execute(
                "INSERT INTO team (name, created_at) VALUES ('Blue', now());
                INSERT INTO subscription (id, team_id, source, event_type, scope, scope_key,
                    target_url, target_hash, revision, secret, state, state_reason, state_since,
                    state_by, created_at)
                SELECT gen_random_uuid(), id, 'a', 'task_completed', 'team', gen_random_uuid(),
                    'https://a.example', sha256('a'), 1, '\\x0102', 'gone', '', now(), 'Ann',
                    '2026-11-23T20:00:00Z'
                FROM team;",
            )
            .await
            .unwrap();
        migrate(&mut client).await.unwrap().unwrap();
        let sql = "SELECT s.id = k.id AND s.id = k.subscription_id AND k.team_id = s.team_id
                AND k.kind = 'hmac' AND k.sealed = '\\x0102' AND k.public_key IS NULL
                AND k.created_at = '2026-11-23T20:00:00Z' AND k.valid_until IS NULL
            FROM subscription s CROSS JOIN subscription_secret k";
        let moved: bool = client.query_one(sql, &[]).await.unwrap().get(0);
        assert!(moved);
        let sql = "SELECT secret FROM subscription";
        assert!(client.query(sql, &[]).await.is_err());
    }
}
