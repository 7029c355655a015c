//! Opening a connection, and running it until it ends.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll, ready},
};

use h2::{
    Ping, PingPong,
    client::{Builder, Connection},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time,
};
use tower_service::Service as _;

use super::{Bytes, Failure, Link, STREAMS_MAX, Times, Uri, words};
use crate::{
    bounded::{Bounded, Meter},
    client::ANSWER_HEAD_BYTES_MAX,
    connector::{CheckedConnector, TimedConnector},
    failure,
    tls::HTTP2_PROTOCOL,
};

/// What of an answer's body may be under way, for each request: as much as is read of one.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The same for all requests of a connection together. What is read is freed at once, so that it only bounds what a
/// receiver can have lie here.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Most bytes of a frame that is taken, the least that may be asked for.
const FRAME_BYTES_MAX: u32 = 16 * 1024;

type Connected = MaybeHttpsStream<TokioIo<Bounded<TcpStream>>>;

type Wire = Remembering<TokioIo<Connected>>;

/// How connections are opened.
pub(in super::super) struct Way {
    pub(in super::super) checked: CheckedConnector,
    pub(in super::super) tls: Arc<ClientConfig>,
    pub(in super::super) times: Times,
}

impl Way {
    /// Opens a connection to the host of `uri`; none if it does not offer HTTP/2.
    pub(super) async fn open(&self, uri: Uri) -> Result<Option<(Arc<Link>, Driver)>, Failure> {
        let within = self.times.connect;
        let until = time::Instant::now() + within;
        let meter = Arc::new(Meter::new());
        let checked = self.checked.clone().metered(meter.clone());
        let https = HttpsConnector::from((checked, self.tls.clone()));
        let connected = TimedConnector::new(https, within).call(uri).await;
        let stream = connected.map_err(|error| failure::of_connecting(&*error))?;
        if !agreed(&stream) {
            return Ok(None);
        }
        let begun = time::timeout_at(until, self.begin(stream, meter)).await;
        begun.unwrap_or_else(|_| Err(words::mute(within))).map(Some)
    }

    /// Begins to speak HTTP/2 on a connection on which that was agreed.
    async fn begin(
        &self,
        stream: Connected,
        meter: Arc<Meter>,
    ) -> Result<(Arc<Link>, Driver), Failure> {
        let lost = Arc::new(OnceLock::new());
        let wire = Remembering {
            stream: TokioIo::new(stream),
            lost: lost.clone(),
        };
        let why = |error: h2::Error| words::of_opening(&error, lost.get());
        let (sender, mut connection) = builder().handshake(wire).await.map_err(why)?;
        let mut pings = connection.ping_pong().expect("nobody else has taken it");
        // What the receiver allows comes before its answer to this. Without waiting for it, more would be sent than that.
        tokio::select! {
            ended = &mut connection => {
                return Err(ended.map_or_else(why, |()| words::closed_at_once()));
            }
            pong = pings.ping(Ping::opaque()) => { pong.map_err(why)?; }
        }
        if sender.current_max_send_streams() == 0 {
            return Err(words::takes_none());
        }
        let link = Arc::new(Link::new(sender, meter, lost.clone()));
        let driver = Driver {
            connection,
            pings,
            link: Arc::downgrade(&link),
            lost,
            times: self.times,
        };
        Ok((link, driver))
    }
}

/// Bounds of ours. Those of h2 beside them: continuations of a head (as many as its bytes need, and some), small parts
/// of bodies that nobody has read, and mistakes that were answered with a reset (1,024).
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(u32::try_from(ANSWER_HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_max_send_streams(STREAMS_MAX)
        .max_concurrent_reset_streams(STREAMS_MAX);
    builder
}

/// Whether the two sides have agreed on HTTP/2.
fn agreed<S>(stream: &MaybeHttpsStream<S>) -> bool {
    match stream {
        MaybeHttpsStream::Https(stream) => {
            stream.inner().get_ref().1.alpn_protocol() == Some(HTTP2_PROTOCOL)
        }
        MaybeHttpsStream::Http(_) => false,
    }
}

/// What runs a connection.
pub(super) struct Driver {
    connection: Connection<Wire, Bytes>,
    pings: PingPong,
    link: Weak<Link>,
    lost: Arc<OnceLock<Failure>>,
    times: Times,
}

impl Driver {
    /// Runs it until it ends: by the receiver, by its silence, or because nobody needs it any more.
    pub(super) async fn run(mut self) {
        let turn = self.times.ping_every.min(self.times.idle);
        let mut asked = time::Instant::now();
        loop {
            tokio::select! {
                _ = &mut self.connection => break,
                () = time::sleep(turn) => {}
            }
            let Some(link) = self.link.upgrade() else {
                // Nothing is on it any more. It ends by itself, unless the receiver does not listen.
                let _ = time::timeout(self.times.ping_within, &mut self.connection).await;
                break;
            };
            link.retire_if_idle(self.times.idle);
            if !link.is_busy() && asked.elapsed() < self.times.ping_idle_every {
                continue;
            }
            drop(link);
            asked = time::Instant::now();
            let pong = time::timeout(self.times.ping_within, self.pings.ping(Ping::opaque()));
            tokio::select! {
                _ = &mut self.connection => break,
                pong = pong => if pong.is_err() {
                    // Before the connection is dropped, which ends its requests.
                    let _ = self.lost.set(words::silent(self.times.ping_within));
                    break;
                }
            }
        }
        if let Some(link) = self.link.upgrade() {
            link.retire();
        }
    }
}

/// A stream that remembers why it was lost. The HTTP above keeps words of it alone.
struct Remembering<S> {
    stream: S,
    lost: Arc<OnceLock<Failure>>,
}

impl<S> Remembering<S> {
    fn remember<T>(&self, result: io::Result<T>) -> Poll<io::Result<T>> {
        if let Err(error) = &result {
            // The first one is the reason of the others.
            let _ = self.lost.set(failure::of_connection(error));
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Remembering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.remember(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Remembering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.remember(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        self.remember(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.remember(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
