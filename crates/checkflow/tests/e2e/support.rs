//! A server in a process of its own, the tools beside it, and a client.

mod client;
mod look;
mod namespace;
mod schemas;
mod tunnel;

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{PATIENCE, binary};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::{Instant, timeout},
};

pub(crate) use self::{
    client::{Answer, Broken, Client, form},
    look::{Left, look, look_through},
    namespace::Namespace,
    tunnel::Tunnels,
};

/// The first line of a server that can answer, up to its address.
pub(crate) const LISTENING: &str = "listening on http://";

/// The binary with these arguments, and nothing of the environment of whoever runs the tests.
pub(crate) fn checkflow(args: &[&str]) -> Command {
    let mut command = Command::new(binary(env!("CARGO_BIN_EXE_checkflow")));
    command
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs the binary to its end.
pub(crate) async fn run(args: &[&str]) -> Output {
    finish(&mut checkflow(args)).await
}

async fn finish(command: &mut Command) -> Output {
    let ended = timeout(PATIENCE * 2, command.output()).await;
    ended
        .unwrap_or_else(|_| panic!("{command:?} did not end"))
        .unwrap()
}

/// Runs a command that answers JSON.
pub(crate) async fn json(args: &[&str]) -> Value {
    json_of(&mut checkflow(args)).await
}

/// The same of a command with an environment of its own.
pub(crate) async fn json_of(command: &mut Command) -> Value {
    let output = finish(command).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line that these arguments, which must fail, bring to standard error.
pub(crate) async fn complaint(args: &[&str]) -> String {
    complaint_of(&mut checkflow(args)).await
}

/// The one line that a command which must fail says on standard error.
pub(crate) async fn complaint_of(command: &mut Command) -> String {
    let output = finish(command).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {error}");
    assert!(output.stdout.is_empty(), "{command:?}: {:?}", output.stdout);
    let line = error
        .strip_suffix('\n')
        .unwrap_or_else(|| panic!("no whole line: {error:?}"));
    assert!(!line.contains('\n'), "more than one line: {error}");
    line.strip_prefix("checkflow: ")
        .unwrap_or_else(|| panic!("not ours: {line}"))
        .to_owned()
}

/// A running `checkflow serve` or `checkflow demo`.
pub(crate) struct Process {
    child: Child,
    pub(crate) out: Lines<BufReader<ChildStdout>>,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, log }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let id = self.child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() / 1024
    }

    pub(crate) fn terminate(&self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("the process ends")
            .unwrap()
    }

    /// Asks it to stop and waits until it has; it must say that all went well.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        assert!(self.ended().await.success());
    }

    /// Kills it with SIGKILL, which leaves it no time for anything.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.killed().await;
    }

    /// Waits until SIGKILL has ended it, whoever sent that.
    pub(crate) async fn killed(mut self) {
        let status = self.ended().await;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}");
    }
}

/// Waits for a line with `wanted` in it.
pub(crate) async fn line_with<R: AsyncRead + Unpin>(
    lines: &mut Lines<BufReader<R>>,
    wanted: &str,
) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let next = tokio::time::timeout_at(deadline, lines.next_line()).await;
        let next = next.unwrap_or_else(|_| panic!("no line with {wanted:?} came, only {seen:#?}"));
        let line = next
            .unwrap()
            .unwrap_or_else(|| panic!("it ended without {wanted:?}, only {seen:#?}"));
        if line.contains(wanted) {
            return line;
        }
        seen.push(line);
    }
}

/// What starts a server on a folder and a free port, with webhooks to `allowed` allowed.
pub(crate) fn serve(folder: &Path, allowed: &str) -> Command {
    let data = folder.to_str().unwrap();
    checkflow(&[
        "serve",
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--allow-target",
        allowed,
    ])
}

/// A server on a folder, and where it answers.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it on a free port, with webhooks to this machine allowed, and waits until it answers.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// The same, with variables.
    pub(crate) async fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = serve(folder, "127.0.0.0/8");
        command.envs(variables.iter().copied());
        Self::start_by(command).await
    }

    /// Starts it by a command, such as [`serve`], and waits until it answers.
    pub(crate) async fn start_by(command: Command) -> Self {
        testkit::check_bodies(schemas::check);
        let mut process = Process::start(command);
        let line = timeout(PATIENCE, process.out.next_line())
            .await
            .expect("it starts")
            .unwrap();
        let Some(line) = line else {
            panic!("it ended: {:?}", process.log.next_line().await);
        };
        let address = line
            .strip_prefix(LISTENING)
            .unwrap_or_else(|| panic!("another line: {line}"));
        Self {
            process,
            address: address.parse().unwrap(),
        }
    }

    pub(crate) async fn stop(self) {
        self.process.stop().await;
    }
}

/// A team made at the command line, and a key of it.
pub(crate) async fn team_and_key(folder: &Path) -> (String, Value) {
    let data = folder.to_str().unwrap();
    let team = json(&[
        "team", "create", "--name", "Finance", "--data", data, "--json",
    ])
    .await;
    assert_eq!(team["teamName"], "Finance");
    let id = team["teamId"].as_i64().unwrap().to_string();
    let key = json(&[
        "key", "create", "--team", &id, "--name", "tests", "--data", data, "--json",
    ])
    .await;
    assert!(
        key["key"]
            .as_str()
            .unwrap()
            .starts_with(key["prefix"].as_str().unwrap())
    );
    (id, key)
}
