//! The list of what is copied, against the schemas; and copies that go wrong.

use std::{collections::BTreeSet, fs, path::Path};

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

/// What is done to rows on their way.
type Alter = fn(&mut Vec<Row>);

/// A target that changes what it is given.
struct Altering(Box<dyn Target>, Alter);

#[async_trait]
impl Source for Altering {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        self.0.read(table, out).await
    }
}

#[async_trait]
impl Target for Altering {
    async fn write(&self, table: &'static Table, mut rows: Vec<Row>) -> Result<(), CopyError> {
        if table.name == "team" {
            (self.1)(&mut rows);
        }
        self.0.write(table, rows).await
    }

    async fn filled(&self) -> Result<(), CopyError> {
        self.0.filled().await
    }

    async fn keep(self: Box<Self>) -> Result<(), CopyError> {
        self.0.keep().await
    }
}

/// A target that breaks off when it is kept: before it is, or after.
struct BreakingOff {
    target: Box<dyn Target>,
    is_kept: bool,
}

#[async_trait]
impl Source for BreakingOff {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        self.target.read(table, out).await
    }
}

#[async_trait]
impl Target for BreakingOff {
    async fn write(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError> {
        self.target.write(table, rows).await
    }

    async fn filled(&self) -> Result<(), CopyError> {
        self.target.filled().await
    }

    async fn keep(self: Box<Self>) -> Result<(), CopyError> {
        if self.is_kept {
            self.target.keep().await?;
        }
        Err(CopyError::Same)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_database_belong_together_wherever_a_copy_breaks_off() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    two_teams(from.path()).await;
    let key = MasterKey::load_or_create(from.path(), &source()).unwrap();
    let before = FileStore::open(from.path()).unwrap();
    let folder = to.path().join("data");
    let there = || fs::read_to_string(folder.join("files/checkflow-files")).unwrap();
    for (id, is_kept) in [(Uuid::from_u128(1), false), (Uuid::from_u128(2), true)] {
        let after = FileStore::open(&folder).unwrap();
        let begun = Copying::begin(&place(from.path()), &place(&folder)).await;
        let mut copying = begun.unwrap();
        let copied = copying.files(Some(&before), &after, id, &|_| {}).await;
        copied.unwrap();
        // Known from the first file on, so that nothing new begins there.
        assert_eq!(there(), format!("{id} copying\n"));
        copying.target = Box::new(BreakingOff {
            target: copying.target,
            is_kept,
        });
        copying.database(&|_| {}).await.unwrap_err();
        assert_eq!(there(), format!("{id} copying\n"));
        assert_eq!(folder.join(DATABASE_FILE).exists(), is_kept);
    }
    let store = open_sqlite(SqliteOptions::new(&folder, key, source())).unwrap();
    for _ in 0..2 {
        let files = FileStore::open(&folder).unwrap();
        files.belong_to(&store, &source()).await.unwrap();
        assert_eq!(there(), format!("{}\n", Uuid::from_u128(2)));
    }
    store.stop().await;
}

/// A folder with two teams in it.
async fn two_teams(folder: &Path) {
    let key = MasterKey::load_or_create(folder, &source()).unwrap();
    open_sqlite(SqliteOptions::new(folder, key, source()))
        .unwrap()
        .stop()
        .await;
    let db = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    db.execute_batch("INSERT INTO team VALUES (3, 'Blue', 0), (9, 'Red', 1)")
        .unwrap();
}

fn place(text: impl AsRef<Path>) -> CopyPlace {
    CopyPlace::parse(text.as_ref().to_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_differs_is_not_kept_and_can_be_made_again() {
    let source = tempfile::tempdir().unwrap();
    two_teams(source.path()).await;
    let target = tempfile::tempdir().unwrap();
    let folder = target.path().join("data");
    let database = PostgresServer::of_this_process().database();
    let from = place(source.path());
    for to in [place(&folder), place(database.url())] {
        let wrongs: [(Alter, u64); 4] = [
            (|rows| rows[1][1] = Value::Text("red".to_owned()), 2),
            (|rows| rows[0][2] = Value::Time(2), 2),
            (|rows| drop(rows.pop()), 1),
            (
                |rows| {
                    rows.push(vec![
                        Value::Int(10),
                        Value::Text(String::new()),
                        Value::Time(0),
                    ]);
                },
                3,
            ),
        ];
        for (wrong, rows) in wrongs {
            let mut copying = Copying::begin(&from, &to).await.unwrap();
            copying.target = Box::new(Altering(copying.target, wrong));
            let error = copying.database(&|_| {}).await.unwrap_err();
            assert!(
                matches!(error, CopyError::Differs { table: "team", expected: 2, found } if found == rows),
                "{error}"
            );
        }
        if let Some(folder) = to.folder() {
            let names = fs::read_dir(folder).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["checkflow.lock"], "nothing of it is left");
        } else {
            assert_eq!(database.sql("SELECT count(*) FROM team"), "0");
        }
        let copying = Copying::begin(&from, &to).await.unwrap();
        let (tables, _) = copying.database(&|_| {}).await.unwrap();
        assert_eq!((tables[2].name, tables[2].rows), ("team", 2));
    }
    // The next number is that after the greatest.
    let next = "INSERT INTO team (name, created_at) VALUES ('Green', now()) RETURNING id";
    assert_eq!(database.sql(next), "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_stops_the_copy_and_is_named() {
    let source = tempfile::tempdir().unwrap();
    two_teams(source.path()).await;
    let db = rusqlite::Connection::open(source.path().join(DATABASE_FILE)).unwrap();
    db.execute_batch(
        "PRAGMA foreign_keys = OFF;
        INSERT INTO template_task VALUES (zeroblob(16), 3, x'00', 'A', 0, 1)",
    )
    .unwrap();
    let database = PostgresServer::of_this_process().database();
    let copying = Copying::begin(&place(source.path()), &place(database.url()))
        .await
        .unwrap();
    let error = copying.database(&|_| {}).await.unwrap_err().to_string();
    assert!(
        error.contains("failed while reading the table template_task"),
        "{error}"
    );
    assert!(error.contains("column template_key"), "{error}");
    assert_eq!(
        database.sql("SELECT count(*) FROM team"),
        "0",
        "all or nothing"
    );
}
