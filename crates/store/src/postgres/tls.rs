//! How connections to the server are encrypted.

use std::path::Path;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;
use crate::tls::{trusting, trusting_this_machine};

/// Decides whether connections are encrypted, and makes what encrypts them.
///
/// To other machines they are, unless the address says `sslmode=disable`, and the server has to show a
/// certificate that this machine trusts: what libpq calls `verify-full`. On the way to this machine itself there
/// is nobody to hide from, so there it is asked for with `sslmode=require`, or by naming the authorities that are
/// trusted in place of this machine's.
pub(super) fn encryption(
    config: &mut Config,
    authorities: Option<&Path>,
) -> Result<MakeRustlsConnect, PostgresError> {
    if config.get_ssl_mode() == SslMode::Prefer {
        let mode = if authorities.is_none() && stays_here(config) {
            SslMode::Disable
        } else {
            SslMode::Require
        };
        config.ssl_mode(mode);
    }
    let trusting = match authorities {
        Some(path) => trusting(roots(path)?),
        None => trusting_this_machine(),
    };
    Ok(MakeRustlsConnect::new(trusting))
}

/// The authorities in a file.
fn roots(path: &Path) -> Result<RootCertStore, PostgresError> {
    let bad = |message: String| PostgresError::BadAuthorities {
        path: path.to_owned(),
        message,
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is no PEM in it".to_owned()));
    }
    Ok(roots)
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
            encryption(&mut config, None).unwrap();
            assert_eq!(config.get_ssl_mode(), expected, "{url}");
        }
    }
}
