//! What a server that is gone has left in its folder.

use std::{collections::BTreeSet, fs, path::Path};

use domain::{Delivery, TaskId, TaskStatus, TeamId};
use store::{
    DATABASE_FILE, DeliveryQuery, MasterKey, Page, SqliteOptions, Store, StoreError, open_sqlite,
};
use tempfile::tempdir;
use testkit::{reading, test_source};

/// What lay in a folder.
pub(crate) struct Left {
    /// All of the team's.
    pub(crate) deliveries: Vec<Delivery>,
    /// The team's tasks that are complete.
    pub(crate) completed: BTreeSet<TaskId>,
}

/// Looks into the folder of a server that is gone, and changes nothing in it.
///
/// A copy is opened. Opening the folder itself would put the log of a killed server in order, and that
/// is what the next server has to be able to do.
pub(crate) async fn look(folder: &Path, team: TeamId) -> Left {
    let copy = tempdir().unwrap();
    let log = format!("{DATABASE_FILE}-wal");
    for name in [DATABASE_FILE, &log, "master.key"] {
        // There is no log after a stop in good order.
        if folder.join(name).exists() {
            fs::copy(folder.join(name), copy.path().join(name)).unwrap();
        }
    }
    let (source, _) = test_source();
    let key = MasterKey::load_or_create(copy.path(), &source).unwrap();
    let store = open_sqlite(SqliteOptions::new(copy.path(), key, source)).unwrap();
    look_through(store, team).await
}

/// Looks through a store and closes it.
pub(crate) async fn look_through(store: Store, team: TeamId) -> Left {
    let found: Result<_, StoreError> = store
        .read(reading!([team] tx => {
            let all = DeliveryQuery { limit: u32::MAX, ..DeliveryQuery::default() };
            let page = Page { number: 1, size: u32::MAX };
            let deliveries = tx.delivery_page(*team, &all).await?;
            let completed = tx.task_page(*team, None, Some(TaskStatus::Complete), page).await?;
            Ok((deliveries, completed))
        }))
        .await;
    store.stop().await;
    let (deliveries, completed) = found.unwrap();
    Left {
        deliveries,
        completed: completed.into_iter().collect(),
    }
}
