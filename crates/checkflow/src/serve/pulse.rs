//! Whether the database still takes writes, asked every few seconds, and at once when a unit of work came back
//! because it was not available.
//!
//! `/health/ready` must answer at once, so it reads what was found here last. The write changes
//! nothing and so costs no sync; what it proves is that the thread that writes takes its turn, or that there
//! is a connection that does. The log says here, once each, that the database is away and that it is back;
//! whoever was asked for something meanwhile only answers that it can't be done.

use std::time::{Duration, Instant};

use store::{Store, StoreError, Write, WriteTx};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::reason::one_line;

/// How often.
const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// The same while it is not well, so that it is soon known when it is again.
const AWAY_INTERVAL: Duration = Duration::from_millis(500);
/// Least time between two questions.
const PULSE_PAUSE: Duration = Duration::from_millis(100);
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

/// What is wrong with the database, in words for `/health/ready`; none while it is well.
pub(super) type Trouble = Option<&'static str>;

const AWAY: Trouble = Some("the database is not available at the moment; the log says why");
const NO_WRITES: Trouble = Some("the database takes no writes at the moment; the log says why");

/// Begins to ask. It begins with a database that is well, for it has just been opened.
pub(super) fn begin(store: Store) -> (watch::Receiver<Trouble>, JoinHandle<()>) {
    let (tell, told) = watch::channel(None);
    let asking = tokio::spawn(async move {
        let mut since: Option<Instant> = None;
        loop {
            let (trouble, cause) = ask(&store).await;
            tell.send_replace(trouble);
            match (trouble, since) {
                (Some(_), None) => {
                    since = Some(Instant::now());
                    warn!(
                        cause,
                        "the database is away or takes no writes: requests are answered 503 and nothing \
                         new is sent until it does"
                    );
                }
                (None, Some(begun)) => {
                    since = None;
                    let after = begun.elapsed();
                    info!(?after, "the database takes writes again");
                }
                _ => {}
            }
            sleep(PULSE_PAUSE).await;
            if since.is_some() {
                sleep(AWAY_INTERVAL).await;
                continue;
            }
            tokio::select! {
                () = sleep(PULSE_INTERVAL) => {}
                () = store.troubled() => {}
            }
        }
    });
    (told, asking)
}

/// What is wrong, and for the log why.
async fn ask(store: &Store) -> (Trouble, String) {
    match timeout(PULSE_TIMEOUT, store.write(Nothing)).await {
        Ok(Ok(())) => (None, String::new()),
        Ok(Err(error @ StoreError::Unavailable(_))) => (AWAY, one_line(&error.into())),
        Ok(Err(error)) => (NO_WRITES, one_line(&error.into())),
        Err(_) => (
            NO_WRITES,
            format!("a write took longer than {PULSE_TIMEOUT:?}"),
        ),
    }
}
