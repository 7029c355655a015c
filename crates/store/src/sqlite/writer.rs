//! The one thread that writes: units of work that have queued up, or come while the disk is busy, share a
//! commit.
//!
//! Every answer waits until the commit of its group is on the disk, which `syncer` sees to. A unit that
//! is refused takes nothing of the others with it, and what it has gathered for the delivery engine goes
//! with what it has changed.

use std::{
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    LostSync, SqliteLimits,
    checkpoint::{Checkpoints, wal_pages, wal_watch},
    events::last_delivery,
    fault::{end_if_lost, meaning},
    once::poll_once,
    queue::Queue,
    syncer::Member,
    tx::{Core, Gathered, Tx},
    wal::{Room, Wal},
};
use crate::{Lanes, StoreError, Verdict, WriteJob};

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
    wal: Wal,
}

impl Writer {
    pub(super) fn new(
        conn: Connection,
        core: Arc<Core>,
        limits: SqliteLimits,
        lost_sync: LostSync,
        room: Room,
    ) -> Self {
        wal_watch(&conn);
        let wal = Wal::new(limits.wal_bytes_max, room, lost_sync.clone());
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
            wal,
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
            self.wal.keep(&self.conn, checkpoints);
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
        if let Some(error) = &failed {
            self.roll_back();
            if matches!(error, StoreError::Full(_)) {
                self.wal.found_full();
            }
        }
        self.paced_until = (members.len() >= PACED_MEMBERS).then(|| Instant::now() + PACE);
        core.commits.put(self.gathered.group(members, failed));
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE")
            .map_err(|error| self.meaning(error))?;
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
            self.execute("SAVEPOINT unit")
                .map_err(|error| self.meaning(error))?;
        }
        let mark = self.gathered.mark();
        let mut tx = Tx::new(&mut self.conn, &self.core, &mut self.gathered, None);
        let verdict = poll_once(job.run(&mut tx));
        let lost = tx.into_lost();
        if self.core.sync_lost.load(Ordering::Relaxed) {
            (self.lost_sync)();
        }
        if self.conn.is_autocommit() {
            return Err(lost.unwrap_or(StoreError::Unavailable(None)));
        }
        if self.savepoints {
            if !matches!(verdict, Ok(Verdict::Keep)) {
                self.gathered.undo(mark);
                self.core.destinations.clear();
                self.execute("ROLLBACK TO unit")
                    .map_err(|error| self.meaning(error))?;
            }
            self.execute("RELEASE unit")
                .map_err(|error| self.meaning(error))?;
        }
        Ok(verdict)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT").map_err(|error| self.meaning(error))
    }

    /// What `error` means to a unit. One that says that the disk kept nothing ends the process.
    fn meaning(&self, error: rusqlite::Error) -> StoreError {
        end_if_lost(&error, &self.lost_sync);
        meaning(error)
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
