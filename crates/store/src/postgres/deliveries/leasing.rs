//! Leasing: the one statement that leases, counts the attempt and gives the sequence, for deliveries that are
//! named and for those that are due in a lane.

use std::sync::Arc;

use bytes::Bytes;
use domain::{DeliveryId, EventId, NodeId, ReplayJobId, SubscriptionId, Timestamp};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    super::{
        fault::Fault,
        subscriptions::EVENT_TYPE,
        tx::{Tx, owned},
        values::{Cells as _, Moment},
    },
    ATTEMPTS, through,
};
use crate::{
    BODY_GONE, Destination, Lease, LeasedDelivery, StoreError, Take,
    destinations::{self, UNREADABLE_WAIT},
};

/// Deliveries that get a sequence in one transaction.
pub(in crate::postgres) const NUMBERED_MAX: i64 = 5_000;

/// Who leases, when, and until when.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct LeaseTerms {
    pub(in crate::postgres) node: NodeId,
    pub(in crate::postgres) now: Timestamp,
    pub(in crate::postgres) until: Timestamp,
}

/// Leases what `$found` finds: columns `id`, `subscription_id`, `sequence` and the wanted order as `place`, each
/// row locked.
///
/// The counters are locked in the order of their subscriptions, so that two nodes which lease for the same ones
/// wait for each other at most once. What has a sequence already keeps it.
macro_rules! lease {
    ($found:literal) => {
        concat!(
            "WITH found AS MATERIALIZED (",
            $found,
            "),
            wanted AS (
                SELECT subscription_id, count(*) AS count FROM found WHERE sequence IS NULL
                GROUP BY subscription_id),
            locked AS MATERIALIZED (
                SELECT q.subscription_id, w.count FROM subscription_sequence q
                    JOIN wanted w ON w.subscription_id = q.subscription_id
                ORDER BY q.subscription_id FOR UPDATE OF q),
            counted AS (
                UPDATE subscription_sequence q SET last = q.last + l.count FROM locked l
                WHERE q.subscription_id = l.subscription_id
                RETURNING q.subscription_id, q.last - l.count AS before),
            numbered AS (
                SELECT f.id, f.place, c.before + row_number() OVER (
                        PARTITION BY f.subscription_id ORDER BY f.place) AS sequence
                FROM found f JOIN counted c ON c.subscription_id = f.subscription_id
                WHERE f.sequence IS NULL
                UNION ALL
                SELECT id, place, sequence FROM found WHERE sequence IS NOT NULL)
            UPDATE delivery d SET state = 'leased', attempts = d.attempts + 1, due_at = $1,
                lease_node = $2, lease_until = $3, sequence = n.sequence
            FROM numbered n, subscription s, event e
            WHERE d.id = n.id AND s.id = d.subscription_id AND e.id = d.event
            RETURNING n.place, d.id, d.attempts, d.sequence, d.manual_by,
                d.delivered_at IS NOT NULL, s.id, s.revision, e.id, e.type, e.body,
                coalesce(d.replay, d.copied_by)"
        )
    };
}

impl<G: Send> Tx<'_, G> {
    /// Leases those of `ids` that are due and whose subscription sends; answers them in the same order.
    pub(in crate::postgres) async fn lease_named(
        &mut self,
        ids: &[Uuid],
        terms: LeaseTerms,
    ) -> Result<Vec<LeasedDelivery>, StoreError> {
        let sql = lease!(
            "SELECT d.id, d.subscription_id, d.sequence, given.place
            FROM unnest($4::uuid[]) WITH ORDINALITY AS given (id, place)
                JOIN delivery d ON d.id = given.id
                JOIN subscription s ON s.id = d.subscription_id
            WHERE d.state = 'waiting' AND s.state IN ('active', 'failing')
                AND coalesce(d.behind, 0) = 0
            FOR NO KEY UPDATE OF d SKIP LOCKED"
        );
        let (leased, _) = self.lease(sql, terms, &[&ids]).await?;
        Ok(leased)
    }

    /// Leases those of `ids` that wait, whatever their subscription is: for probes.
    pub(in crate::postgres) async fn lease_held(
        &mut self,
        ids: &[Uuid],
        terms: LeaseTerms,
    ) -> Result<Vec<LeasedDelivery>, StoreError> {
        let sql = lease!(
            "SELECT d.id, d.subscription_id, d.sequence, given.place
            FROM unnest($4::uuid[]) WITH ORDINALITY AS given (id, place)
                JOIN delivery d ON d.id = given.id
            WHERE d.state = 'waiting'
            FOR NO KEY UPDATE OF d SKIP LOCKED"
        );
        let (leased, _) = self.lease(sql, terms, &[&ids]).await?;
        Ok(leased)
    }

    /// Leases what is due in the lanes that `takes` names, each up to its limit. Answers also the lanes of what was
    /// found and not leased: it expired, or can't be sent for now.
    pub(super) async fn lease_due(
        &mut self,
        takes: &[Take],
        terms: LeaseTerms,
    ) -> Result<(Vec<LeasedDelivery>, Vec<SubscriptionId>), StoreError> {
        let sql = lease!(
            "SELECT due.id, s.id AS subscription_id, due.sequence,
                row_number() OVER (ORDER BY given.place, due.due_at, due.id) AS place
            FROM unnest($4::uuid[], $5::bigint[]) WITH ORDINALITY AS given (lane, count, place)
                JOIN subscription s ON s.id = given.lane AND s.state IN ('active', 'failing')
                CROSS JOIN LATERAL (
                    SELECT id, due_at, sequence FROM delivery
                    WHERE subscription_id = s.id AND state = 'waiting' AND due_at <= $1
                        AND coalesce(behind, 0) = 0
                    ORDER BY due_at, id LIMIT least(given.count, s.rate_per_second)
                    FOR NO KEY UPDATE SKIP LOCKED) due"
        );
        let lanes: Vec<Uuid> = takes.iter().map(|take| take.subscription.uuid()).collect();
        let limits: Vec<i64> = takes.iter().map(|take| i64::from(take.limit)).collect();
        self.lease(sql, terms, &[&lanes, &limits]).await
    }

    async fn lease(
        &mut self,
        sql: &str,
        terms: LeaseTerms,
        which: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<LeasedDelivery>, Vec<SubscriptionId>), StoreError> {
        let (now, node) = (Moment(terms.now), terms.node.uuid());
        let until = Moment(self.core.lease_time(terms.until));
        let mut bound: Vec<&(dyn ToSql + Sync)> = vec![&now, &node, &until];
        bound.extend(which);
        let mut rows = Vec::new();
        for row in self.rows(sql, &bound).await? {
            rows.push((row.cell::<i64>(0)?, row));
        }
        rows.sort_unstable_by_key(|(place, _)| *place);
        let mut leased = Vec::with_capacity(rows.len());
        let (mut empty, mut unreadable, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
        for (_, row) in rows {
            let subscription = SubscriptionId::new(row.guid(6)?);
            if row.cell::<&[u8]>(10)?.is_empty() {
                empty.push(row.guid(1)?);
                passed_over.push(subscription);
                continue;
            }
            match self.destination(subscription, row.cell(7)?).await {
                Ok(destination) => leased.push(leased_delivery(&row, terms, destination)?),
                Err(error) => {
                    unreadable.push((row.guid(1)?, destinations::unreadable(subscription, error)?));
                    passed_over.push(subscription);
                }
            }
        }
        if !empty.is_empty() {
            self.expire(&empty).await?;
        }
        if !unreadable.is_empty() {
            self.put_aside(unreadable, terms.now).await?;
        }
        Ok((leased, passed_over))
    }

    /// Puts off deliveries that were leased just now and whose subscription can't be read; that is no attempt.
    async fn put_aside(
        &mut self,
        which: Vec<(Uuid, String)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET attempts = attempts - 1, state = 'waiting', due_at = $3,
                reason = $2, lease_node = NULL, lease_until = NULL
            WHERE id = $1";
        let due = Moment(now.after(UNREADABLE_WAIT));
        for (id, reason) in which {
            self.later(sql, owned![id, reason, due]).await?;
        }
        Ok(())
    }

    /// Ends deliveries that were leased just now and of which there is nothing to send any more. Looked for here
    /// rather than before, so that leasing asks nothing more of a body than the body. What waited behind them may
    /// go once this is committed.
    async fn expire(&mut self, ids: &[Uuid]) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET attempts = attempts - 1,
                state = CASE WHEN delivered_at IS NULL THEN 'expired' ELSE 'delivered' END,
                reason = CASE WHEN delivered_at IS NULL THEN $2 ELSE '' END,
                due_at = NULL, lease_node = NULL, lease_until = NULL, manual_by = NULL, replay = NULL
            WHERE id = ANY ($1::uuid[])
            RETURNING subscription_id, chain";
        let through = self
            .all(sql, &[&ids, &BODY_GONE], |row| through(row, 0))
            .await?;
        self.fresh.extend(through.into_iter().flatten());
        Ok(())
    }

    /// Gives sequences to deliveries that have none, from the oldest on up to `last`; answers how many got one,
    /// which is [`NUMBERED_MAX`] or more where there may be more.
    ///
    /// Identifiers are in the order of their nodes' clocks, those of a chain in that of their places: where both
    /// differ the place decides, and whatever is before one of a chain is numbered with it.
    pub(in crate::postgres) async fn number(&mut self, last: Uuid) -> Result<u64, StoreError> {
        let sql = "WITH oldest AS MATERIALIZED (
                SELECT id, subscription_id, chain, behind FROM delivery
                WHERE sequence IS NULL AND id <= $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE),
            last AS (
                SELECT subscription_id, chain, max(behind) AS behind FROM oldest WHERE behind > 0
                GROUP BY subscription_id, chain),
            before AS MATERIALIZED (
                SELECT d.* FROM last l CROSS JOIN LATERAL (
                    SELECT id, subscription_id, chain, behind FROM delivery
                    WHERE subscription_id = l.subscription_id AND chain = l.chain
                        AND state IN ('waiting', 'leased') AND behind < l.behind
                        AND sequence IS NULL AND id NOT IN (SELECT id FROM oldest)
                    FOR NO KEY UPDATE) d),
            placed AS (
                SELECT b.*, row_number() OVER (ORDER BY id) AS place
                FROM (SELECT * FROM oldest UNION ALL SELECT * FROM before) b),
            found AS (
                SELECT id, subscription_id, behind, CASE WHEN chain IS NULL THEN place ELSE
                    max(place) OVER (PARTITION BY subscription_id, chain ORDER BY behind) END AS place
                FROM placed),
            wanted AS (
                SELECT subscription_id, count(*) AS count FROM found GROUP BY subscription_id),
            locked AS MATERIALIZED (
                SELECT q.subscription_id, w.count FROM subscription_sequence q
                    JOIN wanted w ON w.subscription_id = q.subscription_id
                ORDER BY q.subscription_id FOR UPDATE OF q),
            counted AS (
                UPDATE subscription_sequence q SET last = q.last + l.count FROM locked l
                WHERE q.subscription_id = l.subscription_id
                RETURNING q.subscription_id, q.last - l.count AS before),
            numbered AS (
                SELECT f.id, c.before + row_number() OVER (
                        PARTITION BY f.subscription_id
                        ORDER BY f.place, f.behind) AS sequence
                FROM found f JOIN counted c ON c.subscription_id = f.subscription_id)
            UPDATE delivery d SET sequence = n.sequence FROM numbered n WHERE d.id = n.id";
        self.run(sql, &[&last, &NUMBERED_MAX]).await
    }

    /// The sequences of those of `ids` that have one.
    pub(in crate::postgres) async fn sequences_of(
        &mut self,
        ids: &[Uuid],
    ) -> Result<Vec<(DeliveryId, i64)>, StoreError> {
        let sql = "SELECT id, sequence FROM delivery
            WHERE id = ANY ($1::uuid[]) AND sequence IS NOT NULL";
        self.all(sql, &[&ids], |row| {
            Ok((DeliveryId::new(row.guid(0)?), row.cell(1)?))
        })
        .await
    }
}

/// What the statement answers of one delivery.
fn leased_delivery(
    row: &Row,
    terms: LeaseTerms,
    destination: Arc<Destination>,
) -> Result<LeasedDelivery, Fault> {
    let lease = Lease {
        delivery: DeliveryId::new(row.guid(1)?),
        node: terms.node,
        attempt: row.number(2, ATTEMPTS)?,
        until: terms.until,
    };
    Ok(LeasedDelivery {
        lease,
        event: EventId::new(row.guid(8)?),
        event_type: row.word(9, EVENT_TYPE)?,
        sequence: row.cell(3)?,
        manual_by: row.cell(4)?,
        replay: row.cell::<Option<Uuid>>(11)?.map(ReplayJobId::new),
        delivered_before: row.cell(5)?,
        destination,
        body: Bytes::copy_from_slice(row.cell(10)?),
    })
}
