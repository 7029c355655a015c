//! Bytes that nothing tells of are removed: what an earlier life of the server left half written, at
//! once; files without a row, daily.

use std::time::Duration;

use app::App;
use domain::Timestamp;
use store::FileStore;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::reason::one_line;

/// How often.
const SWEEP_INTERVAL: Duration = Duration::from_hours(24);

/// Where an earlier life may have left uploads half written.
pub(super) struct Left {
    pub(super) files: FileStore,
    /// When this life began; nobody else lives in the folder.
    pub(super) before: Timestamp,
}

/// Begins to sweep, at once and then daily, until the task is aborted. Being stopped between two
/// files leaves nothing half done.
pub(super) fn begin(app: App, left: Left) -> JoinHandle<()> {
    tokio::spawn(async move {
        sweep_left(&left).await;
        let mut days = interval(SWEEP_INTERVAL);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            days.tick().await;
            match app.sweep_files().await {
                Ok(0) => {}
                Ok(removed) => info!(removed, "removed files that no checklist has"),
                Err(error) => warn!(
                    error = one_line(&error.into()),
                    "removing files that no checklist has failed; next try tomorrow"
                ),
            }
        }
    })
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
