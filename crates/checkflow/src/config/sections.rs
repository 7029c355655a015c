//! The sections of the configuration: what each key is called and what it is when nobody sets it.
//!
//! The defaults are those of the crates that the numbers belong to, read from there and written
//! nowhere twice; `config/checkflow.toml` shows them, and a test compares the two.

use std::{net::SocketAddr, path::PathBuf};

use api::ApiLimits;
use delivery::DeliverySettings;
use domain::{HealthSettings, RetrySchedule};
use serde::{Deserialize, Serialize};
use store::{PostgresAccess, PostgresLimits, SqliteLimits};

use super::{files::Files, keeping::Keeping, log::Log, role::Role, span::Span};

/// Where the data lies when nobody says.
const DATA_DEFAULT: &str = "checkflow-data";
/// Where the server listens when nobody says: on this machine alone.
const LISTEN_DEFAULT: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// Everything that can be set, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) role: Role,
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Empty: made from the address that is listened on.
    pub(crate) public_url: String,
    /// Empty: SQLite in the data folder.
    pub(crate) database: String,
    pub(crate) files: Files,
    pub(crate) webhook: Webhook,
    pub(crate) delivery: Delivery,
    pub(crate) keeping: Keeping,
    pub(crate) http: Http,
    pub(crate) api: Api,
    pub(crate) limits: Limits,
    pub(crate) store: Store,
    pub(crate) log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::default(),
            data: DATA_DEFAULT.into(),
            listen: LISTEN_DEFAULT.into(),
            public_url: String::new(),
            database: String::new(),
            files: Files::default(),
            webhook: Webhook::default(),
            delivery: Delivery::default(),
            keeping: Keeping::default(),
            http: Http::default(),
            api: Api::default(),
            limits: Limits::default(),
            store: Store::default(),
            log: Log::default(),
        }
    }
}

/// Where webhooks may go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Webhook {
    pub(crate) allow_targets: Vec<String>,
    pub(crate) https_only: bool,
}

/// How webhooks are sent: [`DeliverySettings`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Delivery {
    pub(crate) schedule: Vec<Span>,
    pub(crate) request_timeout: Span,
    pub(crate) connect_timeout: Span,
    pub(crate) in_flight_max: u32,
    pub(crate) in_flight_per_subscription_max: u32,
    pub(crate) catch_up_per_second_max: u32,
    pub(crate) take_batch_max: u32,
    pub(crate) settle_batch_max: u32,
    pub(crate) settle_queue_max: u32,
    pub(crate) connection_max_age: Span,
    pub(crate) connection_idle_max: Span,
    pub(crate) idle_per_host_max: u32,
    pub(crate) scan_interval: Span,
    pub(crate) rescue_interval: Span,
    pub(crate) warn_after: Span,
    pub(crate) warn_again_after: Span,
    pub(crate) pause_after: Span,
    pub(crate) probe_after: Span,
    pub(crate) probe_wait_max: Span,
}

impl Default for Delivery {
    fn default() -> Self {
        let settings = DeliverySettings::default();
        Self {
            schedule: settings
                .schedule
                .steps()
                .iter()
                .copied()
                .map(Span)
                .collect(),
            request_timeout: Span(settings.request_timeout),
            connect_timeout: Span(settings.connect_timeout),
            in_flight_max: settings.in_flight_max,
            in_flight_per_subscription_max: settings.in_flight_per_subscription_max,
            catch_up_per_second_max: settings.catch_up_per_second_max,
            take_batch_max: settings.take_batch_max,
            settle_batch_max: settings.settle_batch_max,
            settle_queue_max: settings.settle_queue_max,
            connection_max_age: Span(settings.connection_max_age),
            connection_idle_max: Span(settings.connection_idle_max),
            idle_per_host_max: settings.idle_per_host_max,
            scan_interval: Span(settings.scan_interval),
            rescue_interval: Span(settings.rescue_interval),
            warn_after: Span(settings.health.warn_after),
            warn_again_after: Span(settings.health.warn_again_after),
            pause_after: Span(settings.health.pause_after),
            probe_after: Span(settings.health.probe_after),
            probe_wait_max: Span(settings.health.probe_wait_max),
        }
    }
}

impl Delivery {
    /// Keeps the defaults of what `is_set` denies within the keys that bound them, so that whoever
    /// lowers one key need not know of another.
    pub(crate) fn fit(&mut self, is_set: impl Fn(&str) -> bool) {
        if !is_set("connect_timeout") {
            self.connect_timeout = self.connect_timeout.min(self.request_timeout);
        }
        if !is_set("in_flight_per_subscription_max") {
            let most = self.in_flight_max;
            self.in_flight_per_subscription_max = self.in_flight_per_subscription_max.min(most);
        }
    }

    /// The same for how long a receiver may fail.
    pub(crate) fn fit_health(&mut self, is_set: impl Fn(&str) -> bool) {
        if !is_set("warn_again_after") {
            self.warn_again_after = self.warn_again_after.min(self.pause_after);
        }
        if !is_set("warn_after") {
            self.warn_after = self.warn_after.min(self.warn_again_after);
        }
        if !is_set("probe_wait_max") {
            self.probe_wait_max = self.probe_wait_max.max(self.probe_after);
        }
    }

    /// The same, with this schedule, as the engine takes it.
    pub(crate) fn settings(&self, schedule: RetrySchedule) -> DeliverySettings {
        DeliverySettings {
            schedule,
            request_timeout: self.request_timeout.0,
            connect_timeout: self.connect_timeout.0,
            in_flight_max: self.in_flight_max,
            in_flight_per_subscription_max: self.in_flight_per_subscription_max,
            catch_up_per_second_max: self.catch_up_per_second_max,
            take_batch_max: self.take_batch_max,
            settle_batch_max: self.settle_batch_max,
            settle_queue_max: self.settle_queue_max,
            connection_max_age: self.connection_max_age.0,
            connection_idle_max: self.connection_idle_max.0,
            idle_per_host_max: self.idle_per_host_max,
            scan_interval: self.scan_interval.0,
            rescue_interval: self.rescue_interval.0,
            health: HealthSettings {
                warn_after: self.warn_after.0,
                warn_again_after: self.warn_again_after.0,
                pause_after: self.pause_after.0,
                probe_after: self.probe_after.0,
                probe_wait_max: self.probe_wait_max.0,
            },
        }
    }
}

/// Connections that come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) connections_max: u32,
    pub(crate) header_bytes_max: u32,
    pub(crate) headers_max: u32,
    pub(crate) header_read_timeout: Span,
    pub(crate) trusted_proxies: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            header_bytes_max: 32 * 1024,
            headers_max: 100,
            header_read_timeout: Span(std::time::Duration::from_secs(30)),
            trusted_proxies: Vec::new(),
        }
    }
}

/// What one request may cost: [`ApiLimits`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Api {
    pub(crate) json_bytes_max: u32,
    pub(crate) query_bytes_max: u32,
    pub(crate) uploads_max: u32,
    pub(crate) request_timeout: Span,
    pub(crate) body_idle_timeout: Span,
    pub(crate) requests_per_minute_per_key: u32,
    pub(crate) requests_per_minute_per_address: u32,
}

impl Default for Api {
    fn default() -> Self {
        let limits = ApiLimits::default();
        Self {
            json_bytes_max: narrow(limits.json_bytes_max),
            query_bytes_max: narrow(limits.query_bytes_max),
            uploads_max: narrow(limits.uploads_max),
            request_timeout: Span(limits.request_timeout),
            body_idle_timeout: Span(limits.body_idle_timeout),
            requests_per_minute_per_key: limits.requests_per_minute_per_key,
            requests_per_minute_per_address: limits.requests_per_minute_per_address,
        }
    }
}

impl Api {
    pub(crate) fn limits(&self) -> ApiLimits {
        ApiLimits {
            json_bytes_max: wide(self.json_bytes_max),
            query_bytes_max: wide(self.query_bytes_max),
            uploads_max: wide(self.uploads_max),
            request_timeout: self.request_timeout.0,
            body_idle_timeout: self.body_idle_timeout.0,
            requests_per_minute_per_key: self.requests_per_minute_per_key,
            requests_per_minute_per_address: self.requests_per_minute_per_address,
        }
    }
}

/// What people may give: [`app::Limits`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "the keys of the file, of which each says what it is"
)]
pub(crate) struct Limits {
    pub(crate) file_bytes_max: u64,
    pub(crate) templates_max: u32,
    pub(crate) subscriptions_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = app::Limits::default();
        Self {
            file_bytes_max: limits.file_bytes_max,
            templates_max: limits.templates_max,
            subscriptions_max: limits.subscriptions_max,
        }
    }
}

impl Limits {
    pub(crate) fn limits(&self) -> app::Limits {
        app::Limits {
            file_bytes_max: self.file_bytes_max,
            templates_max: self.templates_max,
            subscriptions_max: self.subscriptions_max,
        }
    }
}

/// The database: [`SqliteLimits`] or [`PostgresLimits`], and the key that secrets are encrypted with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    /// Empty: the file `master.key` in the data folder.
    pub(crate) master_key: String,
    pub(crate) readers: u32,
    pub(crate) reads_waiting_max: u32,
    pub(crate) read_timeout: Span,
    pub(crate) writes_waiting_max: u32,
    pub(crate) group_max: u32,
    pub(crate) group_time: Span,
    pub(crate) wal_bytes_max: u64,
    pub(crate) connections: u32,
    pub(crate) pooler: bool,
}

impl Default for Store {
    fn default() -> Self {
        let limits = SqliteLimits::default();
        Self {
            master_key: String::new(),
            readers: narrow(limits.readers),
            reads_waiting_max: narrow(limits.reads_waiting_max),
            read_timeout: Span(limits.read_time),
            writes_waiting_max: narrow(limits.writes_waiting_max),
            group_max: narrow(limits.group_max),
            group_time: Span(limits.group_time),
            wal_bytes_max: limits.wal_bytes_max,
            connections: narrow(PostgresLimits::default().connections),
            pooler: PostgresAccess::default().pooler,
        }
    }
}

impl Store {
    pub(crate) fn postgres_limits(&self) -> PostgresLimits {
        PostgresLimits {
            connections: wide(self.connections),
            writes_waiting_max: wide(self.writes_waiting_max),
            reads_waiting_max: wide(self.reads_waiting_max),
            read_time: self.read_timeout.0,
            ..PostgresLimits::default()
        }
    }

    pub(crate) fn access(&self) -> PostgresAccess {
        PostgresAccess {
            pooler: self.pooler,
        }
    }

    pub(crate) fn sqlite_limits(&self) -> SqliteLimits {
        SqliteLimits {
            writes_waiting_max: wide(self.writes_waiting_max),
            group_max: wide(self.group_max),
            group_time: self.group_time.0,
            readers: wide(self.readers),
            reads_waiting_max: wide(self.reads_waiting_max),
            read_time: self.read_timeout.0,
            wal_bytes_max: self.wal_bytes_max,
        }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
