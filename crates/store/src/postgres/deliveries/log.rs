//! Reading deliveries: which lanes have something to send, the log, and one delivery in full.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Attempt, ChecklistId, Delivery, DeliveryId, DeliveryState, EventId, EventType, Outcome,
    ReplayJobId, SubscriptionId, TeamId,
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    super::{
        fault::Fault,
        subscriptions::{CODE, EVENT_TYPE, STATE},
        tx::Tx,
        values::{Cells as _, Moment},
    },
    ATTEMPTS, DELIVERY_STATE, NUMBERED_MAX,
    page::page_statement,
};
use crate::{
    DeliveryQuery, DeliveryRecord, DueLane, NOT_YET, ReadDeliveries, StoreError,
    destinations::is_unreadable,
    place::Place,
    shown::{Stored, parts},
    sql,
};

const fn of_attempt(column: &'static str) -> Place {
    Place {
        table: "attempt",
        column,
    }
}

const fn of_delivery(column: &'static str) -> Place {
    Place {
        table: "delivery",
        column,
    }
}

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
                (SELECT subscription_id FROM delivery WHERE state = 'waiting'
                    ORDER BY subscription_id LIMIT 1)
                UNION ALL
                SELECT (SELECT subscription_id FROM delivery
                        WHERE state = 'waiting' AND subscription_id > lane.id
                        ORDER BY subscription_id LIMIT 1)
                    FROM lane WHERE lane.id IS NOT NULL)
            SELECT s.id, first.due_at AS earliest, s.resumed_at
            FROM lane JOIN subscription s ON s.id = lane.id
                CROSS JOIN LATERAL (SELECT due_at FROM delivery
                    WHERE state = 'waiting' AND subscription_id = s.id
                    ORDER BY due_at LIMIT 1) first
            WHERE s.state IN ('active', 'failing') AND first.due_at < $2
            ORDER BY earliest, s.id LIMIT $1";
        let bound: [&(dyn ToSql + Sync); 2] = [&i64::from(limit), &Moment(NOT_YET)];
        self.all(sql, &bound, |row| {
            let (subscription, earliest) = (SubscriptionId::new(row.guid(0)?), row.time(1)?);
            Ok(DueLane {
                subscription,
                earliest,
                held: row.time_opt(2)?.is_some_and(|at| earliest < at),
            })
        })
        .await
    }

    async fn delivery_page(
        &mut self,
        team: TeamId,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut rows = Vec::new();
        for part in parts(query) {
            let (sql, bound) = page_statement(team, query, part);
            let bound: Vec<_> = bound
                .iter()
                .map(|value| &**value as &(dyn ToSql + Sync))
                .collect();
            rows.extend(self.rows(&sql, &bound).await?);
        }
        let sequences = self.sequences(&rows).await?;
        let read = rows.iter().map(|row| delivery(row, &sequences));
        let mut found: Vec<Delivery> = read.collect::<Result<_, _>>()?;
        found.sort_by_key(|delivery| std::cmp::Reverse(delivery.delivery_id));
        found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn delivery_get(
        &mut self,
        team: TeamId,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        let found_sql = format!(
            "SELECT {COLUMNS}, e.body, d.first_started_at, d.first_duration_ms, d.first_status,
                d.first_target, d.first_signature, d.first_response_headers,
                d.first_response_body, d.first_response_truncated
            FROM delivery d JOIN event e ON e.id = d.event
                JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = $1 AND d.team_id = $2"
        );
        let (id, team) = (id.uuid(), team.get());
        let [found, others] = self
            .rows_of([(&found_sql, &[&id, &team]), (sql::ATTEMPTS_OF, &[&id])])
            .await?;
        let Some(row) = found.first() else {
            return Ok(None);
        };
        let sequences = self.sequences(&found).await?;
        let mut attempts: Vec<Attempt> = first_attempt(row, 24)?.into_iter().collect();
        for row in &others {
            attempts.push(attempt(row)?);
        }
        Ok(Some(DeliveryRecord {
            delivery: delivery(row, &sequences)?,
            attempts,
            body: Some(Bytes::copy_from_slice(row.cell(23)?)).filter(|body| !body.is_empty()),
        }))
    }
}

impl<G: Send> Tx<'_, G> {
    /// The sequences of those rows that have none yet: whoever reads them first has them given, and with them
    /// all that is older, so that numbers go up with time.
    async fn sequences(&mut self, rows: &[Row]) -> Result<HashMap<DeliveryId, i64>, StoreError> {
        let mut missing = Vec::new();
        for row in rows {
            if row.cell::<Option<i64>>(4)?.is_none() {
                missing.push(row.guid(0)?);
            }
        }
        if missing.is_empty() {
            return Ok(HashMap::new());
        }
        // Beside one that reads only; within one that may itself have stored them.
        let last = missing.iter().copied().max().unwrap_or_default();
        let given = if self.reads_only {
            self.core.number(last).await?;
            let sequences = async |tx: &mut Tx<'_, ()>| tx.sequences_of(&missing).await;
            self.core.beside(sequences).await?
        } else {
            while self.number(last).await? >= NUMBERED_MAX.unsigned_abs() {}
            self.sequences_of(&missing).await?
        };
        Ok(given.into_iter().collect())
    }
}

fn delivery(row: &Row, sequences: &HashMap<DeliveryId, i64>) -> Result<Delivery, Fault> {
    let delivery_id = DeliveryId::new(row.guid(0)?);
    let sequence = match row.cell(4)? {
        Some(sequence) => sequence,
        None => *sequences
            .get(&delivery_id)
            .ok_or_else(|| of_delivery("sequence").corrupt(delivery_id))?,
    };
    let last_outcome: Option<Outcome> = match row.cell::<Option<&str>>(12)? {
        None => None,
        Some(_) => Some(row.word(12, of_delivery("last_outcome"))?),
    };
    let reason: String = row.cell(7)?;
    let stored = Stored {
        state: row.word(6, DELIVERY_STATE)?,
        delivered_before: row.cell(14)?,
        last_outcome,
        asked_for: row.cell(18)?,
        cancelled_by: row.cell(19)?,
        behind: row.cell(20)?,
        unreadable: is_unreadable(&reason),
        per_second: row.cell(22)?,
        of: row.word(15, STATE)?,
        code: row.word(17, CODE)?,
    };
    let state = stored.state();
    let waits = state == DeliveryState::Waiting;
    Ok(Delivery {
        delivery_id,
        event_id: EventId::new(row.guid(1)?),
        event_type: row.word::<EventType>(2, EVENT_TYPE)?,
        subscription_id: SubscriptionId::new(row.guid(3)?),
        sequence,
        checklist_id: ChecklistId::new(row.cell(5)?),
        state,
        reason: stored.reason(reason, row.cell(16)?),
        reason_code: stored.reason_code(),
        attempts: row.number(8, ATTEMPTS)?,
        created_date_time: row.time(9)?,
        next_attempt_date_time: row.time_opt(10)?.filter(|at| waits && *at < NOT_YET),
        last_attempt_date_time: row.time_opt(11)?,
        last_outcome,
        last_status_code: row.number_opt(13, of_delivery("last_status"))?,
        made_by_job_id: row.cell::<Option<Uuid>>(21)?.map(ReplayJobId::new),
    })
}

/// The first attempt, if it lives in the delivery's row.
fn first_attempt(row: &Row, at: usize) -> Result<Option<Attempt>, Fault> {
    let Some(started_at) = row.time_opt(at)? else {
        return Ok(None);
    };
    Ok(Some(Attempt {
        number: 1,
        manual_by: None,
        replay: None,
        started_at,
        duration_ms: row.number(at + 1, of_delivery("first_duration_ms"))?,
        outcome: Outcome::Delivered,
        status: row.number_opt(at + 2, of_delivery("first_status"))?,
        error: String::new(),
        target: row.cell(at + 3)?,
        signature: row.cell(at + 4)?,
        response_headers: row.cell(at + 5)?,
        response_body: Bytes::copy_from_slice(row.cell(at + 6)?),
        response_truncated: row.cell(at + 7)?,
    }))
}

fn attempt(row: &Row) -> Result<Attempt, Fault> {
    Ok(Attempt {
        number: row.number(0, of_attempt("number"))?,
        manual_by: row.cell(1)?,
        replay: row.cell::<Option<Uuid>>(12)?.map(ReplayJobId::new),
        started_at: row.time(2)?,
        duration_ms: row.number(3, of_attempt("duration_ms"))?,
        outcome: row.word(4, of_attempt("outcome"))?,
        status: row.number_opt(5, of_attempt("status"))?,
        error: row.cell(6)?,
        target: row.cell(7)?,
        signature: row.cell(8)?,
        response_headers: row.cell(9)?,
        response_body: Bytes::copy_from_slice(row.cell(10)?),
        response_truncated: row.cell(11)?,
    })
}
