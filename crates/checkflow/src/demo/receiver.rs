//! The demo's receiver: verifies each webhook as any integrator would, refuses some on purpose, and
//! keeps a record of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use domain::{Source, Timestamp};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    account::{Account, Expected, Subject, Taken},
    screen::Screen,
};

/// Largest webhook that is read, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Every so many-th event is refused on its first attempt.
pub(crate) const REFUSED_EVERY: usize = 3;
/// Longest wait for everything that was promised. On a busy machine a retry may take a while; a
/// demo in which nothing is lost never waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens for webhooks on a free loopback port.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    source: Source,
    screen: Screen,
    record: Mutex<Record>,
    /// Rings whenever the record has grown.
    grown: Notify,
}

#[derive(Default)]
struct Record {
    /// Signing secrets, by subscription.
    secrets: BTreeMap<String, String>,
    /// Events that have come at all, in the order of their first attempt.
    seen: Vec<String>,
    /// What was taken with 204.
    taken: Vec<Taken>,
    /// Attempts that were refused with 503.
    refused: usize,
}

/// A webhook that has come in.
pub(crate) struct Arrival {
    pub(crate) subject: Subject,
    pub(crate) attempt: String,
    /// From the moment of the event.
    pub(crate) latency: Duration,
    /// Or why not.
    pub(crate) verified: Result<(), String>,
    pub(crate) answer: StatusCode,
}

impl Receiver {
    pub(crate) async fn start(source: Source, screen: Screen) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("starting the receiver")?;
        let address = listener.local_addr().context("starting the receiver")?;
        let shared = Shared {
            source,
            screen,
            record: Mutex::default(),
            grown: Notify::new(),
        };
        let receiver = Self {
            address,
            shared: Arc::new(shared),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (shared, stop, tasks) = (
            Arc::clone(&receiver.shared),
            receiver.stop.clone(),
            receiver.tasks.clone(),
        );
        receiver.tasks.spawn(async move {
            while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
                if let Ok((stream, _)) = accepted {
                    let (shared, stop) = (Arc::clone(&shared), stop.clone());
                    tasks.spawn(async move {
                        stop.run_until_cancelled(connection(stream, shared)).await
                    });
                }
            }
        });
        Ok(receiver)
    }

    /// Where webhooks are to be sent.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Tells it the secret of a subscription.
    pub(crate) fn trust(&self, subscription: &str, secret: &str) {
        self.shared
            .record()
            .secrets
            .insert(subscription.to_owned(), secret.to_owned());
    }

    /// Waits until everything expected has been taken, or patience ends.
    pub(crate) async fn wait_for(&self, expected: &[Expected]) {
        let all = async {
            loop {
                let grown = self.shared.grown.notified();
                let taken: BTreeSet<_> = self
                    .shared
                    .record()
                    .taken
                    .iter()
                    .map(|one| one.expected.clone())
                    .collect();
                if expected.iter().all(|one| taken.contains(one)) {
                    return;
                }
                grown.await;
            }
        };
        // What is missing after that, the account shows.
        let _ = timeout(PATIENCE, all).await;
    }

    /// What was promised against what came.
    pub(crate) fn account(&self, expected: &[Expected]) -> Account {
        let record = self.shared.record();
        Account::of(expected, &record.taken, record.refused)
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    // A connection that breaks is the sender's to notice.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        // Nothing that holds it panics half way through a change.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let (head, body) = request.into_parts();
        let status = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => self.take(&head.headers, &body.to_bytes()),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        };
        let mut answer = Response::new(Empty::new());
        *answer.status_mut() = status;
        answer
    }

    fn take(&self, headers: &HeaderMap, body: &Bytes) -> StatusCode {
        let now = self.source.now();
        let Some((subject, happened)) = read(body) else {
            return StatusCode::BAD_REQUEST;
        };
        let header = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned()
        };
        let (webhook_id, subscription) = (header("webhook-id"), header("checkflow-subscription"));
        let mut record = self.record();
        let verified = verify(record.secrets.get(&subscription), headers, body);
        let answer = record.decide(&webhook_id, verified.is_ok());
        if answer.is_success() {
            let expected = Expected::new(&subscription, &subject);
            record.taken.push(Taken {
                expected,
                webhook_id,
                verified: verified.is_ok(),
            });
        }
        drop(record);
        let attempt = header("checkflow-attempt");
        self.screen.arrival(&Arrival {
            subject,
            attempt,
            latency: now.since(happened),
            verified,
            answer,
        });
        self.grown.notify_waiters();
        answer
    }
}

impl Record {
    /// What to answer: the rule that makes some first attempts fail.
    fn decide(&mut self, webhook_id: &str, verified: bool) -> StatusCode {
        let first = !self.seen.iter().any(|seen| seen == webhook_id);
        if first {
            self.seen.push(webhook_id.to_owned());
        }
        if !verified {
            return StatusCode::UNAUTHORIZED;
        }
        if first && self.seen.len().is_multiple_of(REFUSED_EVERY) {
            self.refused += 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        StatusCode::NO_CONTENT
    }
}

fn verify(secret: Option<&String>, headers: &HeaderMap, body: &Bytes) -> Result<(), String> {
    let secret = secret.ok_or("of a subscription that is not ours")?;
    let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
    webhook
        .verify(body, headers)
        .map_err(|error| error.to_string())
}

/// What a body is about, and when it happened.
fn read(body: &Bytes) -> Option<(Subject, Timestamp)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let happened = body["timestamp"].as_str()?.parse().ok()?;
    Some((
        Subject::of(body["type"].as_str()?, &body["data"])?,
        happened,
    ))
}
