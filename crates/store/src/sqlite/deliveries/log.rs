//! Reading deliveries: which lanes have something to send, the log, and one delivery in full.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Attempt, ChecklistId, Delivery, DeliveryId, DeliveryState, EventId, EventType, Outcome,
    ReplayJobId, SubscriptionId, TeamId,
};
use rusqlite::{Row, params, params_from_iter};
use uuid::Uuid;

use super::{
    super::{
        fault::Fault,
        subscriptions::{CODE, EVENT_TYPE, STATE},
        tx::Tx,
        values::Cells as _,
    },
    DELIVERY_STATE,
    page::page_statement,
};
use crate::{
    DeliveryQuery, DeliveryRecord, DueLane, NOT_YET, ReadDeliveries, StoreError,
    destinations::is_unreadable,
    place::Place,
    shown::{Stored, parts},
    sql,
};

const ATTEMPT_OUTCOME: Place = Place {
    table: "attempt",
    column: "outcome",
};
const LAST_OUTCOME: Place = Place {
    table: "delivery",
    column: "last_outcome",
};

/// The columns that `delivery` reads.
pub(super) const COLUMNS: &str =
    "d.id, e.id, e.type, d.subscription_id, d.sequence, e.checklist_id,
    d.state, d.reason, d.attempts, e.at, d.due_at, d.last_ended_at, d.last_outcome, d.last_status,
    d.delivered_at IS NOT NULL, s.state, s.state_reason, s.state_code, d.manual_by IS NOT NULL,
    d.cancelled_by, coalesce(d.behind, 0) > 0, d.copied_by, s.rate_per_second";

#[async_trait]
impl<G: Send> ReadDeliveries for Tx<'_, G> {
    async fn delivery_lanes(&mut self, limit: u32) -> Result<Vec<DueLane>, StoreError> {
        // From lane to lane along the index, however many wait in each.
        let sql = "WITH RECURSIVE lane (id) AS (
                SELECT min(subscription_id) FROM delivery INDEXED BY delivery_due
                    WHERE state = 'waiting'
                UNION ALL
                SELECT (SELECT min(subscription_id) FROM delivery INDEXED BY delivery_due
                        WHERE state = 'waiting' AND subscription_id > lane.id)
                    FROM lane WHERE lane.id IS NOT NULL)
            SELECT s.id, (SELECT min(due_at) FROM delivery INDEXED BY delivery_due
                    WHERE state = 'waiting' AND subscription_id = s.id) AS earliest,
                s.resumed_at
            FROM lane CROSS JOIN subscription s ON s.id = lane.id
            WHERE s.state IN ('active', 'failing') AND earliest < ?1
            ORDER BY earliest, s.id LIMIT ?2";
        self.all(sql, params![NOT_YET.as_millis(), limit], |row| {
            let (subscription, earliest) = (SubscriptionId::new(row.guid(0)?), row.time(1)?);
            Ok(DueLane {
                subscription,
                earliest,
                held: row.time_opt(2)?.is_some_and(|at| earliest < at),
            })
        })
    }

    async fn delivery_page(
        &mut self,
        team: TeamId,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut found = Vec::new();
        for part in parts(query) {
            let (sql, bound) = page_statement(team, query, part);
            found.extend(self.all(&sql, params_from_iter(bound), delivery)?);
        }
        // Identifiers and sequences grow together, so this is the order of each part as well.
        found.sort_by_key(|delivery| std::cmp::Reverse(delivery.delivery_id));
        found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn delivery_get(
        &mut self,
        team: TeamId,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, e.body, d.first_started_at, d.first_duration_ms, d.first_status,
                d.first_target, d.first_signature, d.first_response_headers,
                d.first_response_body, d.first_response_truncated
            FROM delivery d JOIN event e ON e.number = d.event
                JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = ?1 AND d.team_id = ?2"
        );
        let found = self.first(&sql, params![id.uuid(), team.get()], |row| {
            let body =
                Some(Bytes::from(row.get::<_, Vec<u8>>(23)?)).filter(|body| !body.is_empty());
            Ok((delivery(row)?, body, first_attempt(row, 24)?))
        })?;
        let Some((delivery, body, first)) = found else {
            return Ok(None);
        };
        let sql = sql::ATTEMPTS_OF;
        let others = self.all(sql, [id.uuid()], attempt)?;
        let attempts = first.into_iter().chain(others).collect();
        Ok(Some(DeliveryRecord {
            delivery,
            attempts,
            body,
        }))
    }
}

fn delivery(row: &Row<'_>) -> Result<Delivery, Fault> {
    let last_outcome: Option<Outcome> = match row.get_ref(12)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(row.word(12, LAST_OUTCOME)?),
    };
    let reason: String = row.get(7)?;
    let stored = Stored {
        state: row.word(6, DELIVERY_STATE)?,
        delivered_before: row.get(14)?,
        last_outcome,
        asked_for: row.get(18)?,
        cancelled_by: row.get(19)?,
        behind: row.get(20)?,
        unreadable: is_unreadable(&reason),
        per_second: row.get(22)?,
        of: row.word(15, STATE)?,
        code: row.word(17, CODE)?,
    };
    let state = stored.state();
    let waits = state == DeliveryState::Waiting;
    Ok(Delivery {
        delivery_id: DeliveryId::new(row.guid(0)?),
        event_id: EventId::new(row.guid(1)?),
        event_type: row.word::<EventType>(2, EVENT_TYPE)?,
        subscription_id: SubscriptionId::new(row.guid(3)?),
        sequence: row.get(4)?,
        checklist_id: ChecklistId::new(row.get(5)?),
        state,
        reason: stored.reason(reason, row.get(16)?),
        reason_code: stored.reason_code(),
        attempts: row.get(8)?,
        created_date_time: row.time(9)?,
        next_attempt_date_time: row.time_opt(10)?.filter(|at| waits && *at < NOT_YET),
        last_attempt_date_time: row.time_opt(11)?,
        last_outcome,
        last_status_code: row.get(13)?,
        made_by_job_id: row.get::<_, Option<Uuid>>(21)?.map(ReplayJobId::new),
    })
}

/// The first attempt, if it lives in the delivery's row.
fn first_attempt(row: &Row<'_>, at: usize) -> Result<Option<Attempt>, Fault> {
    let Some(started_at) = row.time_opt(at)? else {
        return Ok(None);
    };
    Ok(Some(Attempt {
        number: 1,
        manual_by: None,
        replay: None,
        started_at,
        duration_ms: row.get(at + 1)?,
        outcome: Outcome::Delivered,
        status: row.get(at + 2)?,
        error: String::new(),
        target: row.get(at + 3)?,
        signature: row.get(at + 4)?,
        response_headers: row.get(at + 5)?,
        response_body: Bytes::from(row.get::<_, Vec<u8>>(at + 6)?),
        response_truncated: row.get(at + 7)?,
    }))
}

fn attempt(row: &Row<'_>) -> Result<Attempt, Fault> {
    Ok(Attempt {
        number: row.get(0)?,
        manual_by: row.get(1)?,
        replay: row.get::<_, Option<Uuid>>(12)?.map(ReplayJobId::new),
        started_at: row.time(2)?,
        duration_ms: row.get(3)?,
        outcome: row.word(4, ATTEMPT_OUTCOME)?,
        status: row.get(5)?,
        error: row.get(6)?,
        target: row.get(7)?,
        signature: row.get(8)?,
        response_headers: row.get(9)?,
        response_body: Bytes::from(row.get::<_, Vec<u8>>(10)?),
        response_truncated: row.get(11)?,
    })
}
