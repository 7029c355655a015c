//! What the server does not promise by itself, and what is done about it.

use tokio_postgres::Client;

use super::{PostgresError, open::failed};

/// What a session is set to, for as long as it lasts or, where `local` says so, for the present transaction.
///
/// That a commit is on disk when it is answered must not depend on how a role or a database is set up; what is
/// stronger, such as waiting for a standby, is left as it is. A lock is not waited for for ever, and a node that
/// stands still does not hold up the others. Statements have no bound: one that ended a commit's wait for a
/// standby would have it answered as if the standby had it.
///
/// Plans do not depend on statistics: those of a table that was empty a moment ago say that a scan of it costs
/// nothing, and a session keeps the plans that it made by them. Every statement has an index to go by, and a test
/// holds that.
pub(super) fn settings(local: bool) -> String {
    format!(
        "SELECT set_config('lock_timeout', '5s', {local}),
        set_config('idle_in_transaction_session_timeout', '10s', {local}),
        set_config('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, {local}),
        set_config('enable_seqscan', 'off', {local}),
        set_config('enable_hashjoin', 'off', {local}),
        set_config('enable_mergejoin', 'off', {local}),
        set_config('plan_cache_mode', 'force_generic_plan', {local})"
    )
}

/// Sets a session up that stays ours.
pub(super) async fn set_up(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&settings(false)).await
}

/// Looks at what the server promises, and warns of what only the server can change. Answers how a transaction that
/// changes something begins: behind a pooler, where no session is ours for longer, with what others set up once.
pub(super) async fn begin_write(
    client: &Client,
    host: String,
    pooled: bool,
) -> Result<String, PostgresError> {
    let sql = "SELECT pg_is_in_recovery(), current_setting('fsync'),
        current_setting('full_page_writes')";
    let row = client.query_typed_one(sql, &[]).await;
    let row = row.map_err(|error| failed(&error))?;
    let cell = |at| row.try_get::<_, &str>(at).map_err(|error| failed(&error));
    if row.try_get(0).map_err(|error| failed(&error))? {
        return Err(PostgresError::OnlyReads { host });
    }
    if cell(1)? == "off" {
        tracing::warn!(
            "PostgreSQL runs with fsync=off: a power cut loses what was answered and damages the database; \
             turn it on"
        );
    }
    if cell(2)? == "off" {
        tracing::warn!(
            "PostgreSQL runs with full_page_writes=off: a power cut may damage the database; turn it on, \
             unless its file system never writes half a page"
        );
    }
    Ok(if pooled {
        format!("BEGIN; {}", settings(true))
    } else {
        "BEGIN".to_owned()
    })
}
