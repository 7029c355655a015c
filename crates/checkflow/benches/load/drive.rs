//! The load: events sent over a number of kept connections, as fast as answers come or at a rate.
//!
//! The same code asks the server to complete tasks and, for `bare`, posts webhooks to the sink itself.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep_until};

use super::{
    api,
    body::{Bodies, task_of},
    wire::Wire,
};

/// What is asked of whom.
pub(crate) enum Asking {
    /// Completes the task on a server.
    Complete { address: SocketAddr, head: String },
    /// Posts a webhook about the task to the sink, without any server.
    Bare { address: SocketAddr, bodies: Bodies },
}

impl Asking {
    pub(crate) fn complete(address: SocketAddr, key: &str) -> Self {
        let head = api::head(address, key);
        Self::Complete { address, head }
    }

    pub(crate) fn bare(address: SocketAddr) -> anyhow::Result<Self> {
        let bodies = Bodies::new()?;
        Ok(Self::Bare { address, bodies })
    }

    const fn address(&self) -> SocketAddr {
        match self {
            Self::Complete { address, .. } | Self::Bare { address, .. } => *address,
        }
    }

    fn request(&self, task: u64) -> String {
        let (line, head, body) = match self {
            Self::Complete { head, .. } => (
                "PUT /api/task/status",
                head.as_str(),
                format!("{{\"taskId\":{task},\"status\":\"Complete\",\"modifiedByUserID\":0}}"),
            ),
            Self::Bare { bodies, .. } => (
                "POST /0",
                "host: sink\r\ncontent-type: application/json\r\n",
                bodies.of(task),
            ),
        };
        let length = body.len();
        format!("{line} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}")
    }

    /// Whether this is the answer to the request about `task`.
    fn is_answered(&self, task: u64, wire: &Wire) -> bool {
        let ok = wire.first_line().starts_with("HTTP/1.1 200");
        ok && (matches!(self, Self::Bare { .. }) || task_of(wire.body()) == Some(task))
    }
}

/// How it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections, each with one request at a time.
    pub(crate) connections: usize,
    /// Events a second; none for as fast as answers come.
    pub(crate) per_second: Option<u32>,
}

/// An event that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Its place in line.
    pub(crate) number: usize,
    pub(crate) task: u64,
    /// When its sending began, or should have: at a rate, an event that had to wait for a connection
    /// counts from the moment it was planned for.
    pub(crate) at: Instant,
    /// Whether the answer was a success.
    pub(crate) accepted: bool,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    pub(crate) sent: Vec<Sent>,
    /// Answers that must not be.
    pub(crate) wrong: Vec<String>,
    /// Connections that broke.
    pub(crate) broken: Vec<String>,
}

impl Sends {
    pub(crate) fn add(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.wrong.extend(other.wrong);
        self.broken.extend(other.broken);
    }
}

/// Sends an event for each of `tasks` and answers when the last answer is here. The connections are spread
/// over those who are `asked`. One that breaks ends its part of the load.
pub(crate) async fn drive(
    asked: Vec<Asking>,
    tasks: Vec<u64>,
    load: Load,
) -> anyhow::Result<Sends> {
    let line = Arc::new(Line {
        asked,
        tasks,
        next: AtomicUsize::new(0),
        began: Instant::now(),
        gap: load
            .per_second
            .map(|rate| Duration::from_secs(1) / rate.max(1)),
    });
    let mut senders = JoinSet::new();
    for connection in 0..load.connections {
        let line = line.clone();
        senders.spawn(async move { line.send(connection).await });
    }
    let mut all = Sends::default();
    while let Some(sends) = senders.join_next().await {
        all.add(sends?);
    }
    Ok(all)
}

/// The events in line, and who is next.
struct Line {
    asked: Vec<Asking>,
    tasks: Vec<u64>,
    next: AtomicUsize,
    began: Instant,
    /// Between two, at a rate.
    gap: Option<Duration>,
}

impl Line {
    async fn send(&self, connection: usize) -> Sends {
        let asking = &self.asked[connection % self.asked.len()];
        let mut sends = Sends::default();
        if let Err(error) = self.send_all(asking, &mut sends).await {
            sends.broken.push(error.to_string());
        }
        sends
    }

    async fn send_all(&self, asking: &Asking, sends: &mut Sends) -> std::io::Result<()> {
        let mut wire = Wire::connect(asking.address()).await?;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(number).copied() else {
                return Ok(());
            };
            let at = self.turn(number).await;
            let sent = Sent {
                number,
                task,
                at,
                accepted: false,
            };
            exchange(asking, &mut wire, sent, sends).await?;
        }
    }

    /// Waits for the moment of the event with this number, and answers from when on it counts.
    async fn turn(&self, number: usize) -> Instant {
        let Some(gap) = self.gap else {
            return Instant::now();
        };
        let planned = self.began + gap * u32::try_from(number).unwrap_or(u32::MAX);
        if planned <= Instant::now() {
            return planned;
        }
        sleep_until(planned.into()).await;
        // The timer is up to a millisecond late, which is not the server's doing.
        Instant::now()
    }
}

/// Sends one event and reads its answer.
pub(crate) async fn exchange(
    asking: &Asking,
    wire: &mut Wire,
    sent: Sent,
    sends: &mut Sends,
) -> std::io::Result<()> {
    let (task, place) = (sent.task, sends.sent.len());
    let request = asking.request(task);
    sends.sent.push(sent);
    wire.write(request.as_bytes()).await?;
    if !wire.read().await? {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    if asking.is_answered(task, wire) {
        sends.sent[place].accepted = true;
    } else {
        let (line, body) = (wire.first_line(), String::from_utf8_lossy(wire.body()));
        sends.wrong.push(format!("task {task}: {line}: {body}"));
    }
    Ok(())
}
