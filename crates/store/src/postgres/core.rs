//! What all transactions of one open database share, and what is done beside units of work.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use deadpool_postgres::{ClientWrapper, Pool};
use domain::{ChecklistId, Source, SubscriptionId, Template, Timestamp, VersionId};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{
    LeaseClock,
    asking::{TEXTS_KEPT_MAX, Text},
    deliveries::NUMBERED_MAX,
    lent::Lent,
    tx::{Begin, Tx},
    values::Moment,
};
use crate::{
    Destination, MasterKey, PostgresOptions, StoreError, cache::Cache, statements::StatementCount,
};

/// Editions of templates kept in memory. Running checklists use few at a time.
const EDITIONS_KEPT_MAX: usize = 512;
/// Destinations kept in memory: all of a large team's.
const DESTINATIONS_KEPT_MAX: usize = 20_000;
/// Checklists of which it is kept in memory from which edition they were made.
const CHECKLISTS_KEPT_MAX: usize = 100_000;
/// Identifiers set aside for the deliveries of one event: more than a team may have subscriptions.
const DELIVERY_IDS: u128 = 1 << 20;
/// An answer that took longer says too little about the time.
const MEASURE_MILLIS_MAX: i64 = 1_000;

/// What all transactions of one store share.
pub(super) struct Core {
    pub(super) source: Source,
    pub(super) key: MasterKey,
    pub(super) editions: Cache<VersionId, Template>,
    pub(super) versions: Cache<ChecklistId, VersionId>,
    pub(super) destinations: Cache<(SubscriptionId, i64), Destination>,
    /// For what is done beside units of work. Nobody who has a connection of it waits for another.
    pub(super) side: Pool,
    /// How a transaction begins that changes something.
    pub(super) begin_write: String,
    /// By whose clock leases lapse.
    pub(super) lease_clock: LeaseClock,
    /// Whether connections may be another client's from one transaction to the next.
    pub(super) pooled: bool,
    pub(super) texts_known: Cache<String, Text>,
    pub(super) statements: StatementCount,
    last_delivery: Mutex<u128>,
    /// Milliseconds that the database's clock is ahead of this node's.
    ahead: AtomicI64,
    /// Every text that was run, for the test that explains them.
    #[cfg(test)]
    pub(super) texts: Mutex<std::collections::BTreeSet<String>>,
}

impl Core {
    /// What a store opened with `options` shares; `side` is for what is done beside units of work.
    pub(super) fn new(options: &PostgresOptions, begin_write: String, side: Pool) -> Self {
        Self {
            source: options.source.clone(),
            key: options.key.clone(),
            editions: Cache::new(EDITIONS_KEPT_MAX),
            versions: Cache::new(CHECKLISTS_KEPT_MAX),
            destinations: Cache::new(DESTINATIONS_KEPT_MAX),
            side,
            begin_write,
            lease_clock: options.lease_clock,
            pooled: options.access.pooler,
            texts_known: Cache::new(TEXTS_KEPT_MAX),
            statements: options.statements.clone(),
            last_delivery: Mutex::new(0),
            ahead: AtomicI64::new(0),
            #[cfg(test)]
            texts: Mutex::default(),
        }
    }

    /// Sets [`DELIVERY_IDS`] identifiers aside, greater than all before, from `fresh` on or later; answers the
    /// first of them.
    pub(super) fn delivery_ids(&self, fresh: u128) -> u128 {
        let mut last = self.last();
        let first = fresh.max(last.saturating_add(1));
        *last = first.saturating_add(DELIVERY_IDS);
        first
    }

    /// A moment of this node's clock by the clock that leases lapse by.
    pub(super) fn lease_time(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis() + self.ahead.load(Ordering::Relaxed))
    }

    /// Has the identifiers of deliveries be greater than all that are there, should the clock have gone
    /// back since. Those of nodes that run at the same time are in the order of their clocks.
    pub(super) async fn begin_after_all(&self, conn: &ClientWrapper) -> Result<(), Error> {
        let sql = "SELECT id FROM delivery ORDER BY id DESC LIMIT 1";
        if let Some(row) = conn.query_typed_opt(sql, &[]).await? {
            let last = row.try_get::<_, Uuid>(0)?.as_u128();
            *self.last() = last;
        }
        Ok(())
    }

    /// Does `work` in a transaction of its own, beside whatever else is going on.
    pub(super) async fn beside<T>(
        self: &Arc<Self>,
        work: impl AsyncFnOnce(&mut Tx<'_, ()>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let conn = Lent::of(&self.side).await?;
        let mut tx = Tx::begin(&conn, self, Begin::Write).await;
        let done = work(&mut tx).await;
        let ended = tx.end(done.is_ok()).await;
        conn.give_back(&ended);
        match ended {
            Ok(_) => done,
            Err(lost) => Err(lost.error),
        }
    }

    /// Gives a sequence to all deliveries up to `last` that have none.
    pub(super) async fn number(self: &Arc<Self>, last: Uuid) -> Result<(), StoreError> {
        let number = async |tx: &mut Tx<'_, ()>| tx.number(last).await;
        while self.beside(number).await? >= NUMBERED_MAX.unsigned_abs() {}
        Ok(())
    }

    fn last(&self) -> MutexGuard<'_, u128> {
        self.last_delivery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G> Tx<'_, G> {
    /// Measures how far the database's clock is ahead. Wrong by no more than half the time that the answer
    /// takes; a lease outlasts its request by much more than that.
    pub(super) async fn measure(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT clock_timestamp()";
        let sent = self.core.source.now();
        let there = self
            .one(sql, &[], |row| Ok(row.try_get::<_, Moment>(0)?.0))
            .await?;
        let back = self.core.source.now();
        let took = back.as_millis() - sent.as_millis();
        if (0..MEASURE_MILLIS_MAX).contains(&took) {
            let here = sent.as_millis() + took / 2;
            let ahead = there.as_millis() - here;
            self.core.ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }
}
