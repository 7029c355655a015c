//! The way from a commit to the delivery engine in memory: permits held before the insert, and
//! leases handed over after the commit.
//!
//! The table is the truth and this a short cut: whoever drops a permit or loses a hand-over costs
//! time, never a delivery.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    DeliveryId, EventId, EventType, Health, NodeId, ReplayJobId, RequestStyle, Signed,
    SubscriptionId, SubscriptionSecret, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId,
    Timestamp, WebhookHead,
};

use super::Node;

/// The right to have one delivery, for as long as it is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Whose right it is.
    pub node: NodeId,
    /// For which attempt, from 1; counted before it is sent.
    pub attempt: u32,
    /// Until when nobody else may take it.
    pub until: Timestamp,
}

/// Where the deliveries of one subscription go, and how they are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// Whose it is.
    pub team: TeamId,
    /// How it stood when the delivery was leased.
    pub state: SubscriptionState,
    /// How its receiver has done until then.
    pub health: Health,
    /// Goes up with every change of what follows.
    pub revision: i64,
    /// The address.
    pub target: TargetUrl,
    /// What its maker chose.
    pub settings: SubscriptionSettings,
    /// What signs, newest first; some of it may have run out since, or be of a kind that is not in use.
    pub secrets: Vec<SubscriptionSecret>,
    /// How requests are made beyond that; none for those without wishes.
    pub request: Option<Arc<RequestStyle>>,
}

impl Destination {
    /// Signs what is sent at `at`.
    pub fn sign(&self, event: EventId, at: Timestamp, body: &[u8]) -> Signed {
        let id = event.to_string();
        Signed::of(&self.secrets, self.settings.signing, &id, at, body)
    }
}

/// A delivery that this node may send.
#[derive(Clone, Debug)]
pub struct LeasedDelivery {
    /// The right to.
    pub lease: Lease,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Its number among the deliveries of its subscription.
    pub sequence: i64,
    /// Who asked for this attempt by hand, if anybody did.
    pub manual_by: Option<String>,
    /// The redelivery job that this attempt is made for, if it is for one.
    pub replay: Option<ReplayJobId>,
    /// Whether the receiver took it before; then it stays delivered, whatever comes of this.
    pub delivered_before: bool,
    /// Where it goes.
    pub destination: Arc<Destination>,
    /// What is sent.
    pub body: Bytes,
}

impl LeasedDelivery {
    /// What the attempt says about itself when it is sent at `at`.
    pub fn head(&self, at: Timestamp) -> WebhookHead {
        WebhookHead {
            event: self.event,
            event_type: self.event_type,
            subscription: self.destination.subscription,
            delivery: self.lease.delivery,
            sequence: self.sequence,
            attempt: self.lease.attempt,
            at,
        }
    }
}

/// What the delivery engine does for a store. All calls return at once.
///
/// Leases belong to the node.
pub trait Lanes: Node {
    /// Until when a lease taken at `now` lasts.
    fn lease_until(&self, now: Timestamp) -> Timestamp;

    /// Takes a permit for one request to the subscription, if its lane has one free and nothing
    /// due waits in the table before it. So many of them a second are wanted at most, by its settings.
    fn reserve(&self, subscription: SubscriptionId, per_second: Option<u32>) -> bool;

    /// Takes a permit back.
    fn release(&self, subscription: SubscriptionId);

    /// A delivery of the subscription was or is about to be stored as due: until a take has found
    /// nothing more, what is new goes behind it.
    fn backlog(&self, subscription: SubscriptionId);

    /// The subscription sends again: what was held meanwhile may be due in the table.
    fn resumed(&self, subscription: SubscriptionId);

    /// These are committed and leased by this node. In the order of their commit.
    fn hand_over(&self, deliveries: Vec<(LeasedDelivery, Permit)>);

    /// Something due was committed that was not handed over.
    fn wake(&self);
}

/// The right to one request to one subscription; given back when it is dropped.
pub struct Permit {
    lanes: Arc<dyn Lanes>,
    subscription: SubscriptionId,
}

impl Permit {
    /// Takes a permit, as [`Lanes::reserve`] does.
    pub fn reserve(
        lanes: &Arc<dyn Lanes>,
        subscription: SubscriptionId,
        per_second: Option<u32>,
    ) -> Option<Self> {
        lanes
            .reserve(subscription, per_second)
            .then(|| Self::held(lanes.clone(), subscription))
    }

    /// A permit that `lanes` has counted already.
    pub fn held(lanes: Arc<dyn Lanes>, subscription: SubscriptionId) -> Self {
        Self {
            lanes,
            subscription,
        }
    }

    /// Whose it is.
    pub fn subscription(&self) -> SubscriptionId {
        self.subscription
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lanes.release(self.subscription);
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Permit").field(&self.subscription).finish()
    }
}
