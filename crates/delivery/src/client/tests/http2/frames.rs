//! The receiver's side of HTTP/2 by hand: frames, and no rule of what may follow what.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::io;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

/// The flag of a frame that is an answer to one of the same kind.
pub(super) const ACK: u8 = 1;
/// The flag of a stream's last frame.
pub(super) const END_STREAM: u8 = 1;
/// The flag of a head that is whole.
pub(super) const END_HEADERS: u8 = 4;

/// The setting that says how many requests may be under way.
pub(super) const MAX_CONCURRENT_STREAMS: u8 = 3;

/// `:status: 200`, as HPACK has it.
pub(super) const STATUS_200: u8 = 0x88;

/// What every client begins with.
const PREFACE: usize = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

/// A frame's bytes.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `GOAWAY`, of which the last request that was looked at is `last`.
pub(super) fn go_away(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

pub(super) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A whole answer without a body.
pub(super) fn ok(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &[STATUS_200])
}

/// The receiver's settings, each with its value.
pub(super) fn settings(of: &[(u8, u32)]) -> Vec<u8> {
    let setting = |(name, value): &(u8, u32)| [&[0, *name][..], &value.to_be_bytes()].concat();
    let payload: Vec<u8> = of.iter().flat_map(setting).collect();
    frame(SETTINGS, 0, 0, &payload)
}

pub(super) struct Frames<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Takes a client's greeting, and answers it.
    pub(super) async fn open(stream: S, settings: &[u8]) -> io::Result<Self> {
        let mut frames = Self(stream);
        frames.0.read_exact(&mut [0; PREFACE]).await?;
        frames.send(settings).await?;
        Ok(frames)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    pub(super) async fn read(&mut self) -> io::Result<Frame> {
        read(&mut self.0).await
    }

    /// The next frame of a request, after what has to be acknowledged was.
    pub(super) async fn next(&mut self) -> io::Result<Frame> {
        loop {
            let next = self.read().await?;
            match next.kind {
                SETTINGS | PING if next.flags & ACK == 0 => {
                    let payload = if next.kind == PING {
                        &next.payload[..]
                    } else {
                        &[]
                    };
                    self.send(&frame(next.kind, ACK, 0, payload)).await?;
                }
                HEADERS | DATA | RST_STREAM => return Ok(next),
                _ => {}
            }
        }
    }

    /// The number of the next request, once it is whole.
    pub(super) async fn request(&mut self) -> io::Result<u32> {
        loop {
            let next = self.next().await?;
            if next.kind == DATA && next.flags & END_STREAM != 0 {
                return Ok(next.stream);
            }
        }
    }

    /// Takes what comes until nothing more does.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        loop {
            self.next().await?;
        }
    }
}

pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
    };
    let mut payload = vec![0; usize::try_from(number(&head[..3])).unwrap()];
    stream.read_exact(&mut payload).await?;
    Ok(Frame {
        kind: head[3],
        flags: head[4],
        stream: number(&head[5..]),
        payload,
    })
}
