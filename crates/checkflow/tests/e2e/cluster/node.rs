//! One of the servers: a process whose log is kept, and which can be frozen and killed.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::support::{Client, LISTENING};

/// Longer than a node is frozen.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// How many of its last lines a node has shown when a test fails.
const SHOWN_MAX: usize = 40;

pub(super) struct Node {
    /// What PostgreSQL calls its connections.
    pub(super) name: String,
    /// What its leases are by.
    pub(super) id: String,
    pub(super) client: Arc<Client>,
    log: Arc<Log>,
    process: Mutex<Child>,
    /// Whether nobody should ask it any more.
    gone: watch::Sender<bool>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    written: watch::Sender<()>,
}

impl Node {
    /// Starts it and waits until it answers.
    pub(super) async fn start(name: String, mut command: Command, key: &Value) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap()).lines();
        let log = Arc::new(Log::default());
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let kept = log.clone();
        // Read to its end, for a node whose log nobody reads stands still once the pipe is full.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lines.lock().unwrap().push(line);
                kept.written.send_replace(());
            }
        });
        let line = timeout(PATIENCE, out.next_line())
            .await
            .unwrap_or_else(|_| panic!("{name} does not start"))
            .unwrap()
            .unwrap_or_else(|| panic!("{name} ended: {:?}", log.lines.lock().unwrap()));
        let address: SocketAddr = line.strip_prefix(LISTENING).unwrap().parse().unwrap();
        let id = log.wait_for("node.id=").await;
        let id = id.split("node.id=").nth(1).unwrap();
        Self {
            name,
            id: id.split(' ').next().unwrap().to_owned(),
            client: Arc::new(Client::new(address, key).waiting(ANSWER_WITHIN)),
            log,
            process: Mutex::new(process),
            gone: watch::Sender::new(false),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.lock().unwrap().id().unwrap();
        let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(&self) {
        self.gone.send_replace(true);
        self.signal(Signal::KILL);
    }

    /// Has it stand still.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Stops it in good order.
    pub(super) async fn stop(&self) {
        self.signal(Signal::TERM);
        let ended = timeout(PATIENCE, async {
            loop {
                if let Some(status) = self.process.lock().unwrap().try_wait().unwrap() {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        });
        let status = ended
            .await
            .unwrap_or_else(|_| panic!("{} does not stop", self.name));
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// Waits for a line of its log with `wanted` in it.
    pub(super) async fn wait_for_line(&self, wanted: &str) -> String {
        self.log.wait_for(wanted).await
    }

    /// How many lines of its log have `part` in them.
    pub(super) fn lines_with(&self, part: &str) -> usize {
        let lines = self.log.lines.lock().unwrap();
        lines.iter().filter(|line| line.contains(part)).count()
    }

    /// What its log has of trouble.
    pub(super) fn troubles(&self) -> Vec<String> {
        let lines = self.log.lines.lock().unwrap();
        let is_trouble = |line: &&String| line.contains(" WARN ") || line.contains(" ERROR ");
        lines.iter().filter(is_trouble).cloned().collect()
    }

    /// Its last lines, for whoever looks into a failure.
    pub(super) fn show(&self) {
        let lines = self.log.lines.lock().unwrap();
        let from = lines.len().saturating_sub(SHOWN_MAX);
        println!("the last of {} lines of {}:", lines.len(), self.name);
        for line in &lines[from..] {
            println!("  {line}");
        }
    }
}

impl Log {
    async fn wait_for(&self, wanted: &str) -> String {
        let mut written = self.written.subscribe();
        let find = || {
            let lines = self.lines.lock().unwrap();
            lines.iter().find(|line| line.contains(wanted)).cloned()
        };
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(line) = find() {
                    return line;
                }
                written.changed().await.unwrap();
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("no line with {wanted:?} came"))
    }
}
