//! What a node does of the work.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a node does of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Answers requests and sends webhooks
    #[default]
    All,
    /// Answers requests; other nodes send
    Api,
    /// Sends webhooks, and answers only /health/live and /health/ready
    Deliver,
}

impl Role {
    /// Whether it answers requests.
    pub(crate) const fn answers(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }

    /// Whether it sends webhooks.
    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::All | Self::Deliver)
    }

    /// Whether it needs others beside it on the same store.
    pub(crate) const fn is_a_part(self) -> bool {
        !matches!(self, Self::All)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Deliver => "deliver",
        })
    }
}
