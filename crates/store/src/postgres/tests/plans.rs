//! No statement of a unit of work looks through a table that grows: every method of the seam is
//! called, and every text that came of it explained.

use testkit::PostgresServer;
use tokio_postgres::{Client, NoTls};

use domain::NodeId;
use uuid::Uuid;

use super::super::{
    core::Core,
    deliveries::LeaseTerms,
    promises::set_up,
    tx::{Begin, Change, Tx},
};
use crate::{
    MasterKey, PostgresError, PostgresOptions,
    testing::{
        source,
        texts::unexplained,
        things::{at, scene},
        walk::{GROWING, everything},
    },
};

/// Indexes that may be read from one end to the other: few deliveries are being sent at any moment, one step
/// along what is due finds the next lane, and what has no number yet gets one within seconds.
const SHORT: [&str; 3] = ["delivery_leased", "delivery_due", "delivery_unnumbered"];

/// An empty database, and a connection to it.
async fn database() -> (testkit::PostgresDatabase, Client) {
    let database = PostgresServer::of_this_process().database();
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    (database, client)
}

#[tokio::test]
async fn no_statement_looks_through_a_table() {
    let (database, look) = database().await;
    let source = source();
    let key = MasterKey::generate(&source);
    let options = PostgresOptions::new(database.url(), key, source);
    let core = walked(options).await;
    let texts = core.texts.lock().unwrap().clone();
    set_up(&look).await.unwrap();
    let mut complaints = Vec::new();
    for sql in &texts {
        complaints.extend(complaint(&look, sql).await);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert_eq!(unexplained("postgres", &texts), Vec::<String>::new());
    // Else the walk was not one.
    for table in GROWING {
        assert!(
            texts.iter().any(|sql| sql.contains(table)),
            "nothing was asked of {table}"
        );
    }
}

/// Opens the database, walks through all that can be asked, and answers what knows the texts.
async fn walked(options: PostgresOptions) -> std::sync::Arc<Core> {
    let store = super::super::open::open::<PostgresError>(options, || Ok(None))
        .await
        .unwrap();
    let core = store.shared.core.clone();
    let conn = store.shared.pool.get().await.unwrap();
    let mut tx = Tx::begin(&conn, &core, Begin::Write).await;
    scene(&mut tx).await;
    everything(&mut tx).await;
    beside(&mut tx).await;
    let ended = tx.end(true).await;
    assert!(ended.is_ok(), "the walk is committed");
    core
}

/// What is done beside units of work: leasing what was committed, and numbering.
async fn beside(tx: &mut Change<'_>) {
    let (ids, now) = ([Uuid::from_u128(1)], at());
    let terms = LeaseTerms {
        node: NodeId::new(Uuid::from_u128(78)),
        now,
        until: now,
    };
    tx.lease_named(&ids, terms).await.unwrap();
    tx.number(Uuid::from_u128(1)).await.unwrap();
    tx.sequences_of(&ids).await.unwrap();
}

/// What is wrong with the plan of `sql`, if anything.
async fn complaint(look: &Client, sql: &str) -> Option<String> {
    let numbers = (1..).take_while(|number| sql.contains(&format!("${number}")));
    let nulls = vec!["NULL"; numbers.count()].join(", ");
    let arguments = if nulls.is_empty() {
        nulls
    } else {
        format!("({nulls})")
    };
    let prepared = look.batch_execute(&format!("PREPARE asked AS {sql}")).await;
    prepared.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = look
        .query(&format!("EXPLAIN EXECUTE asked{arguments}"), &[])
        .await
        .unwrap();
    look.batch_execute("DEALLOCATE asked").await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    // Looks through all chains, once a minute.
    let chains = sql.contains("HAVING min(behind) > 0");
    let bad = !chains && (0..plan.len()).any(|at| is_unbounded(&plan[at..]));
    bad.then(|| format!("{sql}\n{}", plan.join("\n")))
}

/// Whether the first line of `plan` reads a growing table, or an index of one, from end to end.
fn is_unbounded(plan: &[String]) -> bool {
    let line = plan[0].trim_start_matches([' ', '-', '>']);
    let of = |words: &str| {
        let rest = line.strip_prefix(words)?;
        rest.split_whitespace().next()
    };
    if let Some(table) = of("Seq Scan on ") {
        return GROWING.contains(&table);
    }
    let scan = of("Index Scan using ")
        .or_else(|| of("Index Only Scan using "))
        .or_else(|| of("Index Scan Backward using "))
        .or_else(|| of("Index Only Scan Backward using "))
        .or_else(|| of("Bitmap Index Scan on "));
    let Some(index) = scan else {
        return false;
    };
    let grows = GROWING
        .iter()
        .any(|table| index == format!("{table}_pkey") || index.starts_with(&format!("{table}_")));
    // What narrows an index down stands right under it.
    let narrowed = plan.get(1).is_some_and(|next| next.contains("Index Cond:"));
    grows && !narrowed && !SHORT.contains(&index)
}

#[tokio::test]
async fn a_scan_would_be_noticed() {
    let (database, look) = database().await;
    let source = source();
    let key = MasterKey::generate(&source);
    walked(PostgresOptions::new(database.url(), key, source)).await;
    set_up(&look).await.unwrap();
    for (sql, noticed) in [
        ("SELECT id FROM delivery WHERE reason = ''", true),
        ("SELECT key FROM file ORDER BY number", true),
        ("SELECT id FROM delivery WHERE id = $1", false),
    ] {
        assert_eq!(complaint(&look, sql).await.is_some(), noticed, "{sql}");
    }
}
