//! The threads that read: each has a connection and runs one unit at a time, on one view of the
//! data, for a limited time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    fault::meaning,
    once::poll_once,
    queue::Queue,
    tx::{Core, Tx},
};
use crate::{ReadJob, StoreError};

/// Steps of SQLite's machine between two looks at the clock: some tenths of a millisecond.
const LOOK_STEPS: i32 = 20_000;

/// How long reads may take.
pub(super) struct ReadLimits {
    time: Duration,
    stop_by: Mutex<Option<Instant>>,
}

impl ReadLimits {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            stop_by: Mutex::default(),
        }
    }

    /// No read goes on after `stop`.
    pub(super) fn stop_by(&self, stop: Instant) {
        self.stop().get_or_insert(stop);
    }

    fn stop(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.stop_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self, ends: Option<Instant>) -> bool {
        let now = Instant::now();
        ends.is_some_and(|ends| now >= ends) || self.stop().is_some_and(|stop| now >= stop)
    }
}

/// Serves `queue` until it is closed and empty.
pub(super) fn read_loop(
    mut conn: Connection,
    queue: &Queue<Box<dyn ReadJob>>,
    limits: &Arc<ReadLimits>,
    core: &Core,
) {
    let ends = Arc::new(Mutex::new(None::<Instant>));
    let (watched, seen) = (limits.clone(), ends.clone());
    let over = move || watched.over(*seen.lock().unwrap_or_else(PoisonError::into_inner));
    if let Err(error) = conn.progress_handler(LOOK_STEPS, Some(over)) {
        tracing::error!(%error, "reads can't be limited in time");
    }
    while let Some(mut job) = queue.pop() {
        let end = Instant::now() + limits.time;
        *ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        let done = read(&mut conn, core, &mut *job, end);
        // Ending a transaction must not be interrupted by the unit's own limit.
        *ends.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if !conn.is_autocommit()
            && let Err(error) = conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a read could not be ended");
        }
        core.commits.settled();
        if catch_unwind(AssertUnwindSafe(|| job.finish(done))).is_err() {
            tracing::error!("letting the answer of a read go panicked");
        }
    }
}

fn read(
    conn: &mut Connection,
    core: &Core,
    job: &mut dyn ReadJob,
    ends: Instant,
) -> Result<(), StoreError> {
    conn.prepare_cached("BEGIN DEFERRED")
        .and_then(|mut begin| begin.execute(()))
        .map_err(meaning)?;
    let mut tx = Tx::new(conn, core, (), Some(ends));
    poll_once(job.run(&mut tx))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_ends_by_its_own_limit_or_with_the_store() {
        let limits = ReadLimits::new(Duration::from_secs(1));
        let now = Instant::now();
        assert!(limits.over(Some(now)));
        assert!(!limits.over(Some(now + Duration::from_hours(1))));
        assert!(!limits.over(None));
        limits.stop_by(now);
        assert!(limits.over(Some(now + Duration::from_hours(1))));
    }

    #[test]
    fn a_statement_that_goes_on_is_interrupted() {
        let conn = Connection::open_in_memory().unwrap();
        conn.progress_handler(LOOK_STEPS, Some(|| true)).unwrap();
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT count(*) FROM n";
        let error = conn
            .query_row(endless, (), |row| row.get::<_, i64>(0))
            .unwrap_err();
        assert!(matches!(meaning(error), StoreError::Unavailable(_)));
    }
}
