//! HTTP/2: many requests of one subscription at once on one connection.
//!
//! Connections are of one subscription at one revision, as those of every subscription with wishes ([`super::own`]), so
//! that none couples two lanes. They are opened one at a time, and whoever needs one meanwhile waits for that one, or
//! gets the reason why there is none. A receiver that offers no HTTP/2 within TLS is sent to by HTTP/1.1.
//!
//! A request that the receiver says it has not looked at (`REFUSED_STREAM`, or a `GOAWAY` that names an earlier one as
//! its last), and one of which no byte has gone out, is sent once more, on another connection: as one that HTTP/1.1
//! hands to a connection which had been closed in the meantime. Whatever else ends a request is an attempt that failed.

mod link;
mod opening;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Outcome;
use http::StatusCode;
use hyper::rt::Executor as _;
use tokio::sync::watch;

use super::{
    Bytes, Connections, DeliverySettings, Duration, Failure, HeaderMap, Pool, Reading, Request,
    Uri, asking, exchange,
};

use link::{Link, Lost, Room, Slot};
pub(super) use opening::Way;
pub(super) use words::no_room;

/// Most requests on one connection at once. The receiver may want fewer.
const STREAMS_MAX: usize = 128;

/// How often a request is sent that the receiver has not looked at, within one attempt.
const TRIES_MAX: usize = 3;

/// How often a connection without requests is asked whether the receiver is still there.
const PING_IDLE_EVERY: Duration = Duration::from_secs(20);

/// How often at most one with requests is.
const PING_EVERY_MIN: Duration = Duration::from_secs(1);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) connect: Duration,
    pub(super) idle: Duration,
    /// Between questions whether the receiver is still there, while it owes answers.
    pub(super) ping_every: Duration,
    pub(super) ping_within: Duration,
    /// The same, while it owes none.
    pub(super) ping_idle_every: Duration,
}

impl Times {
    pub(super) fn of(settings: &DeliverySettings) -> Self {
        // Twice this is less than the time of a request: a connection that died takes with it what is on it, and not
        // whatever is sent on it until the first of them has run out of time.
        let third = (settings.request_timeout / 3).max(PING_EVERY_MIN);
        Self {
            connect: settings.connect_timeout,
            idle: settings.connection_idle_max,
            ping_every: third,
            ping_within: third,
            ping_idle_every: PING_IDLE_EVERY,
        }
    }
}

/// The connections of one subscription.
pub(super) struct Streams {
    way: Arc<Way>,
    /// For a receiver that offers no HTTP/2.
    plain: Pool,
    connections: Connections,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    links: Vec<Arc<Link>>,
    /// Told of the connection that is being opened.
    opening: Option<watch::Receiver<Told>>,
    /// Whether the receiver has shown that it offers no HTTP/2.
    is_plain: bool,
}

/// How opening ended, once it has.
type Told = Option<Result<(), Failure>>;

/// What there is for a request.
enum Found {
    Slot(Slot),
    Plain,
    Opening(watch::Receiver<Told>),
}

impl Streams {
    pub(super) fn new(way: Way, plain: Pool, connections: Connections) -> Self {
        Self {
            way: Arc::new(way),
            plain,
            connections,
            state: Arc::default(),
        }
    }

    /// Sends `request` and reads the answer. `sent` says whether anything can have gone out.
    pub(super) async fn exchange(
        &self,
        request: Request<Bytes>,
        reading: &mut Reading,
        sent: &mut bool,
    ) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let slot = self.slot(request.uri()).await?;
            *sent = true;
            let Some(slot) = slot else {
                return exchange(&self.plain, request, reading).await;
            };
            match slot.exchange(&request, reading).await {
                Ok(()) => return Ok(()),
                Err(Lost::Failed(failure)) => return Err(failure),
                Err(Lost::Unread) => {}
            }
        }
        Err(turned_away())
    }

    /// Sends `request` and answers the head of the answer, whose body is not read.
    pub(super) async fn head_of(
        &self,
        request: Request<Bytes>,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        for _ in 0..TRIES_MAX {
            let Some(slot) = self.slot(request.uri()).await? else {
                return asking::head_of(&self.plain, request).await;
            };
            match slot.head_of(&request).await {
                Ok(head) => return Ok(head),
                Err(Lost::Failed(failure)) => return Err(failure),
                Err(Lost::Unread) => {}
            }
        }
        Err(turned_away())
    }

    /// A place on a connection; none if the receiver speaks HTTP/1.1.
    async fn slot(&self, uri: &Uri) -> Result<Option<Slot>, Failure> {
        loop {
            let mut opening = match self.find(uri) {
                Found::Slot(slot) => return Ok(Some(slot)),
                Found::Plain => return Ok(None),
                Found::Opening(opening) => opening,
            };
            match opening.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Err(failure))) => return Err(failure.clone()),
                Ok(_) => {}
                // The engine has closed.
                Err(_) => return Err(words::given_up()),
            }
        }
    }

    fn find(&self, uri: &Uri) -> Found {
        let mut state = lock(&self.state);
        if state.is_plain {
            return Found::Plain;
        }
        // The first ones are filled, so that the others come to rest and end.
        let mut found = None;
        state.links.retain(|link| {
            if found.is_some() {
                return true;
            }
            match link.enter() {
                Room::Slot(slot) => {
                    found = Some(slot);
                    true
                }
                Room::Full => true,
                Room::Gone => false,
            }
        });
        if let Some(slot) = found {
            return Found::Slot(slot);
        }
        let known = state.opening.as_ref();
        if let Some(opening) = known.filter(|opening| opening.has_changed().is_ok()) {
            return Found::Opening(opening.clone());
        }
        let opening = self.open(uri.clone());
        state.opening = Some(opening.clone());
        Found::Opening(opening)
    }

    /// Opens a connection, and runs it. Not by whoever needs it, for that one may not wait long enough for the others.
    fn open(&self, uri: Uri) -> watch::Receiver<Told> {
        let (tell, told) = watch::channel(None);
        let (way, state) = (self.way.clone(), Arc::downgrade(&self.state));
        self.connections.execute(Box::pin(async move {
            let opened = way.open(uri).await;
            // Nobody waits any more if that is gone.
            let Some(state) = state.upgrade() else { return };
            let driver = {
                let mut state = lock(&state);
                state.opening = None;
                match opened {
                    Ok(Some((link, driver))) => {
                        state.links.push(link);
                        Ok(Some(driver))
                    }
                    Ok(None) => {
                        state.is_plain = true;
                        Ok(None)
                    }
                    Err(failure) => Err(failure),
                }
            };
            drop(state);
            let (result, driver) = match driver {
                Ok(driver) => (Ok(()), driver),
                Err(failure) => (Err(failure), None),
            };
            // Whoever waited may have run out of time.
            let _ = tell.send(Some(result));
            if let Some(driver) = driver {
                driver.run().await;
            }
        }));
        told
    }
}

fn turned_away() -> Failure {
    let sentence = format!(
        "the receiver turned the request away {TRIES_MAX} times before it had looked at it (REFUSED_STREAM or GOAWAY)"
    );
    Failure::new(Outcome::Broken, sentence, true)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
