//! Whether the values make sense, and what to write where they do not.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use anyhow::{anyhow, bail};
use delivery::{BadSetting, DeliverySettings};
use domain::{ALLOW_TARGETS_SETTING, AddressPolicy, PublicUrl, RetrySchedule};
use ipnet::IpNet;
use store::{MasterKey, is_address_like};
use tracing_subscriber::EnvFilter;

use super::{
    Origin, Settings, bounds,
    sections::{Config, Delivery},
};

/// Takes `config` as settings, or tells of the first value that can't be taken.
pub(super) fn check(config: Config, origin: &Origin) -> anyhow::Result<Settings> {
    bounds::check(&config, origin)?;
    let public_url = public_url(&config.public_url, origin)?;
    let policy = AddressPolicy::new(&config.webhook.allow_targets).map_err(|error| {
        anyhow!(
            "{}{ALLOW_TARGETS_SETTING}: {error}",
            origin.of(ALLOW_TARGETS_SETTING)
        )
    })?;
    let policy = policy.with_https_only(config.webhook.https_only);
    EnvFilter::try_new(&config.log.filter).map_err(|error| {
        anyhow!(
            "{}log.filter: {error}; write a level such as \"info\", or \"info,delivery=debug\"",
            origin.of("log.filter")
        )
    })?;
    Ok(Settings {
        bucket: config.files.bucket(origin)?,
        role: config.role,
        delivery: delivery(&config.delivery, origin)?,
        keeping: config.keeping.settings(origin)?,
        data: data(config.data, origin)?,
        listen: config.listen,
        public_url,
        policy,
        api: config.api.limits(),
        limits: config.limits.limits(),
        trusted_proxies: trusted_proxies(&config.http.trusted_proxies, origin)?,
        http: config.http,
        master_key: master_key(&config.store.master_key, origin)?,
        database: database(config.database, origin)?,
        sqlite: config.store.sqlite_limits(),
        postgres: config.store.postgres_limits(),
        access: config.store.access(),
        log: config.log,
        crash_at: None,
    })
}

fn public_url(text: &str, origin: &Origin) -> anyhow::Result<Option<PublicUrl>> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = PublicUrl::new(text);
    url.map(Some)
        .map_err(|error| anyhow!("{}public_url {error}", origin.of("public_url")))
}

/// It may hold a password, too, so it is not repeated.
fn data(folder: PathBuf, origin: &Origin) -> anyhow::Result<PathBuf> {
    if folder.to_str().is_some_and(is_address_like) {
        bail!(
            "{}data: it is the path of a folder (./it if its name has a colon); a database elsewhere is named by \
             database (--database postgres://…), a bucket by files.store (--files s3://…)",
            origin.of("data")
        );
    }
    Ok(folder)
}

/// The address may hold a password, so it is not repeated.
fn database(url: String, origin: &Origin) -> anyhow::Result<Option<String>> {
    if url.is_empty() {
        return Ok(None);
    }
    let known = ["postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        bail!(
            "{}database: it reads postgres://user:password@host:port/name; leave it out for SQLite in the \
             data folder",
            origin.of("database")
        );
    }
    Ok(Some(url))
}

fn master_key(text: &str, origin: &Origin) -> anyhow::Result<Option<MasterKey>> {
    if text.is_empty() {
        return Ok(None);
    }
    let key = MasterKey::from_text(text);
    key.map(Some)
        .map_err(|error| anyhow!("{}store.master_key: {error}", origin.of("store.master_key")))
}

fn trusted_proxies(entries: &[String], origin: &Origin) -> anyhow::Result<Vec<IpNet>> {
    let name = "http.trusted_proxies";
    let read = |entry: &String| {
        let address = entry.parse::<IpAddr>().map(IpNet::from);
        let net = address.or_else(|_| entry.parse::<IpNet>()).map_err(|_| {
            let of = origin.of(name);
            anyhow!("{of}{name}: {entry:?} is neither an address nor a CIDR such as 10.1.0.0/16")
        })?;
        let whole = net.trunc();
        if net != whole {
            let of = origin.of(name);
            bail!("{of}{name}: {entry:?} has bits beyond its prefix; write {whole}");
        }
        Ok(net)
    };
    entries.iter().map(read).collect()
}

fn delivery(section: &Delivery, origin: &Origin) -> anyhow::Result<DeliverySettings> {
    let steps: Vec<Duration> = section.schedule.iter().map(|step| step.0).collect();
    let schedule = RetrySchedule::new(&steps);
    let schedule = schedule.map_err(|error| {
        anyhow!(
            "{}delivery.schedule: {error}",
            origin.of("delivery.schedule")
        )
    })?;
    let settings = section.settings(schedule);
    settings.check().map_err(|error| {
        let (BadSetting::Duration { name, .. } | BadSetting::Count { name, .. }) = &error;
        anyhow!("{}{error}", origin.of(&format!("delivery.{name}")))
    })?;
    Ok(settings)
}
