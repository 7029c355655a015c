//! The section `[log]`.

use serde::{Deserialize, Serialize};

/// What is logged when nobody says. That the schema was made is no news to an operator, nor is
/// each request to the object store that is sent again: one that fails for good is told where it is handled.
const FILTER_DEFAULT: &str = "info,object_store=warn,rusqlite_migration=warn,tokio_postgres=warn";

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The log on standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: FILTER_DEFAULT.to_owned(),
        }
    }
}
