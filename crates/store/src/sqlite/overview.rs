//! Reading over many deliveries: what is not delivered of a subscription, the log of events, the notices.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ChecklistId, ControlKey, DeliveryId, DeliveryState, EVENT_COUNTED_MAX, EventId, EventRow,
    EventType, Notice, NoticeId, SUMMARY_COUNTED_MAX, SubscriptionId, SubscriptionState, TaskKey,
    TeamId, TemplateKey, Timestamp, UndeliveredSummary,
};
use rusqlite::{Row, params, params_from_iter, types::Value};
use uuid::Uuid;

use super::{
    deliveries::EVERY_TYPE,
    fault::Fault,
    subscriptions::{CODE, STATE},
    tx::Tx,
    values::{Cells as _, blob},
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
        self.stand(team, id)
    }

    async fn undelivered_summary(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<UndeliveredSummary, StoreError> {
        let Some(stand) = self.stand(team, id)? else {
            return Ok(UndeliveredSummary::default());
        };
        let mut sum = Summing::new(stand.code);
        for (way, state) in Summing::WAYS {
            let sql = format!(
                "SELECT d.id, d.state, d.last_outcome, d.manual_by IS NOT NULL, d.cancelled_by,
                    d.delivered_at IS NOT NULL, coalesce(d.behind, 0) > 0,
                    CASE WHEN d.state = 'waiting' THEN d.reason ELSE '' END,
                    (SELECT rate_per_second FROM subscription WHERE id = ?1)
                FROM delivery d INDEXED BY {way} WHERE d.subscription_id = ?1 AND {state} LIMIT ?2"
            );
            let bound = params![id.uuid(), SUMMARY_COUNTED_MAX + 1];
            let rows = self.all(&sql, bound, |row| {
                let outcome = match row.get_ref(2)? {
                    rusqlite::types::ValueRef::Null => None,
                    _ => Some(row.word(2, place("delivery", "last_outcome"))?),
                };
                let stored = Stored {
                    state: row.word(1, place("delivery", "state"))?,
                    delivered_before: row.get(5)?,
                    last_outcome: outcome,
                    asked_for: row.get(3)?,
                    cancelled_by: row.get(4)?,
                    behind: row.get(6)?,
                    unreadable: is_unreadable(&row.get::<_, String>(7)?),
                    per_second: row.get(8)?,
                    of: stand.code.state(),
                    code: stand.code,
                };
                Ok((DeliveryId::new(row.guid(0)?), stored))
            })?;
            sum.add(rows);
        }
        let sql = "SELECT e.at FROM delivery d JOIN event e ON e.number = d.event WHERE d.id = ?1";
        let oldest = sum.oldest().map(DeliveryId::uuid);
        let at = self.first(sql, [oldest], |row| row.time(0))?;
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
            found.extend(self.all(&sql, params_from_iter(bound), event_row)?);
        }
        found.sort_by_key(|(row, ..)| std::cmp::Reverse(row.event_id));
        found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let (most, mut rows) = (EVENT_COUNTED_MAX + 1, Vec::with_capacity(found.len()));
        for (mut row, number, range) in found {
            let mut count = EventCount::default();
            if let Some((first, last)) = range {
                let sql = "SELECT d.state, s.state, d.delivered_at IS NOT NULL
                    FROM delivery d JOIN subscription s ON s.id = d.subscription_id
                    WHERE d.id BETWEEN ?1 AND ?2 LIMIT ?3";
                count.add(self.all(sql, params![first, last, most], state_row)?);
            }
            // Those that redelivery jobs made.
            let sql = "SELECT d.state, s.state, d.delivered_at IS NOT NULL
                FROM delivery d INDEXED BY delivery_copied
                    JOIN subscription s ON s.id = d.subscription_id
                WHERE d.event = ?1 AND d.copied_by IS NOT NULL LIMIT ?2";
            count.add(self.all(sql, params![number, most], state_row)?);
            count.put(&mut row);
            rows.push(row);
        }
        Ok(rows)
    }

    async fn event_body(&mut self, team: TeamId, id: EventId) -> Result<Option<Bytes>, StoreError> {
        let sql = format!(
            "SELECT body FROM event INDEXED BY event_log
            WHERE team_id = ?1 AND type IN {EVERY_TYPE} AND id = ?2"
        );
        self.first(&sql, params![team.get(), id.uuid()], |row| {
            Ok(Bytes::from(row.get::<_, Vec<u8>>(0)?))
        })
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
        self.all(sql, params![team.get(), before, query.limit], |row| {
            Ok(Notice {
                id: NoticeId::new(row.guid(0)?),
                team,
                kind: row.word(1, place("notice", "kind"))?,
                subscription: SubscriptionId::new(row.guid(2)?),
                text: row.get(3)?,
                code: row.word(4, CODE)?,
                at: row.time(5)?,
                seen_at: row.time_opt(6)?,
            })
        })
    }

    async fn probe_next(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.one(sql::PROBE_NEXT, [], |row| row.time_opt(0))
    }
}

/// The text and the values of a page of the log of events; of one type where it is walked by types.
fn event_statement(
    team: TeamId,
    query: &EventQuery,
    kind: Option<EventType>,
) -> (String, Vec<Value>) {
    let mut terms = vec!["e.team_id = ?"];
    let mut bound: Vec<Value> = vec![team.get().into()];
    let mut and = |term, value: Value| {
        terms.push(term);
        bound.push(value);
    };
    // A checklist has few events, so they are found by it; else the index has the order of a type.
    let index = match query.checklist {
        Some(checklist) => {
            and("e.checklist_id = ?", checklist.get().into());
            "event_of_checklist"
        }
        None if query.unmatched => "event_unmatched",
        None => "event_log",
    };
    if let Some(kind) = kind {
        and("e.type = ?", kind.word().to_owned().into());
    }
    if let Some(id) = query.event {
        and("e.id = ?", blob(id.uuid()));
    }
    if let Some(before) = query.before {
        and("e.id < ?", blob(before.uuid()));
    }
    if let Some(since) = query.since {
        and("e.at >= ?", since.as_millis().into());
        and("e.id >= ?", blob(earliest_id(since)));
    }
    if let Some(until) = query.until {
        and("e.at < ?", until.as_millis().into());
        and("e.id < ?", blob(earliest_id(until.after(CLOCK_BACK_MAX))));
    }
    if query.unmatched {
        terms.push("e.first_delivery IS NULL");
    }
    bound.push(i64::from(query.limit).into());
    let terms = terms.join(" AND ");
    let sql = format!(
        "SELECT e.id, e.type, e.at, e.checklist_id, e.template_key, e.task_key, e.control_key,
            e.first_delivery, e.last_delivery, e.number
        FROM event e INDEXED BY {index} WHERE {terms} ORDER BY e.id DESC LIMIT ?"
    );
    (sql, bound)
}

type Found = (EventRow, i64, Option<(Uuid, Uuid)>);

/// Where a delivery stands, and what decides how that is shown.
fn state_row(row: &Row<'_>) -> Result<(DeliveryState, SubscriptionState, bool), Fault> {
    let state = row.word(0, place("delivery", "state"))?;
    Ok((state, row.word(1, STATE)?, row.get(2)?))
}

fn event_row(row: &Row<'_>) -> Result<Found, Fault> {
    let first: Option<Uuid> = row.get(7)?;
    let last: Option<Uuid> = row.get(8)?;
    let event = EventRow {
        event_id: EventId::new(row.guid(0)?),
        event_type: row.word(1, place("event", "type"))?,
        created_date_time: row.time(2)?,
        checklist_id: ChecklistId::new(row.get(3)?),
        template_key: TemplateKey::new(row.guid(4)?),
        task_key: TaskKey::new(row.guid(5)?),
        task_content_key: ControlKey::new(row.guid(6)?),
        is_matched: first.is_some(),
        deliveries: Vec::new(),
        is_complete: true,
    };
    Ok((event, row.get(9)?, first.zip(last)))
}
