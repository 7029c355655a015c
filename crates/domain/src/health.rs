//! Health: how long a receiver may do nothing but fail, and what is told of it.
//!
//! Judged when an attempt fails, and never otherwise. The times come in; nothing here reads a clock.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NoticeId, SubscriptionId, SubscriptionState, TeamId, Timestamp};

/// Most notices that are kept for a team; beyond them the oldest go.
pub const NOTICES_MAX: u32 = 1_000;

/// Why a subscription is in its state, as one word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateCode {
    /// It was made, resumed, or delivers again.
    Active,
    /// Attempts fail.
    Failing,
    /// A person paused it.
    PausedByPerson,
    /// The system paused it, after nothing but failures for too long.
    PausedBySystem,
    /// A person ended it.
    Unsubscribed,
    /// The receiver answered 410.
    ReceiverGone,
}

impl StateCode {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Failing,
        Self::PausedByPerson,
        Self::PausedBySystem,
        Self::Unsubscribed,
        Self::ReceiverGone,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::PausedByPerson => "paused_by_person",
            Self::PausedBySystem => "paused_by_system",
            Self::Unsubscribed => "unsubscribed",
            Self::ReceiverGone => "receiver_gone",
        }
    }

    /// The state that it explains.
    pub const fn state(self) -> SubscriptionState {
        match self {
            Self::Active => SubscriptionState::Active,
            Self::Failing => SubscriptionState::Failing,
            Self::PausedByPerson | Self::PausedBySystem => SubscriptionState::Paused,
            Self::Unsubscribed | Self::ReceiverGone => SubscriptionState::Gone,
        }
    }

    /// Why a subscription is in a state that a person put it into.
    pub const fn by_person(state: SubscriptionState) -> Self {
        match state {
            SubscriptionState::Active => Self::Active,
            SubscriptionState::Failing => Self::Failing,
            SubscriptionState::Paused => Self::PausedByPerson,
            SubscriptionState::Gone => Self::Unsubscribed,
        }
    }
}

/// The word explains no state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("explains no state of a subscription")]
pub struct UnknownStateCode;

impl FromStr for StateCode {
    type Err = UnknownStateCode;

    fn from_str(text: &str) -> Result<Self, UnknownStateCode> {
        let found = Self::ALL.into_iter().find(|code| code.word() == text);
        found.ok_or(UnknownStateCode)
    }
}

/// How long the receiver of a subscription has done nothing but fail, and what was done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Since when there were nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// How many warnings of it were given.
    pub warned: u32,
    /// Of one that the system paused: when its receiver is tried again.
    pub probe_at: Option<Timestamp>,
    /// How often that was done since it was paused.
    pub probes: u32,
}

/// How long a receiver may fail before something is done about it, and how one that was given up is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Nothing but failures for so long: the first warning.
    pub warn_after: Duration,
    /// The second warning.
    pub warn_again_after: Duration,
    /// The subscription is paused.
    pub pause_after: Duration,
    /// How long after that its receiver is tried for the first time. Each wait is twice the one before.
    pub probe_after: Duration,
    /// The longest wait between two tries.
    pub probe_wait_max: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            warn_after: Duration::from_hours(24),
            warn_again_after: Duration::from_hours(72),
            pause_after: Duration::from_hours(120),
            probe_after: Duration::from_hours(1),
            probe_wait_max: Duration::from_hours(24),
        }
    }
}

/// What a failed attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The team is warned, for the first or the second time.
    Warn(u32),
    /// The subscription is paused.
    Pause,
}

impl HealthSettings {
    /// What a failure at `now` leads to, of a subscription with this health; mostly nothing.
    pub fn judge(&self, health: Health, now: Timestamp) -> Option<Verdict> {
        let failed_for = now.since(health.failing_since?);
        if failed_for >= self.pause_after {
            Some(Verdict::Pause)
        } else if failed_for >= self.warn_again_after && health.warned < 2 {
            Some(Verdict::Warn(2))
        } else if failed_for >= self.warn_after && health.warned < 1 {
            Some(Verdict::Warn(1))
        } else {
            None
        }
    }

    /// How long to wait for the next try after `probes` of them.
    pub fn probe_wait(&self, probes: u32) -> Duration {
        let factor = 1_u32.checked_shl(probes).unwrap_or(u32::MAX);
        self.probe_after
            .saturating_mul(factor)
            .min(self.probe_wait_max)
    }
}

/// What a notice tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A subscription is failing.
    Failing,
    /// It has been failing for long.
    Warned,
    /// The system paused it.
    Paused,
    /// It delivers again.
    Recovered,
    /// Its receiver answered 410, which ended it.
    Ended,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Failing,
        Self::Warned,
        Self::Paused,
        Self::Recovered,
        Self::Ended,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Warned => "warned",
            Self::Paused => "paused",
            Self::Recovered => "recovered",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no kind of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be failing, warned, paused, recovered or ended")]
pub struct UnknownNoticeKind;

impl FromStr for NoticeKind {
    type Err = UnknownNoticeKind;

    fn from_str(text: &str) -> Result<Self, UnknownNoticeKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.word() == text);
        found.ok_or(UnknownNoticeKind)
    }
}

/// What a team is told of one of its subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its identifier, which grows with time.
    pub id: NoticeId,
    /// Who is told.
    pub team: TeamId,
    /// What of.
    pub kind: NoticeKind,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// What is told, for people.
    pub text: String,
    /// Why, for programs.
    pub code: StateCode,
    /// When.
    pub at: Timestamp,
    /// When somebody had seen it.
    pub seen_at: Option<Timestamp>,
}

/// A notice as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeRow {
    /// Its identifier.
    pub notice_id: NoticeId,
    /// What it tells of.
    pub kind: NoticeKind,
    /// Of which subscription.
    pub subscription_id: SubscriptionId,
    /// What is told, for people.
    pub text: String,
    /// Why the subscription was in its state then.
    pub reason_code: StateCode,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// When somebody said to have seen it; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_date_time: Option<Timestamp>,
}

impl From<Notice> for NoticeRow {
    fn from(from: Notice) -> Self {
        Self {
            notice_id: from.id,
            kind: from.kind,
            subscription_id: from.subscription,
            text: from.text,
            reason_code: from.code,
            created_date_time: from.at,
            seen_date_time: from.seen_at,
        }
    }
}

/// The health of a subscription, as the API answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthRow {
    /// Why the subscription is in its state.
    pub reason_code: StateCode,
    /// Since when there were nothing but failures; null when the last attempt that counts was taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since_date_time: Option<Timestamp>,
    /// How many warnings of that were given: 0, 1 or 2.
    pub warnings: u32,
    /// When the receiver is tried again; only while the system has paused the subscription.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_probe_date_time: Option<Timestamp>,
}

impl HealthRow {
    /// The health of a subscription that is in its state for this reason.
    pub const fn new(reason_code: StateCode, health: Health) -> Self {
        Self {
            reason_code,
            failing_since_date_time: health.failing_since,
            warnings: health.warned,
            next_probe_date_time: health.probe_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn words_read_back() {
        for code in StateCode::ALL {
            assert_eq!(code.word().parse(), Ok(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
        for kind in NoticeKind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }

    #[test]
    fn a_receiver_that_fails_is_warned_of_twice_and_then_paused() {
        let settings = HealthSettings::default();
        let since = Timestamp::from_millis(1_000);
        for (hours, warned, expected) in [
            (0, 0, None),
            (23, 0, None),
            (24, 0, Some(Verdict::Warn(1))),
            (30, 1, None),
            (72, 1, Some(Verdict::Warn(2))),
            // Nothing was tried for so long that one warning has to do.
            (80, 0, Some(Verdict::Warn(2))),
            (100, 2, None),
            (120, 2, Some(Verdict::Pause)),
            (500, 0, Some(Verdict::Pause)),
        ] {
            let health = Health {
                failing_since: Some(since),
                warned,
                ..Health::default()
            };
            let found = settings.judge(health, since.after(HOUR * hours));
            assert_eq!(found, expected, "{hours} h, warned {warned} times");
        }
        let now = since.after(HOUR * 1_000);
        assert_eq!(settings.judge(Health::default(), now), None);
    }

    #[test]
    fn waits_for_the_next_probe_double_up_to_a_day() {
        let settings = HealthSettings::default();
        let waits = (0..8).map(|probes| settings.probe_wait(probes).as_secs() / 3_600);
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 24, 24]);
        assert_eq!(settings.probe_wait(u32::MAX), settings.probe_wait_max);
    }
}
