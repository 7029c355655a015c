//! What the binary decides about this door.

use std::{fmt, sync::Arc, time::Duration};

use domain::Source;
use ipnet::IpNet;

/// Why the server can't take requests at the moment.
pub type NotReady = String;

/// What `/health/ready` tells of a server that takes requests: what whoever runs several should know of each.
/// Numbers count since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Outcomes of attempts that came after their lease, and were refused because another server had taken the
    /// delivery over. This one stood still, or its database was away for long.
    pub late_outcomes: u64,
    /// Deliveries that it took over from servers that had gone or stood still.
    pub rescued_deliveries: u64,
    /// Whether it gets at its files; left out by one that has none. Never a reason not to be ready: everything else
    /// is served without them, and a bucket that is away is away for every server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesHealth>,
    /// Names of the settings of which another server on the database was given another value at this moment. No
    /// reason to send it no requests: of two that differ each sees the other.
    pub differing_settings: Vec<String>,
}

/// Whether a server gets at its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FilesHealth {
    /// It does.
    Ok,
    /// It does not; its log says why.
    Away,
}

/// Asked by `/health/ready`; must answer at once, without waiting for anything.
pub type ReadyProbe = Arc<dyn Fn() -> Result<Ready, NotReady> + Send + Sync>;

/// Numbers that bound what one request may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiLimits {
    /// Largest JSON body, in bytes.
    pub json_bytes_max: usize,
    /// Longest query, in bytes.
    pub query_bytes_max: usize,
    /// Most uploads at the same time.
    pub uploads_max: usize,
    /// How long a request may take from its head to the head of its answer, its JSON body counted.
    /// Uploads have no such limit, and the bytes of a download are not counted.
    pub request_timeout: Duration,
    /// Most requests of one key within a minute; 0 is as many as come.
    pub requests_per_minute_per_key: u32,
    /// Most requests of one address within a minute, whatever their keys; 0 is as many as come.
    pub requests_per_minute_per_address: u32,
    /// How long a body may stop coming before its request is given up.
    pub body_idle_timeout: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            json_bytes_max: 1024 * 1024,
            query_bytes_max: 8 * 1024,
            uploads_max: 64,
            request_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(30),
            requests_per_minute_per_key: 60_000,
            requests_per_minute_per_address: 120_000,
        }
    }
}

/// What the binary decides about this door.
#[derive(Clone)]
pub struct ApiSettings {
    /// Where request identifiers come from.
    pub source: Source,
    /// Whether the server can take requests.
    pub ready: ReadyProbe,
    /// Numbers.
    pub limits: ApiLimits,
    /// Who is believed for whom it asks (`X-Forwarded-For`).
    pub trusted_proxies: Vec<IpNet>,
}

impl ApiSettings {
    /// The usual limits, and always ready.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            ready: Arc::new(|| Ok(Ready::default())),
            limits: ApiLimits::default(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSettings")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
