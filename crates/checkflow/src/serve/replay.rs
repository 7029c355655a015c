//! Redelivery jobs are worked off by one of the nodes, for as long as any runs.

use std::time::Duration;

use delivery::Replayer;
use domain::Source;
use store::{Chore, Store};
use tokio::{task::JoinHandle, time::sleep};
use tracing::{debug, warn};

use super::chore;
use crate::reason::one_line;

/// Done again as soon as there is something to do.
const REPLAY: Chore = Chore {
    name: "redelivery jobs",
    every: Duration::ZERO,
    // Who is killed is succeeded after that.
    lease: Duration::from_secs(5),
};
/// How often it is looked whether a job runs. By reading: a server without jobs writes nothing for it.
const LOOK: Duration = Duration::from_secs(1);

/// Begins to work jobs off, until the task is aborted.
pub(super) fn begin(store: Store, source: Source) -> JoinHandle<()> {
    let replayer = Replayer::new(store.clone(), source.clone());
    tokio::spawn(async move {
        loop {
            match replayer.has_work().await {
                Ok(true) => {
                    chore::attend_once(&store, &source, REPLAY, work(&replayer)).await;
                }
                Ok(false) => {}
                Err(error) => {
                    let error = one_line(&error.into());
                    debug!(error, "whether a redelivery job runs could not be asked");
                }
            }
            sleep(LOOK).await;
        }
    })
}

async fn work(replayer: &Replayer) {
    match replayer.round().await {
        Ok(()) => {}
        Err(error) if error.is_away() => {}
        Err(error) => warn!(
            error = one_line(&error.into()),
            "working redelivery jobs off failed; tried again in a moment"
        ),
    }
}
