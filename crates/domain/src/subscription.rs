//! Subscriptions: who wants to know of which events, where, and how that is going.

mod masks;
mod proof;
mod secrets;
#[macro_use]
mod settings;
mod request;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use masks::{HeaderNames, MASKED_ALWAYS, MASKED_NAMES_MAX, UnknownHeaderNames};
pub use proof::*;
pub use request::*;
pub use secrets::*;
pub use settings::{
    DeliveryOrder, RATE_PER_SECOND_MAX, SettingsChange, Signing, SubscriptionSettings,
    UnknownDeliveryOrder, UnknownSigning,
};

use crate::{
    ControlKey, EventType, SubscriptionId, TargetUrl, TaskKey, TeamId, TemplateKey, Timestamp,
};

/// Most subscriptions of one team that are not gone.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Which of its events a subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the whole team.
    Team,
    /// Those of one template's checklists.
    Template(TemplateKey),
    /// Those of one task, in whichever checklist.
    Task(TaskKey),
    /// Those of one control, in whichever checklist.
    Control(ControlKey),
}

impl Scope {
    /// The key it is about; zero for a whole team. GUIDs are never given twice, so the key alone
    /// tells which scope is meant.
    pub const fn key(self) -> Uuid {
        match self {
            Self::Team => Uuid::nil(),
            Self::Template(key) => key.uuid(),
            Self::Task(key) => key.uuid(),
            Self::Control(key) => key.uuid(),
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Template(_) => "template",
            Self::Task(_) => "task",
            Self::Control(_) => "control",
        }
    }

    /// The scope with this word and key.
    pub fn read(word: &str, key: Uuid) -> Option<Self> {
        match word {
            "team" => Some(Self::Team),
            "template" => Some(Self::Template(TemplateKey::new(key))),
            "task" => Some(Self::Task(TaskKey::new(key))),
            "control" => Some(Self::Control(ControlKey::new(key))),
            _ => None,
        }
    }
}

/// How a subscription is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Events are sent.
    Active,
    /// Events are sent, and the last ones were not taken.
    Failing,
    /// Events are recorded and wait.
    Paused,
    /// Ended: unsubscribed, or the receiver said 410. What waited is cancelled.
    Gone,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Failing, Self::Paused, Self::Gone];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Paused => "paused",
            Self::Gone => "gone",
        }
    }

    /// Whether deliveries are sent.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Active | Self::Failing)
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for SubscriptionState {
    type Err = UnknownSubscriptionState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.word() == text);
        found.ok_or(UnknownSubscriptionState)
    }
}

/// The word is no state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, failing, paused or gone")]
pub struct UnknownSubscriptionState;

/// What is said of a subscription whose settings can't be read.
pub const SETTINGS_UNREADABLE: &str = "the settings that are stored can't be read, so nothing is sent: give all of them \
     anew with PATCH /api/web-hook/subscription (each may be null, for its default), or end the subscription";

/// What is said of a subscription whose credentials can't be read, or are not there.
pub const CREDENTIALS_UNREADABLE: &str = "the credentials that are stored can't be read, so nothing is sent: give what it has of headers, \
     authorization, tls and proxy anew with PATCH /api/web-hook/subscription, without masks, or take it away with null";

/// Who wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// Whose events.
    pub team: TeamId,
    /// A label that its maker chose, such as `zapier`.
    pub source: String,
    /// Which events.
    pub event_type: EventType,
    /// Of what.
    pub scope: Scope,
    /// Where they are sent.
    pub target: TargetUrl,
    /// How it is doing.
    pub state: SubscriptionState,
    /// Why it is in that state, in words.
    pub state_reason: String,
    /// Since when it is in that state.
    pub state_since: Timestamp,
    /// Who put it there: the name of a key or member, or `system`.
    pub state_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its maker chose about how it is sent to.
    pub settings: SubscriptionSettings,
}

/// A subscription as the API answers it: CheckFlow's ten members, then ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionRow {
    /// Its identifier; `subscriptionId` where it is asked for.
    pub id: SubscriptionId,
    /// Whose events.
    #[serde(rename = "teamID")]
    pub team_id: TeamId,
    /// The label that its maker gave it.
    pub source: String,
    /// Which events.
    pub event_type: EventType,
    /// Where they are sent.
    #[serde(rename = "targetURL")]
    pub target_url: String,
    /// The template; all zero where that does not apply.
    pub template_key: TemplateKey,
    /// The task; all zero where that does not apply.
    pub task_key: TaskKey,
    /// The control; all zero where that does not apply.
    pub task_content_key: ControlKey,
    /// Whether events are sent.
    pub is_active: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// `team`, `template`, `task` or `control`.
    #[schema(example = "template")]
    pub scope: &'static str,
    /// How it is doing.
    pub state: SubscriptionState,
    /// Why, in words.
    pub state_reason: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub state_date_time: Timestamp,
    /// Who put it there: a key, a member, or `system`.
    pub state_by: String,
    /// In which order deliveries are made.
    pub ordering: DeliveryOrder,
    /// Most requests a second; null for as many as the receiver takes.
    #[schema(minimum = 1, maximum = 10_000)]
    pub rate_per_second: Option<u32>,
    /// How deliveries are signed.
    pub signing: Signing,
    /// How its target proves that it wants webhooks.
    pub proof: Proof,
    /// When it last did; null when it does not have to.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub proven_at: Option<Timestamp>,
    /// How requests are made beyond their signature.
    #[serde(flatten)]
    pub request: RequestRow,
    /// Whether the log keeps headers and bodies of answers.
    pub keep_answer: bool,
    /// Headers of answers whose values the log does not keep, beside those that it never keeps.
    pub mask_response_headers: HeaderNames,
    /// Whether the body of an event may go once all subscriptions that it was for have it and wish so.
    pub delete_body_on_success: bool,
    /// Why nothing can be sent to it and what to do, where what is stored of it can't be read; not there otherwise. What
    /// can't be read is shown as by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl From<&Subscription> for SubscriptionRow {
    fn from(from: &Subscription) -> Self {
        let mut row = Self {
            id: from.id,
            team_id: from.team,
            source: from.source.clone(),
            event_type: from.event_type,
            target_url: from.target.to_string(),
            template_key: TemplateKey::ZERO,
            task_key: TaskKey::ZERO,
            task_content_key: ControlKey::ZERO,
            is_active: from.state.sends(),
            created_date_time: from.created_at,
            scope: from.scope.word(),
            state: from.state,
            state_reason: from.state_reason.clone(),
            state_date_time: from.state_since,
            state_by: from.state_by.clone(),
            ordering: from.settings.ordering,
            rate_per_second: from.settings.rate_per_second,
            signing: from.settings.signing,
            proof: from.settings.proof,
            proven_at: from.settings.proven_at,
            request: (&from.settings.request).into(),
            keep_answer: !from.settings.forgets_answer,
            mask_response_headers: from.settings.mask_response_headers.clone(),
            delete_body_on_success: from.settings.delete_body_on_success,
            unreadable: from
                .settings
                .unreadable
                .then(|| SETTINGS_UNREADABLE.to_owned()),
        };
        match from.scope {
            Scope::Team => {}
            Scope::Template(key) => row.template_key = key,
            Scope::Task(key) => row.task_key = key,
            Scope::Control(key) => row.task_content_key = key,
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_from_word_and_key() {
        let key = Uuid::from_u128(5);
        let scopes = [
            Scope::Team,
            Scope::Template(TemplateKey::new(key)),
            Scope::Task(TaskKey::new(key)),
            Scope::Control(ControlKey::new(key)),
        ];
        for scope in scopes {
            assert_eq!(Scope::read(scope.word(), scope.key()), Some(scope));
        }
        assert_eq!(Scope::read("galaxy", key), None);
    }

    #[test]
    fn states_read_back() {
        for state in SubscriptionState::ALL {
            assert_eq!(state.word().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
