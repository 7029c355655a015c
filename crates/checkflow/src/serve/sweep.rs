//! Bytes that nothing tells of are removed: what an earlier life of the server left half written, at
//! once; files without a row, daily.

use std::time::Duration;

use app::App;
use domain::{Source, Timestamp};
use store::{Chore, FileStore, Store};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::chore;
use crate::reason::one_line;

/// Files without a row are removed daily, by one of the nodes.
const SWEEP: Chore = Chore {
    name: "sweep files",
    every: Duration::from_hours(24),
    lease: Duration::from_mins(1),
};

/// Where an earlier life may have left uploads half written.
pub(super) struct Left {
    pub(super) files: FileStore,
    /// When this life began; nobody else lives in the folder.
    pub(super) before: Timestamp,
}

/// Begins to sweep, until the task is aborted. Being stopped between two files leaves nothing half done, and
/// what two nodes sweep is gone once.
pub(super) fn begin(app: App, store: Store, source: Source, left: Left) -> JoinHandle<()> {
    tokio::spawn(async move {
        sweep_left(&left).await;
        chore::attend(store, source, SWEEP, || sweep(&app)).await;
    })
}

async fn sweep(app: &App) {
    match app.sweep_files().await {
        Ok(0) => {}
        Ok(removed) => info!(removed, "removed files that no checklist has"),
        Err(error) => warn!(
            error = one_line(&error.into()),
            "removing files that no checklist has failed; next try tomorrow"
        ),
    }
}

async fn sweep_left(left: &Left) {
    match left.files.sweep_partial(left.before).await {
        Ok(0) => {}
        Ok(removed) => info!(removed, "removed uploads that the last stop cut short"),
        Err(error) => warn!(
            error = one_line(&error.into()),
            "removing uploads that the last stop cut short failed; tried again daily"
        ),
    }
}
