//! Units that share a commit: nobody is told wrongly, and nobody harms another.

mod durable;
mod expected;
mod failing;
mod groups;
mod mixed;
mod script;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
    mpsc,
};

use domain::SubscriptionState;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};

use super::*;
use crate::{
    StateChange,
    sqlite::tests::{Bench, Told, bench},
};
use bench::{TEAM, Work, at, event, scene, subscription, work};

fn team_and(verdict: Verdict) -> Work {
    work(move |tx| {
        Box::pin(async move {
            tx.team_insert("a team", at()).await.unwrap();
            verdict
        })
    })
}

fn append(number: u128, verdict: Verdict) -> Work {
    work(move |tx| {
        Box::pin(async move {
            tx.event_append(&event(number)).await.unwrap();
            verdict
        })
    })
}

fn change(state: SubscriptionState) -> StateChange {
    StateChange {
        state,
        reason: "a test".to_owned(),
        by: "a test".to_owned(),
        at: at(),
    }
}

/// Puts the subscription of the scene into a state.
fn put(state: SubscriptionState) -> Work {
    work(move |tx| {
        Box::pin(async move {
            let (lane, change) = (subscription(21).id, change(state));
            tx.subscription_state_put(lane, &change).await.unwrap();
            Verdict::Keep
        })
    })
}

fn panics() -> Work {
    work(|tx| {
        Box::pin(async move {
            tx.team_insert("lost", at()).await.unwrap();
            panic!("a unit that panics, for the test")
        })
    })
}

/// Counts how often something is brought to the disk.
fn counted(bench: &mut Bench) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let (counting, sync) = (
        count.clone(),
        std::mem::replace(&mut bench.sync, Box::new(|| Ok(()))),
    );
    bench.sync = Box::new(move || {
        counting.fetch_add(1, Ordering::Relaxed);
        sync()
    });
    count
}

/// A unit that counts its runs.
fn running(runs: &Arc<AtomicU32>, unit: Work) -> Work {
    let runs = runs.clone();
    work(move |tx| {
        runs.fetch_add(1, Ordering::Relaxed);
        unit(tx)
    })
}

fn ok(name: &'static str, teams: i64) -> Told {
    (name, Ok(()), teams)
}

#[test]
fn answers_come_after_the_commit_that_they_share() {
    let mut bench = Bench::new();
    let told = bench.run(vec![
        ("first", team_and(Verdict::Keep)),
        ("refused", team_and(Verdict::Undo)),
        ("last", team_and(Verdict::Keep)),
    ]);
    // Each saw both teams from outside when it was told, the one that refused as well.
    assert_eq!(told, [ok("first", 2), ok("refused", 2), ok("last", 2)]);
}

#[test]
fn a_panic_undoes_its_own_unit_only() {
    let mut bench = Bench::new();
    let told = bench.run(vec![
        ("first", team_and(Verdict::Keep)),
        ("panics", panics()),
        ("last", team_and(Verdict::Keep)),
    ]);
    let panicked = ("panics", Err(StoreError::Panicked.to_string()), 2);
    assert_eq!(told, [ok("first", 2), panicked, ok("last", 2)]);
}

#[test]
fn a_unit_that_waits_for_something_else_is_undone() {
    let mut bench = Bench::new();
    let waits = work(|tx| {
        Box::pin(async move {
            tx.team_insert("lost", at()).await.unwrap();
            std::future::pending::<()>().await;
            Verdict::Keep
        })
    });
    let told = bench.run(vec![("waits", waits), ("last", team_and(Verdict::Keep))]);
    assert!(told[0].1.is_err());
    assert_eq!((bench.count("team"), &told[1].1), (1, &Ok(())));
}

#[test]
fn a_group_is_bounded_in_count() {
    let limits = SqliteLimits {
        group_max: 2,
        ..SqliteLimits::default()
    };
    let mut bench = Bench::with(limits, Arc::new(|| {}));
    let commits = counted(&mut bench);
    let unit = || team_and(Verdict::Keep);
    let told = bench.run(vec![("a", unit()), ("b", unit()), ("c", unit())]);
    assert!(told.iter().all(|told| told.1.is_ok()), "{told:?}");
    assert_eq!(commits.load(Ordering::Relaxed), 2);
}

#[test]
fn a_commit_that_fails_is_told_to_all_of_its_group() {
    let mut bench = Bench::new();
    bench.keep(scene());
    *bench.engine.free.lock().unwrap() = 5;
    bench.writer.conn.commit_hook(Some(|| true)).unwrap();
    let told = bench.run(vec![
        ("kept", append(1, Verdict::Keep)),
        ("refused", team_and(Verdict::Undo)),
        ("panics", panics()),
    ]);
    let failed = Err(StoreError::Failed("".into()).to_string());
    let names = ["kept", "refused", "panics"];
    assert_eq!(told, names.map(|name| (name, failed.clone(), 1)));
    assert_eq!(bench.count("event"), 0);
    // The permit is back, and the engine heard of nothing.
    assert_eq!(*bench.engine.free.lock().unwrap(), 5);
    assert!(bench.engine.calls.lock().unwrap().is_empty());
    // And the writer works on.
    bench.writer.conn.commit_hook(None::<fn() -> bool>).unwrap();
    bench.keep(team_and(Verdict::Keep));
}

#[test]
fn a_full_disk_fails_all_that_share_the_transaction_it_ends() {
    let mut bench = Bench::new();
    bench.keep(scene());
    let conn = &bench.writer.conn;
    let pages: i64 = conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    conn.pragma_update(None, "max_page_count", pages).unwrap();
    let fills = work(|tx| {
        Box::pin(async move {
            let name = "x".repeat(100_000);
            let error = tx.team_insert(&name, at()).await.unwrap_err();
            assert!(matches!(error, StoreError::Full(_)), "{error:?}");
            // It passes the error over and thinks that all is well.
            Verdict::Keep
        })
    });
    let told = bench.run(vec![
        ("before", team_and(Verdict::Keep)),
        ("fills", fills),
        ("after", work(|_| Box::pin(async { Verdict::Keep }))),
    ]);
    let full = Err(StoreError::Full(None).to_string());
    assert_eq!(
        told,
        [
            ("before", full.clone(), 1),
            ("fills", full, 1),
            ok("after", 1)
        ]
    );
}

#[test]
fn a_unit_that_goes_on_after_its_transaction_has_ended_changes_nothing() {
    let mut bench = Bench::new();
    bench.keep(scene());
    let conn = &bench.writer.conn;
    let pages: i64 = conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    // Room for a small row, and none for a large one.
    conn.pragma_update(None, "max_page_count", pages + 10)
        .unwrap();
    let goes_on = work(|tx| {
        Box::pin(async move {
            let name = "x".repeat(1_000_000);
            tx.team_insert(&name, at()).await.unwrap_err();
            let error = tx.team_insert("on its own", at()).await.unwrap_err();
            assert!(matches!(error, StoreError::Full(_)), "{error:?}");
            tx.team_get(TEAM).await.unwrap_err();
            Verdict::Keep
        })
    });
    let told = bench.run(vec![("goes on", goes_on)]);
    let full = Err(StoreError::Full(None).to_string());
    assert_eq!(told, [("goes on", full, 1)]);
    assert_eq!(bench.count("team"), 1, "nothing was committed on its own");
    bench.keep(team_and(Verdict::Keep));
}

#[test]
fn what_is_undone_gives_its_permit_back_and_the_rest_is_handed_over_in_order() {
    let mut bench = Bench::new();
    bench.keep(scene());
    *bench.engine.free.lock().unwrap() = 3;
    let told = bench.run(vec![
        ("one", append(1, Verdict::Keep)),
        ("undone", append(2, Verdict::Undo)),
        (
            "panics",
            work(|tx| {
                Box::pin(async move {
                    tx.event_append(&event(3)).await.unwrap();
                    panic!("a unit that panics, for the test")
                })
            }),
        ),
        ("two", append(4, Verdict::Keep)),
        ("three", append(5, Verdict::Keep)),
        ("waits", append(6, Verdict::Keep)),
    ]);
    assert_eq!(told.iter().filter(|told| told.1.is_ok()).count(), 5);
    let calls = bench.engine.calls.lock().unwrap().clone();
    // Sequences have no gap where something was undone; the fourth found no permit.
    assert_eq!(calls, ["backlog", "hand over [1, 2, 3]", "wake"]);
    assert_eq!(bench.count("delivery"), 4);
    assert_eq!(bench.count("delivery WHERE state = 'leased'"), 3);
    bench.engine.kept.lock().unwrap().clear();
    assert_eq!(*bench.engine.free.lock().unwrap(), 3);
}

#[test]
fn a_unit_that_changed_something_before_it_was_refused_is_undone_alone() {
    let mut bench = Bench::new();
    let runs: [Arc<AtomicU32>; 4] = Default::default();
    let keep = |place: usize| running(&runs[place], team_and(Verdict::Keep));
    let told = bench.run(vec![
        ("before", keep(0)),
        (
            "looks and refuses",
            work(|_| Box::pin(async { Verdict::Undo })),
        ),
        ("refused", running(&runs[1], team_and(Verdict::Undo))),
        ("after", keep(2)),
        ("refused again", running(&runs[3], team_and(Verdict::Undo))),
    ]);
    assert!(
        told.iter().all(|told| told.1.is_ok() && told.2 == 2),
        "{told:?}"
    );
    // What is kept runs again, once for the whole group; what was refused does not.
    assert_eq!(runs.map(|runs| runs.load(Ordering::Relaxed)), [2, 1, 1, 1]);
}

#[test]
fn what_runs_again_is_handed_over_once() {
    let mut bench = Bench::new();
    bench.keep(scene());
    *bench.engine.free.lock().unwrap() = 2;
    bench.run(vec![
        ("kept", append(1, Verdict::Keep)),
        ("undone", append(2, Verdict::Undo)),
    ]);
    assert_eq!(*bench.engine.calls.lock().unwrap(), ["hand over [1]"]);
    assert_eq!((bench.count("event"), bench.count("delivery")), (1, 1));
    assert_eq!(*bench.engine.free.lock().unwrap(), 1, "one permit is out");
}

#[test]
fn units_run_while_the_disk_works_for_those_before_them() {
    let limits = SqliteLimits {
        group_max: 1,
        ..SqliteLimits::default()
    };
    let mut bench = Bench::with(limits, Arc::new(|| {}));
    let (ran, has_run) = mpsc::channel();
    let (told, has_run) = (bench.told.clone(), Mutex::new(has_run));
    let first = AtomicBool::new(true);
    bench.sync = Box::new(move || {
        if first.swap(false, Ordering::Relaxed) {
            let waited = has_run
                .lock()
                .unwrap()
                .recv_timeout(Duration::from_secs(20));
            waited.expect("the second unit runs while the first is being synced");
            assert!(
                told.lock().unwrap().is_empty(),
                "somebody was told before the sync"
            );
        }
        Ok(())
    });
    let second = work(move |_| {
        ran.send(()).unwrap();
        Box::pin(async { Verdict::Keep })
    });
    let told = bench.run(vec![("first", team_and(Verdict::Keep)), ("second", second)]);
    assert_eq!(told, [ok("first", 1), ok("second", 1)]);
}

#[test]
fn a_commit_whose_sync_was_lost_is_told_to_nobody_and_ends_the_process() {
    let ends = Arc::new(AtomicU32::new(0));
    let seen = ends.clone();
    let hook = move || {
        seen.fetch_add(1, Ordering::Relaxed);
    };
    let mut bench = Bench::with(SqliteLimits::default(), Arc::new(hook));
    bench.keep(scene());
    *bench.engine.free.lock().unwrap() = 1;
    bench.sync = Box::new(|| Err(std::io::ErrorKind::StorageFull.into()));
    let told = bench.run(vec![("kept", append(1, Verdict::Keep))]);
    assert!(told[0].1.is_err(), "{told:?}");
    assert_eq!(ends.load(Ordering::Relaxed), 1);
    assert!(bench.engine.calls.lock().unwrap().is_empty());
    assert_eq!(*bench.engine.free.lock().unwrap(), 1, "the permit is back");
}

#[test]
fn deliveries_have_ever_greater_identifiers_even_in_one_millisecond() {
    let mut bench = Bench::new();
    bench.keep(scene());
    for number in 0..20 {
        bench.keep(append(number, Verdict::Keep));
    }
    let look = bench.look();
    let mut by_id = look
        .prepare("SELECT sequence FROM delivery ORDER BY id")
        .unwrap();
    let rows = by_id.query_map((), |row| row.get::<_, i64>(0)).unwrap();
    let sequences: Vec<i64> = rows.map(Result::unwrap).collect();
    assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
}

#[test]
fn the_wal_stays_below_its_ceiling() {
    let limits = SqliteLimits {
        wal_bytes_max: 64 * 1024,
        ..SqliteLimits::default()
    };
    let mut bench = Bench::with(limits, Arc::new(|| {}));
    for _ in 0..200 {
        bench.keep(team_and(Verdict::Keep));
    }
    let wal = bench.folder.path().join("checkflow.db-wal");
    let bytes = std::fs::metadata(wal).unwrap().len();
    assert!(bytes < 128 * 1024, "the WAL has {bytes} bytes");
}

#[test]
fn a_wal_that_has_become_large_begins_anew_where_it_lies() {
    let limits = SqliteLimits {
        wal_bytes_max: 8 * 1024 * 1024,
        ..SqliteLimits::default()
    };
    let mut bench = Bench::with(limits, Arc::new(|| {}));
    let wal = bench.folder.path().join("checkflow.db-wal");
    let unit = || {
        work(|tx| {
            Box::pin(async move {
                tx.team_insert(&"x".repeat(64 * 1024), at()).await.unwrap();
                Verdict::Keep
            })
        })
    };
    for _ in 0..100 {
        bench.keep(unit());
    }
    let bytes = std::fs::metadata(wal).unwrap().len();
    assert!(
        (1024 * 1024..2 * 1024 * 1024).contains(&bytes),
        "6 MiB were written in turns of 1 MiB, and the WAL has {bytes} bytes"
    );
}

#[test]
fn a_destination_that_was_undone_is_given_to_nobody() {
    let mut bench = Bench::new();
    bench.keep(scene());
    bench.keep(put(SubscriptionState::Paused));
    *bench.engine.free.lock().unwrap() = 10;
    let sends_as = |state, number, verdict| {
        work(move |tx| {
            Box::pin(async move {
                put(state)(tx).await;
                tx.event_append(&event(number)).await.unwrap();
                verdict
            })
        })
    };
    // From the second unit on each has a savepoint; what is kept gives the revision of what was undone
    // another state.
    bench.run(vec![
        ("refused late", team_and(Verdict::Undo)),
        (
            "undone",
            sends_as(SubscriptionState::Active, 1, Verdict::Undo),
        ),
        (
            "kept",
            sends_as(SubscriptionState::Failing, 2, Verdict::Keep),
        ),
    ]);
    let kept = bench.engine.kept.lock().unwrap();
    let states = kept.iter().map(|(leased, _)| leased.destination.state);
    assert_eq!(states.collect::<Vec<_>>(), [SubscriptionState::Failing]);
}

#[test]
fn a_savepoint_that_fails_ends_its_group_and_no_more() {
    let mut bench = Bench::new();
    let denied = AtomicBool::new(false);
    let deny_once = move |context: AuthContext<'_>| match context.action {
        AuthAction::Savepoint {
            operation: TransactionOperation::Release,
            ..
        } if !denied.swap(true, Ordering::Relaxed) => Authorization::Deny,
        _ => Authorization::Allow,
    };
    bench.writer.conn.authorizer(Some(deny_once)).unwrap();
    let told = bench.run(vec![
        ("kept", team_and(Verdict::Keep)),
        ("refused late", team_and(Verdict::Undo)),
    ]);
    let failed = Err(StoreError::Failed("".into()).to_string());
    let names = ["kept", "refused late"];
    assert_eq!(told, names.map(|name| (name, failed.clone(), 0)));
    bench.keep(team_and(Verdict::Keep));
    assert_eq!(bench.count("team"), 1);
}
