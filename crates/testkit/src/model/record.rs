//! What the reference knows of a delivery and of its subscription.

use std::time::Duration;

use domain::{
    Attempt, DeliveryState, EventType, NodeId, Outcome, ReplayJobId, StateCode, SubscriptionState,
    Timestamp,
};
use store::Settlement;

/// A lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hold {
    pub(super) node: NodeId,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is sent from this moment on.
    Waiting(Timestamp),
    /// One before it in its chain is not through.
    Behind,
    /// Somebody may send it.
    Leased(Hold),
    /// It is not sent any more.
    Ended(DeliveryState),
    /// It is not in the log any more.
    Forgotten,
}

impl Standing {
    /// Whether it holds nothing of its chain back any more.
    pub(super) const fn is_through(self) -> bool {
        matches!(self, Self::Ended(_) | Self::Forgotten)
    }
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) manual_by: Option<String>,
    pub(super) replay: Option<ReplayJobId>,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) started_at: Timestamp,
    pub(super) duration_ms: u32,
}

impl Entry {
    /// What the log should keep of it.
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            manual_by: attempt.manual_by.clone(),
            replay: attempt.replay,
            outcome: attempt.outcome,
            status: attempt.status,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
        }
    }

    /// When it ended.
    pub(super) fn ended_at(&self) -> Timestamp {
        let took = Duration::from_millis(self.duration_ms.into());
        self.started_at.after(took)
    }
}

/// An attempt, and what it makes of its delivery.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) entry: Entry,
    pub(super) state: DeliveryState,
    pub(super) reason: String,
    pub(super) due_at: Option<Timestamp>,
}

impl From<&Settlement> for Ended {
    fn from(settlement: &Settlement) -> Self {
        Self {
            entry: Entry::of(&settlement.attempt),
            state: settlement.state,
            reason: settlement.reason.clone(),
            due_at: settlement.due_at,
        }
    }
}

/// One delivery.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) lane: usize,
    pub(super) event: usize,
    pub(super) sequence: i64,
    pub(super) happened: Timestamp,
    pub(super) standing: Standing,
    /// Why it stands so; none where the store has its own words for it.
    pub(super) reason: Option<String>,
    pub(super) attempts: u32,
    pub(super) manual_by: Option<String>,
    /// The job that its next attempt is made for.
    pub(super) replay: Option<ReplayJobId>,
    /// The job that made it.
    pub(super) made_by: Option<ReplayJobId>,
    /// Whether it was leased last to try its receiver.
    pub(super) probe: bool,
    pub(super) delivered: bool,
    /// Whether somebody wants it not tried again.
    pub(super) cancelled: bool,
    /// Of its checklist, one goes after the other, by the order of the reference.
    pub(super) chain: Option<usize>,
    pub(super) log: Vec<Entry>,
}

impl Record {
    /// The job that an attempt of it is for.
    pub(super) fn of_job(&self) -> Option<ReplayJobId> {
        self.replay.or(self.made_by)
    }

    /// Nobody's wish stands any more.
    pub(super) fn unask(&mut self) {
        self.manual_by = None;
        self.replay = None;
    }

    /// It ends in a way that says nothing of its receiver; one that had arrived has arrived.
    pub(super) fn end(&mut self, state: DeliveryState, reason: Option<&str>) {
        self.unask();
        let reason = if self.delivered { Some("") } else { reason };
        self.reason = reason.map(str::to_owned);
        self.standing = Standing::Ended(if self.delivered {
            DeliveryState::Delivered
        } else {
            state
        });
    }

    /// How it stands once nobody tries it any more because somebody wanted so.
    pub(super) const fn stopped(&self) -> Standing {
        Standing::Ended(if self.delivered {
            DeliveryState::Delivered
        } else {
            DeliveryState::Cancelled
        })
    }
}

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) kind: EventType,
    /// Its state, and why.
    pub(super) code: StateCode,
    pub(super) reason: String,
    pub(super) sequence: i64,
    /// When a pause of it last ended.
    pub(super) resumed: Option<Timestamp>,
    /// Whether it wants its deliveries in order.
    pub(super) ordered: bool,
    /// When its receiver is tried next, of one that the system has paused, and how often it was.
    pub(super) probe_at: Option<Timestamp>,
    pub(super) probes: u32,
}

impl Lane {
    /// One to which nothing has happened yet.
    pub(super) const fn new(kind: EventType, ordered: bool) -> Self {
        Self {
            kind,
            code: StateCode::Active,
            reason: String::new(),
            sequence: 0,
            resumed: None,
            ordered,
            probe_at: None,
            probes: 0,
        }
    }

    pub(super) const fn state(&self) -> SubscriptionState {
        self.code.state()
    }

    pub(super) const fn sends(&self) -> bool {
        self.state().sends()
    }
}

/// The right to settle a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    pub(super) delivery: usize,
    pub(super) node: NodeId,
    pub(super) attempt: u32,
}
