//! Health of subscriptions, the notices that tell of it, and why something is not delivered.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ChecklistId, DeliveryId, DeliveryState, EventId, EventRow, EventType, Health, HealthSettings,
    NodeId, Notice, NoticeId, StateCode, SubscriptionId, TeamId, Timestamp, UndeliveredSummary,
};

use crate::{LeasedDelivery, StoreError};

/// How a subscription stands, as far as its health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Why it is in its state.
    pub code: StateCode,
    /// Its health.
    pub health: Health,
}

/// A new state of a subscription that follows from attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandChange {
    /// The state, and why.
    pub code: StateCode,
    /// Why, in words.
    pub reason: String,
    /// Who put it there.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When its receiver is tried again; only for one that the system pauses.
    pub probe_at: Option<Timestamp>,
}

/// Which events a list is about.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// This one alone.
    pub event: Option<EventId>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// Of this checklist.
    pub checklist: Option<ChecklistId>,
    /// That happened at this moment or later.
    pub since: Option<Timestamp>,
    /// That happened before this moment.
    pub until: Option<Timestamp>,
    /// That no subscription wanted.
    pub unmatched: bool,
    /// Older than this one: the last of the page before.
    pub before: Option<EventId>,
    /// At most so many.
    pub limit: u32,
}

/// Which notices a list is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoticeQuery {
    /// Those that nobody has seen.
    pub unseen: bool,
    /// Older than this one: the last of the page before.
    pub before: Option<NoticeId>,
    /// At most so many.
    pub limit: u32,
}

/// Which notices were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This one.
    One(NoticeId),
    /// This one and all before it.
    UpTo(NoticeId),
}

/// What came of stopping the retries of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It is not tried again. The attempt that runs, if one does, may still deliver it.
    Now,
    /// It had been stopped before.
    Before,
    /// There was nothing to stop: it is settled.
    Settled(DeliveryState),
    /// The team has no such delivery.
    NotThere,
}

/// Which probes to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTake {
    /// Who makes them.
    pub node: NodeId,
    /// The present moment.
    pub now: Timestamp,
    /// Until when the leases last.
    pub until: Timestamp,
    /// How long to wait for the next ones.
    pub settings: HealthSettings,
    /// At most so many.
    pub limit: u32,
}

/// Reading health, notices and events.
#[async_trait]
pub trait ReadHealth: Send {
    /// How a subscription stands, whatever its state.
    async fn stand_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError>;

    /// What of a subscription of the team is not delivered; counts a bounded number of rows.
    async fn undelivered_summary(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<UndeliveredSummary, StoreError>;

    /// The team's events that `query` is about, newest first.
    async fn event_page(
        &mut self,
        team: TeamId,
        query: &EventQuery,
    ) -> Result<Vec<EventRow>, StoreError>;

    /// What is sent of an event.
    async fn event_body(&mut self, team: TeamId, id: EventId) -> Result<Option<Bytes>, StoreError>;

    /// The team's notices that `query` is about, newest first.
    async fn notice_page(
        &mut self,
        team: TeamId,
        query: &NoticeQuery,
    ) -> Result<Vec<Notice>, StoreError>;

    /// When the next probe is due.
    async fn probe_next(&mut self) -> Result<Option<Timestamp>, StoreError>;
}

/// Changing health and notices.
#[async_trait]
pub trait WriteHealth: Send {
    /// How a subscription stands, and that it stays so until the end of the transaction.
    async fn stand_hold(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError>;

    /// Changes the state of a subscription because of what attempts came to. One that is gone stays so. Answers
    /// whether it changed.
    async fn stand_put(
        &mut self,
        id: SubscriptionId,
        change: &StandChange,
    ) -> Result<bool, StoreError>;

    /// Notes how many warnings of a subscription's failing were given.
    async fn warned_put(&mut self, id: SubscriptionId, warned: u32) -> Result<(), StoreError>;

    /// Adds a notice. Of its team the newest [`domain::NOTICES_MAX`] are kept.
    async fn notice_insert(&mut self, notice: &Notice) -> Result<(), StoreError>;

    /// Notes that notices were seen; those that had been keep their time. Answers how many were not.
    async fn notice_see(
        &mut self,
        team: TeamId,
        which: Seen,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Stops the retries of a delivery because `by` asked for it. One that is being sent is cancelled when its
    /// attempt has failed; if the receiver takes it, it is delivered.
    async fn delivery_cancel(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
    ) -> Result<Cancelled, StoreError>;

    /// Leases one held delivery, the one that has been due for the longest time, of each subscription that the
    /// system has paused and whose probe is due. In the same step the next probe moves on, so that of several
    /// nodes one makes it.
    async fn probe_take(&mut self, take: &ProbeTake) -> Result<Vec<LeasedDelivery>, StoreError>;
}
