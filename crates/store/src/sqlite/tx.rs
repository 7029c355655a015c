//! A transaction as the seam sees it: the three ways to run a statement, and what they share.
//!
//! Every statement passes here, so that errors are named, statements counted, and the loss of the
//! outer transaction seen, in one place each.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use domain::{Source, SubscriptionId, Template, VersionId};
use rusqlite::{CachedStatement, Connection, Params, Row};

use super::{
    fault::{Fault, is_lost_sync},
    syncer::{Commits, Group, Member},
};
use crate::{
    Destination, Lanes, LeasedDelivery, MasterKey, Permit, StatementCount, StoreError, cache::Cache,
};

/// Editions of templates kept in memory. Running checklists use few at a time.
const EDITIONS_KEPT_MAX: usize = 512;
/// Destinations kept in memory: all of a large team's.
const DESTINATIONS_KEPT_MAX: usize = 20_000;

/// What all threads of one store share.
pub(super) struct Core {
    pub(super) source: Source,
    pub(super) key: MasterKey,
    pub(super) editions: Cache<VersionId, Template>,
    pub(super) destinations: Cache<(SubscriptionId, i64), Destination>,
    pub(super) commits: Commits,
    /// A statement met a disk that could not keep what had been written.
    pub(super) sync_lost: AtomicBool,
    statements: StatementCount,
    /// Every text that was run, for the test that explains them.
    #[cfg(test)]
    pub(super) texts: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

impl Core {
    pub(super) fn new(source: Source, key: MasterKey, statements: StatementCount) -> Self {
        Self {
            source,
            key,
            editions: Cache::new(EDITIONS_KEPT_MAX),
            destinations: Cache::new(DESTINATIONS_KEPT_MAX),
            commits: Commits::default(),
            sync_lost: AtomicBool::new(false),
            statements,
            #[cfg(test)]
            texts: std::sync::Mutex::default(),
        }
    }
}

/// A transaction. `G` is what a writing one gathers for after its commit; nothing for a reading one.
pub(super) struct Tx<'a, G> {
    // Exclusive, because only so it may move between threads with the future that uses it.
    conn: &'a mut Connection,
    pub(super) core: &'a Core,
    pub(super) gathered: G,
    ends: Option<Instant>,
    lost: RefCell<Option<StoreError>>,
}

/// A transaction that changes something.
pub(super) type Change<'a> = Tx<'a, &'a mut Gathered>;

impl<'a, G> Tx<'a, G> {
    /// A transaction that is open on `conn`; statements begun after `ends` fail.
    pub(super) fn new(
        conn: &'a mut Connection,
        core: &'a Core,
        gathered: G,
        ends: Option<Instant>,
    ) -> Self {
        Self {
            conn,
            core,
            gathered,
            ends,
            lost: RefCell::new(None),
        }
    }

    /// Why the whole transaction, savepoints and all, was rolled back by SQLite, if it was.
    pub(super) fn into_lost(self) -> Option<StoreError> {
        self.lost.into_inner()
    }

    /// Runs a statement that answers nothing; says how many rows it changed.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.told(
            self.prepare(sql)
                .and_then(|mut statement| Ok(statement.execute(params)?)),
        )
    }

    /// The first row that a statement answers, if any.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, StoreError> {
        let first = || {
            let mut statement = self.prepare(sql)?;
            let mut rows = statement.query(params)?;
            rows.next()?.map(read).transpose()
        };
        self.told(first())
    }

    /// The row that a statement always answers.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let missing = || Fault::Sql(rusqlite::Error::QueryReturnedNoRows).into();
        self.first(sql, params, read)?.ok_or_else(missing)
    }

    /// All rows that a statement answers. Its text bounds them.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, StoreError> {
        self.some(sql, params, |row| read(row).map(Some))
    }

    /// The rows that a statement answers, up to the first that `read` makes nothing of.
    pub(super) fn some<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<T>, StoreError> {
        let some = || {
            let mut statement = self.prepare(sql)?;
            let mut rows = statement.query(params)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(one) = read(row)? else { break };
                found.push(one);
            }
            Ok(found)
        };
        self.told(some())
    }

    /// The number of the row inserted last.
    pub(super) fn last_number(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Fault> {
        // Outside of the transaction a statement would be a transaction of its own: committed, whatever
        // becomes of its unit.
        if self.conn.is_autocommit() {
            let lost = self.lost.borrow();
            let error = lost
                .as_ref()
                .map_or(StoreError::Unavailable(None), StoreError::share);
            return Err(error.into());
        }
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            return Err(StoreError::Unavailable(Some(TOO_LONG.into())).into());
        }
        self.core.statements.count();
        #[cfg(test)]
        self.core.texts.lock().unwrap().insert(sql.to_owned());
        Ok(self.conn.prepare_cached(sql)?)
    }

    // Some errors (a full disk, a failed read) make SQLite roll the whole transaction back, and with
    // it the work of others in the same commit. It tells by returning to autocommit. A unit may pass
    // over such an error and go on; no statement of it runs any more.
    fn told<T>(&self, result: Result<T, Fault>) -> Result<T, StoreError> {
        result.map_err(|fault| {
            if matches!(&fault, Fault::Sql(error) if is_lost_sync(error)) {
                self.core.sync_lost.store(true, Ordering::Relaxed);
            }
            let error = StoreError::from(fault);
            if self.conn.is_autocommit() {
                self.lost.borrow_mut().get_or_insert_with(|| error.share());
            }
            error
        })
    }
}

const TOO_LONG: &str = "it took longer than a read may take; ask for less at once";

/// Leased deliveries with the permits to send them.
pub(super) type Ready = Vec<(LeasedDelivery, Permit)>;

/// What the units of one commit have for the delivery engine, once it is on disk.
#[derive(Default)]
pub(super) struct Gathered {
    /// The engine, if it is there.
    pub(super) lanes: Option<Arc<dyn Lanes>>,
    /// Leased deliveries, in the order of their units.
    pub(super) ready: Ready,
    /// Whether something due was stored that is not among them.
    pub(super) wake: bool,
    /// The greatest identifier given to a delivery, so that the next is greater.
    pub(super) last_delivery: u128,
}

/// How much had been gathered at some time.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    ready: usize,
    wake: bool,
}

impl Gathered {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            ready: self.ready.len(),
            wake: self.wake,
        }
    }

    /// Forgets everything that was gathered; the permits among it go back.
    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.wake = false;
    }

    /// Forgets what was gathered since `mark`; the permits among it go back.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.ready.truncate(mark.ready);
        self.wake = mark.wake;
    }

    /// What was gathered, with the units that share the commit; begins anew.
    pub(super) fn group(&mut self, members: Vec<Member>, failed: Option<StoreError>) -> Group {
        Group {
            members,
            ready: std::mem::take(&mut self.ready),
            wake: std::mem::take(&mut self.wake),
            lanes: self.lanes.clone(),
            failed,
        }
    }

    /// `subscription` sends again: what it held may be due.
    pub(super) fn resumed(&mut self, subscription: SubscriptionId) {
        self.wake = true;
        if let Some(lanes) = &self.lanes {
            lanes.resumed(subscription);
        }
    }

    /// A delivery of `subscription`, which sends, is stored as due: what is new goes behind it.
    pub(super) fn due(&mut self, subscription: SubscriptionId) {
        self.wake = true;
        if let Some(lanes) = &self.lanes {
            lanes.backlog(subscription);
        }
    }
}
