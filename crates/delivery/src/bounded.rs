//! A connection that ends once the receiver has sent more than an answer can need.
//!
//! Hyper bounds a head, and [`crate::answer`] what is read of a body. What may stand around them has
//! no bound but the time: `1xx` answers before the answer, zeros before the size of a chunk, records
//! of TLS that hold nothing. All of it is bytes of the connection, so those are counted here, in the
//! one place that sees every byte, and anew for each exchange.
//!
//! A connection for many requests at once has no exchanges that follow each other. What it may send is counted by a
//! [`Meter`], to which each request adds.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Most bytes that are read of a receiver in one exchange, TLS included: a whole head, and the most
/// that is read of a body though it comes in chunks of one byte, which make six of each.
pub(crate) const EXCHANGE_BYTES_MAX: usize = 512 * 1024;

/// The receiver sent more than [`EXCHANGE_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("the receiver sent more than {} KiB in answer to one request", EXCHANGE_BYTES_MAX / 1024)]
pub(crate) struct TooMuch;

/// Most bytes that are read of a metered connection before others have a turn. What is read is worked off by the
/// requests it is for, and a few bytes can unfold to many times their size (HPACK).
const TURN_BYTES_MAX: usize = 32 * 1024;

/// What a connection for many requests at once may still send.
#[derive(Debug)]
pub(crate) struct Meter {
    left: AtomicUsize,
    written: AtomicU64,
}

impl Meter {
    /// With as much as one request has, for what belongs to none.
    pub(crate) const fn new() -> Self {
        Self {
            left: AtomicUsize::new(EXCHANGE_BYTES_MAX),
            written: AtomicU64::new(0),
        }
    }

    /// One more request is answered.
    pub(crate) fn begins(&self) {
        self.left.fetch_add(EXCHANGE_BYTES_MAX, Ordering::Relaxed);
    }

    /// One is over, and `open` are not. What it did not need is not kept for later.
    pub(crate) fn ends(&self, open: usize) {
        let most = (open + 1).saturating_mul(EXCHANGE_BYTES_MAX);
        self.left.fetch_min(most, Ordering::Relaxed);
    }

    /// How many bytes have gone out.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn read(&self, bytes: usize) {
        let less = |left: usize| Some(left.saturating_sub(bytes));
        // It always says how much is left.
        let _ = (self.left).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// What bounds a connection.
#[derive(Debug)]
enum Bound {
    /// One request at a time. An exchange begins with the first byte that is written after a flush.
    Exchange {
        left: usize,
        /// Whether all that was written has gone out. Only then may a write begin an exchange: a
        /// receiver that takes a request byte by byte would else have its bound lifted with each.
        flushed: bool,
    },
    /// Many requests at once.
    Metered {
        meter: Arc<Meter>,
        /// What was read since others had a turn.
        turn: usize,
    },
}

impl Bound {
    fn left(&self) -> usize {
        match self {
            Self::Exchange { left, .. } => *left,
            Self::Metered { meter, .. } => meter.left.load(Ordering::Relaxed),
        }
    }

    /// More by one buffer at most, which its owner bounds.
    fn read(&mut self, bytes: usize) {
        match self {
            Self::Exchange { left, .. } => *left = left.saturating_sub(bytes),
            Self::Metered { meter, turn } => {
                *turn += bytes;
                meter.read(bytes);
            }
        }
    }

    fn writes(&mut self) {
        if let Self::Exchange { left, flushed } = self
            && *flushed
        {
            *flushed = false;
            *left = EXCHANGE_BYTES_MAX;
        }
    }

    fn wrote(&self, bytes: usize) {
        if let Self::Metered { meter, .. } = self {
            meter.written.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Bounded<S> {
    stream: S,
    bound: Bound,
}

impl<S> Bounded<S> {
    /// One for one request at a time, or for many that `meter` counts.
    pub(crate) fn new(stream: S, meter: Option<Arc<Meter>>) -> Self {
        let bound = match meter {
            None => Bound::Exchange {
                left: EXCHANGE_BYTES_MAX,
                flushed: true,
            },
            Some(meter) => Bound::Metered { meter, turn: 0 },
        };
        Self { stream, bound }
    }
}

impl Connection for Bounded<TcpStream> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bound.left() == 0 {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        if let Bound::Metered { turn, .. } = &mut self.bound
            && *turn >= TURN_BYTES_MAX
        {
            *turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        self.bound.read(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bound.writes();
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.bound.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bound.writes();
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        self.bound.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if let Bound::Exchange { flushed, .. } = &mut self.bound {
            *flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Reads `bytes` bytes, or says why not.
    async fn read<S: AsyncRead + Unpin>(from: &mut S, bytes: usize) -> io::Result<usize> {
        from.read_exact(&mut vec![0; bytes]).await
    }

    #[tokio::test]
    async fn an_exchange_has_its_bound_and_only_a_new_one_lifts_it() {
        let endless = tokio::io::join(tokio::io::repeat(7), tokio::io::sink());
        let mut bounded = Bounded::new(endless, None);
        for _ in 0..3 {
            bounded.write_all(b"request").await.unwrap();
            bounded.flush().await.unwrap();
            assert!(read(&mut bounded, EXCHANGE_BYTES_MAX).await.is_ok());
            let refused = read(&mut bounded, 1).await.unwrap_err();
            assert!(refused.get_ref().unwrap().is::<TooMuch>());
        }
        // The parts of one request are one exchange.
        bounded.write_all(b"half of a req").await.unwrap();
        assert!(read(&mut bounded, EXCHANGE_BYTES_MAX).await.is_ok());
        bounded.write_all(b"uest").await.unwrap();
        assert!(read(&mut bounded, 1).await.is_err());
    }

    #[tokio::test]
    async fn each_request_adds_to_what_a_metered_connection_may_send_and_takes_the_rest_with_it() {
        let meter = Arc::new(Meter::new());
        let endless = tokio::io::join(tokio::io::repeat(7), tokio::io::sink());
        let mut bounded = Bounded::new(endless, Some(meter.clone()));
        meter.begins();
        meter.begins();
        meter.ends(1);
        assert!(read(&mut bounded, 2 * EXCHANGE_BYTES_MAX).await.is_ok());
        let refused = read(&mut bounded, 1).await.unwrap_err();
        assert!(refused.get_ref().unwrap().is::<TooMuch>());
        // What is written lifts nothing: who is asked to write without end would be let in by it.
        bounded.write_all(b"settled").await.unwrap();
        bounded.flush().await.unwrap();
        assert!(read(&mut bounded, 1).await.is_err());
        assert_eq!(meter.written(), 7);
        meter.begins();
        assert!(read(&mut bounded, EXCHANGE_BYTES_MAX).await.is_ok());
        assert!(read(&mut bounded, 1).await.is_err());
    }

    #[test]
    fn a_metered_connection_that_is_read_without_end_lets_others_have_a_turn() {
        let endless = tokio::io::join(tokio::io::repeat(7), tokio::io::sink());
        let mut bounded = Bounded::new(endless, Some(Arc::new(Meter::new())));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut bytes = [0; 4096];
        let mut read = || {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut bounded).poll_read(&mut cx, &mut buffer);
            (read.is_ready(), buffer.filled().len())
        };
        for _ in 0..3 {
            for _ in 0..TURN_BYTES_MAX / 4096 {
                assert_eq!(read(), (true, 4096));
            }
            assert_eq!(read(), (false, 0));
        }
    }
}
