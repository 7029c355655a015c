//! Redelivery jobs: sending many deliveries again, chosen by a filter, at a bounded rate.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChecklistId, DeliveryId, DeliveryState, EventType, ReplayJobId, SubscriptionId, Timestamp,
};

/// Most deliveries that a job makes due in a second.
pub const REPLAY_RATE_MAX: u32 = 1_000;
/// Deliveries that a job makes due in a second when nobody says.
pub const REPLAY_RATE_DEFAULT: u32 = 50;

/// Where a redelivery job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// It makes deliveries due.
    Running,
    /// It waits until somebody resumes it.
    Paused,
    /// It has looked at everything.
    Done,
    /// Somebody stopped it, or where it sent to has ended.
    Cancelled,
}

impl ReplayState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it will not change any more.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

impl fmt::Display for ReplayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no state of a redelivery job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be running, paused, done or cancelled")]
pub struct UnknownReplayState;

impl FromStr for ReplayState {
    type Err = UnknownReplayState;

    fn from_str(text: &str) -> Result<Self, UnknownReplayState> {
        let found = Self::ALL.into_iter().find(|state| state.word() == text);
        found.ok_or(UnknownReplayState)
    }
}

/// Which deliveries, or which events, a job is about. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplayFilter {
    /// Whose event happened at this moment or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Whose event happened before this moment.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Of this type of event.
    pub event_type: Option<EventType>,
    /// Of this checklist.
    pub checklist_id: Option<ChecklistId>,
    /// To this subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// That stand so when the job comes to them.
    pub state: Option<DeliveryState>,
    /// Of which no attempt was made.
    pub never_attempted: bool,
}

impl ReplayFilter {
    /// Whether it chooses nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it matters how deliveries stand, and not only what happened.
    pub const fn asks_of_deliveries(&self) -> bool {
        self.subscription_id.is_some() || self.state.is_some() || self.never_attempted
    }

    /// Whether an event of this type, that happened then in this checklist, is wanted.
    pub fn wants_event(&self, at: Timestamp, kind: EventType, checklist: ChecklistId) -> bool {
        self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && self.event_type.is_none_or(|wanted| kind == wanted)
            && self.checklist_id.is_none_or(|wanted| checklist == wanted)
    }

    /// Whether a delivery to this subscription is wanted that stands so after so many attempts.
    pub fn wants_delivery(&self, to: SubscriptionId, state: DeliveryState, attempts: u32) -> bool {
        self.subscription_id.is_none_or(|wanted| to == wanted)
            && self.state.is_none_or(|wanted| state == wanted)
            && (!self.never_attempted || attempts == 0)
    }
}

/// Why deliveries that a job came to were not made due, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySkipped {
    /// They were being sent at that moment.
    pub being_sent: u64,
    /// Their body is no longer kept.
    pub body_gone: u64,
    /// Their subscription has ended.
    pub subscription_ended: u64,
    /// The other subscription has a delivery of the event already.
    pub already_there: u64,
}

impl ReplaySkipped {
    /// How many altogether.
    pub const fn sum(self) -> u64 {
        self.being_sent + self.body_gone + self.subscription_ended + self.already_there
    }
}

/// A redelivery job, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayJob {
    /// Its identifier (`checkflow-replay`).
    pub job_id: ReplayJobId,
    /// Where it stands.
    pub state: ReplayState,
    /// Why, in words; empty when nobody did anything about it.
    pub reason: String,
    /// Which deliveries it is about.
    pub filter: ReplayFilter,
    /// Another subscription that gets the events; null when the deliveries themselves are sent again.
    pub to_subscription_id: Option<SubscriptionId>,
    /// How many it makes due in a second at most.
    pub rate_per_second: u32,
    /// How many there were; null until it has looked at everything.
    pub matched: Option<u64>,
    /// How many it has made due.
    pub done: u64,
    /// How many it has passed over, and why.
    pub skipped: ReplaySkipped,
    /// When the last event happened that it has looked at; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reached_date_time: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When it was made. What happened later is not its business.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// When it was done or cancelled; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_date_time: Option<Timestamp>,
}

/// One of what a job would be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySample {
    /// The delivery that would be sent again; null where the event would go to another subscription.
    pub delivery_id: Option<DeliveryId>,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// Its type.
    pub event_type: EventType,
    /// The checklist it happened in.
    pub checklist_id: ChecklistId,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn states_read_back() {
        for state in ReplayState::ALL {
            assert_eq!(state.word().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }

    #[test]
    fn a_filter_wants_what_fits_all_that_it_says() {
        let at = Timestamp::from_millis;
        let (one, other) = (ChecklistId::new(1), ChecklistId::new(2));
        let (done, made) = (EventType::TaskCompleted, EventType::NewChecklist);
        let filter = ReplayFilter {
            since: Some(at(10)),
            until: Some(at(20)),
            event_type: Some(done),
            checklist_id: Some(one),
            ..ReplayFilter::default()
        };
        assert!(filter.wants_event(at(10), done, one));
        assert!(filter.wants_event(at(19), done, one));
        for (at, kind, list) in [
            (at(9), done, one),
            (at(20), done, one),
            (at(10), made, one),
            (at(10), done, other),
        ] {
            assert!(!filter.wants_event(at, kind, list));
        }
        assert!(!filter.asks_of_deliveries());
        let (us, them) = [1, 2].map(Uuid::from_u128).map(SubscriptionId::new).into();
        let (state, rest) = (DeliveryState::Held, DeliveryState::Waiting);
        let filter = ReplayFilter {
            subscription_id: Some(us),
            state: Some(state),
            never_attempted: true,
            ..ReplayFilter::default()
        };
        assert!(filter.asks_of_deliveries());
        assert!(filter.wants_delivery(us, state, 0));
        for (to, state, attempts) in [(them, state, 0), (us, rest, 0), (us, state, 1)] {
            assert!(!filter.wants_delivery(to, state, attempts));
        }
        let all = ReplayFilter::default();
        assert!(all.is_empty() && !filter.is_empty());
        assert!(all.wants_delivery(them, rest, 3) && all.wants_event(at(0), made, other));
    }

    #[test]
    fn a_filter_reads_back_from_what_is_stored() {
        let filter = ReplayFilter {
            since: Some(Timestamp::from_millis(1)),
            state: Some(DeliveryState::Exhausted),
            ..ReplayFilter::default()
        };
        let text = serde_json::to_string(&filter).unwrap();
        assert_eq!(serde_json::from_str::<ReplayFilter>(&text).unwrap(), filter);
        assert_eq!(
            serde_json::from_str::<ReplayFilter>("{}").unwrap(),
            ReplayFilter::default()
        );
    }
}
