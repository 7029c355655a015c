//! Looks for chains that nobody let go: deliveries of subscriptions with order per checklist that wait although
//! nothing is before them, because a node ended between seeing the one before through and letting them go.
//!
//! Nothing depends on it but how long such a chain waits.

use std::time::Duration;

use domain::Timestamp;
use store::{Chain, Read, ReadTx, Store, StoreError, Write, WriteTx};

/// How often it is looked for, beside at the start. It reads an entry of an index for each delivery with order that is
/// not through.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Chains that are let go in one transaction.
const SLICE_MAX: u32 = 256;

pub(crate) struct ChainKeeper {
    store: Store,
    looked_at: Option<Timestamp>,
}

impl ChainKeeper {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            looked_at: None,
        }
    }

    /// Lets a slice of them go when it is time to look; whether there were any.
    pub(crate) async fn look(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let looked_before = |at: Timestamp| now >= at && now.since(at) < LOOK_INTERVAL;
        if self.looked_at.is_some_and(looked_before) {
            return Ok(false);
        }
        let stuck = self.store.read(FindStuck).await?;
        if stuck.len() < usize::try_from(SLICE_MAX).unwrap_or(usize::MAX) {
            self.looked_at = Some(now);
        }
        if stuck.is_empty() {
            return Ok(false);
        }
        tracing::info!(
            count = stuck.len(),
            "checklists whose next delivery nobody had let go"
        );
        self.store.write(LetGo(stuck)).await?;
        Ok(true)
    }
}

struct FindStuck;

impl Read for FindStuck {
    type Done = Vec<Chain>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<Chain>, StoreError> {
        tx.chain_stuck(SLICE_MAX).await
    }
}

struct LetGo(Vec<Chain>);

impl Write for LetGo {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.chain_let_go(&self.0).await
    }
}
