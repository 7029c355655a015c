//! Operational events: what subscriptions tell of themselves.
//!
//! One is made only when a subscription's state changes, in the commit of that change, and never reaches the
//! subscription that it tells of. So they end by themselves: until some receiver takes something, a subscription can
//! change twice at most (it fails, it is paused), and to fail it takes three attempts of one delivery, minutes apart.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    ChecklistId, ControlKey, Envelope, Event, EventId, EventType, HealthRow, StateCode,
    SubscriptionRow, TaskKey, TeamId, TemplateKey, Timestamp,
};

/// What `subscription_failing`, `subscription_paused` and `subscription_recovered` tell: the subscription as it is
/// from then on, and the attempt that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionHealthRow {
    /// The subscription.
    #[serde(flatten)]
    pub subscription: SubscriptionRow,
    /// Its health.
    #[serde(flatten)]
    pub health: HealthRow,
    /// What went wrong with the last attempt, in words; empty when nothing did.
    pub last_error: String,
    /// The status code of the last answer; null when there was none.
    pub last_status_code: Option<u16>,
}

impl EventType {
    /// What is told when a subscription gets into its state for this reason; none where nothing is.
    pub const fn telling_of(code: StateCode) -> Option<Self> {
        match code {
            StateCode::Failing => Some(Self::SubscriptionFailing),
            StateCode::PausedBySystem => Some(Self::SubscriptionPaused),
            StateCode::Active => Some(Self::SubscriptionRecovered),
            // A person did that, or the receiver itself.
            StateCode::PausedByPerson | StateCode::Unsubscribed | StateCode::ReceiverGone => None,
        }
    }
}

impl SubscriptionHealthRow {
    /// The event that tells of it. It happens in no checklist, so the keys of one are zero.
    pub fn event(self, id: EventId, team: TeamId, kind: EventType, at: Timestamp) -> Event {
        Event {
            id,
            team,
            kind,
            at,
            checklist: ChecklistId::new(0),
            about: Some(self.subscription.id),
            template: TemplateKey::ZERO,
            task: TaskKey::ZERO,
            control: ControlKey::ZERO,
            body: Envelope {
                kind,
                timestamp: at,
                data: self,
            }
            .to_bytes(),
        }
    }
}
