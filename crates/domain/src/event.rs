//! Events: what happened, whom it concerns, and the body that tells of it.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ChecklistId, ControlKey, EventId, SubscriptionId, TaskKey, TeamId, TemplateKey, Timestamp,
};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// A checklist came to be.
    NewChecklist,
    /// A task was completed.
    TaskCompleted,
    /// A file was stored in a File Upload control.
    FileUploaded,
    /// A subscription is failing: its deliveries are not taken any more.
    SubscriptionFailing,
    /// A subscription was paused by the system, after nothing but failures for too long.
    SubscriptionPaused,
    /// A subscription that was failing, or paused by the system, delivers again.
    SubscriptionRecovered,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NewChecklist,
        Self::TaskCompleted,
        Self::FileUploaded,
        Self::SubscriptionFailing,
        Self::SubscriptionPaused,
        Self::SubscriptionRecovered,
    ];
    /// Those that happen in checklists.
    pub const OF_CHECKLISTS: [Self; 3] =
        [Self::NewChecklist, Self::TaskCompleted, Self::FileUploaded];

    /// The word for it, in the API as in the body's `type`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NewChecklist => "new_checklist",
            Self::TaskCompleted => "task_completed",
            Self::FileUploaded => "file_uploaded",
            Self::SubscriptionFailing => "subscription_failing",
            Self::SubscriptionPaused => "subscription_paused",
            Self::SubscriptionRecovered => "subscription_recovered",
        }
    }

    /// Whether it tells of a subscription rather than of a checklist.
    pub const fn is_operational(self) -> bool {
        matches!(
            self,
            Self::SubscriptionFailing | Self::SubscriptionPaused | Self::SubscriptionRecovered
        )
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word names no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be new_checklist, task_completed, file_uploaded, subscription_failing, \
     subscription_paused or subscription_recovered"
)]
pub struct UnknownEventType;

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownEventType)
    }
}

/// Something that happened, with the body that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `webhook-id`: the same on every retry and for every subscription.
    pub id: EventId,
    /// In whose team.
    pub team: TeamId,
    /// What.
    pub kind: EventType,
    /// When.
    pub at: Timestamp,
    /// The checklist it happened in; zero where there is none.
    pub checklist: ChecklistId,
    /// The subscription that it tells of, which never gets it itself.
    pub about: Option<SubscriptionId>,
    /// The template of that checklist; zero where there is none.
    pub template: TemplateKey,
    /// The task; zero for `new_checklist`.
    pub task: TaskKey,
    /// The control; zero unless `file_uploaded`.
    pub control: ControlKey,
    /// The bytes that every subscription gets, made once, in the transaction of the work.
    pub body: Bytes,
}

impl Event {
    /// The scopes that it falls under, as [`crate::Scope::key`] writes them. A subscription to
    /// this type of event wants it exactly when its scope's key is among them.
    pub fn scope_keys(&self) -> [Uuid; 2] {
        match self.kind {
            EventType::NewChecklist => [self.template.uuid(); 2],
            EventType::FileUploaded => [self.control.uuid(); 2],
            EventType::TaskCompleted => [self.template.uuid(), self.task.uuid()],
            // Those know no narrower scope than the whole team, whose key is zero.
            EventType::SubscriptionFailing
            | EventType::SubscriptionPaused
            | EventType::SubscriptionRecovered => [Uuid::nil(); 2],
        }
    }

    /// Whether subscriptions to the whole team get it.
    pub const fn reaches_team_scope(&self) -> bool {
        self.kind.is_operational() || matches!(self.kind, EventType::TaskCompleted)
    }
}

/// The body of a webhook, as Standard Webhooks recommends it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// To what: the same object that the matching list call answers.
    pub data: T,
}

impl<T: Serialize> Envelope<T> {
    /// The bytes that are sent and signed.
    pub fn to_bytes(&self) -> Bytes {
        let bytes = serde_json::to_vec(self).expect("rows have string keys and finite numbers");
        Bytes::from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for kind in EventType::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        assert_eq!("ALL".parse::<EventType>(), Err(UnknownEventType));
    }
}
