//! Chains of deliveries that are sent in order: letting the next go.
//!
//! No transaction of a chain waits for another. Whoever adds a delivery sees whether one is before it that is
//! not through; whoever sees one through may do so at the same moment, and neither sees the other. So both ask,
//! after their commit, for the first of the chain to be let go: of two transactions the one that is committed
//! last is seen with the other by whoever asks for it. That one may go is decided on what is committed: those
//! before it were committed before it came, because both were added under the lock of their checklist, and
//! what is through stays so. Where a node ends before it has asked, [`crate::ReadChains::chain_stuck`] finds it.

use async_trait::async_trait;
use domain::{ChecklistId, SubscriptionId};
use uuid::Uuid;

use super::{
    hints::Fresh,
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{Chain, ReadChains, StoreError, WriteChains};

#[async_trait]
impl<G: Send> ReadChains for Tx<'_, G> {
    async fn chain_stuck(&mut self, limit: u32) -> Result<Vec<Chain>, StoreError> {
        let sql = "SELECT subscription_id, chain FROM delivery
            WHERE chain IS NOT NULL AND state IN ('waiting', 'leased')
            GROUP BY subscription_id, chain HAVING min(behind) > 0 LIMIT $1";
        self.all(sql, &[&i64::from(limit)], |row| {
            Ok(Chain {
                subscription: SubscriptionId::new(row.guid(0)?),
                checklist: ChecklistId::new(row.cell(1)?),
            })
        })
        .await
    }
}

#[async_trait]
impl WriteChains for Change<'_> {
    async fn chain_let_go(&mut self, chains: &[Chain]) -> Result<(), StoreError> {
        let lanes = self.let_first_go(chains).await?;
        self.fresh.extend(lanes.into_iter().map(Fresh::Due));
        Ok(())
    }
}

impl<G: Send> Tx<'_, G> {
    /// Lets the first of each chain go that waits behind nobody: it is due since its event, and so before what
    /// came later to its lane. Answers the lanes of those that were.
    pub(super) async fn let_first_go(
        &mut self,
        chains: &[Chain],
    ) -> Result<Vec<SubscriptionId>, StoreError> {
        let sql = "UPDATE delivery d SET behind = 0, reason = '', due_at = e.at
            FROM unnest($1::uuid[], $2::bigint[]) AS given (lane, chain)
                CROSS JOIN LATERAL (
                    SELECT id FROM delivery
                    WHERE subscription_id = given.lane AND chain = given.chain
                        AND state IN ('waiting', 'leased')
                    ORDER BY behind LIMIT 1) first,
                event e
            WHERE d.id = first.id AND d.behind > 0 AND d.state = 'waiting' AND e.id = d.event
            RETURNING d.subscription_id";
        let lanes: Vec<Uuid> = chains.iter().map(|of| of.subscription.uuid()).collect();
        let lists: Vec<i64> = chains.iter().map(|of| of.checklist.get()).collect();
        self.all(sql, &[&lanes, &lists], |row| {
            Ok(SubscriptionId::new(row.guid(0)?))
        })
        .await
    }
}
