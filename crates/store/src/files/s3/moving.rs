//! Bodies that tell whether anything moves: a request's and an answer's have no length of time, but must not stand
//! still for longer than they may.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use object_store::client::HttpError;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::http::{lost, silent};

/// When something moved last.
#[derive(Clone)]
pub(super) struct Moved(Arc<Mutex<Instant>>);

impl Default for Moved {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Moved {
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Over when nothing has moved for `idle`.
    pub(super) async fn not_for(&self, idle: Duration) {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + idle;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// The body of a request, which tells of each piece that the connection takes.
pub(super) struct Moving<B> {
    pub(super) body: B,
    pub(super) moved: Moved,
}

impl<B: Body + Unpin> Body for Moving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.moved.now();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, of which something comes within every `idle`.
pub(super) struct Coming<B> {
    pub(super) body: B,
    pub(super) host: String,
    pub(super) idle: Duration,
    /// Runs while a piece is awaited, and not while nobody asks for one.
    pub(super) patience: Option<Pin<Box<Sleep>>>,
}

impl<B: Body + Unpin> Body for Coming<B>
where
    B::Error: Error + 'static,
{
    type Data = B::Data;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(came) = Pin::new(&mut this.body).poll_frame(cx) {
            this.patience = None;
            let came = came.map(|frame| frame.map_err(|error| lost(&this.host, &error)));
            return Poll::Ready(came);
        }
        let idle = this.idle;
        let patience = this.patience.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Some(Err(silent(&this.host, idle))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
