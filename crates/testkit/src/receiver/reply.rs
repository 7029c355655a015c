//! What a request gets.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// Holds something up until the test opens it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// A closed one.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Holds everybody up from now on.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        let mut state = self.0.subscribe();
        state
            .wait_for(|open| *open)
            .await
            .expect("the sender lives in this gate");
    }
}

/// What a request gets: an answer, or some way of going wrong.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) after: Option<Gate>,
    pub(super) takes: Duration,
    pub(super) kind: Kind,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) echoed: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Body(Bytes),
    Endless,
    Drip(Gate),
    Close,
    Raw(Bytes),
}

impl Reply {
    /// 200 without a body.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// This status without a body.
    pub fn status(status: u16) -> Self {
        Self {
            after: None,
            takes: Duration::ZERO,
            kind: Kind::Body(Bytes::new()),
            status,
            headers: Vec::new(),
            echoed: None,
        }
    }

    /// The connection is closed without a word.
    pub fn close() -> Self {
        Self {
            kind: Kind::Close,
            ..Self::ok()
        }
    }

    /// These bytes and no others, then the connection is closed: what is not HTTP, or half of it.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Raw(bytes.into()),
            ..Self::ok()
        }
    }

    /// 200 with a body that never ends, as fast as it is read.
    pub fn endless() -> Self {
        Self {
            kind: Kind::Endless,
            ..Self::ok()
        }
    }

    /// 200 at once, then a byte of body now and then until `gate` is opened.
    pub fn drip(gate: &Gate) -> Self {
        Self {
            kind: Kind::Drip(gate.clone()),
            ..Self::ok()
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this header of the request, as it came.
    #[must_use]
    pub fn echoing(mut self, name: &str) -> Self {
        self.echoed = Some(name.to_owned());
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.kind = Kind::Body(body.into());
        self
    }

    /// Not before `gate` is opened; the request is written down at once.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.after = Some(gate.clone());
        self
    }

    /// Not before this time is over, as of a receiver that does its work first. Nothing may depend
    /// on its being no longer than that.
    #[must_use]
    pub fn taking(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }
}
