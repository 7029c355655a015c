//! There and back again: what comes back from PostgreSQL is what went there.

use std::{collections::BTreeMap, fs, path::Path};

use testkit::PostgresServer;

use super::{
    super::DATABASE_FILE,
    bench::{Bench, scene, work},
};
use crate::{
    CopyPlace, Copying, MasterKey, SqliteOptions, TableCopied, Verdict,
    copy::{TABLES, Table},
    open_sqlite,
    testing::{source, walk::everything},
};

/// What the walk through the seam leaves out: each state, each thing that may be absent, texts in all scripts,
/// bytes of every value, and bodies larger than what travels together.
const MORE: &str = "
    INSERT INTO field (id, value) VALUES (20481, 'Ünï – 木 – 🦀'), (20482, 'a\nb\t\"c\" \\');
    INSERT INTO file VALUES (9, randomblob(16), 1, randomblob(16), 20483, 'скан.pdf', 0, 'application/pdf',
        randomblob(32), -1, 'Ann', 'ann@example.com');
    INSERT INTO event SELECT max(number) + 7, randomblob(16), 1, 'file_uploaded', 1795455715120, 5,
        randomblob(16), zeroblob(16), randomblob(16), NULL, NULL, randomblob(3000000) FROM event;
    INSERT INTO template_version SELECT max(number) + 3, randomblob(16), template_key,
        '{\"b\": [1, -2.5, 1e3, null, true, {}], \"a\": \"é\\n\", \"\": []}', 0 FROM template_version;
    INSERT INTO delivery
        SELECT randomblob(16), team_id, subscription_id, event, sequence + 1000 * s.column2, s.column1,
            'why', 3, CASE WHEN s.column1 IN ('waiting', 'leased') THEN 4102444800000 END,
            CASE s.column1 WHEN 'leased' THEN randomblob(16) END,
            CASE s.column1 WHEN 'leased' THEN 253402300799999 END, 'Bob',
            CASE s.column1 WHEN 'delivered' THEN 7 END, 8, 'delivered', 204,
            9, 10, 204, 'https://example.com', 'v1,é', '[[\"a\",\"b\"]]', randomblob(70000), 1, 7, s.column2, 'Ann',
            NULL, randomblob(16)
        FROM (SELECT * FROM delivery ORDER BY sequence LIMIT 1), (VALUES ('waiting', 1), ('leased', 2),
            ('delivered', 3), ('exhausted', 4), ('cancelled', 5), ('refused', 6), ('expired', 7)) s;
    UPDATE subscription_sequence SET last = last + 8000;
    INSERT INTO attempt SELECT id, 9, NULL, 1, 2, 'timedOut', NULL, 'errör', '', '', '', x'00ff00', 0, randomblob(16)
        FROM delivery WHERE reason = 'why';";

/// A folder with something in every table.
fn filled() -> Bench {
    let mut bench = Bench::new();
    bench.keep(scene());
    bench.keep(work(|tx| {
        Box::pin(async move {
            everything(tx).await;
            Verdict::Keep
        })
    }));
    bench.look().execute_batch(MORE).unwrap();
    bench
}

/// Every row of every table, as SQLite has it, but for the numbers that are SQLite's own.
fn dump(folder: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let db = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    let rows = |table: &'static Table| {
        let columns = table.columns.iter().map(|column| match column.name {
            "event" => "(SELECT id FROM event WHERE number = delivery.event)",
            // A walk over events begins anew, for each database has an order of its own.
            "reached" => "CASE WHEN to_subscription IS NULL THEN reached END",
            "reached_at" => "CASE WHEN to_subscription IS NULL THEN reached_at END",
            name => name,
        });
        let columns: Vec<_> = columns.collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        let mut statement = db.prepare(&sql).unwrap();
        let rows = statement.query_map((), |row| {
            let cell = |at: usize| {
                let value: rusqlite::types::Value = row.get(at)?;
                Ok(match (table.columns[at].name, value) {
                    // PostgreSQL has its own order of the members.
                    ("document", rusqlite::types::Value::Text(text)) => {
                        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                        json.to_string()
                    }
                    (_, value) => format!("{value:?}"),
                })
            };
            let cells: rusqlite::Result<Vec<String>> = (0..columns.len()).map(cell).collect();
            Ok(cells?.join(" | "))
        });
        let mut rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort();
        (table.name, rows)
    };
    TABLES.iter().map(rows).collect()
}

async fn copy(from: &str, to: &str) -> Vec<TableCopied> {
    let place = |text| CopyPlace::parse(text).unwrap();
    let copying = Copying::begin(&place(from), &place(to)).await.unwrap();
    copying.database(&|_| {}).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_from_postgresql_is_what_went_there() {
    let bench = filled();
    let folder = bench.folder.path().to_owned();
    let before = dump(&folder);
    let empty: Vec<_> = before.iter().filter(|(_, rows)| rows.is_empty()).collect();
    assert!(empty.is_empty(), "nothing is in {empty:?}");
    let file = |name: &str| fs::read(folder.join(name)).unwrap();
    let log = format!("{DATABASE_FILE}-wal");
    let bytes = (file(DATABASE_FILE), file(&log));
    assert!(!bytes.1.is_empty(), "some of it is still in the log");

    let (one, two) = (
        PostgresServer::of_this_process().database(),
        PostgresServer::of_this_process().database(),
    );
    let back = tempfile::tempdir().unwrap();
    let back = back.path().join("data");
    let told = copy(folder.to_str().unwrap(), &one.url()).await;
    assert_eq!(copy(&one.url(), &two.url()).await, told);
    assert_eq!(copy(&two.url(), back.to_str().unwrap()).await, told);
    assert_eq!(dump(&back), before);
    for TableCopied { name, rows, .. } in told {
        assert_eq!(before[name].len() as u64, rows, "{name}");
    }
    assert_eq!(
        (file(DATABASE_FILE), file(&log)),
        bytes,
        "the source is as it was"
    );

    // What one folder was made with opens the other.
    let key = MasterKey::load_or_create(&folder, &source()).unwrap();
    let store = open_sqlite(SqliteOptions::new(back, key, source())).unwrap();
    store.stop().await;
}
