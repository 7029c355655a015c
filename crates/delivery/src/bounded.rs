//! A connection that ends once the receiver has sent more than an answer can need.
//!
//! Hyper bounds a head, and [`crate::answer`] what is read of a body. What may stand around them has
//! no bound but the time: `1xx` answers before the answer, zeros before the size of a chunk, records
//! of TLS that hold nothing. All of it is bytes of the connection, so those are counted here, in the
//! one place that sees every byte, and anew for each exchange.

use std::{
    io,
    pin::Pin,
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

/// The connection. An exchange begins with the first byte that is written after a flush.
#[derive(Debug)]
pub(crate) struct Bounded<S> {
    stream: S,
    left: usize,
    /// Whether all that was written has gone out. Only then may a write begin an exchange: a
    /// receiver that takes a request byte by byte would else have its bound lifted with each.
    flushed: bool,
}

impl<S> Bounded<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self {
            stream,
            left: EXCHANGE_BYTES_MAX,
            flushed: true,
        }
    }

    const fn writes(&mut self) {
        if self.flushed {
            self.flushed = false;
            self.left = EXCHANGE_BYTES_MAX;
        }
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
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        // More by one buffer at most, which its owner bounds.
        let read = buffer.filled().len().saturating_sub(before);
        self.left = self.left.saturating_sub(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes();
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.flushed = true;
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
        let mut bounded = Bounded::new(tokio::io::join(tokio::io::repeat(7), tokio::io::sink()));
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
}
