//! The PostgreSQL that a stage stands on instead of a file: one server for the whole run, started by it, with
//! everything that makes its commits durable left on.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use testkit::{PostgresDatabase, PostgresServer};

use super::machine::processor_time;

/// A new database on the server of this run.
pub(crate) struct Database(PostgresDatabase);

impl Database {
    /// Makes one; starts the server if it is the first.
    pub(crate) fn new() -> Self {
        Self(PostgresServer::of_this_process().database())
    }

    /// Its address, as `--database` takes it.
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// Processor time that the server has used so far, all its processes, those that have ended included.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let file = self.0.sql("SELECT pg_read_file('postmaster.pid')");
        let main = file.lines().next().context("postmaster.pid")?;
        let stat = fs::read_to_string(Path::new("/proc").join(main).join("stat"))?;
        // Its own and that of its children which it has buried.
        let mut sum = processor_time(&stat, 14..=17);
        let children = format!("/proc/{main}/task/{main}/children");
        for child in fs::read_to_string(children)?.split_whitespace() {
            // One that has ended meanwhile has been buried since, and is missed.
            let stat = fs::read_to_string(Path::new("/proc").join(child).join("stat"));
            sum += stat.map_or(Duration::ZERO, |stat| processor_time(&stat, 14..=15));
        }
        Ok(sum)
    }

    /// Bytes of write-ahead log that the server has written so far.
    pub(crate) fn wal(&self) -> anyhow::Result<u64> {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')";
        let bytes = self.0.sql(sql);
        bytes.parse().with_context(|| bytes)
    }
}
