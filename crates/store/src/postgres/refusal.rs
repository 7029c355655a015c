//! Why a server could not be reached, or did not let us in, in words that say what to do.

use std::{error::Error, io};

use tokio_postgres::{
    Config,
    config::Host,
    error::{DbError, SqlState},
};

use super::PostgresError;

/// What connecting to the hosts of `config` ended in.
pub(super) fn refusal(config: &Config, error: &(dyn Error + 'static)) -> PostgresError {
    let (host, message) = (host(config), reason(error));
    let database = config.get_dbname().unwrap_or_default().to_owned();
    let state = find(error, &|error| error.downcast_ref::<DbError>()).map(DbError::code);
    if let Some(state) = state {
        return if *state == SqlState::INVALID_CATALOG_NAME {
            PostgresError::NoDatabase { host, database }
        } else if state.code().starts_with("28") || *state == SqlState::INSUFFICIENT_PRIVILEGE {
            PostgresError::NotLetIn { host, message }
        } else if *state == SqlState::TOO_MANY_CONNECTIONS {
            PostgresError::NoRoom { host, message }
        } else {
            PostgresError::Unreachable { host, message }
        };
    }
    if find(error, &certificate).is_some() {
        return PostgresError::Untrusted { host, message };
    }
    // The driver has no names for these two.
    if message.contains("server does not support TLS") {
        return PostgresError::NotEncrypted { host };
    }
    if message.contains("does not allow writes") {
        return PostgresError::OnlyReads { host };
    }
    PostgresError::Unreachable { host, message }
}

/// The first in the chain of `error` in which `look` finds something.
fn find<'e, T: ?Sized>(
    error: &'e (dyn Error + 'static),
    look: &impl Fn(&'e (dyn Error + 'static)) -> Option<&'e T>,
) -> Option<&'e T> {
    look(error).or_else(|| error.source().and_then(|source| find(source, look)))
}

/// What is wrong with a certificate. It lies inside an error of input and output, which does not name it as its
/// source.
fn certificate<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::CertificateError> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    match inner.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// The host without what opens it.
pub(super) fn host(config: &Config) -> String {
    let names = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The reason at the bottom of an error: those above it repeat it, or say less.
pub(super) fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => reason(source),
        None => error.to_string(),
    }
}
