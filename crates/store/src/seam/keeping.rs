//! Keeping: how long events stay with their bodies, their deliveries and what was answered. What goes when is the
//! caller's to say; here events are walked from the oldest on and made less, a bounded slice at a time.
//!
//! An event has no row any more only once none of its deliveries has, and a delivery that is being sent keeps its own.

use async_trait::async_trait;
use domain::{ChecklistId, DeliveryState, TeamId, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// Why a delivery is not sent whose body went before it could be.
pub(crate) const BODY_GONE: &str =
    "the body of its event is no longer kept, so there is nothing to send";

/// Where an event stands among all by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace(pub(crate) Uuid);

/// An event, and what of it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// Which.
    pub place: EventPlace,
    /// When it happened.
    pub at: Timestamp,
    /// Whether its body is there.
    pub has_body: bool,
    /// Whether anything is there of what receivers answered.
    pub has_answers: bool,
}

/// How a delivery ends whose body goes before it could be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Expired or cancelled.
    pub state: DeliveryState,
    /// Why, in words.
    pub reason: String,
    /// Who wants those that are being sent not tried again, as by `delivery_cancel`; none to leave them be.
    pub stopped_by: Option<String>,
}

/// Which deliveries go with their events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Those that came to an end, save the expired.
    Settled,
    /// Those that nobody is sending.
    All,
}

/// What a slice came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slimmed {
    /// Events that were changed or removed.
    pub events: u64,
    /// Deliveries that were changed or removed; of what was answered, answers.
    pub rows: u64,
    /// Whether the slice was full, so that the same events may have more.
    pub more: bool,
}

/// Looking at what is kept.
#[async_trait]
pub trait ReadKeeping: Send {
    /// The oldest events after `after`, at most `limit`, oldest first.
    async fn event_walk(
        &mut self,
        after: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError>;

    /// The events of a checklist after `after`, at most `limit`.
    async fn event_walk_of(
        &mut self,
        team: TeamId,
        checklist: ChecklistId,
        after: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError>;
}

/// Keeping less.
#[async_trait]
pub trait WriteKeeping: Send {
    /// Removes deliveries of these events with their attempts, at most `deliveries_max`, and the events that have
    /// none left. A delivery that is being sent stays, and its event.
    async fn event_forget(
        &mut self,
        places: &[EventPlace],
        which: Forget,
        deliveries_max: u32,
    ) -> Result<Slimmed, StoreError>;

    /// Ends deliveries of these events that wait, at most `deliveries_max`, and removes the bodies once none waits.
    /// One that was delivered before stays delivered. Those being sent are, and do not wait again afterwards.
    async fn event_body_remove(
        &mut self,
        places: &[EventPlace],
        ending: &Ending,
        deliveries_max: u32,
    ) -> Result<Slimmed, StoreError>;

    /// Removes the headers and bodies that were answered to attempts of these events, of at most `answers_max`.
    /// The log says of each that more had come than it keeps.
    async fn event_answers_remove(
        &mut self,
        places: &[EventPlace],
        answers_max: u32,
    ) -> Result<Slimmed, StoreError>;
}

impl Forget {
    /// The condition for it.
    pub(crate) const fn term(self) -> &'static str {
        match self {
            Self::Settled => "d.state NOT IN ('leased', 'waiting', 'expired')",
            Self::All => "d.state <> 'leased'",
        }
    }
}

impl Ending {
    /// A refusal, if nothing can end so.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.state {
            DeliveryState::Expired | DeliveryState::Cancelled => Ok(()),
            state => Err(StoreError::Failed(
                format!("what waits can't end as {state}").into(),
            )),
        }
    }
}
