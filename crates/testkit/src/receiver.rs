//! A receiver of webhooks that misbehaves on demand.
//!
//! It listens on a free port of the loopback interface, writes down every request in order, and
//! answers what the test scripted. What takes time waits for a [`Gate`] that the test opens, so that
//! no test sleeps.

mod book;
mod reply;
mod server;
mod wire;

use std::net::SocketAddr;

use tokio::{net::TcpListener, task::JoinHandle};

pub use book::{BodyCheck, Received, check_bodies};
pub use reply::{Gate, Reply};

use crate::PATIENCE;
use book::Book;

/// A server for the length of a test. It stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    book: Book,
    accepting: JoinHandle<()>,
}

impl Receiver {
    /// Starts on a free port; answers everything with 200 until something else is scripted.
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts where another one was, for a receiver that comes back after an outage.
    pub async fn start_on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .expect("a port of the loopback interface");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let book = Book::default();
        let accepting = tokio::spawn(server::accept(listener, book.clone()));
        Self {
            address,
            book,
            accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path as a subscription wants it.
    pub fn target(&self, path: &str) -> domain::TargetUrl {
        domain::TargetUrl::parse(&self.url(path)).expect("a loopback address is a target")
    }

    /// Answers the next requests to `path` (without query) with these, one each. What was scripted
    /// before comes first.
    pub fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.book.script(path, replies);
    }

    /// Answers every request to `path` with this once its script is at an end.
    pub fn always(&self, path: &str, reply: Reply) {
        self.book.always(path, reply);
    }

    /// Every request so far, in the order they arrived.
    pub fn requests(&self) -> Vec<Received> {
        self.book.requests()
    }

    /// Every request to `path` (without query) so far.
    pub fn requests_to(&self, path: &str) -> Vec<Received> {
        let requests = self.requests();
        requests
            .into_iter()
            .filter(|request| request.path() == path)
            .collect()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.book.connections()
    }

    /// How many requests are being answered at this moment.
    pub fn in_flight(&self) -> usize {
        self.book.in_flight()
    }

    /// How many requests were being answered at once, at most.
    pub fn in_flight_max(&self) -> usize {
        self.book.in_flight_max()
    }

    /// Waits until `count` requests came in all, and answers all there are.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(&format!("{count} requests"), |requests| {
            requests.len() >= count
        })
        .await
    }

    /// Waits until the requests are as `are` wants them; fails after [`PATIENCE`] and says what was
    /// awaited and what came.
    pub async fn wait_until(&self, what: &str, are: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let waiting = self.book.wait_until(|| are(&self.requests()));
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let came = self.requests();
            let lines: Vec<String> = came.iter().map(|request| format!("  {request}")).collect();
            panic!(
                "waited {PATIENCE:?} in vain for {what}; {} requests came:\n{}",
                came.len(),
                lines.join("\n"),
            );
        }
        self.requests()
    }

    /// Waits until no request is being answered.
    pub async fn wait_idle(&self) {
        let waiting = self.book.wait_until(|| self.in_flight() == 0);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "{} requests are still being answered",
            self.in_flight()
        );
    }

    /// Stops listening and cuts every connection; answers where it was.
    pub async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        // Awaited, so that the port is free when this returns.
        let _ = (&mut self.accepting).await;
        self.address
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
