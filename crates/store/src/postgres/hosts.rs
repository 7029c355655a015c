//! The hosts of one database, asked one after the other for the one that takes writes.
//!
//! The client library knows of several hosts, too, but bounds only how long it takes to reach each: one that
//! takes connections and says nothing would keep it from the next for as long as the pool lets it, every time.

use std::{future::Future, pin::Pin, time::Duration};

use deadpool_postgres::Connect;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, Connection, Error, Socket,
    config::{Host, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    address::hosts_shown,
    refusal::{PostgresError, remedy},
};

/// The port where none is given.
const PORT: u16 = 5_432;
/// After how long without a word the system asks whether the other end is there, and how often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// For how long what was sent may stay unacknowledged.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// When the client library has the system ask where nobody says anything.
const LIBRARY_IDLE: Duration = Duration::from_hours(2);

type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// How the database is reached.
#[derive(Clone)]
pub(super) struct Hosts {
    /// For each host what it is reached by; one at least.
    each: Vec<Config>,
    tls: MakeRustlsConnect,
    /// How long each but the last may take.
    part: Duration,
}

impl Hosts {
    /// The hosts that `config` names, all of which are to be tried within some time.
    pub(super) fn of(config: &Config, tls: MakeRustlsConnect, within: Duration) -> Self {
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let part = within / count;
        let mut config = config.clone();
        settle(&mut config, part);
        let each = match one_by_one(&config) {
            Some(each) if !each.is_empty() => each,
            // The library says what is wrong with it.
            _ => vec![config],
        };
        Self { each, tls, part }
    }

    /// Connects to the first host that takes writes. Whoever calls bounds the time.
    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        let (last, before) = self.each.split_last().expect("one at least");
        for (place, host) in before.iter().enumerate() {
            match timeout(self.part, host.connect(self.tls.clone())).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => {
                    tracing::debug!(%error, place, "one of the database's hosts is of no use");
                }
                Err(_) => tracing::debug!(place, "one of the database's hosts says nothing"),
            }
        }
        last.connect(self.tls.clone()).await
    }

    /// What kept us out, with more of it where no host takes writes: a standby is one thing, a server that is told
    /// to take none another, and the client library has one word for both.
    pub(super) async fn explained(&self, refused: PostgresError) -> PostgresError {
        if !matches!(refused, PostgresError::OnlyReads { .. }) {
            return refused;
        }
        for host in &self.each {
            if let Ok(Ok(Some(remedy))) = timeout(self.part, self.asked_why(host)).await {
                let host = hosts_shown(host);
                return PostgresError::SetToRead { host, remedy };
            }
        }
        refused
    }

    async fn asked_why(&self, host: &Config) -> Result<Option<String>, Error> {
        let mut host = host.clone();
        host.target_session_attrs(TargetSessionAttrs::Any);
        let (client, connection) = host.connect(self.tls.clone()).await?;
        drive(connection);
        remedy(&client).await
    }
}

impl Connect for Hosts {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async move {
            let (client, connection) = Hosts::connect(self).await?;
            Ok((client, drive(connection)))
        })
    }
}

/// Has a connection work by itself.
pub(super) fn drive(connection: Connection<Socket, Stream>) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Whoever uses it hears of it, too.
            tracing::debug!(%error, "a connection to the database ended");
        }
    })
}

/// Sets what the address leaves open.
fn settle(config: &mut Config, part: Duration) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(part);
    }
    if config.get_application_name().is_none() {
        config.application_name("checkflow");
    }
    // A standby is of no use, and the first of several hosts may have become one.
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
    }
    if config.get_keepalives_idle() == LIBRARY_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
}

/// The same for each host alone; none where their numbers don't fit.
fn one_by_one(config: &Config) -> Option<Vec<Config>> {
    let (names, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let ports = config.get_ports();
    let count = names.len().max(addresses.len());
    let fits = |given: usize| given <= 1 || given == count;
    if !fits(ports.len())
        || (!names.is_empty() && !addresses.is_empty() && names.len() != addresses.len())
    {
        return None;
    }
    let each = (0..count).map(|place| {
        let mut one = without_hosts(config);
        match names.get(place) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(place) {
            one.hostaddr(*address);
        }
        let port = ports.get(place).or_else(|| ports.first());
        one.port(port.copied().unwrap_or(PORT));
        one
    });
    Some(each.collect())
}

fn without_hosts(config: &Config) -> Config {
    let mut copy = Config::new();
    if let Some(user) = config.get_user() {
        copy.user(user);
    }
    if let Some(password) = config.get_password() {
        copy.password(password);
    }
    if let Some(name) = config.get_dbname() {
        copy.dbname(name);
    }
    if let Some(options) = config.get_options() {
        copy.options(options);
    }
    if let Some(name) = config.get_application_name() {
        copy.application_name(name);
    }
    if let Some(time) = config.get_connect_timeout() {
        copy.connect_timeout(*time);
    }
    if let Some(time) = config.get_tcp_user_timeout() {
        copy.tcp_user_timeout(*time);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        copy.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        copy.keepalives_retries(retries);
    }
    copy.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Hosts {
        let (config, within) = (url.parse().unwrap(), Duration::from_secs(6));
        let mut config: Config = config;
        let tls = super::super::tls::encryption(&mut config, None).unwrap();
        Hosts::of(&config, tls, within)
    }

    #[test]
    fn each_host_is_asked_by_itself_for_its_part_of_the_time_and_must_take_writes() {
        let hosts = hosts("postgres://u:p@one:1,two:2,three:3/name?sslmode=disable");
        assert_eq!(hosts.part, Duration::from_secs(2));
        let shown: Vec<_> = hosts
            .each
            .iter()
            .map(|one| (one.get_hosts().to_vec(), one.get_ports().to_vec()))
            .collect();
        let expected = [("one", 1), ("two", 2), ("three", 3)]
            .map(|(name, port)| (vec![Host::Tcp(name.to_owned())], vec![port]));
        assert_eq!(shown, expected);
        for one in &hosts.each {
            assert_eq!(one.get_user(), Some("u"));
            assert_eq!(one.get_password(), Some(&b"p"[..]));
            assert_eq!(one.get_dbname(), Some("name"));
            assert_eq!(
                one.get_target_session_attrs(),
                TargetSessionAttrs::ReadWrite
            );
            assert_eq!(one.get_connect_timeout(), Some(&hosts.part));
            assert_eq!(one.get_tcp_user_timeout(), Some(&UNACKNOWLEDGED_MAX));
        }
    }

    #[test]
    fn what_the_address_says_of_a_connection_is_kept() {
        let url = "postgres://u@one/name?application_name=north&connect_timeout=3&keepalives_idle=7\
            &tcp_user_timeout=4&sslmode=disable";
        let hosts = hosts(url);
        let [one] = &hosts.each[..] else {
            panic!("one host");
        };
        assert_eq!(one.get_ports(), [PORT]);
        assert_eq!(one.get_application_name(), Some("north"));
        assert_eq!(one.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(one.get_tcp_user_timeout(), Some(&Duration::from_secs(4)));
        assert_eq!(one.get_keepalives_idle(), Duration::from_secs(7));
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_library_to_refuse() {
        let hosts = hosts("postgres://u@one:1,two:2/name?port=3");
        assert_eq!(hosts.each.len(), 1);
        assert_eq!(hosts.each[0].get_hosts().len(), 2);
    }
}
