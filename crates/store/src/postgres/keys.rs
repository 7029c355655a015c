//! The master key of a database: known by what is kept of it there, and made at the first start of all.

use std::path::Path;

use domain::Source;
use tokio_postgres::{
    Client, GenericClient,
    types::{ToSql, Type},
};

use super::{
    PostgresError,
    migrations::{LOCK, migrate},
    open::{failed, lone_client, version_check},
};
use crate::{MasterKey, secrets::KEY_NAME};

/// The key in the data folder `folder`. Where there is none, the database is looked at before one is made: a new
/// key would open nothing of one that another was used for, and be in the way of the right one.
pub(crate) async fn key_in(
    folder: &Path,
    url: &str,
    source: &Source,
) -> Result<MasterKey, PostgresError> {
    if let Some(key) = MasterKey::load(folder)? {
        return Ok(key);
    }
    let mut client = lone_client(url).await?;
    version_check(&client).await?;
    migrate(&mut client)
        .await
        .map_err(|error| failed(&error))?
        .ok_or(PostgresError::NewerSchema)?;
    let tx = client.transaction().await.map_err(|error| failed(&error))?;
    // Of nodes that are the first at once, each with a folder of its own, one makes the key, and the others are
    // told to fetch it.
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    let locked = tx.batch_execute(&lock).await;
    locked.map_err(|error| failed(&error))?;
    if known(&tx).await.map_err(|error| failed(&error))?.is_some() {
        // Unless another process has made it in this very folder.
        return MasterKey::load(folder)?
            .ok_or_else(|| PostgresError::NoKey(MasterKey::file_in(folder)));
    }
    // On disk before the database can know of it.
    let key = MasterKey::load_or_create(folder, source)?;
    insert(&tx, &key, source)
        .await
        .map_err(|error| failed(&error))?;
    tx.commit().await.map_err(|error| failed(&error))?;
    Ok(key)
}

/// Whether `key` is the one of this database; a new database takes it for its own.
pub(super) async fn key_check(
    client: &Client,
    key: &MasterKey,
    source: &Source,
) -> Result<bool, tokio_postgres::Error> {
    // Two nodes may start on a new database at once: then the first one's key is the key.
    insert(client, key, source).await?;
    let known = known(client).await?;
    Ok(known.is_some_and(|known| key.is_known_by(&known)))
}

/// Has the database know `key`, unless it knows one.
async fn insert(
    client: &impl GenericClient,
    key: &MasterKey,
    source: &Source,
) -> Result<(), tokio_postgres::Error> {
    let value = key.known_by(source);
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let name = (&KEY_NAME as &(dyn ToSql + Sync), Type::TEXT);
    let bound = [name, (&value, Type::BYTEA)];
    client.execute_typed(sql, &bound).await.map(|_| ())
}

/// What the database knows its key by.
async fn known(client: &impl GenericClient) -> Result<Option<Vec<u8>>, tokio_postgres::Error> {
    let sql = "SELECT value FROM meta WHERE name = $1";
    let name = (&KEY_NAME as &(dyn ToSql + Sync), Type::TEXT);
    let rows = client.query_typed(sql, &[name]).await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}
