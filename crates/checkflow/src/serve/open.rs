//! Opening what a server stands on: the master key, the database, the files.

use anyhow::bail;
use domain::{Source, Timestamp};
use store::{
    FileStore, FilesOptions, StatementCount, Store, StoreOptions, open_store, store_may_be_there,
    store_to_share,
};

use super::drill;
use crate::config::Settings;

/// What a server stands on.
pub(super) struct Opened {
    pub(super) store: Store,
    /// How many statements it has run.
    pub(super) statements: StatementCount,
    /// None for a node that answers no requests.
    pub(super) files: Option<FileStore>,
    /// What was written before this is of an earlier life: the folder has one server at a time.
    pub(super) since: Timestamp,
}

/// Opens everything that a server of this role needs. Whoever keeps files in the folder is its one server.
pub(super) async fn open_for_server(
    settings: &Settings,
    source: &Source,
) -> anyhow::Result<Opened> {
    let since = source.now();
    if settings.role.is_a_part() {
        store_to_share(settings.database.as_deref())?;
    }
    let statements = StatementCount::default();
    let store = open(settings, source, Some(statements.clone())).await?;
    let store = match settings.crash_at {
        Some(at) => drill::arm(store, at),
        None => store,
    };
    let files = match files(settings, source, &store).await {
        Ok(files) => files,
        Err(error) => {
            // Leaves the database in good order for the next start.
            store.stop().await;
            return Err(error);
        }
    };
    Ok(Opened {
        store,
        statements,
        files,
        since,
    })
}

/// Opens the database beside a server, or without one; makes it when it is not there.
pub(crate) async fn open_or_make_beside(
    settings: &Settings,
    source: &Source,
) -> anyhow::Result<Store> {
    open(settings, source, None).await
}

/// The same for whoever needs what is in it already: makes nothing, since a folder without data is
/// a misspelt one.
pub(crate) async fn open_beside(settings: &Settings, source: &Source) -> anyhow::Result<Store> {
    must_be_there(settings)?;
    open(settings, source, None).await
}

/// Refuses a folder in which no database is.
pub(crate) fn must_be_there(settings: &Settings) -> anyhow::Result<()> {
    // A folder without a database holds nothing that a tool could work on.
    if !store_may_be_there(&settings.data, settings.database.as_deref())? {
        let shown = settings.data.display();
        bail!(
            "there is no CheckFlow data in {shown}; name its folder with --data, or begin there with \
             `checkflow team create --data {shown} --name NAME` (`checkflow serve` makes it too)"
        );
    }
    Ok(())
}

/// The files, which must be those of the database; none for a node that answers no requests.
async fn files(
    settings: &Settings,
    source: &Source,
    store: &Store,
) -> anyhow::Result<Option<FileStore>> {
    if !settings.role.answers() {
        return Ok(None);
    }
    let files = FileStore::open_at(&files_of(settings)).await?;
    files.belong_to(store, source).await?;
    Ok(Some(files))
}

fn files_of(settings: &Settings) -> FilesOptions {
    FilesOptions {
        folder: settings.data.clone(),
        bucket: settings.bucket.clone(),
    }
}

/// A server counts statements; tools do not.
async fn open(
    settings: &Settings,
    source: &Source,
    statements: Option<StatementCount>,
) -> anyhow::Result<Store> {
    let options = StoreOptions {
        folder: settings.data.clone(),
        database: settings.database.clone(),
        server: statements.is_some(),
        keeps_files: settings.role.answers() && files_of(settings).are_in_the_folder(),
        key: settings.master_key.clone(),
        source: source.clone(),
        statements: statements.unwrap_or_default(),
        sqlite: settings.sqlite,
        postgres: settings.postgres,
        access: settings.access.clone(),
    };
    Ok(open_store(options).await?)
}
