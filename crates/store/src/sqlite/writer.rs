//! The one thread that writes: units of work that have queued up share a commit, each in a savepoint
//! of its own.
//!
//! Every answer waits for the commit of its group. What a unit has gathered for the delivery engine
//! goes away with its savepoint, and is let go after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    LostSync, SqliteLimits,
    checkpoint::{Checkpoints, checkpoint, wal_pages, wal_watch},
    fault::{is_lost_sync, meaning},
    once::poll_once,
    open::BUSY_TIMEOUT,
    queue::Queue,
    tx::{Core, Gathered, Tx},
};
use crate::{Lanes, StoreError, Verdict, WriteJob};

/// Bytes of a page of the database.
const PAGE_BYTES: u64 = 4_096;
/// How long the writer waits for readers when the WAL is at its ceiling.
const CEILING_WAIT: Duration = Duration::from_millis(200);
/// How long it then goes on before it tries again.
const CEILING_PAUSE: Duration = Duration::from_secs(2);

/// A unit of work that has run, and what to tell it if its group commits.
type Participant = (Box<dyn WriteJob>, Result<(), StoreError>);

/// The writer's connection and what it works with.
pub(super) struct Writer {
    conn: Connection,
    core: Arc<Core>,
    limits: SqliteLimits,
    lost_sync: LostSync,
    gathered: Gathered,
    data_version: i64,
    ceiling_again: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        conn: Connection,
        core: Arc<Core>,
        limits: SqliteLimits,
        lost_sync: LostSync,
    ) -> Self {
        wal_watch(&conn);
        let gathered = Gathered::default();
        Self {
            conn,
            core,
            limits,
            lost_sync,
            gathered,
            data_version: 0,
            ceiling_again: None,
        }
    }

    /// Serves `queue` until it is closed and empty.
    pub(super) fn serve(
        &mut self,
        queue: &Queue<Box<dyn WriteJob>>,
        lanes: &RwLock<Option<Arc<dyn Lanes>>>,
        checkpoints: &Checkpoints,
    ) {
        while let Some(first) = queue.pop() {
            self.gathered
                .lanes
                .clone_from(&lanes.read().unwrap_or_else(PoisonError::into_inner));
            self.group(first, queue);
            checkpoints.committed(wal_pages());
            self.ceiling();
        }
        // The engine may hold a store in turn.
        self.gathered.lanes = None;
    }

    /// Runs `first` and those that wait behind it, commits, and lets their answers go.
    fn group(&mut self, first: Box<dyn WriteJob>, queue: &Queue<Box<dyn WriteJob>>) {
        let ends = Instant::now() + self.limits.group_time;
        let mut next = Some(first);
        let begun = self.begin();
        let mut group: Vec<Participant> = Vec::new();
        while let Some(mut job) = next {
            let told = match &begun {
                Ok(()) => self.participate(&mut *job),
                // Whoever waits behind it would wait as long and be told the same.
                Err(error) => Ok(Err(error.share())),
            };
            let lost = told.as_ref().err().map(StoreError::share);
            group.push((job, told.unwrap_or_else(Err)));
            if let Some(error) = lost {
                self.roll_back();
                return self.fail(group, &error);
            }
            let more = group.len() < self.limits.group_max.max(1) && Instant::now() < ends;
            next = if more || begun.is_err() {
                queue.try_pop()
            } else {
                None
            };
        }
        match begun.and_then(|()| self.commit()) {
            Ok(()) => self.let_go(group),
            Err(error) => self.fail(group, &error),
        }
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE").map_err(meaning)?;
        let version = self.data_version().map_err(|error| {
            self.roll_back();
            meaning(error)
        })?;
        if version != self.data_version {
            // Another process wrote. What is cached does not change under its key, but a database
            // that was mended by hand should be seen as it is.
            self.core.destinations.clear();
            self.data_version = version;
        }
        Ok(())
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        let mut statement = self.conn.prepare_cached("PRAGMA data_version")?;
        statement.query_row((), |row| row.get(0))
    }

    /// Runs one unit in its savepoint. An error means that the whole transaction is lost; within it
    /// is what to tell the unit.
    fn participate(
        &mut self,
        job: &mut dyn WriteJob,
    ) -> Result<Result<(), StoreError>, StoreError> {
        self.execute("SAVEPOINT unit").map_err(meaning)?;
        let mark = self.gathered.mark();
        let mut tx = Tx::new(&mut self.conn, &self.core, &mut self.gathered, None);
        let verdict = poll_once(job.run(&mut tx));
        let lost = tx.into_lost();
        if self.conn.is_autocommit() {
            // The unit may have passed over the error and think that all is well, so it is told, too.
            return Err(lost.unwrap_or(StoreError::Unavailable(None)));
        }
        if !matches!(verdict, Ok(Verdict::Keep)) {
            self.gathered.undo(mark);
            self.execute("ROLLBACK TO unit").map_err(meaning)?;
        }
        self.execute("RELEASE unit").map_err(meaning)?;
        Ok(verdict.map(|_| ()))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT")
            .map_err(|error| self.uncommitted(error))
    }

    /// A commit failed: nothing of it may be answered as kept.
    fn uncommitted(&mut self, error: rusqlite::Error) -> StoreError {
        self.roll_back();
        if is_lost_sync(&error) {
            tracing::error!(%error, "the disk failed to keep a commit; the server ends");
            (self.lost_sync)();
        }
        meaning(error)
    }

    fn roll_back(&self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Tells the whole group that nothing of it was kept.
    fn fail(&mut self, group: Vec<Participant>, error: &StoreError) {
        self.gathered.ready.clear();
        self.gathered.wake = false;
        for (job, _) in group {
            finish(job, Err(error.share()));
        }
    }

    /// The group is on disk: the engine gets its deliveries, and the callers their answers.
    fn let_go(&mut self, group: Vec<Participant>) {
        let ready = std::mem::take(&mut self.gathered.ready);
        let wake = std::mem::take(&mut self.gathered.wake);
        if let Some(lanes) = &self.gathered.lanes {
            let handed = catch_unwind(AssertUnwindSafe(|| {
                if !ready.is_empty() {
                    lanes.hand_over(ready);
                }
                if wake {
                    lanes.wake();
                }
            }));
            if handed.is_err() {
                tracing::error!("handing deliveries over panicked; their leases will lapse");
            }
        }
        for (job, told) in group {
            finish(job, told);
        }
    }

    /// Holds the WAL to its ceiling: with the writer standing still, a checkpoint gets to its end.
    fn ceiling(&mut self) {
        let now = Instant::now();
        let small = wal_pages() * PAGE_BYTES < self.limits.wal_bytes_max;
        if small || self.ceiling_again.is_some_and(|again| now < again) {
            return;
        }
        self.ceiling_again = Some(now + CEILING_PAUSE);
        let waits = self.conn.busy_timeout(CEILING_WAIT);
        let done = waits.and_then(|()| checkpoint(&self.conn, "TRUNCATE"));
        if let Err(error) = self.conn.busy_timeout(BUSY_TIMEOUT) {
            tracing::error!(%error, "the time that writes wait could not be set back");
        }
        match done {
            Ok(true) => self.ceiling_again = None,
            Ok(false) => tracing::warn!("a long read keeps the WAL above its ceiling"),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint at the ceiling of the WAL failed");
                if is_lost_sync(&error) {
                    (self.lost_sync)();
                }
            }
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute(()).map(|_| ())
    }
}

/// Lets an answer go. It runs code of the caller's, which must not take the writer with it.
fn finish(job: Box<dyn WriteJob>, told: Result<(), StoreError>) {
    if catch_unwind(AssertUnwindSafe(|| job.finish(told))).is_err() {
        tracing::error!("letting the answer of a write go panicked");
    }
}

#[cfg(test)]
mod tests;
