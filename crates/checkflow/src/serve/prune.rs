//! What is older than it is to be kept is removed, every few minutes, by one of the nodes.

use std::{sync::Arc, time::Duration};

use delivery::{Keeping, Peers, Pruner, Removed};
use domain::Source;
use store::{Chore, Store};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::chore;
use crate::reason::one_line;

/// How often what is too old is looked for.
const PRUNE: Chore = Chore {
    name: "prune the log",
    every: Duration::from_mins(5),
    lease: Duration::from_mins(1),
};

/// How often answers are looked for that nobody asks for again.
const FORGET: Chore = Chore {
    name: "forget answers",
    every: Duration::from_mins(10),
    lease: Duration::from_mins(1),
};

/// Of what nodes that differ prune nothing.
const SECTION: &str = "keeping.";

/// Begins to prune, until the task is aborted. Being stopped between two slices leaves nothing half done, and what
/// two nodes prune is gone once.
pub(super) fn begin(
    store: Store,
    source: Source,
    keeping: Keeping,
    peers: Arc<Peers>,
) -> JoinHandle<()> {
    let pruner = Arc::new(Pruner::new(store.clone(), source.clone(), keeping));
    tokio::spawn(async move {
        let forget = || forget(store.clone(), source.clone());
        let forgetting = chore::attend(store.clone(), source.clone(), FORGET, forget);
        let prune = || prune(pruner.clone(), peers.clone());
        let pruning = chore::attend(store.clone(), source.clone(), PRUNE, prune);
        tokio::join!(forgetting, pruning);
    })
}

/// Removes what was answered under an `Idempotency-Key` a day ago.
async fn forget(store: Store, source: Source) {
    match app::forget_answers(&store, source.now()).await {
        Ok(0) => {}
        Ok(answers) => info!(answers, "forgot what was answered a day ago"),
        Err(error) if error.is_away() => {}
        Err(error) => warn!(
            error = one_line(&error.into()),
            "forgetting old answers failed; next try in a few minutes"
        ),
    }
}

async fn prune(pruner: Arc<Pruner>, peers: Arc<Peers>) {
    // What is removed does not come back, so nodes have to agree about it first. They say where they do not.
    let differing = peers.differing();
    if differing.iter().any(|name| name.starts_with(SECTION)) {
        return;
    }
    match pruner.round().await {
        Ok(removed) if removed == Removed::default() => {}
        Ok(removed) => {
            let Removed {
                events,
                deliveries,
                expired,
                bodies,
                answers,
                jobs,
            } = removed;
            info!(
                events,
                deliveries,
                expired,
                bodies,
                answers,
                jobs,
                "removed what was older than it is to be kept"
            );
        }
        Err(error) if error.is_away() => {}
        Err(error) => warn!(
            error = one_line(&error.into()),
            "removing what is older than it is to be kept failed; next try in a few minutes"
        ),
    }
}
