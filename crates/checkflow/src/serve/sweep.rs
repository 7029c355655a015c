//! Once a day, bytes of files that no row tells of are removed.

use std::time::Duration;

use app::App;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

/// How often.
const SWEEP_INTERVAL: Duration = Duration::from_hours(24);

/// Begins to sweep, at once and then daily, until the task is aborted. Being stopped between two
/// files leaves nothing half done.
pub(crate) fn begin(app: App) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut days = interval(SWEEP_INTERVAL);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            days.tick().await;
            match app.sweep_files().await {
                Ok(0) => {}
                Ok(removed) => info!(removed, "removed files that no checklist has"),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    warn!(
                        error = format!("{error:#}"),
                        "removing files that no checklist has failed; next try tomorrow"
                    );
                }
            }
        }
    })
}
