//! The least and the most of each number that no other crate checks; `config/checkflow.toml` tells
//! them.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use anyhow::bail;

use super::{
    Origin,
    sections::{Api, Config, Http, Limits, Store},
    span::Span,
};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const SECOND: Span = Span(Duration::from_secs(1));
const TEN_MINUTES: Span = Span(Duration::from_mins(10));

/// Tells of the first value that is out of its bounds.
pub(super) fn check(config: &Config, origin: &Origin) -> anyhow::Result<()> {
    http(&config.http, origin)?;
    api(&config.api, origin)?;
    limits(&config.limits, origin)?;
    store(&config.store, origin)
}

fn http(http: &Http, origin: &Origin) -> anyhow::Result<()> {
    let wait = http.header_read_timeout;
    within(
        origin,
        "http.connections_max",
        http.connections_max,
        1..=65_536,
    )?;
    within(
        origin,
        "http.header_bytes_max",
        http.header_bytes_max,
        8_192..=1_048_576,
    )?;
    within(origin, "http.headers_max", http.headers_max, 16..=1_000)?;
    within(
        origin,
        "http.header_read_timeout",
        wait,
        SECOND..=TEN_MINUTES,
    )
}

fn api(api: &Api, origin: &Origin) -> anyhow::Result<()> {
    // A body is held in memory whole, one for each request that runs.
    within(
        origin,
        "api.json_bytes_max",
        api.json_bytes_max,
        1_024..=67_108_864,
    )?;
    within(
        origin,
        "api.query_bytes_max",
        api.query_bytes_max,
        1_024..=65_536,
    )?;
    within(origin, "api.uploads_max", api.uploads_max, 1..=10_000)?;
    within(
        origin,
        "api.request_timeout",
        api.request_timeout,
        SECOND..=TEN_MINUTES,
    )?;
    within(
        origin,
        "api.body_idle_timeout",
        api.body_idle_timeout,
        SECOND..=TEN_MINUTES,
    )?;
    for (name, value) in [
        (
            "api.requests_per_minute_per_key",
            api.requests_per_minute_per_key,
        ),
        (
            "api.requests_per_minute_per_address",
            api.requests_per_minute_per_address,
        ),
    ] {
        within(origin, name, value, 0..=10_000_000)?;
    }
    Ok(())
}

fn limits(limits: &Limits, origin: &Origin) -> anyhow::Result<()> {
    within(
        origin,
        "limits.file_bytes_max",
        limits.file_bytes_max,
        1..=10 * GIB,
    )?;
    within(
        origin,
        "limits.templates_max",
        limits.templates_max,
        1..=1_000_000,
    )?;
    within(
        origin,
        "limits.subscriptions_max",
        limits.subscriptions_max,
        1..=1_000_000,
    )
}

fn store(store: &Store, origin: &Origin) -> anyhow::Result<()> {
    let longest = Span(Duration::from_mins(5));
    let at_once = Span(Duration::ZERO);
    within(origin, "store.readers", store.readers, 1..=64)?;
    within(
        origin,
        "store.reads_waiting_max",
        store.reads_waiting_max,
        1..=65_536,
    )?;
    within(
        origin,
        "store.read_timeout",
        store.read_timeout,
        SECOND..=longest,
    )?;
    within(
        origin,
        "store.writes_waiting_max",
        store.writes_waiting_max,
        1..=65_536,
    )?;
    within(origin, "store.group_max", store.group_max, 1..=4_096)?;
    within(
        origin,
        "store.group_time",
        store.group_time,
        at_once..=SECOND,
    )?;
    within(origin, "store.connections", store.connections, 2..=1_000)?;
    // With less, writing would wait for a checkpoint nearly all the time.
    within(
        origin,
        "store.wal_bytes_max",
        store.wal_bytes_max,
        16 * MIB..=10 * GIB,
    )
}

fn within<T: Copy + PartialOrd + Display>(
    origin: &Origin,
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> anyhow::Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    bail!(
        "{}{key} is {value}: write {least} to {most}",
        origin.of(key)
    )
}
