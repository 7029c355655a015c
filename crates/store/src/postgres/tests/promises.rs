//! What is answered is on disk, however the server is set up.

use testkit::PostgresServer;

use super::super::tx::{Begin, Tx};
use crate::{MasterKey, PostgresOptions, testing::source};

#[tokio::test]
async fn a_commit_is_on_disk_whatever_the_database_is_set_to() {
    let database = PostgresServer::of_this_process().database();
    let name = database.name();
    database.sql(&format!(
        "ALTER DATABASE {name} SET synchronous_commit = off"
    ));
    assert_eq!(database.sql("SHOW synchronous_commit"), "off");
    let source = source();
    let key = MasterKey::generate(&source);
    let options = PostgresOptions::new(database.url(), key, source);
    let store = super::super::open::open(options, None).await.unwrap();
    let core = store.shared.core.clone();
    // On every connection, and again after a transaction has ended on it.
    for _ in 0..3 {
        let conn = store.shared.pool.get().await.unwrap();
        let mut tx: Tx<'_, ()> = Tx::begin(&conn, &core, Begin::Write).await;
        let sql = "SELECT current_setting('synchronous_commit')";
        let read = |row: &tokio_postgres::Row| Ok(row.try_get::<_, String>(0)?);
        let set = tx.one(sql, &[], read).await.unwrap();
        assert_eq!(set, "on");
        assert!(tx.end(true).await.is_ok());
    }
}
