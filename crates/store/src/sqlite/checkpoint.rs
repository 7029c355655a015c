//! Checkpoints: bringing the WAL back into the database, on a thread and connection of their own so
//! that no commit waits for one.

use std::{
    cell::Cell,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;

use super::{LostSync, fault::end_if_lost};

/// Time between checkpoints while there are commits.
const PAUSE: Duration = Duration::from_secs(1);
/// A WAL that has grown by so many pages since is checkpointed without the pause.
const HASTE_PAGES: u64 = 4_096;
/// What the writer may bring home by itself for that, while the next commit waits.
const TAIL_PAGES: u64 = 512;

/// What the writer tells the checkpointer.
#[derive(Default)]
pub(super) struct Checkpoints {
    // Beside the lock, so that a commit that changes nothing here costs one load.
    dirty: AtomicBool,
    /// Pages in the WAL after the last commit, and when the last checkpoint began.
    pages: AtomicU64,
    seen: AtomicU64,
    /// Pages of the WAL that were in the database after the last checkpoint.
    home: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    haste: bool,
    closed: bool,
}

impl Checkpoints {
    /// There was a commit, after which the WAL has `pages`.
    pub(super) fn committed(&self, pages: u64) {
        let first = !self.dirty.swap(true, Ordering::AcqRel);
        self.pages.store(pages, Ordering::Release);
        let seen = self.seen.load(Ordering::Acquire);
        // Fewer than before are those of a WAL that started over.
        let grown = pages.checked_sub(seen).unwrap_or(pages);
        let haste = grown >= HASTE_PAGES;
        if first || haste {
            self.lock().haste |= haste;
            self.changed.notify_all();
        }
    }

    /// Whether so little of a WAL of `pages` is not in the database yet that the writer can see to it.
    pub(super) fn are_nearly_home(&self, pages: u64) -> bool {
        let home = self.home.load(Ordering::Acquire);
        // More than there are is from before the WAL started over.
        pages
            .checked_sub(home)
            .is_some_and(|left| left <= TAIL_PAGES)
    }

    /// The checkpointer ends.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to do; false when there never will be.
    fn wait(&self) -> bool {
        let idle = |state: &mut State| !state.closed && !self.dirty.load(Ordering::Acquire);
        let state = self.changed.wait_while(self.lock(), idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        // Gathers what a second brings, unless it is much.
        let calm = |state: &mut State| !state.closed && !state.haste;
        let waited = self.changed.wait_timeout_while(state, PAUSE, calm);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.haste = false;
        self.seen
            .store(self.pages.load(Ordering::Acquire), Ordering::Release);
        self.dirty.store(false, Ordering::Release);
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checkpoints until the store closes.
pub(super) fn checkpoint_loop(conn: &Connection, checkpoints: &Checkpoints, lost_sync: &LostSync) {
    while checkpoints.wait() {
        match checkpoint(conn, "PASSIVE") {
            Ok(Brought { home, .. }) => checkpoints.home.store(home, Ordering::Release),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint failed; it is tried again after the next commit");
                end_if_lost(&error, lost_sync);
            }
        }
    }
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    /// Whether it could do all it was asked.
    pub(super) all: bool,
    /// Pages of the WAL that are in the database now.
    pub(super) home: u64,
}

/// Runs a checkpoint.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<Brought> {
    // Not a fit value for rusqlite's own way to say a pragma.
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    conn.query_row(&sql, (), |row| {
        Ok(Brought {
            all: row.get::<_, i64>(0)? == 0,
            // -1 where there is no WAL.
            home: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        })
    })
}

thread_local! {
    static WAL_PAGES: Cell<u64> = const { Cell::new(0) };
}

/// Has `conn` note, on the thread that commits, how large the WAL has become.
pub(super) fn wal_watch(conn: &Connection) {
    conn.wal_hook(Some(|_, pages| {
        WAL_PAGES.set(u64::try_from(pages).unwrap_or(0));
        Ok(())
    }));
}

/// Pages in the WAL after this thread's last commit.
pub(super) fn wal_pages() -> u64 {
    WAL_PAGES.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests::{Bench, bench::scene};

    #[test]
    fn the_writer_brings_home_a_short_tail_and_no_long_one() {
        let checkpoints = Checkpoints::default();
        checkpoints.home.store(10_000, Ordering::Release);
        for (pages, expected) in [
            (10_000, true),
            (10_000 + TAIL_PAGES, true),
            (10_001 + TAIL_PAGES, false),
            (9_999, false),
        ] {
            assert_eq!(checkpoints.are_nearly_home(pages), expected, "{pages}");
        }
    }

    #[test]
    fn what_was_committed_is_brought_home_without_the_writer() {
        let mut bench = Bench::new();
        bench.keep(scene());
        let file = bench.folder.path().join(crate::sqlite::DATABASE_FILE);
        let bytes = || std::fs::metadata(&file).unwrap().len();
        let before = bytes();
        let checkpoints = Checkpoints::default();
        checkpoints.committed(HASTE_PAGES);
        assert!(checkpoints.wait(), "there is something to do");
        assert!(checkpoint(&bench.look(), "PASSIVE").unwrap().all);
        assert!(bytes() > before, "the pages are in the database itself");
        checkpoints.close();
        assert!(!checkpoints.wait(), "there never will be");
    }
}
