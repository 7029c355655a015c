//! Health of subscriptions, notices, stopping retries, and the probes of those that were given up.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    DeliveryId, DeliveryState, EventId, NOTICES_MAX, Notice, ReplayJobId, StateCode,
    SubscriptionId, SubscriptionState, TeamId, Timestamp,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    fault::Fault,
    subscriptions::{CODE, EVENT_TYPE, STATE, health},
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{
    Cancelled, Lease, LeasedDelivery, NOT_YET, ProbeTake, Seen, Stand, StandChange, StoreError,
    WriteHealth, destinations, place::Place, sql,
};

const DELIVERY_STATE: Place = Place {
    table: "delivery",
    column: "state",
};

/// How a subscription stands, from five columns.
pub(super) fn stand(row: &Row<'_>) -> Result<Stand, Fault> {
    Ok(Stand {
        code: row.word::<StateCode>(0, CODE)?,
        health: health(row, 1)?,
    })
}

#[async_trait]
impl WriteHealth for Change<'_> {
    async fn stand_hold(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError> {
        // Nobody else writes.
        self.first(sql::STAND_GET, params![id.uuid(), team.get()], stand)
    }

    async fn stand_put(
        &mut self,
        id: SubscriptionId,
        change: &StandChange,
    ) -> Result<bool, StoreError> {
        self.state_put(id, change)
    }

    async fn warned_put(&mut self, id: SubscriptionId, warned: u32) -> Result<(), StoreError> {
        self.run(sql::SUBSCRIPTION_WARNED_PUT, params![warned, id.uuid()])?;
        Ok(())
    }

    async fn notice_insert(&mut self, notice: &Notice) -> Result<(), StoreError> {
        self.run(
            sql::NOTICE_INSERT,
            params![
                notice.team.get(),
                notice.id.uuid(),
                notice.kind.word(),
                notice.subscription.uuid(),
                notice.text,
                notice.code.word(),
                notice.at.as_millis(),
                notice.seen_at.map(Timestamp::as_millis),
            ],
        )?;
        self.run(sql::NOTICE_TRIM, params![notice.team.get(), NOTICES_MAX])?;
        Ok(())
    }

    async fn notice_see(
        &mut self,
        team: TeamId,
        which: Seen,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (first, last) = match which {
            Seen::One(id) => (id.uuid(), id.uuid()),
            Seen::UpTo(id) => (Uuid::nil(), id.uuid()),
        };
        let bound = params![at.as_millis(), team.get(), first, last];
        Ok(self.run(sql::NOTICE_SEE, bound)? as u64)
    }

    async fn delivery_cancel(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
    ) -> Result<Cancelled, StoreError> {
        let sql = "SELECT d.state, d.delivered_at IS NOT NULL, d.cancelled_by IS NOT NULL, s.state
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = ?1 AND d.team_id = ?2";
        let found = self.first(sql, params![id.uuid(), team.get()], |row| {
            let state: DeliveryState = row.word(0, DELIVERY_STATE)?;
            let of: SubscriptionState = row.word(3, STATE)?;
            let (delivered, cancelled): (bool, bool) = (row.get(1)?, row.get(2)?);
            Ok(Cancelled::before(state, of, delivered, cancelled))
        })?;
        let Some(found) = found else {
            return Ok(Cancelled::NotThere);
        };
        let sql = match found {
            Ok(DeliveryState::Leased) => sql::DELIVERY_CANCEL_MARK,
            Ok(_) => sql::DELIVERY_CANCEL,
            Err(answer) => return Ok(answer),
        };
        self.run(sql, params![by, id.uuid()])?;
        // What waited behind it in its checklist may go.
        self.through(id)?;
        Ok(Cancelled::Now)
    }

    async fn probe_take(&mut self, take: &ProbeTake) -> Result<Vec<LeasedDelivery>, StoreError> {
        let sql = "SELECT s.id, s.revision, s.probes,
                (SELECT d.id FROM delivery d INDEXED BY delivery_due
                    WHERE d.subscription_id = s.id AND d.state = 'waiting' AND d.due_at < ?3
                    ORDER BY d.due_at, d.sequence LIMIT 1)
            FROM subscription s INDEXED BY subscription_probe
            WHERE s.probe_at IS NOT NULL AND s.probe_at <= ?1 ORDER BY s.probe_at LIMIT ?2";
        // One that waits behind another has its turn once that is through.
        let bound = params![take.now.as_millis(), take.limit, NOT_YET.as_millis()];
        let due = self.all(sql, bound, |row| {
            Ok(Probe {
                subscription: SubscriptionId::new(row.guid(0)?),
                revision: row.get(1)?,
                probes: row.get(2)?,
                delivery: row.get(3)?,
            })
        })?;
        let mut taken = Vec::new();
        for probe in due {
            // One that has nothing to be tried with has not been tried.
            let probes = probe.probes + u32::from(probe.delivery.is_some());
            let next = take.now.after(take.settings.probe_wait(probes));
            let id = probe.subscription.uuid();
            self.run(
                sql::SUBSCRIPTION_PROBED,
                params![next.as_millis(), probes, id],
            )?;
            if let Some(delivery) = probe.delivery {
                taken.extend(self.probe_lease(&probe, delivery, take)?);
            }
        }
        Ok(taken)
    }
}

/// A probe that is due.
struct Probe {
    subscription: SubscriptionId,
    revision: i64,
    probes: u32,
    delivery: Option<Uuid>,
}

impl Change<'_> {
    fn probe_lease(
        &mut self,
        probe: &Probe,
        id: Uuid,
        take: &ProbeTake,
    ) -> Result<Option<LeasedDelivery>, StoreError> {
        let sql = "SELECT e.id, e.body, e.type FROM delivery d JOIN event e ON e.number = d.event
            WHERE d.id = ?1";
        let (event, body, event_type) = self.one(sql, [id], |row| {
            let body = Bytes::from(row.get::<_, Vec<u8>>(1)?);
            Ok((EventId::new(row.guid(0)?), body, row.word(2, EVENT_TYPE)?))
        })?;
        if body.is_empty() {
            self.expire(DeliveryId::new(id))?;
            return Ok(None);
        }
        let destination = match self.destination(probe.subscription, probe.revision) {
            Ok(destination) => destination,
            Err(error) => {
                let reason = destinations::unreadable(probe.subscription, error)?;
                self.put_aside(DeliveryId::new(id), &reason, take.now)?;
                return Ok(None);
            }
        };
        let sql = "UPDATE delivery SET state = 'leased', attempts = attempts + 1, due_at = ?2,
                lease_node = ?3, lease_until = ?4
            WHERE id = ?1
            RETURNING attempts, sequence, manual_by, delivered_at IS NOT NULL,
                coalesce(replay, copied_by)";
        let (now, until) = (take.now.as_millis(), take.until.as_millis());
        let bound = params![id, now, take.node.uuid(), until];
        let leased = self.one(sql, bound, |row| {
            Ok(LeasedDelivery {
                lease: Lease {
                    delivery: DeliveryId::new(id),
                    node: take.node,
                    attempt: row.get(0)?,
                    until: take.until,
                },
                event,
                event_type,
                sequence: row.get(1)?,
                manual_by: row.get(2)?,
                delivered_before: row.get(3)?,
                replay: row.get::<_, Option<Uuid>>(4)?.map(ReplayJobId::new),
                destination,
                body,
            })
        })?;
        Ok(Some(leased))
    }
}

impl<G> Tx<'_, G> {
    /// How a subscription stands.
    pub(super) fn stand(
        &self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError> {
        self.first(sql::STAND_GET, params![id.uuid(), team.get()], stand)
    }
}
