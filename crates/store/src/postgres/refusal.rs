//! Why a server could not be reached, or did not let us in, in words that say what to do.

use std::{error::Error, io, path::PathBuf};

use tokio_postgres::{
    Client, Config,
    error::{DbError, SqlState},
};

use super::address::hosts_shown;
use crate::MasterKeyError;
use crate::error::reason;

/// Why the database was not opened. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address is none.
    #[error(
        "the database's address is not understood ({0}); it reads \
         postgres://user:password@host:port/name"
    )]
    BadUrl(String),
    /// There is no way to it.
    #[error("the database at {host} can't be reached: {message}")]
    Unreachable {
        /// Where it was looked for.
        host: String,
        /// What came back.
        message: String,
    },
    /// It does not know the user, or not the password.
    #[error(
        "the database at {host} does not let us in: {message}; look at the user and the password in its address, \
         and at the server's pg_hba.conf"
    )]
    NotLetIn {
        /// Where it is.
        host: String,
        /// What it says.
        message: String,
    },
    /// There is no such database on the server.
    #[error(
        "the server at {host} has no database \"{database}\"; make it with `createdb`, or name another"
    )]
    NoDatabase {
        /// Where it is.
        host: String,
        /// What was asked for.
        database: String,
    },
    /// As many are connected as it takes.
    #[error(
        "the database at {host} takes no more connections: {message}; raise its max_connections, or lower \
         store.connections"
    )]
    NoRoom {
        /// Where it is.
        host: String,
        /// What it says.
        message: String,
    },
    /// Its certificate is not one that is trusted, or of another host.
    #[error(
        "the database at {host} is not trusted: {message}; name its host as its certificate does, and the file of \
         its authority with ?sslrootcert=FILE at the end of its address"
    )]
    Untrusted {
        /// Where it is.
        host: String,
        /// What is wrong with the certificate.
        message: String,
    },
    /// It speaks no TLS.
    #[error(
        "the database at {host} does not encrypt; turn ssl on there, or put ?sslmode=disable at the end of its \
         address if nobody can listen on the way"
    )]
    NotEncrypted {
        /// Where it is.
        host: String,
    },
    /// It is a standby.
    #[error(
        "the database at {host} is a standby that takes no writes; name the primary, or all hosts, separated by \
         commas"
    )]
    OnlyReads {
        /// Where it is.
        host: String,
    },
    /// It is none, and takes no writes all the same.
    #[error(
        "the database at {host} is no standby, but set to take no writes (default_transaction_read_only is on); {remedy}"
    )]
    SetToRead {
        /// Where it is.
        host: String,
        /// What to do about it, which depends on where it is set.
        remedy: String,
    },
    /// The file with the authorities can't be used.
    #[error("the file {} (sslrootcert) has no certificate of an authority: {message}", path.display())]
    BadAuthorities {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// It is older than what is tested with.
    #[error("PostgreSQL {0} is too old; version 15 or newer is needed")]
    TooOld(String),
    /// A newer version of the program has been here.
    #[error(
        "the database was made by a newer version of this program; run that version, or restore a \
         backup from before it"
    )]
    NewerSchema,
    /// The secrets in it are encrypted with another key.
    #[error(
        "the database was made with another master key; copy the file master.key from the data folder of the node \
         that made it (its first) into this node's, or give that key as store.master_key"
    )]
    OtherKey,
    /// They are encrypted with a key that is not here.
    #[error(
        "the database was made with a master key, and {} is not there; copy the file from the data folder of the \
         node that made the database (its first), or give that key as store.master_key", .0.display()
    )]
    NoKey(PathBuf),
    /// The master key can't be read, or not be made.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// Anything else that PostgreSQL says.
    #[error("the database can't be opened: {0}")]
    Failed(String),
}

/// What connecting to the hosts of `config` ended in.
pub(super) fn refusal(config: &Config, error: &(dyn Error + 'static)) -> PostgresError {
    let (host, message) = (hosts_shown(config), reason(error));
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

/// What is to be done about a server that is no standby and takes no writes all the same; none for a standby.
pub(super) async fn remedy(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let sql = "SELECT pg_is_in_recovery(), source, quote_ident(current_user), quote_ident(current_database())
        FROM pg_settings WHERE name = 'default_transaction_read_only'";
    let row = client.query_typed_one(sql, &[]).await?;
    if row.try_get(0)? {
        return Ok(None);
    }
    let (source, user, name): (&str, &str, &str) =
        (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    Ok(Some(remedy_at(source, user, name)))
}

/// The same, by where the setting is made, as PostgreSQL has it.
fn remedy_at(source: &str, user: &str, name: &str) -> String {
    let altered = match source {
        "database" => format!("ALTER DATABASE {name}"),
        "user" => format!("ALTER ROLE {user}"),
        "database user" => format!("ALTER ROLE {user} IN DATABASE {name}"),
        "global" => "ALTER ROLE ALL".to_owned(),
        "client" => return "leave it out of the options in the address".to_owned(),
        _ => {
            return "turn it off in postgresql.conf and reload; a host that is not yours may have set it because \
                    the disk is full"
                .to_owned();
        }
    };
    format!(
        "run `SET default_transaction_read_only = off`, then `{altered} RESET default_transaction_read_only`"
    )
}
