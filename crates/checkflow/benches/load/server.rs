//! The server that is measured: the real binary, in a process of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::DATABASE_FILE;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::machine;

/// The binary, built as this benchmark was.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_checkflow");
/// What secrets are encrypted with, so that a store can be filled while no server runs on it.
pub(crate) const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// How the first line of a server that can answer begins.
const LISTENING: &str = "listening on http://";
/// What stands before the number of statements, in the last line of a server's log.
const STATEMENTS: &str = "statements=";
/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Variables for the server: what is set otherwise than by default.
pub(crate) type Settings = Arc<[(String, String)]>;

/// Where a server keeps everything.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its data folder.
    pub(crate) folder: PathBuf,
    /// Where its database is when that is not in the folder.
    pub(crate) database: Option<String>,
    /// Where its files are when they are not in the folder.
    pub(crate) files: Option<String>,
    /// And with which variables.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running `checkflow serve`.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    /// From the start of the process until it could answer.
    pub(crate) ready_after: Duration,
    /// When the process was started.
    pub(crate) started: Instant,
}

impl Server {
    /// Starts it on a free port and waits until it can answer.
    pub(crate) async fn start(place: &Place, settings: &Settings) -> anyhow::Result<Self> {
        let mut command = checkflow(place, &["serve", "--listen", "127.0.0.1:0"]);
        if let Some(files) = &place.files {
            command.args(["--files", files]);
        }
        // The sink is on this machine.
        command.args(["--allow-target", "127.0.0.0/8"]);
        // The driver is one key and one address.
        for whose in ["KEY", "ADDRESS"] {
            command.env(
                format!("CHECKFLOW_API__REQUESTS_PER_MINUTE_PER_{whose}"),
                "0",
            );
        }
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let log_path = place.folder.with_extension("log");
        let log = File::options().create(true).append(true).open(&log_path)?;
        command.stdout(Stdio::piped()).stderr(log);
        let started = Instant::now();
        let mut child = command.spawn().context("starting the server")?;
        let out = child.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(out).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let ready_after = started.elapsed();
        let line = line.context("the server does not say that it is ready")??;
        let address = line
            .as_deref()
            .and_then(|line| line.strip_prefix(LISTENING));
        let Some(address) = address else {
            let log = fs::read_to_string(&log_path)?;
            let last = log.lines().next_back().unwrap_or("it says nothing");
            bail!("the server did not start: {last}");
        };
        Ok(Self {
            child,
            folder: place.folder.clone(),
            address: address.parse()?,
            ready_after,
            started,
        })
    }

    /// Asks it to end and waits until it has. Answers how many statements its database ran for it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<u64> {
        kill_process(self.pid()?, Signal::TERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.context("the server does not end")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        let log = fs::read_to_string(self.folder.with_extension("log"))?;
        let counted = log.lines().next_back().and_then(|line| {
            let (_, count) = line.rsplit_once(STATEMENTS)?;
            count.parse().ok()
        });
        counted.context("the server's last line does not count its statements")
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let killed = timeout(PATIENCE, self.child.kill()).await;
        killed.context("the server cannot be killed")??;
        Ok(())
    }

    /// Processor time it has used so far, user and system, all threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc("stat")?;
        Ok(machine::processor_time(&stat, 14..=15))
    }

    /// Memory that is resident now, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("/proc/PID/status has no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// How large the write-ahead log is now, in bytes.
    pub(crate) fn wal(&self) -> u64 {
        self.file_bytes("-wal")
    }

    /// How large the database is now, in bytes, without the log.
    pub(crate) fn database(&self) -> u64 {
        self.file_bytes("")
    }

    fn file_bytes(&self, ending: &str) -> u64 {
        let path = self.folder.join(format!("{DATABASE_FILE}{ending}"));
        fs::metadata(path).map_or(0, |file| file.len())
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.pid()?.as_raw_nonzero());
        fs::read_to_string(&path).with_context(|| path)
    }

    fn pid(&self) -> anyhow::Result<Pid> {
        let id = self.child.id().context("the server has ended")?;
        Pid::from_raw(i32::try_from(id)?).context("the server has no process")
    }
}

/// A command that prints JSON.
pub(crate) async fn json(place: &Place, args: &[&str]) -> anyhow::Result<Value> {
    let output = checkflow(place, args).arg("--json").output().await?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("checkflow {args:?}: {error}");
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The binary, and nothing of the environment of whoever runs the benchmark.
fn checkflow(place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).arg("--data").arg(&place.folder);
    if let Some(database) = &place.database {
        command.args(["--database", database]);
    }
    command
        .env_clear()
        .env("CHECKFLOW_STORE__MASTER_KEY", MASTER_KEY)
        .envs(place.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
