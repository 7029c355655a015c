//! What can go wrong between us and the object store, named for what comes of it.

use std::{error::Error, time::Duration};

use http::StatusCode;

/// Why a request to the object store, or to whoever gives credentials for it, did not come through.
/// Holds nothing of what was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::files) enum Trouble {
    /// No connection came about.
    #[error("no connection to {host} came about ({why})")]
    Unreachable {
        /// Where to.
        host: String,
        /// The reason at the bottom.
        why: String,
    },
    /// Nothing moved for too long.
    #[error("{host} did nothing for {idle:?}")]
    Silent {
        /// Who.
        host: String,
        /// How long.
        idle: Duration,
    },
    /// The connection was lost under a request or its answer.
    #[error("the connection to {host} was lost ({why})")]
    Lost {
        /// Where to.
        host: String,
        /// The reason at the bottom.
        why: String,
    },
    /// The answer says no.
    #[error("{host} answered {status} {code}")]
    Answered {
        /// Who.
        host: String,
        /// How.
        status: StatusCode,
        /// The store's own word for it, such as `SlowDown`; empty if it gave none.
        code: String,
        /// The region that the bucket is in, when the answer says so.
        region: Option<String>,
    },
}

impl Trouble {
    /// Whom it is with.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Unreachable { host, .. }
            | Self::Silent { host, .. }
            | Self::Lost { host, .. }
            | Self::Answered { host, .. } => host,
        }
    }

    /// Whether the same may go well later, without anybody doing anything.
    pub(in crate::files) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Lost { .. } => true,
            Self::Answered { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
        }
    }

    /// Whether whoever runs the server has to mend it: the store does not let us in, or is not where it was said to
    /// be.
    pub(in crate::files) fn is_denial(&self) -> bool {
        let Self::Answered { status, code, .. } = self else {
            return false;
        };
        status.is_redirection()
            || matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || matches!(
                &**code,
                "NoSuchBucket"
                    | "ExpiredToken"
                    | "InvalidToken"
                    | "AuthorizationHeaderMalformed"
                    | "IncorrectEndpoint"
            )
    }

    /// The trouble at the bottom of `error`.
    pub(in crate::files) fn of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(trouble) = error.downcast_ref() {
                return Some(trouble);
            }
            cause = error.source();
        }
        None
    }
}
