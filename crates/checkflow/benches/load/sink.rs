//! The receiver: answers each webhook with 200 and remembers when it came.
//!
//! A hundred receivers in one: the path says whose webhook it is. On a thread of its own, as the
//! driver is, so that either can use a processor. Signatures are not verified: that would be the
//! receiver's cost, not the server's, and other tests see to it.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime,
    sync::watch,
};

use super::{body::task_of, secure::Secure, wire::Wire};

const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOT_OURS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
/// The path of receivers that never answer begins so.
const HANGING: &str = "hang/";

/// A webhook that was answered with 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    /// Which event.
    pub(crate) task: u64,
    /// Whose webhook: the number in the target's path.
    pub(crate) subscription: u16,
    /// When all of it had been read.
    pub(crate) at: Instant,
}

/// How webhooks are sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Https,
    Http2,
}

/// The receiver. Lives as long as the benchmark does.
pub(crate) struct Sink {
    address: SocketAddr,
    secure: Secure,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(crate) struct Shared {
    arrivals: Mutex<Vec<Arrival>>,
    /// How many arrivals there are, for those who only wait for more.
    count: AtomicUsize,
    /// Requests that were no webhook of ours.
    foreign: AtomicUsize,
    /// How many answers are held back.
    held: AtomicUsize,
    /// Whether answers are held back.
    hold: watch::Sender<bool>,
}

impl Sink {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = bound.context("starting the sink")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = accept(listener, shared.clone());
        let (secure, securely) = runtime.block_on(Secure::start(shared.clone()))?;
        let serve = move || runtime.block_on(async { tokio::join!(accepting, securely) });
        // It ends with the process: there is one for all scenarios, and nothing in it to tidy up.
        thread::Builder::new()
            .name("sink".to_owned())
            .spawn(serve)
            .context("starting the sink")?;
        Ok(Self {
            address,
            secure,
            shared,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the webhooks of a subscription go.
    pub(crate) fn target(&self, subscription: u16) -> String {
        format!("http://{}/{subscription}", self.address)
    }

    /// The same in another way, and what has to be said of it when subscribing.
    pub(crate) fn target_by(&self, way: Way, subscription: u16) -> (String, &'static str) {
        let secure = format!("https://{}/{subscription}", self.secure.address);
        match way {
            Way::Plain => (self.target(subscription), ""),
            Way::Https => (secure, ""),
            Way::Http2 => (secure, "&httpVersion=2"),
        }
    }

    /// The file of the authority by which https is proven.
    pub(crate) fn roots(&self) -> &Path {
        self.secure.roots()
    }

    /// Where they are read and never answered.
    pub(crate) fn hanging_target(&self, subscription: u16) -> String {
        format!("http://{}/{HANGING}{subscription}", self.address)
    }

    /// How many have arrived since [`Sink::forget`].
    pub(crate) fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// What has arrived since [`Sink::forget`].
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals().clone()
    }

    /// How many requests were none of ours since [`Sink::forget`].
    pub(crate) fn foreign(&self) -> usize {
        self.shared.foreign.load(Ordering::Relaxed)
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        let mut arrivals = self.shared.arrivals();
        arrivals.clear();
        self.shared.count.store(0, Ordering::Relaxed);
        self.shared.foreign.store(0, Ordering::Relaxed);
    }

    /// How many requests wait for an answer that is held back.
    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Holds all answers back, or lets them go.
    pub(crate) fn hold(&self, hold: bool) {
        self.shared.hold.send_replace(hold);
    }
}

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, arrival: Arrival) {
        self.arrivals().push(arrival);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a webhook, and says whether to answer it with success once that may go out; none for one whose sender
    /// has given it up.
    pub(crate) async fn take(
        &self,
        webhook: Option<(u16, u64)>,
        given_up: impl Future<Output = ()>,
    ) -> Option<bool> {
        let at = Instant::now();
        let Some((subscription, task)) = webhook else {
            self.foreign.fetch_add(1, Ordering::Relaxed);
            return Some(false);
        };
        if *self.hold.borrow() {
            let mut hold = self.hold.subscribe();
            self.held.fetch_add(1, Ordering::Relaxed);
            let answer = tokio::select! {
                // What its sender has given up has not arrived.
                () = given_up => false,
                _ = hold.wait_for(|hold| !hold) => true,
            };
            self.held.fetch_sub(1, Ordering::Relaxed);
            if !answer {
                return None;
            }
        }
        self.record(Arrival {
            task,
            subscription,
            at,
        });
        Some(true)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // A connection that could not be taken is the sender's to notice, and then the account's.
        if let Ok((stream, _)) = listener.accept().await {
            let shared = shared.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                serve(stream, &shared).await
            });
        }
    }
}

/// Answers what comes by HTTP/1.1.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut wire = Wire::new(stream);
    while wire.read().await? {
        let path = path_of(wire.first_line());
        if path.starts_with(HANGING) {
            wire.closed().await;
            return Ok(());
        }
        let webhook = webhook(path, wire.body());
        match shared.take(webhook, wire.closed()).await {
            Some(true) => wire.write(TAKEN).await?,
            Some(false) => wire.write(NOT_OURS).await?,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Whose webhook it is, and of which event; none if it is none of ours.
pub(crate) fn webhook(path: &str, body: &[u8]) -> Option<(u16, u64)> {
    path.parse().ok().zip(task_of(body))
}

/// `3` of `POST /3 HTTP/1.1`.
fn path_of(line: &str) -> &str {
    let path = line.split(' ').nth(1).unwrap_or("");
    path.trim_start_matches('/')
}
