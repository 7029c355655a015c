//! Opening the data folder: the master key, the database, the files.

use std::{fs, io, path::Path};

use anyhow::bail;
use domain::{Source, Timestamp};
use store::{DATABASE_FILE, FileStore, MasterKey, SqliteOptions, Store, open_sqlite};

use super::drill;
use crate::config::Settings;

/// What lies in a data folder.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) files: FileStore,
    /// What was written before this is of an earlier life: the folder has one server at a time.
    pub(super) since: Timestamp,
}

/// Opens everything for the one server of the folder.
pub(super) fn open_for_server(settings: &Settings, source: &Source) -> anyhow::Result<Opened> {
    let since = source.now();
    let store = open(settings, source, true)?;
    let store = match settings.crash_at {
        Some(at) => drill::arm(store, at),
        None => store,
    };
    let files = FileStore::open(&settings.data)?;
    Ok(Opened {
        store,
        files,
        since,
    })
}

/// Opens the database beside a server, or without one; makes it when it is not there.
pub(crate) fn open_or_make_beside(settings: &Settings, source: &Source) -> anyhow::Result<Store> {
    open(settings, source, false)
}

/// The same for whoever needs what is in it already: makes nothing, since a folder without data is
/// a misspelt one.
pub(crate) fn open_beside(settings: &Settings, source: &Source) -> anyhow::Result<Store> {
    // A folder without a database holds nothing that a tool could work on.
    if is_missing(&settings.data.join(DATABASE_FILE)) {
        let shown = settings.data.display();
        bail!(
            "there is no CheckFlow data in {shown}; name its folder with --data, or begin there with \
             `checkflow team create --data {shown} --name NAME` (`checkflow serve` makes it too)"
        );
    }
    open(settings, source, false)
}

/// Any other trouble is told by opening it.
fn is_missing(path: &Path) -> bool {
    let found = fs::metadata(path);
    found.is_err_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    })
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
