//! A connection whose words can be replaced: for answers that are not HTTP.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What goes out instead of everything that the server writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Instead(Arc<Mutex<Option<Bytes>>>);

impl Instead {
    /// From now on `bytes` go out and nothing else.
    pub(super) fn send(&self, bytes: Bytes) {
        *self.bytes() = Some(bytes);
    }

    fn bytes(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    instead: Instead,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, instead: Instead) -> Self {
        Self { stream, instead }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut instead = this.instead.bytes();
        let Some(bytes) = instead.as_mut() else {
            return Pin::new(&mut this.stream).poll_write(context, buffer);
        };
        while bytes.has_remaining() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes.advance(written);
        }
        // What the server says is swallowed.
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
