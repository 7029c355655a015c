//! Opening: the address, the pools, the schema and the master key.

use std::{fs::File, path::PathBuf, str::FromStr as _, sync::Arc, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, RecyclingMethod, Runtime,
};
use domain::Source;
use tokio_postgres::{
    Client, Config,
    types::{ToSql, Type},
};

use super::{
    Postgres,
    address::Address,
    hosts::Hosts,
    migrations::migrate,
    promises::{begin_write, set_up},
    refusal::{host, reason, refusal},
    tls::encryption,
    tx::Core,
};
use crate::{MasterKey, StatementCount, Store, secrets::KEY_NAME};

/// Connections for what is done beside units of work: leasing what was committed, and numbering.
const SIDE_CONNECTIONS: usize = 2;
/// The oldest PostgreSQL that is tested with, as it numbers itself.
const VERSION_MIN: i32 = 150_000;

/// How a store on PostgreSQL is opened.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Where the database is: `postgres://user:password@host:port/name`, several hosts separated by
    /// commas, of which the first that takes writes is used.
    pub url: String,
    /// What secrets are encrypted with.
    pub key: MasterKey,
    /// Where time and randomness come from.
    pub source: Source,
    /// By whose clock leases lapse.
    pub lease_clock: LeaseClock,
    /// What lies on the way to it.
    pub access: PostgresAccess,
    /// Bounds.
    pub limits: PostgresLimits,
    /// Counts the statements of units of work.
    pub statements: StatementCount,
}

impl PostgresOptions {
    /// Options for the database at `url`.
    pub fn new(url: impl Into<String>, key: MasterKey, source: Source) -> Self {
        Self {
            url: url.into(),
            key,
            source,
            lease_clock: LeaseClock::Database,
            access: PostgresAccess::default(),
            limits: PostgresLimits::default(),
            statements: StatementCount::default(),
        }
    }
}

/// What lies on the way to PostgreSQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostgresAccess {
    /// Whether a pooler stands before it that gives a connection to a client for one transaction only. Then
    /// statements are not prepared, and nodes are not heard, but look by the clock.
    pub pooler: bool,
}

/// By whose clock leases lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's, so that nodes whose clocks differ agree: each node measures again and again how far its
    /// own is off.
    Database,
    /// The node's own, for tests that move it.
    Own,
}

/// The bounds of a store on PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub struct PostgresLimits {
    /// Connections for units of work.
    pub connections: usize,
    /// Writes that may run or wait for a connection; more are told that the store is not available.
    pub writes_waiting_max: usize,
    /// Reads that may run or wait for a connection.
    pub reads_waiting_max: usize,
    /// How long a statement of a read may take.
    pub read_time: Duration,
    /// How long a unit waits for a connection, and a connection for the server.
    pub connect_time: Duration,
}

impl Default for PostgresLimits {
    fn default() -> Self {
        Self {
            connections: 16,
            writes_waiting_max: 4_096,
            reads_waiting_max: 1_024,
            read_time: Duration::from_secs(10),
            connect_time: Duration::from_secs(5),
        }
    }
}

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
    #[error("the database was made with another master key; give the one it was made with")]
    OtherKey,
    /// Anything else that PostgreSQL says.
    #[error("the database can't be opened: {0}")]
    Failed(String),
}

/// Opens the database, makes or updates its schema, and checks the master key.
///
/// # Errors
/// See [`PostgresError`].
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn open_postgres(options: PostgresOptions) -> Result<Store, PostgresError> {
    open_holding(options, None).await
}

/// The same, holding a lock for as long as the store is open.
pub(crate) async fn open_holding(
    options: PostgresOptions,
    lock: Option<File>,
) -> Result<Store, PostgresError> {
    Ok(Store::new(open(options, lock).await?))
}

pub(super) async fn open(
    options: PostgresOptions,
    lock: Option<File>,
) -> Result<Postgres, PostgresError> {
    let limits = options.limits;
    let (config, hosts) = reached_by(&options.url, limits)?;
    let pooled = options.access.pooler;
    let side = pool(&hosts, SIDE_CONNECTIONS, limits, pooled)?;
    let pool = pool(&hosts, limits.connections, limits, pooled)?;
    let mut conn = pool.get().await.map_err(|error| refusal(&config, &error))?;
    version_check(&conn).await?;
    let begin_write = begin_write(&conn, host(&config), pooled).await?;
    prepare(&mut conn, &options.key, &options.source).await?;
    let lease_clock = options.lease_clock;
    let core = Core::new(&options, begin_write, side);
    core.begin_after_all(&conn)
        .await
        .map_err(|error| failed(&error))?;
    drop(conn);
    let core = Arc::new(core);
    if lease_clock == LeaseClock::Database {
        let measured = core.beside(async |tx| tx.measure().await).await;
        measured.map_err(|error| PostgresError::Failed(reason(&error)))?;
    }
    Ok(Postgres::start(core, pool, hosts, limits, lock))
}

/// How the server at `url` is reached.
fn reached_by(url: &str, limits: PostgresLimits) -> Result<(Config, Hosts), PostgresError> {
    let address = Address::of(url);
    let mut config =
        Config::from_str(&address.url).map_err(|error| PostgresError::BadUrl(reason(&error)))?;
    let tls = encryption(&mut config, address.authorities.as_deref())?;
    let hosts = Hosts::of(&config, tls, limits.connect_time);
    Ok((config, hosts))
}

/// A connection of its own to the database at `url`, for work that is not that of a store.
pub(super) async fn lone_client(url: &str) -> Result<Client, PostgresError> {
    let limits = PostgresLimits::default();
    let (config, hosts) = reached_by(url, limits)?;
    let connecting = tokio::time::timeout(limits.connect_time, hosts.connect());
    let (client, connection) = connecting
        .await
        .map_err(|error| refusal(&config, &error))?
        .map_err(|error| refusal(&config, &error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Whoever uses the client meets it as well.
            tracing::debug!(%error, "a connection to the database ended");
        }
    });
    Ok(client)
}

/// Refuses a server that is older than what is tested with.
pub(super) async fn version_check(client: &Client) -> Result<(), PostgresError> {
    let sql =
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client
        .query_typed_one(sql, &[])
        .await
        .map_err(|error| failed(&error))?;
    if row.try_get::<_, i32>(0).map_err(|error| failed(&error))? < VERSION_MIN {
        return Err(PostgresError::TooOld(
            row.try_get(1).map_err(|error| failed(&error))?,
        ));
    }
    Ok(())
}

/// Brings the schema up to date and checks the master key.
async fn prepare(
    client: &mut Client,
    key: &MasterKey,
    source: &Source,
) -> Result<(), PostgresError> {
    migrate(client)
        .await
        .map_err(|error| failed(&error))?
        .ok_or(PostgresError::NewerSchema)?;
    if key_check(client, key, source)
        .await
        .map_err(|error| failed(&error))?
    {
        Ok(())
    } else {
        Err(PostgresError::OtherKey)
    }
}

fn pool(
    hosts: &Hosts,
    size: usize,
    limits: PostgresLimits,
    pooled: bool,
) -> Result<Pool, PostgresError> {
    let manager = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    // The hosts know what they are reached by.
    let manager = Manager::from_connect(Config::new(), hosts.clone(), manager);
    let mut pool = Pool::builder(manager);
    if !pooled {
        pool = pool.post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { set_up(client).await.map_err(HookError::Backend) })
        }));
    }
    let built = pool
        .pre_recycle(Hook::sync_fn(is_up))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limits.connect_time))
        .create_timeout(Some(limits.connect_time))
        .build();
    built.map_err(|error| PostgresError::Failed(error.to_string()))
}

/// Whether a connection that lay idle may be used again. The pool asks, too, and warns of each that may not,
/// which all may not after a restart of the server.
fn is_up(client: &mut ClientWrapper, _: &Metrics) -> Result<(), HookError> {
    if client.is_closed() {
        return Err(HookError::message("the connection has ended"));
    }
    Ok(())
}

/// Whether `key` is the one of this database; a new database takes it for its own.
async fn key_check(
    client: &Client,
    key: &MasterKey,
    source: &Source,
) -> Result<bool, tokio_postgres::Error> {
    // Two nodes may start on a new database at once: then the first one's key is the key.
    let value = key.known_by(source);
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let name = (&KEY_NAME as &(dyn ToSql + Sync), Type::TEXT);
    let bound = [name.clone(), (&value, Type::BYTEA)];
    client.execute_typed(sql, &bound).await?;
    let sql = "SELECT value FROM meta WHERE name = $1";
    let known: Vec<u8> = client.query_typed_one(sql, &[name]).await?.try_get(0)?;
    Ok(key.is_known_by(&known))
}

pub(super) fn failed(error: &tokio_postgres::Error) -> PostgresError {
    PostgresError::Failed(reason(error))
}
