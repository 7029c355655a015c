//! Reading over many deliveries: what is not delivered of a subscription, the log of events, the notices.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ChecklistId, ControlKey, DeliveryId, DeliveryState, EVENT_COUNTED_MAX, EventId, EventRow,
    EventType, Notice, NoticeId, SUMMARY_COUNTED_MAX, SubscriptionId, SubscriptionState, TaskKey,
    TeamId, TemplateKey, Timestamp, UndeliveredSummary,
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    fault::Fault,
    health::stand,
    subscriptions::{CODE, STATE},
    tx::{Owned, Tx},
    values::{Cells as _, Moment},
};
use crate::{
    EventQuery, NoticeQuery, ReadHealth, Stand, StoreError,
    destinations::is_unreadable,
    identifiers::{CLOCK_BACK_MAX, earliest_id},
    overview::{EventCount, Summing},
    place::Place,
    shown::Stored,
    sql,
};

const fn place(table: &'static str, column: &'static str) -> Place {
    Place { table, column }
}

#[async_trait]
impl<G: Send> ReadHealth for Tx<'_, G> {
    async fn stand_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError> {
        self.first(sql::STAND_GET, &[&id.uuid(), &team.get()], stand)
            .await
    }

    async fn undelivered_summary(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<UndeliveredSummary, StoreError> {
        let Some(stand) = self.stand_get(team, id).await? else {
            return Ok(UndeliveredSummary::default());
        };
        let mut sum = Summing::new(stand.code);
        let limit = i64::from(SUMMARY_COUNTED_MAX) + 1;
        for (_, state) in Summing::WAYS {
            // In the order in which SQLite finds them, so that the oldest is looked for among the same.
            let order = if state.contains("<>") {
                "d.id"
            } else {
                "d.due_at"
            };
            let sql = format!(
                "SELECT d.id, d.state, d.last_outcome, d.manual_by IS NOT NULL, d.cancelled_by,
                    d.delivered_at IS NOT NULL, coalesce(d.behind, 0) > 0,
                    CASE WHEN d.state = 'waiting' THEN d.reason ELSE '' END,
                    (SELECT rate_per_second FROM subscription WHERE id = $1)
                FROM delivery d WHERE d.subscription_id = $1 AND {state} ORDER BY {order} LIMIT $2"
            );
            let rows = self
                .all(&sql, &[&id.uuid(), &limit], |row| {
                    let outcome = match row.cell::<Option<&str>>(2)? {
                        None => None,
                        Some(_) => Some(row.word(2, place("delivery", "last_outcome"))?),
                    };
                    let stored = Stored {
                        state: row.word(1, place("delivery", "state"))?,
                        delivered_before: row.cell(5)?,
                        last_outcome: outcome,
                        asked_for: row.cell(3)?,
                        cancelled_by: row.cell(4)?,
                        behind: row.cell(6)?,
                        unreadable: is_unreadable(&row.cell::<String>(7)?),
                        per_second: row.cell(8)?,
                        of: stand.code.state(),
                        code: stand.code,
                    };
                    Ok((DeliveryId::new(row.guid(0)?), stored))
                })
                .await?;
            sum.add(rows);
        }
        let sql = "SELECT e.at FROM delivery d JOIN event e ON e.id = d.event WHERE d.id = $1";
        let oldest = sum.oldest().map(DeliveryId::uuid);
        let at = self.first(sql, &[&oldest], |row| row.time(0)).await?;
        Ok(sum.done(at))
    }

    async fn event_page(
        &mut self,
        team: TeamId,
        query: &EventQuery,
    ) -> Result<Vec<EventRow>, StoreError> {
        let mut found = Vec::new();
        for kind in EventCount::types(query) {
            let (sql, bound) = event_statement(team, query, kind);
            let bound: Vec<_> = bound
                .iter()
                .map(|value| &**value as &(dyn ToSql + Sync))
                .collect();
            found.extend(self.all(&sql, &bound, event_row).await?);
        }
        found.sort_by_key(|row| std::cmp::Reverse(row.event_id));
        found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let sql = "SELECT e.id, d.state, s.state, d.delivered_at IS NOT NULL
            FROM unnest($1::uuid[]) AS given (id)
                JOIN event e ON e.id = given.id
                CROSS JOIN LATERAL (
                    (SELECT state, subscription_id, delivered_at FROM delivery
                        WHERE id BETWEEN e.first_delivery AND e.last_delivery LIMIT $2)
                    UNION ALL
                    (SELECT state, subscription_id, delivered_at FROM delivery
                        WHERE event = e.id AND copied_by IS NOT NULL LIMIT $2)) d
                JOIN subscription s ON s.id = d.subscription_id";
        let ids: Vec<Uuid> = found.iter().map(|row| row.event_id.uuid()).collect();
        let limit = i64::from(EVENT_COUNTED_MAX) + 1;
        let states = self
            .all(sql, &[&ids, &limit], |row| {
                let state: DeliveryState = row.word(1, place("delivery", "state"))?;
                let of: SubscriptionState = row.word(2, STATE)?;
                Ok((row.guid(0)?, (state, of, row.cell::<bool>(3)?)))
            })
            .await?;
        let mut counts: HashMap<Uuid, EventCount> = HashMap::new();
        for (event, state) in states {
            counts.entry(event).or_default().add([state]);
        }
        for row in &mut found {
            let count = counts.remove(&row.event_id.uuid());
            count.unwrap_or_default().put(row);
        }
        Ok(found)
    }

    async fn event_body(&mut self, team: TeamId, id: EventId) -> Result<Option<Bytes>, StoreError> {
        let sql = "SELECT body FROM event WHERE id = $1 AND team_id = $2";
        self.first(sql, &[&id.uuid(), &team.get()], |row| {
            Ok(Bytes::copy_from_slice(row.cell(0)?))
        })
        .await
    }

    async fn notice_page(
        &mut self,
        team: TeamId,
        query: &NoticeQuery,
    ) -> Result<Vec<Notice>, StoreError> {
        let before = query.before.map_or(Uuid::max(), NoticeId::uuid);
        let sql = if query.unseen {
            sql::NOTICE_PAGE_UNSEEN
        } else {
            sql::NOTICE_PAGE
        };
        let limit = i64::from(query.limit);
        self.all(sql, &[&team.get(), &before, &limit], |row| {
            Ok(Notice {
                id: NoticeId::new(row.guid(0)?),
                team,
                kind: row.word(1, place("notice", "kind"))?,
                subscription: SubscriptionId::new(row.guid(2)?),
                text: row.cell(3)?,
                code: row.word(4, CODE)?,
                at: row.time(5)?,
                seen_at: row.time_opt(6)?,
            })
        })
        .await
    }

    async fn probe_next(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.one(sql::PROBE_NEXT, &[], |row| row.time_opt(0)).await
    }
}

/// The text and the values of a page of the log of events; of one type where it is walked by types.
fn event_statement(
    team: TeamId,
    query: &EventQuery,
    kind: Option<EventType>,
) -> (String, Vec<Owned>) {
    let mut terms: Vec<String> = Vec::new();
    let mut bound: Vec<Owned> = Vec::new();
    let mut and = |term: &str, value: Owned| {
        bound.push(value);
        terms.push(term.replace('?', &format!("${}", bound.len())));
    };
    and("e.team_id = ?", Box::new(team.get()));
    if let Some(kind) = kind {
        and("e.type = ?", Box::new(kind.word()));
    }
    if let Some(checklist) = query.checklist {
        and("e.checklist_id = ?", Box::new(checklist.get()));
    }
    if let Some(id) = query.event {
        and("e.id = ?", Box::new(id.uuid()));
    }
    if let Some(before) = query.before {
        and("e.id < ?", Box::new(before.uuid()));
    }
    if let Some(since) = query.since {
        and("e.at >= ?", Box::new(Moment(since)));
        and("e.id >= ?", Box::new(earliest_id(since)));
    }
    if let Some(until) = query.until {
        and("e.at < ?", Box::new(Moment(until)));
        and(
            "e.id < ?",
            Box::new(earliest_id(until.after(CLOCK_BACK_MAX))),
        );
    }
    if query.unmatched {
        terms.push("e.first_delivery IS NULL".to_owned());
    }
    bound.push(Box::new(i64::from(query.limit)));
    let (terms, limit) = (terms.join(" AND "), bound.len());
    let sql = format!(
        "SELECT e.id, e.type, e.at, e.checklist_id, e.template_key, e.task_key, e.control_key,
            e.first_delivery IS NOT NULL
        FROM event e WHERE {terms} ORDER BY e.id DESC LIMIT ${limit}"
    );
    (sql, bound)
}

fn event_row(row: &Row) -> Result<EventRow, Fault> {
    Ok(EventRow {
        event_id: EventId::new(row.guid(0)?),
        event_type: row.word(1, place("event", "type"))?,
        created_date_time: row.time(2)?,
        checklist_id: ChecklistId::new(row.cell(3)?),
        template_key: TemplateKey::new(row.guid(4)?),
        task_key: TaskKey::new(row.guid(5)?),
        task_content_key: ControlKey::new(row.guid(6)?),
        is_matched: row.cell(7)?,
        deliveries: Vec::new(),
        is_complete: true,
    })
}
