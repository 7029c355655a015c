//! What a receiver was told to answer, and what came.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};
use tokio::{sync::watch, time::Instant};

use super::Reply;

/// Says what is wrong with the body of an event of this type.
pub type BodyCheck = fn(&str, &[u8]) -> Result<(), String>;

static BODY_CHECK: OnceLock<BodyCheck> = OnceLock::new();

/// Has the body of every event that any receiver of this process gets from now on checked; who asks what came panics
/// if one was wrong.
pub fn check_bodies(check: BodyCheck) {
    BODY_CHECK.get_or_init(|| check);
}

/// A request that arrived, whole.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its number among all requests of the receiver, from 0.
    pub number: usize,
    /// Over which connection it came, from 1.
    pub connection: usize,
    /// How it was made.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// When its body was complete.
    pub arrived: Instant,
}

impl Received {
    /// Its path without query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Its body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body of {self} is not JSON: {error}"))
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{} {} {} ({} bytes",
            self.number,
            self.method,
            self.uri,
            self.body.len()
        )?;
        for name in ["checkflow-event", "webhook-id", "checkflow-attempt"] {
            if let Some(value) = self.header(name) {
                write!(f, ", {name} {value}")?;
            }
        }
        f.write_str(")")
    }
}

/// Shared by the receiver and its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pages: Mutex<Pages>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Pages {
    scripts: HashMap<String, VecDeque<Reply>>,
    always: HashMap<String, Reply>,
    requests: Vec<Received>,
    connections: usize,
    in_flight: usize,
    in_flight_max: usize,
    /// What was wrong with the first body that was.
    wrong: Option<String>,
}

impl Book {
    pub(super) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.pages()
            .scripts
            .entry(path.to_owned())
            .or_default()
            .extend(replies);
    }

    pub(super) fn always(&self, path: &str, reply: Reply) {
        self.pages().always.insert(path.to_owned(), reply);
    }

    pub(super) fn requests(&self) -> Vec<Received> {
        let (requests, wrong) = {
            let pages = self.pages();
            (pages.requests.clone(), pages.wrong.clone())
        };
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
        requests
    }

    pub(super) fn connections(&self) -> usize {
        self.pages().connections
    }

    pub(super) fn in_flight(&self) -> usize {
        self.pages().in_flight
    }

    pub(super) fn in_flight_max(&self) -> usize {
        self.pages().in_flight_max
    }

    /// Counts a connection and answers its number.
    pub(super) fn connect(&self) -> usize {
        let mut pages = self.pages();
        pages.connections += 1;
        pages.connections
    }

    /// Writes a request down and answers what it gets.
    pub(super) fn receive(&self, mut request: Received) -> (Reply, Answering) {
        let mut pages = self.pages();
        request.number = pages.requests.len();
        if pages.wrong.is_none() {
            pages.wrong = wrong(&request);
        }
        let path = request.path();
        let scripted = pages.scripts.get_mut(path).and_then(VecDeque::pop_front);
        let reply = scripted.or_else(|| pages.always.get(path).cloned());
        pages.requests.push(request);
        pages.in_flight += 1;
        pages.in_flight_max = pages.in_flight_max.max(pages.in_flight);
        drop(pages);
        self.0.changed.send_replace(());
        (reply.unwrap_or_else(Reply::ok), Answering(self.clone()))
    }

    pub(super) async fn wait_until(&self, is: impl Fn() -> bool) {
        let mut changes = self.0.changed.subscribe();
        while !is() {
            changes
                .changed()
                .await
                .expect("the sender lives in this book");
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0
            .pages
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

/// What is wrong with the body of an event.
fn wrong(request: &Received) -> Option<String> {
    let (check, kind) = (BODY_CHECK.get()?, request.header("checkflow-event")?);
    let checked = check(kind, &request.body);
    checked
        .err()
        .map(|what| format!("the body of {request}: {what}"))
}

/// Counts a request as being answered until it is dropped, however that comes about.
#[derive(Debug)]
pub(super) struct Answering(Book);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.pages().in_flight -= 1;
        self.0.0.changed.send_replace(());
    }
}
