//! Deliveries: taking, settling, giving back and rescuing them, and the log.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Attempt, ChecklistId, Delivery, DeliveryId, DeliveryState, EventId, EventType, NodeId, Outcome,
    SubscriptionId, SubscriptionState, TeamId, Timestamp,
};

use crate::{Lease, LeasedDelivery, StoreError};

/// What an attempt says that was being made when its server ended.
pub(crate) const LEASE_LAPSED: &str =
    "the server ended during this attempt; whether it was sent is not known";
/// Why a delivery is exhausted.
pub(crate) const ATTEMPTS_USED_UP: &str = "every attempt failed";

/// A lane with something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueLane {
    /// Whose lane.
    pub subscription: SubscriptionId,
    /// When its first is due.
    pub earliest: Timestamp,
    /// Whether that was before the subscription was last resumed: a pause held it.
    pub held: bool,
}

/// What to take from one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// From which lane.
    pub subscription: SubscriptionId,
    /// How many at most.
    pub limit: u32,
}

/// What was taken from the lanes.
#[derive(Debug, Default)]
pub struct Taken {
    /// Leased by this node from the commit on; in order within each lane.
    pub deliveries: Vec<LeasedDelivery>,
    /// Lanes that have nothing more that is due.
    pub drained: Vec<SubscriptionId>,
}

/// What an attempt makes of its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The right to say so.
    pub lease: Lease,
    /// The attempt.
    pub attempt: Attempt,
    /// The new state: delivered, waiting, exhausted, refused or cancelled.
    pub state: DeliveryState,
    /// Why, in words.
    pub reason: String,
    /// When it is due next; only for one that waits.
    pub due_at: Option<Timestamp>,
}

impl Settlement {
    /// When the attempt ended.
    pub(crate) fn ended_at(&self) -> Timestamp {
        let took = Duration::from_millis(self.attempt.duration_ms.into());
        self.attempt.started_at.after(took)
    }

    /// Whether all there is to say of the attempt fits its delivery's row: it was the first, and the receiver took
    /// it.
    pub(crate) fn is_straightforward(&self) -> bool {
        self.state == DeliveryState::Delivered
            && self.attempt.number == 1
            && self.attempt.manual_by.is_none()
            && self.attempt.replay.is_none()
            && self.attempt.outcome == Outcome::Delivered
            && self.attempt.error.is_empty()
    }

    /// A refusal, if no attempt can end so.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if matches!(self.state, DeliveryState::Leased | DeliveryState::Held) {
            return Err(StoreError::Failed(
                "an attempt can't be settled as leased or held".into(),
            ));
        }
        Ok(())
    }
}

/// What came of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Stored: the attempt and the new state.
    Stored,
    /// Nothing was stored: the lease had lapsed, and the delivery is somebody else's to settle.
    LeaseLost,
}

/// What came of asking for another attempt by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It is due now.
    Due(SubscriptionId),
    /// It is being sent at this moment.
    BeingSent,
    /// Its subscription is paused.
    Paused,
    /// Its subscription is gone.
    Gone,
    /// The body of its event is no longer kept.
    BodyGone,
    /// The team has no such delivery.
    NotThere,
}

/// What decides whether a delivery can be sent again.
pub(crate) struct Redeliverable {
    pub(crate) subscription: SubscriptionId,
    /// Its own state.
    pub(crate) state: DeliveryState,
    /// That of its subscription.
    pub(crate) of: SubscriptionState,
    /// Whether there is something to send.
    pub(crate) has_body: bool,
}

impl Redeliverable {
    /// The subscription, or why not.
    pub(crate) fn check(self) -> Result<SubscriptionId, Redelivery> {
        match self {
            Self {
                of: SubscriptionState::Gone,
                ..
            } => Err(Redelivery::Gone),
            Self {
                state: DeliveryState::Leased,
                ..
            } => Err(Redelivery::BeingSent),
            Self {
                has_body: false, ..
            } => Err(Redelivery::BodyGone),
            Self {
                of: SubscriptionState::Paused,
                ..
            } => Err(Redelivery::Paused),
            Self { subscription, .. } => Ok(subscription),
        }
    }
}

/// Which deliveries a list is about.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// Of this subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of this type of event.
    pub event_type: Option<EventType>,
    /// That stand so.
    pub state: Option<DeliveryState>,
    /// Whose last answer was in this class: 2 for 200 to 299, and so on.
    pub status_class: Option<u16>,
    /// That stand in any way but delivered; `state` is none then.
    pub undelivered: bool,
    /// Of this checklist.
    pub checklist: Option<ChecklistId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Whose event happened at this moment or later.
    pub since: Option<Timestamp>,
    /// Whose event happened before this moment.
    pub until: Option<Timestamp>,
    /// Older than this one: the last of the page before.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: u32,
}

impl DeliveryQuery {
    /// Whether they are found by their event.
    pub(crate) const fn of_event(&self) -> bool {
        self.event.is_some() || self.checklist.is_some()
    }
}

/// A delivery with its attempts and its body.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// The delivery.
    pub delivery: Delivery,
    /// Its attempts, first to last.
    pub attempts: Vec<Attempt>,
    /// What is sent; none once it is no longer kept.
    pub body: Option<Bytes>,
}

/// Reading deliveries.
#[async_trait]
pub trait ReadDeliveries: Send {
    /// Lanes of subscriptions that send, with something that waits: with when the first of it is
    /// due. At most `limit`, those with the earliest first.
    async fn delivery_lanes(&mut self, limit: u32) -> Result<Vec<DueLane>, StoreError>;

    /// The deliveries that `query` is about, newest first. Those of a paused subscription that
    /// wait are `held`, those of one that is gone `cancelled`.
    async fn delivery_page(
        &mut self,
        team: TeamId,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// A delivery with its log.
    async fn delivery_get(
        &mut self,
        team: TeamId,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRecord>, StoreError>;
}

/// A delivery that was not sent, for a reason that says nothing of its receiver and may not last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// By which lease.
    pub lease: Lease,
    /// When that was found.
    pub at: Timestamp,
    /// Until when it waits.
    pub due_at: Timestamp,
    /// What came of it, as lists show it.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
}

/// Changing deliveries.
#[async_trait]
pub trait WriteDeliveries: Send {
    /// Leases what is due at `now` in the lanes that `takes` names, for `node` until `until`, and
    /// counts the attempt. Lanes of subscriptions that do not send give nothing and are drained.
    async fn delivery_take(
        &mut self,
        takes: &[Take],
        node: NodeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Taken, StoreError>;

    /// Stores what came of attempts, each only while its lease is ours. Answers in the same order.
    ///
    /// One that had been delivered before stays delivered, whatever the settlement says.
    async fn delivery_settle(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, StoreError>;

    /// Gives leases back whose attempt was not begun: due now, the attempt not counted. One that was
    /// never sent goes before those of later events, as it was.
    async fn delivery_give_back(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Gives leases back whose deliveries are to wait, their attempts not counted.
    async fn delivery_put_off(&mut self, put_off: &[PutOff]) -> Result<(), StoreError>;

    /// Ends leases that lapsed before `now`, or those of the dead: writes an attempt with
    /// outcome `unknown` for each, after which it is due now, or exhausted when it was the last of
    /// `attempts_max`. What began before a pause ended, or in one that goes on, is not the last: a probe never is, and
    /// what is held is tried once more. At most `limit`; answers how many.
    async fn delivery_rescue(
        &mut self,
        which: Rescue,
        now: Timestamp,
        attempts_max: u32,
        limit: u32,
    ) -> Result<u32, StoreError>;

    /// Makes a delivery due now because `by` asked for it. One that was delivered stays delivered,
    /// whatever comes of the attempt.
    async fn delivery_redeliver(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError>;
}

/// Which leases a rescue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescue {
    /// Those whose time is over.
    Lapsed,
    /// Those of nodes that are not alive, for a start: all but this node's where only one can open the
    /// store at a time, else those of which nothing was heard for a while.
    OfTheDead(NodeId),
}
