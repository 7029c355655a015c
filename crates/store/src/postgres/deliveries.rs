//! Taking, settling, giving back and rescuing deliveries.

mod leasing;
mod log;
mod page;
mod settling;

use async_trait::async_trait;
use domain::{DeliveryId, NodeId, SubscriptionId, TeamId, Timestamp};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    hints::Fresh,
    subscriptions::STATE,
    tx::{Change, owned},
    values::{Cells as _, Moment},
};
use crate::{
    Lease, PutOff, Redeliverable, Redelivery, Rescue, Settled, Settlement, StoreError, Take, Taken,
    WriteDeliveries, place::Place, sql,
};
pub(super) use leasing::{LeaseTerms, NUMBERED_MAX};
pub(super) use settling::through;

pub(super) const DELIVERY_STATE: Place = Place {
    table: "delivery",
    column: "state",
};
pub(super) const ATTEMPTS: Place = Place {
    table: "delivery",
    column: "attempts",
};

#[async_trait]
impl WriteDeliveries for Change<'_> {
    async fn delivery_take(
        &mut self,
        takes: &[Take],
        node: NodeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Taken, StoreError> {
        let terms = LeaseTerms { node, now, until };
        let (deliveries, passed_over) = self.lease_due(takes, terms).await?;
        let gave_less = |take: &Take| {
            let mut given = deliveries
                .iter()
                .map(|leased| &leased.destination)
                .filter(|to| to.subscription == take.subscription)
                .peekable();
            // No more than begins in a second, as the statement has it.
            let rate = given.peek().and_then(|to| to.settings.rate_per_second);
            let might = take.limit.min(rate.unwrap_or(u32::MAX));
            let less = u32::try_from(given.count()).is_ok_and(|given| given < might);
            less && !passed_over.contains(&take.subscription)
        };
        // A lane that gave less than it might has no more, but for what another is taking just now. One
        // that gave all it might is looked at again.
        let full: Vec<&Take> = takes.iter().filter(|take| !gave_less(take)).collect();
        let empty = self.without_more(&full, now).await?;
        let is_drained = |take: &&Take| gave_less(take) || empty.contains(&take.subscription);
        let drained = takes.iter().filter(is_drained);
        let drained = drained.map(|take| take.subscription).collect();
        Ok(Taken {
            deliveries,
            drained,
        })
    }

    async fn delivery_settle(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, StoreError> {
        self.settle(settlements).await
    }

    async fn delivery_give_back(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // One that was never sent goes back to the place that it had by the time of its event, so
        // that first attempts stay in order.
        let sql = "UPDATE delivery d SET attempts = d.attempts - 1,
                state = CASE WHEN d.cancelled_by IS NULL THEN 'waiting'
                    WHEN d.delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END,
                due_at = CASE WHEN d.cancelled_by IS NOT NULL THEN NULL
                    WHEN d.attempts = 1 THEN e.at ELSE $4 END,
                lease_node = NULL, lease_until = NULL
            FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS given (id, attempt, node), event e
            WHERE d.id = given.id AND d.state = 'leased' AND d.attempts = given.attempt
                AND d.lease_node = given.node AND e.id = d.event
            RETURNING d.subscription_id, CASE WHEN d.state <> 'waiting' THEN d.chain END";
        let ids: Vec<Uuid> = leases.iter().map(|lease| lease.delivery.uuid()).collect();
        let attempts: Vec<i64> = leases
            .iter()
            .map(|lease| i64::from(lease.attempt))
            .collect();
        let nodes: Vec<Uuid> = leases.iter().map(|lease| lease.node.uuid()).collect();
        let bound: [&(dyn ToSql + Sync); 4] = [&ids, &attempts, &nodes, &Moment(now)];
        let lanes = self
            .all(sql, &bound, |row| {
                let due = Fresh::Due(SubscriptionId::new(row.guid(0)?));
                Ok(through(row, 0)?.unwrap_or(due))
            })
            .await?;
        self.fresh.extend(lanes);
        Ok(())
    }

    async fn delivery_put_off(&mut self, put_off: &[PutOff]) -> Result<(), StoreError> {
        let sql = "UPDATE delivery d SET attempts = d.attempts - 1,
                state = CASE WHEN d.cancelled_by IS NULL THEN 'waiting'
                    WHEN d.delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END,
                due_at = CASE WHEN d.cancelled_by IS NULL THEN given.due_at END,
                reason = given.reason, last_ended_at = given.at, last_outcome = given.outcome, lease_node = NULL, lease_until = NULL
            FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[],
                $6::timestamptz[], $7::text[])
                AS given (id, attempt, node, due_at, reason, at, outcome)
            WHERE d.id = given.id AND d.state = 'leased' AND d.attempts = given.attempt
                AND d.lease_node = given.node
            RETURNING d.subscription_id, CASE WHEN d.state <> 'waiting' THEN d.chain END";
        let of = |lease: &PutOff| lease.lease;
        let ids: Vec<Uuid> = put_off.iter().map(|one| of(one).delivery.uuid()).collect();
        let attempts: Vec<i64> = put_off.iter().map(|one| of(one).attempt.into()).collect();
        let nodes: Vec<Uuid> = put_off.iter().map(|one| of(one).node.uuid()).collect();
        let due: Vec<Moment> = put_off.iter().map(|one| Moment(one.due_at)).collect();
        let reasons: Vec<&str> = put_off.iter().map(|one| &*one.reason).collect();
        let at: Vec<Moment> = put_off.iter().map(|one| Moment(one.at)).collect();
        let outcomes: Vec<&str> = put_off.iter().map(|one| one.outcome.word()).collect();
        let bound: [&(dyn ToSql + Sync); 7] =
            [&ids, &attempts, &nodes, &due, &reasons, &at, &outcomes];
        let through = self.all(sql, &bound, |row| through(row, 0)).await?;
        self.fresh.extend(through.into_iter().flatten());
        Ok(())
    }

    async fn delivery_rescue(
        &mut self,
        which: Rescue,
        now: Timestamp,
        attempts_max: u32,
        limit: u32,
    ) -> Result<u32, StoreError> {
        self.rescue(which, now, attempts_max, limit).await
    }

    async fn delivery_redeliver(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        let sql = "SELECT d.subscription_id, d.state, s.state,
                (SELECT octet_length(body) > 0 FROM event WHERE id = d.event)
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = $1 AND d.team_id = $2 FOR NO KEY UPDATE OF d";
        let found = self
            .first(sql, &[&id.uuid(), &team.get()], |row| {
                Ok(Redeliverable {
                    subscription: SubscriptionId::new(row.guid(0)?),
                    state: row.word(1, DELIVERY_STATE)?,
                    of: row.word(2, STATE)?,
                    has_body: row.cell(3)?,
                })
            })
            .await?;
        let subscription = match found.map_or(Err(Redelivery::NotThere), Redeliverable::check) {
            Ok(subscription) => subscription,
            Err(refused) => return Ok(refused),
        };
        let sql = sql::DELIVERY_REDELIVER;
        self.later(sql, owned![by.to_owned(), Moment(now), id.uuid()])
            .await?;
        self.fresh.push(Fresh::Due(subscription));
        Ok(Redelivery::Due(subscription))
    }
}

impl Change<'_> {
    /// Those of the lanes in which nothing is due.
    async fn without_more(
        &mut self,
        takes: &[&Take],
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>, StoreError> {
        if takes.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT lane FROM unnest($1::uuid[]) AS given (lane)
            WHERE NOT EXISTS (SELECT 1 FROM delivery d
                WHERE d.subscription_id = given.lane AND d.state = 'waiting' AND d.due_at <= $2
                    AND coalesce(d.behind, 0) = 0)";
        let lanes: Vec<Uuid> = takes.iter().map(|take| take.subscription.uuid()).collect();
        self.all(sql, &[&lanes, &Moment(now)], |row| {
            Ok(SubscriptionId::new(row.guid(0)?))
        })
        .await
    }
}
