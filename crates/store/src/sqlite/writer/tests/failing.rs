//! The same units, and something fails that they share: the disk is full, a transaction does not begin, a
//! commit or its way to the disk fails, a savepoint does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use proptest::prelude::*;
use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization, TransactionOperation},
};
use testkit::Trials;

use super::{
    Bench,
    expected::{Outer, expected},
    groups,
    script::{UNITS_MAX, scripts},
};

/// Room for what units write, unless they mean to fill the disk.
const SPARE_PAGES: i64 = 100;

fn outer() -> impl Strategy<Value = Outer> {
    let savepoint = [
        TransactionOperation::Begin,
        TransactionOperation::Rollback,
        TransactionOperation::Release,
    ];
    prop_oneof![
        2 => Just(Outer::Nothing),
        1 => Just(Outer::Begin),
        3 => (0..4_usize).prop_map(Outer::Commit),
        1 => Just(Outer::CommitDenied),
        3 => (0..4_usize).prop_map(Outer::Sync),
        3 => proptest::sample::select(savepoint.to_vec()).prop_map(Outer::Savepoint),
    ]
}

#[test]
fn a_group_that_fails_is_told_to_all_of_it_and_leaves_nothing() {
    let cases = (scripts(true), 1..=UNITS_MAX, groups::permits(), outer());
    Trials::new(150).run(&cases, |(scripts, group_max, permits, outer)| {
        let expected = expected(&scripts, group_max, outer);
        let lost = Arc::new(AtomicUsize::new(0));
        let losing = lost.clone();
        let count = move || {
            losing.fetch_add(1, Ordering::Relaxed);
        };
        let mut bench = groups::bench(group_max, permits, Arc::new(count));
        fill_up(&bench.writer.conn);
        let holder = fail(&mut bench, outer);
        let told = groups::run(&mut bench, scripts);
        drop(holder);
        heal(&mut bench);
        groups::check(&mut bench, &told, &expected, permits)?;
        let not_durable = expected
            .groups
            .iter()
            .filter(|group| !group.durable)
            .count();
        prop_assert_eq!(
            lost.load(Ordering::Relaxed),
            not_durable,
            "whether the process ends"
        );
        Ok(())
    });
}

/// Leaves the disk little room.
fn fill_up(conn: &Connection) {
    let pages: i64 = conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    conn.pragma_update(None, "max_page_count", pages + SPARE_PAGES)
        .unwrap();
}

/// Has something fail; what must be kept until it no longer does.
fn fail(bench: &mut Bench, outer: Outer) -> Option<Connection> {
    let conn = &bench.writer.conn;
    let count = AtomicUsize::new(0);
    match outer {
        Outer::Nothing => {}
        Outer::Begin => {
            let other = bench.look();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            conn.busy_timeout(std::time::Duration::ZERO).unwrap();
            return Some(other);
        }
        Outer::Commit(failing) => {
            let fails = move || count.fetch_add(1, Ordering::Relaxed) == failing;
            conn.commit_hook(Some(fails)).unwrap();
        }
        Outer::Sync(failing) => {
            let sync = std::mem::replace(&mut bench.sync, Box::new(|| Ok(())));
            bench.sync = Box::new(move || {
                if count.fetch_add(1, Ordering::Relaxed) == failing {
                    return Err(std::io::ErrorKind::StorageFull.into());
                }
                sync()
            });
        }
        // The one statement about transactions that rusqlite has no word for is COMMIT.
        Outer::CommitDenied => deny_once(conn, |action| {
            let operation = TransactionOperation::Unknown;
            action == AuthAction::Transaction { operation }
        }),
        Outer::Savepoint(what) => deny_once(
            conn,
            move |action| matches!(action, AuthAction::Savepoint { operation, .. } if operation == what),
        ),
    }
    None
}

/// Has the first statement fail that does this.
fn deny_once(conn: &Connection, does: impl Fn(AuthAction<'_>) -> bool + Send + 'static) {
    let denied = AtomicBool::new(false);
    let deny_once = move |context: AuthContext<'_>| {
        if does(context.action) && !denied.swap(true, Ordering::Relaxed) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    };
    conn.authorizer(Some(deny_once)).unwrap();
}

/// From now on nothing fails.
fn heal(bench: &mut Bench) {
    bench.sync = Box::new(|| Ok(()));
    let conn = &bench.writer.conn;
    conn.commit_hook(None::<fn() -> bool>).unwrap();
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
        .unwrap();
}
