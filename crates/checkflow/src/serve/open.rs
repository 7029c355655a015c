//! Opening the data folder: the master key, the database, the files.

use domain::Source;
use store::{FileStore, MasterKey, SqliteOptions, Store, open_sqlite};

use crate::config::Settings;

/// What lies in a data folder.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) files: FileStore,
}

/// Opens everything for the one server of the folder.
pub(super) fn open_for_server(settings: &Settings, source: &Source) -> anyhow::Result<Opened> {
    let store = open(settings, source, true)?;
    let files = FileStore::open(&settings.data)?;
    Ok(Opened { store, files })
}

/// Opens the database beside a server, or without one.
pub(crate) fn open_beside(settings: &Settings, source: &Source) -> anyhow::Result<Store> {
    open(settings, source, false)
}

fn open(settings: &Settings, source: &Source, exclusive: bool) -> anyhow::Result<Store> {
    let key = match &settings.master_key {
        Some(key) => key.clone(),
        None => MasterKey::load_or_create(&settings.data, source)?,
    };
    let options = SqliteOptions::new(&settings.data, key, source.clone());
    Ok(open_sqlite(SqliteOptions {
        exclusive,
        limits: settings.store,
        ..options
    })?)
}
