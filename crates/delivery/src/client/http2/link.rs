//! One connection, and the places on it.

use std::{
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Waker},
};

use h2::{Reason, RecvStream, client::SendRequest};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use tokio::time::Instant;

use super::{Bytes, Duration, Failure, Reading, Request, STREAMS_MAX, lock, words};
use crate::{bounded::Meter, failure};

/// A connection that requests can be sent on. It ends once nobody has it any more, and its requests are over.
pub(super) struct Link {
    state: Mutex<LinkState>,
    meter: Arc<Meter>,
    /// Why the connection was lost, if it is known.
    lost: Arc<OnceLock<Failure>>,
}

struct LinkState {
    /// None once nothing more is sent on it.
    sender: Option<SendRequest<Bytes>>,
    /// Requests that are on it.
    open: usize,
    idle_since: Instant,
}

/// What a connection has for one more request.
pub(super) enum Room {
    Slot(Slot),
    Full,
    Gone,
}

/// A request that was not answered.
pub(super) enum Lost {
    /// The receiver has not looked at it.
    Unread,
    /// It may have been processed.
    Failed(Failure),
}

impl Link {
    pub(super) fn new(
        sender: SendRequest<Bytes>,
        meter: Arc<Meter>,
        lost: Arc<OnceLock<Failure>>,
    ) -> Self {
        let state = LinkState {
            sender: Some(sender),
            open: 0,
            idle_since: Instant::now(),
        };
        Self {
            state: Mutex::new(state),
            meter,
            lost,
        }
    }

    /// A place for one more request.
    pub(super) fn enter(self: &Arc<Self>) -> Room {
        let mut state = lock(&self.state);
        let Some(sender) = &mut state.sender else {
            return Room::Gone;
        };
        let mut cx = Context::from_waker(Waker::noop());
        if let std::task::Poll::Ready(Err(_)) = sender.poll_ready(&mut cx) {
            state.sender = None;
            return Room::Gone;
        }
        let sender = sender.clone();
        // What the receiver allows may change.
        let room = sender.current_max_send_streams().min(STREAMS_MAX);
        if state.open >= room {
            if state.open == 0 {
                // It allows none at all any more. Kept, it would be one of ever more.
                state.sender = None;
                return Room::Gone;
            }
            return Room::Full;
        }
        state.open += 1;
        self.meter.begins();
        Room::Slot(Slot {
            link: self.clone(),
            sender,
        })
    }

    /// Has nothing more sent on it; what is on it goes on.
    pub(super) fn retire(&self) {
        lock(&self.state).sender = None;
    }

    /// The same, if nothing was on it for so long.
    pub(super) fn retire_if_idle(&self, idle_max: Duration) {
        let mut state = lock(&self.state);
        if state.open == 0 && state.idle_since.elapsed() >= idle_max {
            state.sender = None;
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        lock(&self.state).open > 0
    }

    fn leave(&self) {
        let mut state = lock(&self.state);
        state.open -= 1;
        state.idle_since = Instant::now();
        self.meter.ends(state.open);
    }
}

/// The right to one request on a connection.
pub(super) struct Slot {
    link: Arc<Link>,
    sender: SendRequest<Bytes>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.link.leave();
    }
}

impl Slot {
    /// Sends `request` and reads the answer. What is dropped unread is cancelled, and nothing else on the connection.
    pub(super) async fn exchange(
        mut self,
        request: &Request<Bytes>,
        reading: &mut Reading,
    ) -> Result<(), Lost> {
        let (parts, mut answer) = self.send(request).await?.into_parts();
        reading.begin(parts.status, &parts.headers);
        while let Some(data) = answer.data().await {
            let data = data.map_err(|error| Lost::Failed(self.failure(&error)))?;
            // Only a stream that is over has nothing to release.
            let _ = answer.flow_control().release_capacity(data.len());
            if reading.keep(&data).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Sends `request` and answers the head of the answer, whose body is cancelled.
    pub(super) async fn head_of(
        mut self,
        request: &Request<Bytes>,
    ) -> Result<(StatusCode, HeaderMap), Lost> {
        let (parts, _) = self.send(request).await?.into_parts();
        Ok((parts.status, parts.headers))
    }

    async fn send(&mut self, request: &Request<Bytes>) -> Result<Response<RecvStream>, Lost> {
        let written = self.link.meter.written();
        let sending = self.sender.send_request(head(request), false);
        let (response, mut body) = sending.map_err(|error| self.unsent(&error))?;
        // The bytes are there already, so waiting for the receiver's window would save nothing.
        body.send_data(request.body().clone(), true)
            .map_err(|error| self.lost(&error, written))?;
        response.await.map_err(|error| self.lost(&error, written))
    }

    /// What it means that a request did not even get onto the connection.
    fn unsent(&self, error: &h2::Error) -> Lost {
        if error.is_io() || error.is_go_away() || error.is_reset() {
            self.link.retire();
            return Lost::Unread;
        }
        Lost::Failed(words::unwritable(error))
    }

    fn lost(&self, error: &h2::Error, written: u64) -> Lost {
        let refused = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
        let unread = error.is_remote() && refused;
        let unsent = error.is_io() && self.link.meter.written() == written;
        if unread || unsent {
            self.link.retire();
            return Lost::Unread;
        }
        Lost::Failed(self.failure(error))
    }

    fn failure(&self, error: &h2::Error) -> Failure {
        if error.is_io() {
            self.link.retire();
            let lost = self.link.lost.get().cloned();
            return lost.unwrap_or_else(failure::closed);
        }
        words::of_stream(error)
    }
}

/// The head of a request as HTTP/2 has it: the host is in its own place, and the length is said as in HTTP/1.1.
fn head(request: &Request<Bytes>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = request.headers().clone();
    let length = HeaderValue::from(request.body().len());
    head.headers_mut().insert(header::CONTENT_LENGTH, length);
    head
}
