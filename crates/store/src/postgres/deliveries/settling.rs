//! What becomes of deliveries after an attempt, or after a lease that nobody settled.

use std::collections::HashSet;

use domain::{ChecklistId, Outcome, ReplayJobId, SubscriptionId, Timestamp};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::super::{
    fault::Fault,
    hints::Fresh,
    nodes::ALIVE,
    tx::{Change, Owned, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{
    ATTEMPTS_USED_UP, Chain, LEASE_LAPSED, Lease, Rescue, Settled, Settlement, StoreError,
};

/// Which lease a settlement is by: the delivery, the attempt, the node.
#[derive(PartialEq, Eq, Hash)]
struct Right(Uuid, i64, Uuid);

impl Right {
    fn of(lease: &Lease) -> Self {
        let (delivery, node) = (lease.delivery.uuid(), lease.node.uuid());
        Self(delivery, i64::from(lease.attempt), node)
    }
}

/// A column of all settlements, in their order.
fn column<T>(of: &[&Settlement], value: impl Fn(&Settlement) -> T) -> Vec<T> {
    of.iter().map(|settlement| value(settlement)).collect()
}

/// The columns of whose leases these are and what came of their attempts, as both statements number them.
fn outcomes(of: &[&Settlement]) -> Vec<Owned> {
    owned![
        column(of, |one| one.lease.delivery.uuid()),
        column(of, |one| i64::from(one.lease.attempt)),
        column(of, |one| one.lease.node.uuid()),
        column(of, |one| one.reason.clone()),
        column(of, |one| Moment(one.ended_at())),
        column(of, |one| one.attempt.outcome.word()),
        column(of, |one| one.attempt.status.map(i64::from)),
        column(of, |one| Moment(one.attempt.started_at)),
        column(of, |one| i64::from(one.attempt.duration_ms)),
        column(of, |one| one.attempt.target.clone()),
        column(of, |one| one.attempt.signature.clone()),
        column(of, |one| one.attempt.response_headers.clone()),
        column(of, |one| one.attempt.response_body.to_vec()),
        column(of, |one| one.attempt.response_truncated),
    ]
}

/// What there is to do about the chain of one that is through, if it is in one: columns of its subscription and of
/// its chain.
pub(in crate::postgres) fn through(row: &Row, at: usize) -> Result<Option<Fresh>, Fault> {
    let subscription = SubscriptionId::new(row.guid(at)?);
    let checklist: Option<i64> = row.cell(at + 1)?;
    Ok(checklist.map(|checklist| {
        Fresh::Chain(Chain {
            subscription,
            checklist: ChecklistId::new(checklist),
        })
    }))
}

impl Change<'_> {
    pub(super) async fn settle(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, StoreError> {
        settlements.iter().try_for_each(Settlement::check)?;
        // One lease is settled once, also when it is named twice.
        let mut named = HashSet::new();
        let once: Vec<bool> = settlements
            .iter()
            .map(|settlement| named.insert(Right::of(&settlement.lease)))
            .collect();
        let of = |first: bool| -> Vec<&Settlement> {
            let chosen = settlements
                .iter()
                .zip(&once)
                .filter(|(settlement, once)| **once && settlement.is_straightforward() == first);
            chosen.map(|(settlement, _)| settlement).collect()
        };
        let mut stored = self.settle_first(&of(true)).await?;
        stored.extend(self.settle_others(&of(false)).await?);
        Ok(settlements
            .iter()
            .zip(once)
            .map(|(settlement, once)| {
                if once && stored.contains(&Right::of(&settlement.lease)) {
                    Settled::Stored
                } else {
                    Settled::LeaseLost
                }
            })
            .collect())
    }

    /// First attempts that the receiver took: no row but the delivery's own.
    async fn settle_first(&mut self, of: &[&Settlement]) -> Result<HashSet<Right>, StoreError> {
        if of.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = "UPDATE delivery d SET
                state = 'delivered', reason = v.reason, due_at = NULL, delivered_at = v.ended,
                lease_node = NULL, lease_until = NULL, manual_by = NULL,
                last_ended_at = v.ended, last_outcome = v.outcome, last_status = v.status,
                first_started_at = v.started, first_duration_ms = v.duration,
                first_status = v.status, first_target = v.target, first_signature = v.signature,
                first_response_headers = v.headers, first_response_body = v.body,
                first_response_truncated = v.truncated
            FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[],
                $6::text[], $7::bigint[], $8::timestamptz[], $9::bigint[], $10::text[],
                $11::text[], $12::text[], $13::bytea[], $14::boolean[])
                AS v (id, attempt, node, reason, ended, outcome, status, started, duration,
                    target, signature, headers, body, truncated)
            WHERE d.id = v.id AND d.state = 'leased' AND d.attempts = v.attempt
                AND d.lease_node = v.node
            RETURNING d.id, d.attempts, v.node, d.subscription_id, d.chain";
        self.stored(sql, outcomes(of)).await
    }

    async fn settle_others(&mut self, of: &[&Settlement]) -> Result<HashSet<Right>, StoreError> {
        if of.is_empty() {
            return Ok(HashSet::new());
        }
        // What was delivered once stays so, and what somebody stopped does not wait again. The right side of SET
        // sees the row as it was.
        let sql = "WITH v AS MATERIALIZED (
                SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[],
                    $5::timestamptz[], $6::text[], $7::bigint[], $8::timestamptz[], $9::bigint[],
                    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::boolean[],
                    $15::text[], $16::timestamptz[], $17::text[], $18::text[], $19::uuid[])
                AS v (id, attempt, node, reason, ended, outcome, status, started, duration,
                    target, signature, headers, body, truncated, state, due_at, error, manual_by,
                    replay)),
            settled AS (
                UPDATE delivery d SET
                    state = CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered'
                        WHEN v.state = 'waiting' AND d.cancelled_by IS NOT NULL THEN 'cancelled'
                        ELSE v.state END,
                    reason = CASE WHEN d.delivered_at IS NULL THEN v.reason ELSE d.reason END,
                    due_at = CASE WHEN d.delivered_at IS NULL AND d.cancelled_by IS NULL
                        THEN v.due_at END,
                    delivered_at = coalesce(d.delivered_at,
                        CASE WHEN v.state = 'delivered' THEN v.ended END),
                    lease_node = NULL, lease_until = NULL, manual_by = NULL, replay = NULL,
                    last_ended_at = v.ended, last_outcome = v.outcome, last_status = v.status
                FROM v
                WHERE d.id = v.id AND d.state = 'leased' AND d.attempts = v.attempt
                    AND d.lease_node = v.node
                RETURNING d.id, d.attempts, v.node, d.subscription_id,
                    CASE WHEN d.state <> 'waiting' THEN d.chain END AS chain)
            INSERT INTO attempt (delivery_id, number, manual_by, started_at, duration_ms,
                outcome, status, error, target, signature, response_headers, response_body,
                response_truncated, replay)
            SELECT v.id, v.attempt, v.manual_by, v.started, v.duration, v.outcome, v.status,
                v.error, v.target, v.signature, v.headers, v.body, v.truncated, v.replay
            FROM v JOIN settled s ON s.id = v.id AND s.attempts = v.attempt AND s.node = v.node
            RETURNING delivery_id, number, (SELECT node FROM settled s WHERE s.id = delivery_id),
                (SELECT subscription_id FROM settled s WHERE s.id = delivery_id),
                (SELECT chain FROM settled s WHERE s.id = delivery_id)";
        let mut bound = outcomes(of);
        bound.extend(owned![
            column(of, |one| one.state.word()),
            column(of, |one| moment(one.due_at)),
            column(of, |one| one.attempt.error.clone()),
            column(of, |one| one.attempt.manual_by.clone()),
            column(of, |one| one.attempt.replay.map(ReplayJobId::uuid)),
        ]);
        self.stored(sql, bound).await
    }

    async fn stored(&mut self, sql: &str, bound: Vec<Owned>) -> Result<HashSet<Right>, StoreError> {
        let bound: Vec<_> = bound.iter().map(|column| &**column as _).collect();
        let rows = self
            .all(sql, &bound, |row| {
                let right = Right(row.guid(0)?, row.cell(1)?, row.guid(2)?);
                Ok((right, through(row, 3)?))
            })
            .await?;
        let (rights, through): (HashSet<_>, Vec<_>) = rows.into_iter().unzip();
        self.fresh.extend(through.into_iter().flatten());
        Ok(rights)
    }

    /// Ends leases: writes for each an attempt of which nobody knows what came.
    pub(super) async fn rescue(
        &mut self,
        which: Rescue,
        now: Timestamp,
        attempts_max: u32,
        limit: u32,
    ) -> Result<u32, StoreError> {
        let sql = format!(
            "WITH lapsed AS MATERIALIZED (
                SELECT d.id, d.subscription_id, d.attempts, d.due_at, d.manual_by,
                    coalesce(d.replay, d.copied_by) AS replay,
                    d.delivered_at IS NOT NULL AS delivered_before,
                    d.cancelled_by IS NOT NULL AS cancelled, s.target_url,
                    d.attempts >= $3 AND s.state <> 'paused'
                        AND coalesce(s.resumed_at < d.due_at, true) AS used_up
                FROM delivery d JOIN subscription s ON s.id = d.subscription_id
                WHERE d.state = 'leased'
                    AND CASE WHEN $2::uuid IS NULL THEN d.lease_until < $8
                        ELSE d.lease_node <> $2 AND NOT EXISTS (
                            SELECT 1 FROM node n WHERE n.id = d.lease_node
                                AND n.seen_at > clock_timestamp() - interval '{ALIVE}') END
                ORDER BY d.lease_until LIMIT $4 FOR NO KEY UPDATE OF d SKIP LOCKED),
            tried AS (
                INSERT INTO attempt (delivery_id, number, manual_by, started_at, duration_ms,
                    outcome, status, error, target, signature, response_headers, response_body,
                    response_truncated, replay)
                SELECT l.id, l.attempts, l.manual_by, l.due_at, 0, $5, NULL, $6, l.target_url,
                    '', '', '', false, l.replay
                FROM lapsed l)
            UPDATE delivery d SET
                state = CASE WHEN l.delivered_before THEN 'delivered'
                    WHEN l.used_up THEN 'exhausted'
                    WHEN l.cancelled THEN 'cancelled' ELSE 'waiting' END,
                reason = CASE WHEN l.delivered_before THEN ''
                    WHEN l.used_up THEN $7 ELSE $6 END,
                due_at = CASE WHEN l.delivered_before OR l.cancelled OR l.used_up THEN NULL
                    ELSE $1::timestamptz END,
                lease_node = NULL, lease_until = NULL, manual_by = NULL, replay = NULL,
                last_ended_at = l.due_at, last_outcome = $5, last_status = NULL
            FROM lapsed l WHERE d.id = l.id
            RETURNING d.due_at IS NOT NULL, d.subscription_id,
                CASE WHEN d.due_at IS NULL THEN d.chain END"
        );
        let spare: Option<Uuid> = match which {
            Rescue::Lapsed => None,
            Rescue::OfTheDead(spare) => Some(spare.uuid()),
        };
        let bound: [&(dyn ToSql + Sync); 8] = [
            &Moment(now),
            &spare,
            &i64::from(attempts_max),
            &i64::from(limit),
            &Outcome::Unknown.word(),
            &LEASE_LAPSED,
            &ATTEMPTS_USED_UP,
            &Moment(self.core.lease_time(now)),
        ];
        let rescued = self
            .all(&sql, &bound, |row| {
                let due = Fresh::Due(SubscriptionId::new(row.guid(1)?));
                let is_due: bool = row.cell(0)?;
                Ok(if is_due { Some(due) } else { through(row, 1)? })
            })
            .await?;
        let count = u32::try_from(rescued.len()).unwrap_or(u32::MAX);
        self.fresh.extend(rescued.into_iter().flatten());
        Ok(count)
    }
}
