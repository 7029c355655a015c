//! A second server that follows the first, and takes its place.

use super::{PostgresServer, await_true, programs::program, run};

/// What the standby calls itself.
const NAME: &str = "standby";

impl PostgresServer {
    /// A standby that has all that this server has, and without which nothing is committed here from now on.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self::in_folder();
        let from = format!(
            "host=127.0.0.1 port={} user=postgres application_name={NAME}",
            self.port
        );
        let mut copy = program("pg_basebackup");
        copy.args(["--checkpoint=fast", "--write-recovery-conf", "-d", &from]);
        run(copy.arg("-D").arg(standby.data()));
        standby.start();
        // Only now, for a commit before would have waited for it.
        self.ask(&format!(
            "ALTER SYSTEM SET synchronous_standby_names = '{NAME}'"
        ));
        self.ask("SELECT pg_reload_conf()");
        let state = "SELECT sync_state FROM pg_stat_replication";
        let in_step = await_true(|| self.ask(state) == ["sync"]);
        assert!(in_step, "the standby does not follow: {}", standby.log());
        standby
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        self.control(&["promote"]);
        let leads = await_true(|| self.ask("SELECT pg_is_in_recovery()") == ["f"]);
        assert!(leads, "the standby does not lead: {}", self.log());
    }
}
