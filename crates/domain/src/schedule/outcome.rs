//! What came of an attempt, in one word.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of an attempt. The words are stable: they are stored, logged and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver answered 2xx, which alone is success.
    Delivered,
    /// The receiver answered something else, redirects included: they are not followed.
    RefusedStatus,
    /// The receiver answered 410: it wants nothing more from this subscription.
    Gone,
    /// The exchange was not over in time.
    TimedOut,
    /// No connection came about.
    ConnectFailed,
    /// The host's name led to no address.
    NameNotFound,
    /// The connection could not be secured.
    TlsFailed,
    /// The connection was lost on the way, or what came back was not HTTP.
    Broken,
    /// The address rule forbids the target; nothing was sent.
    AddressRefused,
    /// The delivery was cancelled while the attempt ran.
    Cancelled,
    /// The process ended during the attempt: nobody knows whether it was sent.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Delivered,
        Self::RefusedStatus,
        Self::Gone,
        Self::TimedOut,
        Self::ConnectFailed,
        Self::NameNotFound,
        Self::TlsFailed,
        Self::Broken,
        Self::AddressRefused,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// What an answer with this status comes to.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            _ => Self::RefusedStatus,
        }
    }

    /// Its stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::RefusedStatus => "refused_status",
            Self::Gone => "gone",
            Self::TimedOut => "timed_out",
            Self::ConnectFailed => "connect_failed",
            Self::NameNotFound => "name_not_found",
            Self::TlsFailed => "tls_failed",
            Self::Broken => "broken",
            Self::AddressRefused => "address_refused",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The text is no outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an outcome of an attempt such as delivered or timed_out")]
pub struct NotAnOutcome;

impl FromStr for Outcome {
    type Err = NotAnOutcome;

    fn from_str(text: &str) -> Result<Self, NotAnOutcome> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.word() == text)
            .ok_or(NotAnOutcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_one_word_everywhere() {
        for outcome in Outcome::ALL {
            let word = outcome.to_string();
            assert_eq!(word.parse(), Ok(outcome));
            assert_eq!(
                serde_json::to_value(outcome).unwrap(),
                serde_json::json!(word)
            );
            assert_eq!(
                serde_json::from_value::<Outcome>(word.into()).unwrap(),
                outcome
            );
        }
        assert_eq!("Delivered".parse::<Outcome>(), Err(NotAnOutcome));
    }

    #[test]
    fn only_2xx_is_success() {
        for (status, expected) in [
            (100, Outcome::RefusedStatus),
            (199, Outcome::RefusedStatus),
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (299, Outcome::Delivered),
            (300, Outcome::RefusedStatus),
            (302, Outcome::RefusedStatus),
            (304, Outcome::RefusedStatus),
            (404, Outcome::RefusedStatus),
            (410, Outcome::Gone),
            (411, Outcome::RefusedStatus),
            (503, Outcome::RefusedStatus),
        ] {
            assert_eq!(Outcome::of_status(status), expected, "{status}");
        }
    }
}
