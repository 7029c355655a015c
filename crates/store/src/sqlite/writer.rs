//! The one thread that writes: units of work that have queued up, or come while the disk is busy, share a
//! commit.
//!
//! Every answer waits until the commit of its group is on the disk, which `syncer` sees to. A unit that
//! is refused takes nothing of the others with it, and what it has gathered for the delivery engine goes
//! with what it has changed.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    LostSync, SqliteLimits,
    checkpoint::{Brought, Checkpoints, checkpoint, wal_pages, wal_watch},
    events::last_delivery,
    fault::{is_lost_sync, meaning},
    once::poll_once,
    open::BUSY_TIMEOUT,
    queue::Queue,
    syncer::Member,
    tx::{Core, Gathered, Tx},
};
use crate::{Lanes, StoreError, Verdict, WriteJob};

/// Bytes of a page of the database.
const PAGE_BYTES: u64 = 4_096;
/// The part of its ceiling from which on the WAL begins anew as soon as it can.
const REUSE_PART: u64 = 8;
/// How long the writer waits for readers when the WAL is at its ceiling.
const CEILING_WAIT: Duration = Duration::from_millis(200);
/// How long it then goes on before it tries again.
const CEILING_PAUSE: Duration = Duration::from_secs(2);

/// A group of so many makes the next one wait, so that a commit is worth its cost when there is much
/// to do.
const PACED_MEMBERS: usize = 8;
/// How long it waits, beyond the time that the disk is busy.
const PACE: Duration = Duration::from_millis(1);

/// The writer's connection and what it works with.
pub(super) struct Writer {
    conn: Connection,
    core: Arc<Core>,
    limits: SqliteLimits,
    lost_sync: LostSync,
    gathered: Gathered,
    /// Whether each unit of the group has a savepoint of its own.
    savepoints: bool,
    data_version: i64,
    paced_until: Option<Instant>,
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
            savepoints: false,
            data_version: 0,
            paced_until: None,
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
            self.reuse(checkpoints);
            self.ceiling();
        }
        // The engine may hold a store in turn.
        self.gathered.lanes = None;
    }

    /// Runs `first` and those that wait behind it or come while the disk is busy, commits, and passes them
    /// on to be synced and let go.
    fn group(&mut self, first: Box<dyn WriteJob>, queue: &Queue<Box<dyn WriteJob>>) {
        let core = self.core.clone();
        let ends = Instant::now() + self.limits.group_time;
        let paced_until = self.paced_until;
        let patience = || {
            if core.commits.are_idle() {
                paced_until
            } else {
                Some(ends)
            }
        };
        self.savepoints = false;
        let mut members = Vec::new();
        let mut failed = self.begin().err();
        let begun = failed.is_none();
        let mut next = Some(first);
        while let Some(job) = next {
            match &failed {
                None => failed = self.participate(job, &mut members).err(),
                // Whoever waits behind it would wait as long and be told the same.
                Some(error) => members.push(refused(job, error.share())),
            }
            let more = members.len() < self.limits.group_max.max(1) && Instant::now() < ends;
            next = match failed {
                None if more => queue.pop_by(patience),
                Some(_) if !begun => queue.try_pop(),
                _ => None,
            };
        }
        core.commits.begin();
        let failed = failed.or_else(|| self.commit().err());
        if failed.is_some() {
            self.roll_back();
        }
        self.paced_until = (members.len() >= PACED_MEMBERS).then(|| Instant::now() + PACE);
        core.commits.put(self.gathered.group(members, failed));
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE").map_err(meaning)?;
        let version = self.data_version().map_err(meaning)?;
        if version != self.data_version {
            // Another process wrote, or this is the first of this one. What is cached does not change
            // under its key, but a database that was mended by hand should be seen as it is.
            self.core.destinations.clear();
            let last = last_delivery(&self.conn).map_err(meaning)?;
            self.gathered.last_delivery = self.gathered.last_delivery.max(last);
            self.data_version = version;
        }
        Ok(())
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        let mut statement = self.conn.prepare_cached("PRAGMA data_version")?;
        statement.query_row((), |row| row.get(0))
    }

    /// Runs one unit and adds it to `members`. An error means that the whole transaction is lost.
    fn participate(
        &mut self,
        mut job: Box<dyn WriteJob>,
        members: &mut Vec<Member>,
    ) -> Result<(), StoreError> {
        let mark = self.gathered.mark();
        let changes = self.conn.total_changes();
        let verdict = match self.run(&mut *job) {
            Ok(verdict) => verdict,
            Err(lost) => {
                // It may have passed over the error and think that all is well, so it is told, too.
                members.push(refused(job, lost.share()));
                return Err(lost);
            }
        };
        let kept = matches!(verdict, Ok(Verdict::Keep));
        let told = verdict.map(|_| ());
        members.push(Member { job, kept, told });
        if kept || self.savepoints {
            return Ok(());
        }
        self.gathered.undo(mark);
        if self.conn.total_changes() == changes {
            return Ok(());
        }
        self.again(members)
    }

    /// Undoes everything, because one unit changed something before it was refused, and runs those that
    /// are kept again. From now on each unit of this group has a savepoint of its own.
    ///
    /// Units that are refused look first and change later, so this is rare, while a savepoint for each
    /// unit costs a copy of every page that it changes.
    fn again(&mut self, members: &mut [Member]) -> Result<(), StoreError> {
        self.roll_back();
        self.gathered.clear();
        self.savepoints = true;
        self.begin()?;
        for member in members.iter_mut().filter(|member| member.kept) {
            let verdict = self.run(&mut *member.job)?;
            member.kept = matches!(verdict, Ok(Verdict::Keep));
            member.told = verdict.map(|_| ());
        }
        Ok(())
    }

    /// Runs one unit; where there are savepoints, what it changed is undone if it is not to be kept. An
    /// error means that the whole transaction is lost; within it is what to tell the unit.
    fn run(&mut self, job: &mut dyn WriteJob) -> Result<Result<Verdict, StoreError>, StoreError> {
        if self.savepoints {
            self.execute("SAVEPOINT unit").map_err(meaning)?;
        }
        let mark = self.gathered.mark();
        let mut tx = Tx::new(&mut self.conn, &self.core, &mut self.gathered, None);
        let verdict = poll_once(job.run(&mut tx));
        let lost = tx.into_lost();
        if self.conn.is_autocommit() {
            return Err(lost.unwrap_or(StoreError::Unavailable(None)));
        }
        if self.savepoints {
            if !matches!(verdict, Ok(Verdict::Keep)) {
                self.gathered.undo(mark);
                self.core.destinations.clear();
                self.execute("ROLLBACK TO unit").map_err(meaning)?;
            }
            self.execute("RELEASE unit").map_err(meaning)?;
        }
        Ok(verdict)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let Err(error) = self.execute("COMMIT") else {
            return Ok(());
        };
        if is_lost_sync(&error) {
            tracing::error!(%error, "the disk failed to keep a commit; the server ends");
            (self.lost_sync)();
        }
        Err(meaning(error))
    }

    fn roll_back(&self) {
        // Another unit may give the revision that is undone another state, target or secret.
        self.core.destinations.clear();
        if !self.conn.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Brings the rest of a WAL home that has become large. With all of it in the database and no reader
    /// left in it, the next commit begins it anew: writing into blocks that the file has costs the
    /// disk less than having it grow.
    fn reuse(&mut self, checkpoints: &Checkpoints) {
        let large = wal_pages() * PAGE_BYTES >= self.limits.wal_bytes_max / REUSE_PART;
        if large
            && checkpoints.are_nearly_home(wal_pages())
            && let Err(error) = checkpoint(&self.conn, "PASSIVE")
        {
            self.checkpoint_failed(&error);
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
            Ok(Brought { all: true, .. }) => self.ceiling_again = None,
            Ok(_) => tracing::warn!("a long read keeps the WAL above its ceiling"),
            Err(error) => self.checkpoint_failed(&error),
        }
    }

    fn checkpoint_failed(&self, error: &rusqlite::Error) {
        tracing::warn!(%error, "a checkpoint of the writer failed");
        if is_lost_sync(error) {
            (self.lost_sync)();
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute(()).map(|_| ())
    }
}

fn refused(job: Box<dyn WriteJob>, error: StoreError) -> Member {
    Member {
        job,
        kept: false,
        told: Err(error),
    }
}

#[cfg(test)]
mod tests;
