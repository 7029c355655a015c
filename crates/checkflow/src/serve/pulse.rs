//! Whether the database still takes writes, asked every few seconds, and at once when a unit of work came back
//! because it was not available.
//!
//! `/health/ready` must answer at once, so it reads what was found here last. The write changes
//! nothing and so costs no sync; what it proves is that the thread that writes takes its turn, or that there
//! is a connection that does. The log says here and nowhere else, once each, that the database is away and that it
//! is back; whoever wanted something of it meanwhile, a request or a task of ours, only says so to those who look
//! closely (`debug`). The file store has the same ([`files`]).

mod course;
mod files;

use std::time::{Duration, Instant};

use store::{FileStore, Store, StoreError, Write, WriteTx};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use self::course::{Course, Turn};
use crate::reason::one_line;

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

/// What was found last.
pub(super) struct Found {
    pub(super) database: watch::Receiver<Trouble>,
    /// Whether the files can be got at; none where there are none.
    pub(super) files: Option<watch::Receiver<bool>>,
}

/// Begins to ask. It begins with a database and files that are well, for they have just been opened.
pub(super) fn begin(store: Store, files: Option<FileStore>) -> (Found, Vec<JoinHandle<()>>) {
    let (database, asking) = ask_on(store);
    let (files, looking) = files.map(files::begin).unzip();
    let found = Found { database, files };
    (found, looking.into_iter().chain([asking]).collect())
}

fn ask_on(store: Store) -> (watch::Receiver<Trouble>, JoinHandle<()>) {
    let (tell, told) = watch::channel(None);
    let asking = tokio::spawn(async move {
        let mut course = Course::new();
        loop {
            let (trouble, cause) = ask(&store).await;
            match course.looked(trouble.is_none(), Instant::now()) {
                Turn::None => {}
                Turn::Begins => warn!(
                    cause,
                    "the database is away or takes no writes: requests are answered 503 and nothing \
                     new is sent until it does"
                ),
                Turn::Ends(after) => info!(?after, "the database takes writes again"),
                Turn::Passed(cause) => {
                    warn!(
                        cause,
                        "work on the database was put off, though it takes writes"
                    );
                }
            }
            // Who asks whether the server is ready finds in the log why it is not.
            tell.send_replace(trouble);
            course.rest(store.troubled()).await;
        }
    });
    (told, asking)
}

/// What is wrong, and for the log why.
async fn ask(store: &Store) -> (Trouble, String) {
    // First, because a database of which nothing is heard is known by this in a fraction of the time that a unit
    // of work waits for it. One that has much to do gives it as well: it waits for nobody's turn.
    if !store.gives_sign().await {
        return (AWAY, "nothing is heard of it".to_owned());
    }
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
