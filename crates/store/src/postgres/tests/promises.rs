//! What is answered is on disk, however the server is set up.

use testkit::PostgresServer;

use super::super::tx::{Begin, Tx};
use crate::{MasterKey, PostgresError, PostgresOptions, StoreError, testing::source};

/// What a commit waits for where the database is set to `set`.
async fn waits_for(set: &str, pooler: bool) -> Vec<String> {
    let database = PostgresServer::of_this_process().database();
    let name = database.name();
    database.sql(&format!(
        "ALTER DATABASE {name} SET synchronous_commit = {set}"
    ));
    assert_eq!(database.sql("SHOW synchronous_commit"), set);
    let source = source();
    let key = MasterKey::generate(&source);
    let mut options = PostgresOptions::new(database.url(), key, source);
    options.access.pooler = pooler;
    let store = super::super::open::open::<PostgresError>(options, || Ok(None))
        .await
        .unwrap();
    let core = store.shared.core.clone();
    let mut found = Vec::new();
    // On every connection, and again after a transaction has ended on it.
    for _ in 0..3 {
        let conn = store.shared.pool.get().await.unwrap();
        let mut tx: Tx<'_, ()> = Tx::begin(&conn, &core, Begin::Write).await;
        let sql = "SELECT current_setting('synchronous_commit')";
        let read = |row: &tokio_postgres::Row| Ok(row.try_get::<_, String>(0)?);
        found.push(tx.one(sql, &[], read).await.unwrap());
        assert!(tx.end(true).await.is_ok());
    }
    found
}

#[tokio::test]
async fn a_commit_is_on_disk_whatever_is_set_and_waits_for_no_less_than_is_set() {
    for pooler in [false, true] {
        for (set, kept) in [
            ("off", "on"),
            ("local", "local"),
            ("remote_apply", "remote_apply"),
        ] {
            assert_eq!(waits_for(set, pooler).await, [kept; 3], "{set}, {pooler}");
        }
    }
}

#[tokio::test]
async fn what_is_given_up_half_way_is_undone_and_goes_into_nobody_elses_commit() {
    let database = PostgresServer::of_this_process().database();
    let source = source();
    let key = MasterKey::generate(&source);
    let options = PostgresOptions::new(database.url(), key, source);
    let store = super::super::open::open::<PostgresError>(options, || Ok(None))
        .await
        .unwrap();
    let core = store.shared.core.clone();
    let written = tokio::sync::Notify::new();
    let given_up = core.beside(async |tx| {
        let sql = "INSERT INTO meta (name, value) VALUES ('given up', '')";
        tx.run(sql, &[]).await?;
        written.notify_one();
        std::future::pending::<Result<(), StoreError>>().await
    });
    tokio::select! {
        _ = given_up => unreachable!("it waits for ever"),
        () = written.notified() => {}
    }
    // More often than there are connections.
    for _ in 0..4 {
        let next = core.beside(async |tx| tx.run("SELECT 1", &[]).await);
        next.await.unwrap();
    }
    assert_eq!(
        database.sql("SELECT count(*) FROM meta WHERE name = 'given up'"),
        "0"
    );
}

#[tokio::test]
async fn what_failed_first_is_what_is_said_of_a_transaction() {
    let database = PostgresServer::of_this_process().database();
    let source = source();
    let key = MasterKey::generate(&source);
    let options = PostgresOptions::new(database.url(), key, source);
    let store = super::super::open::open::<PostgresError>(options, || Ok(None))
        .await
        .unwrap();
    let core = store.shared.core.clone();
    let conn = store.shared.pool.get().await.unwrap();
    let insert = "INSERT INTO meta (name, value) VALUES ('there', '')";
    let mut first: Tx<'_, ()> = Tx::begin(&conn, &core, Begin::Write).await;
    first.run(insert, &[]).await.unwrap();
    assert!(first.end(true).await.is_ok());

    let mut tx: Tx<'_, ()> = Tx::begin(&conn, &core, Begin::Write).await;
    // Whoever waits for nothing has asked the next before this has failed; preparing that fails, too, and says less.
    tx.later(insert, Vec::new()).await.unwrap();
    let next = tx.run("SELECT 'a text that nobody has asked before'", &[]);
    assert!(next.await.is_err());
    let lost = tx.end(true).await.expect_err("it can't be committed");
    assert!(lost.collision, "{}", lost.error.with_sources());
}
