//! Chains of deliveries that are sent in order: finding out what is before one, and letting the next go.

use async_trait::async_trait;
use domain::{ChecklistId, DeliveryId, SubscriptionId, Timestamp};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{BEHIND_ANOTHER, Chain, NOT_YET, ReadChains, StoreError, WriteChains};

#[async_trait]
impl<G: Send> ReadChains for Tx<'_, G> {
    async fn chain_stuck(&mut self, limit: u32) -> Result<Vec<Chain>, StoreError> {
        let sql = "SELECT subscription_id, chain FROM delivery INDEXED BY delivery_chain
            WHERE chain IS NOT NULL AND state IN ('waiting', 'leased')
            GROUP BY subscription_id, chain HAVING min(behind) > 0 LIMIT ?1";
        self.all(sql, [limit], chain)
    }
}

#[async_trait]
impl WriteChains for Change<'_> {
    async fn chain_let_go(&mut self, chains: &[Chain]) -> Result<(), StoreError> {
        for chain in chains {
            self.let_next_go(*chain)?;
        }
        Ok(())
    }
}

impl Change<'_> {
    /// The place of what is new in a chain: 0 where nothing is before it.
    pub(super) fn place_behind(&self, chain: Chain) -> Result<i64, StoreError> {
        let sql = "SELECT behind FROM delivery INDEXED BY delivery_chain
            WHERE subscription_id = ?1 AND chain = ?2 AND state IN ('waiting', 'leased')
            ORDER BY behind DESC LIMIT 1";
        let bound = params![chain.subscription.uuid(), chain.checklist.get()];
        let last: Option<i64> = self.first(sql, bound, |row| Ok(row.get(0)?))?;
        Ok(last.map_or(0, |last| last + 1))
    }

    /// Whether any delivery at all is in a chain. What no subscription asks for costs one look for many
    /// settlements.
    pub(super) fn has_chains(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM delivery INDEXED BY delivery_chain
            WHERE chain IS NOT NULL AND state IN ('waiting', 'leased') LIMIT 1";
        Ok(self.first(sql, (), |_| Ok(()))?.is_some())
    }

    /// A delivery is through: lets the next of its chain go, if it is in one.
    pub(super) fn through(&mut self, delivery: DeliveryId) -> Result<(), StoreError> {
        let sql = "SELECT subscription_id, chain FROM delivery WHERE id = ?1 AND chain IS NOT NULL";
        match self.first(sql, [delivery.uuid()], chain)? {
            Some(chain) => self.let_next_go(chain),
            None => Ok(()),
        }
    }

    /// Lets the first of a chain go if it waits behind nobody. Then it is due since its event, and so before what
    /// came later to its lane.
    pub(super) fn let_next_go(&mut self, chain: Chain) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET behind = 0, reason = '',
                due_at = (SELECT at FROM event WHERE number = delivery.event)
            WHERE behind > 0 AND id = (SELECT id FROM delivery INDEXED BY delivery_chain
                WHERE subscription_id = ?1 AND chain = ?2 AND state IN ('waiting', 'leased')
                ORDER BY behind LIMIT 1)";
        let bound = params![chain.subscription.uuid(), chain.checklist.get()];
        if self.run(sql, bound)? > 0 {
            self.gathered.due(chain.subscription);
        }
        Ok(())
    }
}

/// When a delivery is due at first that has this place in its chain.
pub(super) const fn first_due(behind: Option<i64>, at: Timestamp) -> Timestamp {
    match behind {
        Some(1..) => NOT_YET,
        _ => at,
    }
}

/// Why it waits then.
pub(super) const fn first_reason(behind: Option<i64>) -> &'static str {
    match behind {
        Some(1..) => BEHIND_ANOTHER,
        _ => "",
    }
}

pub(super) fn chain(row: &Row<'_>) -> Result<Chain, Fault> {
    Ok(Chain {
        subscription: SubscriptionId::new(row.guid(0)?),
        checklist: ChecklistId::new(row.get(1)?),
    })
}
