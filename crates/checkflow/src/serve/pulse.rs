//! Whether the database still takes writes, asked every few seconds.
//!
//! `/health/ready` must answer at once, so it reads what was found here last. The write changes
//! nothing and so costs no sync; what it proves is that the thread that writes takes its turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{Store, StoreError, Write, WriteTx};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

/// How often.
const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a write may take; a database that needs longer is in no state to be sent more.
const PULSE_TIMEOUT: Duration = Duration::from_secs(10);

struct Nothing;

impl Write for Nothing {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, _: &mut dyn WriteTx) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Begins to ask. The flag tells what came of it last; it begins with yes, for the database has
/// just been opened.
pub(super) fn begin(store: Store) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let well = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&well);
    let asking = tokio::spawn(async move {
        let mut turns = interval(PULSE_INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let now = matches!(
                timeout(PULSE_TIMEOUT, store.write(Nothing)).await,
                Ok(Ok(()))
            );
            let before = flag.swap(now, Ordering::AcqRel);
            if before && !now {
                warn!("the database takes no writes; not ready until it does");
            }
            if now && !before {
                info!("the database takes writes again");
            }
        }
    });
    (well, asking)
}
