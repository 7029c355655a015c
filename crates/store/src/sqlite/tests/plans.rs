//! No statement of a unit of work looks through a table that grows: every method of the seam is
//! called, and every text that came of it explained.

use super::bench::{Bench, scene, work};
use crate::{
    Verdict,
    testing::{
        texts::unexplained,
        walk::{GROWING, everything},
    },
};

#[test]
fn no_statement_looks_through_a_table() {
    let mut bench = Bench::new();
    bench.keep(scene());
    bench.keep(work(|tx| {
        Box::pin(async move {
            everything(tx).await;
            Verdict::Keep
        })
    }));
    let texts = bench.core.texts.lock().unwrap().clone();
    let look = bench.look();
    let complaints: Vec<String> = texts
        .iter()
        .filter_map(|sql| complaint(&look, sql))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert_eq!(unexplained("sqlite", &texts), Vec::<String>::new());
    // Else the walk above was not one.
    for table in GROWING {
        assert!(
            texts.iter().any(|sql| sql.contains(table)),
            "nothing was asked of {table}"
        );
    }
}

/// What is wrong with the plan of `sql`, if anything.
fn complaint(look: &rusqlite::Connection, sql: &str) -> Option<String> {
    let mut explain = look.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = explain.raw_query().mapped(|row| row.get::<_, String>(3));
    let plan: Vec<String> = lines.map(Result::unwrap).collect();
    let bad = plan.iter().any(|line| !is_bounded(line, sql));
    bad.then(|| format!("{sql}\n{plan:#?}"))
}

fn is_bounded(line: &str, sql: &str) -> bool {
    // Few deliveries are being sent at any moment, and there is one lane per subscription.
    let few = line.contains("delivery_leased") || line == "SCAN lane";
    // One looks whether there are chains at all; the other, once a minute and beside the writer, through all.
    let chains = line.contains("delivery_chain")
        && ["SELECT 1 FROM delivery", "HAVING min(behind) > 0"]
            .iter()
            .any(|text| sql.contains(text));
    let scans = line.starts_with("SCAN") && line != "SCAN CONSTANT ROW" && !few && !chains;
    // Sorting is reading all first. These have little to read: one checklist's events, one event's
    // deliveries, what is being sent, the lanes, the subscriptions to one scope.
    let little = [
        "checklist_id = ?",
        "event_log CROSS JOIN delivery",
        "INDEXED BY delivery_leased",
        "lane (id)",
    ];
    let sorts = line.contains("TEMP B-TREE") && !little.iter().any(|text| sql.contains(text));
    !scans && !sorts
}

#[test]
fn a_scan_would_be_noticed() {
    let bench = Bench::new();
    let look = bench.look();
    assert!(complaint(&look, "SELECT id FROM delivery WHERE reason = ''").is_some());
    assert!(complaint(&look, "SELECT key FROM file ORDER BY size").is_some());
    assert!(complaint(&look, "SELECT id FROM delivery WHERE id = ?1").is_none());
}
