//! Opening: the address, the pools, the schema and the master key.

use std::{fs::File, sync::Arc, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, RecyclingMethod, Runtime,
};
use domain::Source;
use tokio_postgres::{Client, Config};

use super::{
    Postgres,
    address::{Address, hosts_shown},
    core::Core,
    hosts::{Hosts, drive},
    keys::key_check,
    migrations::migrate,
    promises::{begin_write, set_up},
    refusal::{PostgresError, refusal},
    tls::encryption,
};
use crate::{MasterKey, StatementCount, Store, error::reason};

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

/// Opens the database, makes or updates its schema, and checks the master key.
///
/// # Errors
/// See [`PostgresError`].
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn open_postgres(options: PostgresOptions) -> Result<Store, PostgresError> {
    open_holding(options, || Ok(None)).await
}

/// The same, with a lock that is held for as long as the store is open, and taken once nothing speaks against it
/// any more: so that nothing is made where it lies for a database that is not opened.
pub(crate) async fn open_holding<E: From<PostgresError>>(
    options: PostgresOptions,
    lock: impl FnOnce() -> Result<Option<File>, E>,
) -> Result<Store, E> {
    Ok(Store::new(open(options, lock).await?))
}

pub(super) async fn open<E: From<PostgresError>>(
    options: PostgresOptions,
    lock: impl FnOnce() -> Result<Option<File>, E>,
) -> Result<Postgres, E> {
    let limits = options.limits;
    let (config, hosts) = reached_by(&options.url, limits)?;
    let pooled = options.access.pooler;
    let side = pool(&hosts, SIDE_CONNECTIONS, limits, pooled)?;
    let pool = pool(&hosts, limits.connections, limits, pooled)?;
    let mut conn = match pool.get().await {
        Ok(conn) => conn,
        Err(error) => return Err(hosts.explained(refusal(&config, &error)).await.into()),
    };
    version_check(&conn).await?;
    let begin_write = begin_write(&conn, hosts_shown(&config), pooled).await?;
    prepare(&mut conn, &options.key, &options.source).await?;
    let lock = lock()?;
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
    let address = Address::of(url)?;
    let mut config = address.config()?;
    let tls = encryption(&mut config, address.authorities.as_deref())?;
    let hosts = Hosts::of(&config, tls, limits.connect_time);
    Ok((config, hosts))
}

/// A connection of its own to the database at `url`, for work that is not that of a store.
pub(super) async fn lone_client(url: &str) -> Result<Client, PostgresError> {
    let limits = PostgresLimits::default();
    let (config, hosts) = reached_by(url, limits)?;
    let connecting = tokio::time::timeout(limits.connect_time, hosts.connect());
    let connected = match connecting.await {
        Ok(connected) => connected.map_err(|error| refusal(&config, &error)),
        Err(late) => Err(refusal(&config, &late)),
    };
    match connected {
        Ok((client, connection)) => {
            drive(connection);
            Ok(client)
        }
        Err(refused) => Err(hosts.explained(refused).await),
    }
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

pub(super) fn failed(error: &tokio_postgres::Error) -> PostgresError {
    PostgresError::Failed(reason(error))
}
