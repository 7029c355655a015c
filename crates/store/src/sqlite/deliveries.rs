//! Taking, settling, giving back and rescuing deliveries.

mod log;
mod page;
mod settling;

pub(super) use page::EVERY_TYPE;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, EventId, NodeId, ReplayJobId, SubscriptionId, TeamId, Timestamp};
use rusqlite::params;
use uuid::Uuid;

use super::{
    subscriptions::{EVENT_TYPE, STATE},
    tx::Change,
    values::Cells as _,
};
use settling::Lapsed;

use crate::{
    BODY_GONE, Lease, LeasedDelivery, PutOff, Redeliverable, Redelivery, Rescue, Settled,
    Settlement, StoreError, Take, Taken, WriteDeliveries,
    destinations::{self, UNREADABLE_WAIT},
    place::Place,
    sql,
};

pub(super) const DELIVERY_STATE: Place = Place {
    table: "delivery",
    column: "state",
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
        let mut answer = Taken::default();
        for take in takes {
            let lease = |delivery, attempt| Lease {
                delivery,
                node,
                attempt,
                until,
            };
            if !self.lane_take(*take, now, lease, &mut answer.deliveries)? {
                answer.drained.push(take.subscription);
            }
        }
        Ok(answer)
    }

    async fn delivery_settle(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, StoreError> {
        let chains = self.has_chains()?;
        let mut answers = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let answer = self.settle(settlement)?;
            // Also one that was to wait: somebody may have stopped it.
            if chains && answer == Settled::Stored {
                self.through(settlement.lease.delivery)?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn delivery_give_back(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // One that was never sent goes back to the place that it had by the time of its event, so
        // that first attempts stay in order.
        let sql = "UPDATE delivery SET attempts = attempts - 1,
                state = CASE WHEN cancelled_by IS NULL THEN 'waiting'
                    WHEN delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END,
                due_at = CASE WHEN cancelled_by IS NOT NULL THEN NULL WHEN attempts = 1
                    THEN (SELECT at FROM event WHERE number = delivery.event) ELSE ?4 END,
                lease_node = NULL, lease_until = NULL
            WHERE id = ?1 AND state = 'leased' AND attempts = ?2 AND lease_node = ?3
            RETURNING subscription_id";
        for lease in leases {
            let (id, node) = (lease.delivery.uuid(), lease.node.uuid());
            let bound = params![id, lease.attempt, node, now.as_millis()];
            let lane = self.first(sql, bound, |row| Ok(SubscriptionId::new(row.guid(0)?)))?;
            if let Some(lane) = lane {
                self.gathered.due(lane);
                self.through(lease.delivery)?;
            }
        }
        Ok(())
    }

    async fn delivery_put_off(&mut self, put_off: &[PutOff]) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET attempts = attempts - 1,
                state = CASE WHEN cancelled_by IS NULL THEN 'waiting'
                    WHEN delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END,
                due_at = iif(cancelled_by IS NULL, ?4, NULL),
                reason = ?5, last_ended_at = ?6, last_outcome = ?7,
                lease_node = NULL, lease_until = NULL
            WHERE id = ?1 AND state = 'leased' AND attempts = ?2 AND lease_node = ?3";
        for one in put_off {
            let lease = &one.lease;
            self.run(
                sql,
                params![
                    lease.delivery.uuid(),
                    lease.attempt,
                    lease.node.uuid(),
                    one.due_at.as_millis(),
                    one.reason,
                    one.at.as_millis(),
                    one.outcome.word(),
                ],
            )?;
            self.through(lease.delivery)?;
        }
        Ok(())
    }

    async fn delivery_rescue(
        &mut self,
        which: Rescue,
        now: Timestamp,
        attempts_max: u32,
        limit: u32,
    ) -> Result<u32, StoreError> {
        let (which, spare) = match which {
            Rescue::Lapsed => ("d.lease_until < ?1 AND ?2 IS NOT NULL", Uuid::nil()),
            Rescue::OfTheDead(spare) => ("?1 IS NOT NULL AND d.lease_node <> ?2", spare.uuid()),
        };
        let sql = format!(
            "SELECT d.id, d.subscription_id, d.attempts, d.due_at, d.manual_by,
                d.delivered_at IS NOT NULL, s.target_url, d.cancelled_by IS NOT NULL,
                coalesce(d.replay, d.copied_by),
                s.state = 'paused' OR coalesce(s.resumed_at >= d.due_at, 0)
            FROM delivery d INDEXED BY delivery_leased
                JOIN subscription s ON s.id = d.subscription_id
            WHERE d.state = 'leased' AND {which} ORDER BY d.lease_until LIMIT ?3"
        );
        let bound = params![now.as_millis(), spare, limit];
        let lapsed = self.all(&sql, bound, |row| {
            Ok(Lapsed {
                delivery: DeliveryId::new(row.guid(0)?),
                subscription: SubscriptionId::new(row.guid(1)?),
                attempt: row.get(2)?,
                began: row.time(3)?,
                manual_by: row.get(4)?,
                delivered_before: row.get(5)?,
                target: row.get(6)?,
                cancelled: row.get(7)?,
                replay: row.get::<_, Option<Uuid>>(8)?.map(ReplayJobId::new),
                held: row.get(9)?,
            })
        })?;
        for one in &lapsed {
            self.rescue(one, now, attempts_max)?;
        }
        Ok(u32::try_from(lapsed.len()).unwrap_or(u32::MAX))
    }

    async fn delivery_redeliver(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        let found = self.redeliverable(team, id)?;
        let subscription = match found.map_or(Err(Redelivery::NotThere), Redeliverable::check) {
            Ok(subscription) => subscription,
            Err(refused) => return Ok(refused),
        };
        let sql = sql::DELIVERY_REDELIVER;
        self.run(sql, params![by, now.as_millis(), id.uuid()])?;
        self.gathered.due(subscription);
        Ok(Redelivery::Due(subscription))
    }
}

/// A delivery that is due in some lane.
struct Due {
    id: DeliveryId,
    sequence: i64,
    attempts: u32,
    manual_by: Option<String>,
    delivered_before: bool,
    event: i64,
    replay: Option<ReplayJobId>,
}

impl Change<'_> {
    /// Leases what is due in one lane; answers whether more is.
    fn lane_take(
        &mut self,
        take: Take,
        now: Timestamp,
        lease: impl Fn(DeliveryId, u32) -> Lease,
        taken: &mut Vec<LeasedDelivery>,
    ) -> Result<bool, StoreError> {
        let lane = take.subscription.uuid();
        let sql = "SELECT revision, rate_per_second FROM subscription
            WHERE id = ?1 AND state IN ('active', 'failing')";
        let subscription = self.first(sql, [lane], |row| {
            let rate: Option<u32> = row.get(1)?;
            Ok((row.get::<_, i64>(0)?, rate))
        })?;
        let Some((revision, rate)) = subscription else {
            return Ok(false);
        };
        // The engine may not know of a rate yet: no more than begins in a second.
        let limit = take.limit.min(rate.unwrap_or(u32::MAX));
        // One more than wanted, to know whether there is more.
        let mut due = self.lane_due(take.subscription, i64::from(limit) + 1, now)?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = due.len() > wanted;
        due.truncate(wanted);
        if due.is_empty() {
            return Ok(more);
        }
        let destination = match self.destination(take.subscription, revision) {
            Ok(destination) => destination,
            Err(error) => {
                let reason = destinations::unreadable(take.subscription, error)?;
                for due in due {
                    self.put_aside(due.id, &reason, now)?;
                }
                return Ok(more);
            }
        };
        let sql = "UPDATE delivery SET state = 'leased', attempts = attempts + 1, due_at = ?2,
                lease_node = ?3, lease_until = ?4
            WHERE id = ?1";
        let event_sql = "SELECT id, body, type FROM event WHERE number = ?1";
        for due in due {
            let (event, body, event_type) = self.one(event_sql, [due.event], |row| {
                Ok((
                    EventId::new(row.guid(0)?),
                    Bytes::from(row.get::<_, Vec<u8>>(1)?),
                    row.word(2, EVENT_TYPE)?,
                ))
            })?;
            if body.is_empty() {
                self.expire(due.id)?;
                continue;
            }
            let lease = lease(due.id, due.attempts + 1);
            let (node, until) = (lease.node.uuid(), lease.until.as_millis());
            self.run(sql, params![due.id.uuid(), now.as_millis(), node, until])?;
            taken.push(LeasedDelivery {
                lease,
                event,
                event_type,
                sequence: due.sequence,
                manual_by: due.manual_by,
                replay: due.replay,
                delivered_before: due.delivered_before,
                destination: destination.clone(),
                body,
            });
        }
        Ok(more)
    }

    /// What is due in one lane, in its order.
    fn lane_due(
        &self,
        lane: SubscriptionId,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Due>, StoreError> {
        let sql = "SELECT id, sequence, attempts, manual_by, delivered_at IS NOT NULL, event,
                coalesce(replay, copied_by)
            FROM delivery INDEXED BY delivery_due
            WHERE subscription_id = ?1 AND state = 'waiting' AND due_at <= ?2
                AND coalesce(behind, 0) = 0
            ORDER BY due_at, sequence LIMIT ?3";
        let bound = params![lane.uuid(), now.as_millis(), limit];
        self.all(sql, bound, |row| {
            Ok(Due {
                id: DeliveryId::new(row.guid(0)?),
                sequence: row.get(1)?,
                attempts: row.get(2)?,
                manual_by: row.get(3)?,
                delivered_before: row.get(4)?,
                event: row.get(5)?,
                replay: row.get::<_, Option<Uuid>>(6)?.map(ReplayJobId::new),
            })
        })
    }

    /// Puts off a delivery whose subscription can't be read; that is no attempt.
    pub(super) fn put_aside(
        &self,
        id: DeliveryId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE delivery SET due_at = ?2, reason = ?3 WHERE id = ?1 AND state = 'waiting'";
        let due = now.after(UNREADABLE_WAIT).as_millis();
        self.run(sql, params![id.uuid(), due, reason])?;
        Ok(())
    }

    /// What decides whether a delivery can be sent again.
    pub(super) fn redeliverable(
        &self,
        team: TeamId,
        id: DeliveryId,
    ) -> Result<Option<Redeliverable>, StoreError> {
        let sql = "SELECT d.subscription_id, d.state, s.state,
                (SELECT length(body) > 0 FROM event WHERE number = d.event)
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = ?1 AND d.team_id = ?2";
        self.first(sql, params![id.uuid(), team.get()], |row| {
            Ok(Redeliverable {
                subscription: SubscriptionId::new(row.guid(0)?),
                state: row.word(1, DELIVERY_STATE)?,
                of: row.word(2, STATE)?,
                has_body: row.get(3)?,
            })
        })
    }

    /// Ends a delivery that waits and of which there is nothing to send any more; what waited behind it may go.
    pub(super) fn expire(&mut self, id: DeliveryId) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET state = iif(delivered_at IS NULL, 'expired', 'delivered'),
                reason = iif(delivered_at IS NULL, ?2, ''), due_at = NULL, manual_by = NULL,
                replay = NULL
            WHERE id = ?1 AND state = 'waiting'";
        self.run(sql, params![id.uuid(), BODY_GONE])?;
        self.through(id)
    }
}
