//! How connections to the server are encrypted.

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::trusting_this_machine;

/// Decides whether connections are encrypted, and makes what encrypts them.
///
/// To other machines they are, unless the address says `sslmode=disable`, and the server has to show a
/// certificate that this machine trusts: what libpq calls `verify-full`. On the way to this machine itself there
/// is nobody to hide from, so there it is asked for with `sslmode=require`.
pub(super) fn encryption(config: &mut Config) -> MakeRustlsConnect {
    if config.get_ssl_mode() == SslMode::Prefer {
        let mode = if stays_here(config) {
            SslMode::Disable
        } else {
            SslMode::Require
        };
        config.ssl_mode(mode);
    }
    MakeRustlsConnect::new(trusting_this_machine())
}

fn stays_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_to_other_machines_are_encrypted_unless_told_otherwise() {
        for (url, expected) in [
            ("postgres://u@localhost/x", SslMode::Disable),
            ("postgres://u@127.0.0.1:5432/x", SslMode::Disable),
            ("postgres://u@[::1]/x", SslMode::Disable),
            ("postgres://u@%2Frun%2Fpostgresql/x", SslMode::Disable),
            ("postgres://u@localhost/x?sslmode=require", SslMode::Require),
            ("postgres://u@db.example.com/x", SslMode::Require),
            (
                "postgres://u@db.example.com/x?sslmode=prefer",
                SslMode::Require,
            ),
            (
                "postgres://u@db.example.com/x?sslmode=disable",
                SslMode::Disable,
            ),
            ("postgres://u@localhost,db.example.com/x", SslMode::Require),
        ] {
            let mut config: Config = url.parse().unwrap();
            let _ = encryption(&mut config);
            assert_eq!(config.get_ssl_mode(), expected, "{url}");
        }
    }
}
