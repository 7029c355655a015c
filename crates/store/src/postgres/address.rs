//! The address of the database: how it is read, and how it is shown.
//!
//! Some of what libpq's addresses say the driver's do not: which authority is trusted, and the two words for a
//! certificate that has to be right. And the driver takes a password with an unescaped `@` for a host, which would
//! then be looked up and told to everybody: such an address is refused before anything is done with it.

use std::{path::PathBuf, str::FromStr as _};

use percent_encoding::percent_decode_str;
use tokio_postgres::{Config, config::Host};

use super::PostgresError;
use crate::error::reason;

/// What the address of a database begins with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// Stands for a password where an address is shown to be used again.
const PASSWORD_SHOWN: &str = "PASSWORD";
/// An option that holds a password as well.
const PASSWORD_OPTION: &str = "password=";

/// An address as the driver takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) url: String,
    /// The file of the authorities that alone are trusted (`sslrootcert`).
    pub(super) authorities: Option<PathBuf>,
}

/// The parts of an address, none of which has anything of another in it.
struct Parts<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    place: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes it apart, or tells what is wrong with it, in words without anything of it.
    fn of(url: &'a str) -> Result<Self, &'static str> {
        let scheme = SCHEMES.into_iter().find(|scheme| url.starts_with(scheme));
        let scheme = scheme.ok_or("it does not begin with postgres://")?;
        let rest = &url[scheme.len()..];
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        if rest.contains('@') {
            return Err(
                "there is more than one @ in it; in a password, a user or a name write %40 for it",
            );
        }
        if user.is_some_and(|user| user.contains(['/', '?', '#'])) {
            return Err(
                "there is a /, a ? or a # before the @; in a password or a user write %2F, %3F and %23 for them",
            );
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self {
            scheme,
            user,
            place,
            query,
        })
    }

    fn whole(&self, user: Option<&str>, query: &str) -> String {
        let (user, at) = user.map_or(("", ""), |user| (user, "@"));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{user}{at}{}{mark}{query}", self.scheme, self.place)
    }
}

impl Address {
    /// Reads it.
    pub(super) fn of(url: &str) -> Result<Self, PostgresError> {
        let parts = Parts::of(url).map_err(|wrong| PostgresError::BadUrl(wrong.to_owned()))?;
        let (mut authorities, mut kept) = (None, Vec::new());
        for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_decode_str(path).decode_utf8_lossy();
                    authorities = Some(PathBuf::from(path.into_owned()));
                }
                // A certificate is always looked at in full, so there is nothing less to ask for.
                Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
                _ => kept.push(pair),
            }
        }
        Ok(Self {
            url: parts.whole(parts.user, &kept.join("&")),
            authorities,
        })
    }

    /// The same for the driver.
    pub(super) fn config(&self) -> Result<Config, PostgresError> {
        Config::from_str(&self.url).map_err(|error| {
            // It names an option that it does not know, which may be what follows an & in a password.
            PostgresError::BadUrl(if self.url.contains(PASSWORD_OPTION) {
                "one of its options can't be read".to_owned()
            } else {
                reason(&error)
            })
        })
    }
}

/// The hosts with their ports, as every message names them: without what opens them.
pub(super) fn hosts_shown(config: &Config) -> String {
    let ports = config.get_ports();
    let shown = |place: usize, host: String| {
        let port = ports.get(place).or(ports.first());
        port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    };
    let named = config.get_hosts().iter().map(|host| match host {
        // The colons of an address would run into that of the port.
        Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let mut hosts: Vec<String> = named.collect();
    if hosts.is_empty() {
        let addresses = config.get_hostaddrs().iter();
        hosts.extend(addresses.map(ToString::to_string));
    }
    let hosts = hosts.into_iter().enumerate();
    let hosts: Vec<_> = hosts.map(|(place, host)| shown(place, host)).collect();
    hosts.join(",")
}

/// The address of a database without user and password, for messages.
pub(crate) fn shown(url: &str) -> String {
    let config = Address::of(url).and_then(|address| address.config());
    config.map_or_else(
        |_| "postgres://…".to_owned(),
        |config| {
            let name = config.get_dbname().unwrap_or_default();
            format!("postgres://{}/{name}", hosts_shown(&config))
        },
    )
}

/// The address of a database as it can be used again, with a word in place of the password.
pub fn database_without_password(url: &str) -> String {
    let Ok(parts) = Parts::of(url) else {
        return "postgres://…".to_owned();
    };
    let user = parts.user.map(|user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:{PASSWORD_SHOWN}"),
        None => user.to_owned(),
    });
    let query = match parts.query.split_once(PASSWORD_OPTION) {
        // What follows may be more of it.
        Some((before, _)) => format!("{before}{PASSWORD_OPTION}{PASSWORD_SHOWN}"),
        None => parts.query.to_owned(),
    };
    parts.whole(user.as_deref(), &query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_name_authorities_as_libpq_has_it() {
        for (given, url, authorities) in [
            ("postgres://u@h/x", "postgres://u@h/x", None),
            (
                "postgres://u@h/x?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem",
                "postgres://u@h/x?sslmode=require",
                Some("/etc/my ca.pem"),
            ),
            (
                "postgres://u@h/x?sslrootcert=ca%zz%2&connect_timeout=3",
                "postgres://u@h/x?connect_timeout=3",
                Some("ca%zz%2"),
            ),
            (
                "postgresql://h/x?sslmode=disable",
                "postgresql://h/x?sslmode=disable",
                None,
            ),
        ] {
            let expected = Address {
                url: url.to_owned(),
                authorities: authorities.map(PathBuf::from),
            };
            assert_eq!(Address::of(given).unwrap(), expected);
        }
    }

    #[test]
    fn whatever_may_be_a_part_of_a_password_is_not_shown() {
        for (url, said) in [
            ("postgres://me:sec@ret@db:1/x", "write %40 for it"),
            ("postgres://me:@secret@db:1/x", "write %40 for it"),
            ("postgres://me:sec@ret/more@db/x", "write %40 for it"),
            ("postgres://me:sec@ret?more=secret@db/x", "write %40 for it"),
            ("postgres://me@secret@db/x", "write %40 for it"),
            ("postgres://me:sec/ret@db:1/x", "write %2F, %3F and %23"),
            ("postgres://me:sec?ret=1@db/x", "write %2F, %3F and %23"),
            ("postgres://me:sec#ret@db/x", "write %2F, %3F and %23"),
            (
                "postgres://db/x?password=sec&ret=secret",
                "one of its options can't be read",
            ),
        ] {
            let read = Address::of(url).and_then(|address| address.config());
            let error = read.unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
            for shown in [error, shown(url), database_without_password(url)] {
                assert!(!shown.contains("sec") && !shown.contains("ret"), "{shown}");
            }
        }
    }

    #[test]
    fn an_address_is_shown_with_every_host_and_port() {
        for (url, hosts) in [
            ("postgres://me:secret@db/x", "db:5432"),
            ("postgres://me:s%40c%2Fr%3Ft%23@db:1/x", "db:1"),
            ("postgresql://a:1,b:2/x?sslmode=require", "a:1,b:2"),
            ("postgres://me@[::1]:7/x", "[::1]:7"),
            ("postgres:///x?host=/run/pg&port=7", "/run/pg:7"),
            ("postgres:///x?hostaddr=10.0.0.1&port=7", "10.0.0.1:7"),
        ] {
            assert_eq!(shown(url), format!("postgres://{hosts}/x"), "{url}");
        }
        let password = Address::of("postgres://me:s%40c%2Fr%3Ft%23@db:1/x").unwrap();
        let password = password.config().unwrap();
        assert_eq!(password.get_password(), Some(&b"s@c/r?t#"[..]));
    }

    #[test]
    fn an_address_to_be_used_again_lacks_only_the_password() {
        for (url, again) in [
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("postgres://db:1/x?port=2", "postgres://db:1/x?port=2"),
            (
                "postgres://me:secret@a:1,b/x?sslmode=require",
                "postgres://me:PASSWORD@a:1,b/x?sslmode=require",
            ),
            (
                "postgres://me@db/x?sslmode=require&password=secret&more",
                "postgres://me@db/x?sslmode=require&password=PASSWORD",
            ),
        ] {
            assert_eq!(database_without_password(url), again);
        }
    }
}
