//! The body of an upload, handed to the reader of forms no faster than it is worked off.
//!
//! The reader takes all that its stream has ready before it looks at any of it, and keeps what
//! comes before the file (a preamble, other fields, the heads of parts) in memory until it has
//! found what it looks for. So this pauses after each piece, which bounds what is read ahead to a
//! piece or two, and it ends a form whose file does not begin in time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::FORM_BYTES_MAX;

/// Largest piece that is handed on before the file begins, in bytes; the limit is kept to within
/// two of them.
const PIECE_BYTES_MAX: usize = 4 * 1024;

/// The form has more before its file than is taken.
#[derive(Debug, thiserror::Error)]
#[error("the form has more than {FORM_BYTES_MAX} bytes before its file")]
pub(super) struct FormTooLong;

/// Told when the file begins; what comes then is not counted.
#[derive(Clone, Debug, Default)]
pub(super) struct FileBegun(Arc<AtomicBool>);

impl FileBegun {
    /// The file begins.
    pub(super) fn tell(&self) {
        // Nothing else is published with it.
        self.0.store(true, Ordering::Relaxed);
    }

    fn told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Paces `body` and bounds what it has before `begun` is told.
pub(super) fn paced(body: Body, begun: FileBegun) -> Body {
    Body::from_stream(Paced {
        body: body.into_data_stream(),
        rest: Bytes::new(),
        begun,
        before: 0,
        pausing: false,
    })
}

struct Paced {
    body: BodyDataStream,
    /// What came and was not handed on yet.
    rest: Bytes,
    begun: FileBegun,
    /// Bytes that were handed on before the file began.
    before: u64,
    /// Whether a piece was handed on since the last pause.
    pausing: bool,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.pausing {
            self.pausing = false;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match ready!(self.body.poll_next_unpin(context)) {
                Some(Ok(bytes)) => self.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        self.pausing = true;
        if self.begun.told() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        if self.before >= FORM_BYTES_MAX {
            return Poll::Ready(Some(Err(axum::Error::new(FormTooLong))));
        }
        let piece = self.rest.len().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(piece);
        self.before += piece.len() as u64;
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// What the stream has ready at once, and what ended that.
    fn ready(body: &mut BodyDataStream) -> (usize, Option<Result<(), axum::Error>>) {
        let mut bytes = 0;
        loop {
            match body.next().now_or_never() {
                None => return (bytes, None),
                Some(None) => return (bytes, Some(Ok(()))),
                Some(Some(Err(error))) => return (bytes, Some(Err(error))),
                Some(Some(Ok(piece))) => bytes += piece.len(),
            }
        }
    }

    #[test]
    fn no_more_than_a_piece_is_handed_on_at_once() {
        let begun = FileBegun::default();
        let chunk = || Ok::<_, axum::Error>(Bytes::from(vec![b'x'; 10_000]));
        let body = Body::from_stream(futures_util::stream::iter([chunk(), chunk(), chunk()]));
        let mut body = paced(body, begun.clone()).into_data_stream();
        assert_eq!(ready(&mut body).0, PIECE_BYTES_MAX);
        begun.tell();
        assert_eq!(ready(&mut body).0, 10_000 - PIECE_BYTES_MAX);
        assert_eq!(ready(&mut body).0, 10_000);
        assert_eq!(ready(&mut body).0, 10_000);
        assert!(matches!(ready(&mut body), (0, Some(Ok(())))));
    }

    #[test]
    fn a_form_whose_file_does_not_begin_is_ended() {
        let body = Body::from(vec![b'x'; 1_000_000]);
        let mut body = paced(body, FileBegun::default()).into_data_stream();
        let mut handed_on = 0;
        let error = loop {
            let (bytes, end) = ready(&mut body);
            handed_on += bytes as u64;
            if let Some(end) = end {
                break end.unwrap_err();
            }
        };
        assert_eq!(handed_on, FORM_BYTES_MAX);
        assert_eq!(error.to_string(), FormTooLong.to_string());
    }
}
