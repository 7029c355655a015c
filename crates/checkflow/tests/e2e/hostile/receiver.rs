//! A receiver that does what no receiver should, and counts how much of it anybody took.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use testkit::{Gate, PATIENCE};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, timeout},
};
use tokio_rustls::TlsAcceptor;

/// What the system holds of bytes that were sent and not taken yet; the other side has as much again
/// and more. Small, so that what was written tells what was read.
const SEND_BUFFER_BYTES: u32 = 16 * 1024;
/// How often a byte is dripped. Time passes here because time is what it is about.
const DRIP_EVERY: Duration = Duration::from_millis(10);

/// What it does with a connection.
#[derive(Clone, Debug)]
pub(crate) struct Trick {
    when: When,
    says: Bytes,
    then: Then,
}

/// When it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// When a whole request has come.
    Asked,
    /// When anything has come.
    Touched,
}

/// How it goes on.
#[derive(Clone, Debug)]
enum Then {
    Close,
    Reset,
    Repeat(Bytes),
    Drip(Bytes),
    Hang,
}

impl Trick {
    /// Says this in answer to a request, and closes the connection.
    pub(crate) fn says(what: impl Into<Bytes>) -> Self {
        Self {
            when: When::Asked,
            says: what.into(),
            then: Then::Close,
        }
    }

    /// Does not wait for a whole request: whoever expects TLS never sends one.
    pub(crate) fn at_once(mut self) -> Self {
        self.when = When::Touched;
        self
    }

    /// Tears the connection down instead.
    pub(crate) fn and_resets(mut self) -> Self {
        self.then = Then::Reset;
        self
    }

    /// Says this over and over instead, as fast as it is taken.
    pub(crate) fn and_repeats(mut self, what: impl Into<Bytes>) -> Self {
        self.then = Then::Repeat(what.into());
        self
    }

    /// Says this over and over instead, a byte now and then.
    pub(crate) fn and_drips(mut self, what: impl Into<Bytes>) -> Self {
        self.then = Then::Drip(what.into());
        self
    }

    /// Says nothing more instead.
    pub(crate) fn and_hangs(mut self) -> Self {
        self.then = Then::Hang;
        self
    }
}

/// What has become of a receiver's connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Made to it.
    pub(crate) connections: usize,
    /// Of these, open.
    pub(crate) open: usize,
    /// On which it was asked for something.
    pub(crate) asked: usize,
    /// Bytes that it got rid of.
    pub(crate) written: usize,
    /// When one was last closed.
    pub(crate) left_at: Option<Instant>,
}

/// A hostile receiver for the length of a test.
pub(crate) struct Hostile {
    address: SocketAddr,
    secure: bool,
    go: Gate,
    seen: watch::Sender<Seen>,
    accepting: JoinHandle<()>,
}

impl Hostile {
    /// One that speaks no TLS. It waits for [`go`](Self::go) once it is asked.
    pub(crate) fn start(trick: Trick) -> Self {
        Self::start_with(trick, None)
    }

    /// One that does it within TLS; told to the client as `localhost`.
    pub(crate) fn secured(trick: Trick, tls: TlsAcceptor) -> Self {
        Self::start_with(trick, Some(tls))
    }

    fn start_with(trick: Trick, tls: Option<TlsAcceptor>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(SEND_BUFFER_BYTES).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (go, seen) = (Gate::closed(), watch::Sender::default());
        let (secure, gate) = (tls.is_some(), go.clone());
        let part = Part {
            trick,
            tls,
            go: gate,
            seen: seen.clone(),
        };
        let accepting = tokio::spawn(accept(listener, part));
        Self {
            address,
            secure,
            go,
            seen,
            accepting,
        }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to subscribe.
    pub(crate) fn url(&self) -> String {
        if self.secure {
            return self.secure_url();
        }
        format!("http://{}/hook", self.address)
    }

    /// The same as if it spoke TLS.
    pub(crate) fn secure_url(&self) -> String {
        format!("https://localhost:{}/hook", self.address.port())
    }

    /// Lets it begin, now and from now on.
    pub(crate) fn go(&self) {
        self.go.open();
    }

    /// What has become of its connections so far.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Waits until it is asked for something.
    pub(crate) async fn asked(&self) {
        self.until("nobody asked", |seen| seen.asked > 0).await;
    }

    /// Waits until nobody is connected any more.
    pub(crate) async fn left(&self) -> Seen {
        self.until("it was not left", |seen| {
            seen.connections > 0 && seen.open == 0
        })
        .await;
        self.seen()
    }

    async fn until(&self, else_: &str, is: impl Fn(&Seen) -> bool) {
        let mut changes = self.seen.subscribe();
        let waited = timeout(PATIENCE, changes.wait_for(is)).await;
        assert!(waited.is_ok(), "{else_}: {:?}", self.seen());
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Part {
    trick: Trick,
    tls: Option<TlsAcceptor>,
    go: Gate,
    seen: watch::Sender<Seen>,
}

async fn accept(listener: TcpListener, part: Part) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        part.seen.send_modify(|seen| {
            seen.connections += 1;
            seen.open += 1;
        });
        connections.spawn(part.clone().connected(stream));
    }
}

impl Part {
    async fn connected(self, stream: TcpStream) {
        if matches!(self.trick.then, Then::Reset) {
            stream.set_zero_linger().unwrap();
        }
        // However it ends: that the other side goes away is what is waited for.
        let _ = match &self.tls {
            None => self.play(stream).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => self.play(stream).await,
                Err(refused) => Err(refused),
            },
        };
        self.seen.send_modify(|seen| {
            seen.open -= 1;
            seen.left_at = Some(Instant::now());
        });
    }

    async fn play<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> io::Result<()> {
        match self.trick.when {
            When::Asked => read_request(&mut stream).await?,
            // All of it, or the system would tell a close as a reset.
            When::Touched => drop(stream.read(&mut vec![0; 16 * 1024]).await?),
        }
        self.seen.send_modify(|seen| seen.asked += 1);
        self.go.pass().await;
        self.write(&mut stream, &self.trick.says).await?;
        match &self.trick.then {
            Then::Close => stream.shutdown().await,
            Then::Reset => Ok(()),
            Then::Repeat(what) => loop {
                self.write(&mut stream, what).await?;
            },
            Then::Drip(what) => self.drip(&mut stream, what).await,
            Then::Hang => {
                while stream.read(&mut [0; 1_024]).await? > 0 {}
                Ok(())
            }
        }
    }

    async fn drip<S: AsyncWrite + Unpin>(&self, stream: &mut S, what: &[u8]) -> io::Result<()> {
        let mut turns = interval(DRIP_EVERY);
        for byte in what.iter().cycle() {
            turns.tick().await;
            self.write(stream, &[*byte]).await?;
        }
        Ok(())
    }

    async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let count = stream.write(left).await?;
            left = &left[count..];
            self.seen.send_modify(|seen| seen.written += count);
        }
        stream.flush().await
    }
}

/// Reads a request to its end.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("a webhook has a length");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.map(drop)
}
