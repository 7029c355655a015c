//! The list of what is copied, against the schemas; and copies that go wrong.

use std::collections::BTreeSet;

use testkit::PostgresServer;
use tokio_postgres::NoTls;

use super::{
    tables::{Kind, NOT_COPIED, OF_ONE, TABLES},
    *,
};
use crate::{
    DATABASE_FILE, Outstanding, SqliteOptions, open_sqlite, store_schema, testing::source,
};

/// What a catalog says: table, column and type.
type Catalog = BTreeSet<(String, String, String)>;

/// What the list says, by `word` for each type.
fn listed(word: fn(Kind) -> &'static str) -> Catalog {
    let columns = TABLES.iter().flat_map(|table| {
        let column = |column: &Column| (table.name.to_owned(), column.name, column.kind);
        table.columns.iter().map(column)
    });
    columns
        .map(|(table, column, kind)| (table, column.to_owned(), word(kind).to_owned()))
        .collect()
}

/// Fails unless all that `catalog` has is copied, or is named with a reason for it, and nothing else is.
fn compare(catalog: &Catalog, listed: &Catalog, but: &[(&str, &str)]) {
    let is_named = |table: &str, column: &str| {
        NOT_COPIED.iter().any(|(name, _)| *name == table)
            || OF_ONE
                .iter()
                .any(|(name, of, _)| (*name, *of) == (table, column))
            || but.contains(&(table, column))
    };
    let unnamed = |catalog: &Catalog| -> Catalog {
        let rest = catalog
            .iter()
            .filter(|(table, column, _)| !is_named(table, column));
        rest.cloned().collect()
    };
    let (found, listed) = (unnamed(catalog), unnamed(listed));
    let forgotten: Vec<_> = found.difference(&listed).collect();
    assert!(
        forgotten.is_empty(),
        "not in the list of what is copied: {forgotten:#?}"
    );
    let invented: Vec<_> = listed.difference(&found).collect();
    assert!(
        invented.is_empty(),
        "in the list, and not so in the schema: {invented:#?}"
    );
}

#[tokio::test]
async fn every_table_and_column_of_sqlite_is_copied_or_named_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::generate(&source());
    let store = open_sqlite(SqliteOptions::new(folder.path(), key, source())).unwrap();
    store.stop().await;
    let db = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    let sql = "SELECT t.name, c.name, c.type FROM pragma_table_list t, pragma_table_info(t.name) c
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let catalog = rows.unwrap().map(Result::unwrap).collect();
    let word = |kind| match kind {
        Kind::Int | Kind::Bool | Kind::Time => "INTEGER",
        Kind::Text | Kind::Json => "TEXT",
        Kind::Bytes | Kind::Guid => "BLOB",
    };
    // It refers to the event by its number here, and is copied as the event's GUID.
    compare(&catalog, &listed(word), &[("delivery", "event")]);
}

#[tokio::test]
async fn every_table_and_column_of_postgresql_is_copied_or_named_with_a_reason() {
    let database = PostgresServer::of_this_process().database();
    let url = database.url();
    let nowhere = std::path::Path::new("");
    store_schema(nowhere, Some(&url), Outstanding::Done)
        .await
        .unwrap();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT table_name::text, column_name::text, udt_name::text
        FROM information_schema.columns WHERE table_schema = current_schema()";
    let rows = client.query(sql, &[]).await.unwrap();
    let catalog = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let word = |kind| match kind {
        Kind::Int => "int8",
        Kind::Bool => "bool",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Guid => "uuid",
        Kind::Time => "timestamptz",
        Kind::Json => "jsonb",
    };
    compare(&catalog, &listed(word), &[]);
}
