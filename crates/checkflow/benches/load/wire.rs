//! HTTP/1.1 by hand, as far as both sides of a benchmark need it.
//!
//! Driver and sink share the processors with the server that is measured, so each request costs them as
//! little as it can: one buffer for each connection, one write and one or two reads. A body has a
//! `content-length`; pieces ("chunked") are an error.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

/// Room that a connection begins with: a webhook or an answer fits in whole.
const BUFFER_BYTES: usize = 16 * 1024;
/// Largest head that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Largest body that is read.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A connection that is kept, and the message that was read last.
pub(crate) struct Wire<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
    /// Where the body of that message begins.
    body: usize,
    /// Where that message ends.
    end: usize,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // A message is one write; nothing is gained by waiting for more.
        stream.set_nodelay(true)?;
        Ok(Self::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            body: 0,
            end: 0,
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the next message; `false` when the other side has closed instead of beginning one.
    pub(crate) async fn read(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.end);
        self.end = 0;
        while !self.has_head()? {
            if !self.fill().await? {
                return if self.buffer.is_empty() {
                    Ok(false)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
        while self.buffer.len() < self.end {
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(true)
    }

    /// The first line of the message: of a request or of an answer.
    pub(crate) fn first_line(&self) -> &str {
        let line = self.buffer.split(|byte| *byte == b'\r').next();
        line.and_then(|line| str::from_utf8(line).ok())
            .unwrap_or("")
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body..self.end]
    }

    /// Waits until the other side has closed, whatever it may still say before.
    pub(crate) async fn closed(&mut self) {
        while let Ok(true) = self.fill().await {
            self.buffer.clear();
            (self.body, self.end) = (0, 0);
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Whether the whole head is here; if so, where the body begins and ends is known.
    fn has_head(&mut self) -> io::Result<bool> {
        let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(io::Error::other("the head does not end"));
            }
            return Ok(false);
        };
        self.body = head + 4;
        self.end = self.body + content_length(&self.buffer[..head])?;
        Ok(true)
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let mut length = 0;
    for line in head.split(|byte| *byte == b'\n') {
        if let Some(text) = header(line, "content-length:") {
            length = text.parse().map_err(io::Error::other)?;
        } else if header(line, "transfer-encoding:").is_some() {
            return Err(io::Error::other("a body in pieces is not read here"));
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other("the body is too large"));
    }
    Ok(length)
}

fn header<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let (start, value) = line.split_at_checked(name.len())?;
    let found = start.eq_ignore_ascii_case(name.as_bytes());
    let value = found.then(|| str::from_utf8(value).ok()).flatten()?;
    Some(value.trim())
}
