//! Subscriptions.

use async_trait::async_trait;
use domain::{
    EventType, Scope, Subscription, SubscriptionId, SubscriptionSecret, SubscriptionSettings,
    SubscriptionState, TargetUrl, TeamId, Timestamp,
};

use crate::StoreError;

/// What makes two subscriptions the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionIdentity {
    /// Whose.
    pub team: TeamId,
    /// The label.
    pub source: String,
    /// Which events.
    pub event_type: EventType,
    /// Of what.
    pub scope: Scope,
    /// Where to.
    pub target: TargetUrl,
}

/// What of a subscription can be changed, beside its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// The label.
    pub source: String,
    /// Where to.
    pub target: TargetUrl,
    /// What its maker chose.
    pub settings: SubscriptionSettings,
}

/// A new state of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state.
    pub state: SubscriptionState,
    /// Why, in words.
    pub reason: String,
    /// Who put it there.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Reading subscriptions.
#[async_trait]
pub trait ReadSubscriptions: Send {
    /// A subscription, whatever its state.
    async fn subscription_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError>;

    /// The one of a team that is the same and not gone.
    async fn subscription_find(
        &mut self,
        identity: &SubscriptionIdentity,
    ) -> Result<Option<Subscription>, StoreError>;

    /// The team's subscriptions that are not gone, oldest first: with this label and of this type,
    /// if given; at most `limit`.
    async fn subscription_list(
        &mut self,
        team: TeamId,
        source: Option<&str>,
        event_type: Option<EventType>,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError>;

    /// Why nothing can be sent to a subscription, which is there, and what to do; none where all that is stored of it can be
    /// read.
    async fn subscription_fault(
        &mut self,
        id: SubscriptionId,
    ) -> Result<Option<String>, StoreError>;

    /// How many subscriptions of the team are not gone.
    async fn subscription_count(&mut self, team: TeamId) -> Result<u64, StoreError>;
}

/// Changing subscriptions.
#[async_trait]
pub trait WriteSubscriptions: Send {
    /// Stores a new one with its secrets, encrypted. Must not be there yet (see
    /// [`ReadSubscriptions::subscription_find`]); two at once make one of them fail.
    async fn subscription_insert(
        &mut self,
        subscription: &Subscription,
        secrets: &[SubscriptionSecret],
    ) -> Result<(), StoreError>;

    /// Keeps others from changing a subscription until the transaction ends, so that what is read of it now holds when it
    /// is written.
    async fn subscription_hold(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<(), StoreError>;

    /// Changes what can be changed of one that is not gone; what is sent from then on is sent so. Answers whether
    /// there was one. Must not become the same as another one (see [`ReadSubscriptions::subscription_find`]).
    async fn subscription_put(
        &mut self,
        id: SubscriptionId,
        change: &SubscriptionChange,
    ) -> Result<bool, StoreError>;

    /// Changes the state. Its deliveries are not touched: what waits is held, cancelled or sent on
    /// by the state of the subscription. One that is gone stays so. Answers whether it changed.
    async fn subscription_state_put(
        &mut self,
        id: SubscriptionId,
        change: &StateChange,
    ) -> Result<bool, StoreError>;
}
