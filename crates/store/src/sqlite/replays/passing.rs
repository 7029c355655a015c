//! What a redelivery job comes by: the team's deliveries by their identifiers, or events by their numbers.

use domain::{ChecklistId, EventId, SubscriptionId, Timestamp};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::super::{
    deliveries::DELIVERY_STATE,
    fault::Fault,
    subscriptions::{EVENT_TYPE, STATE},
    tx::Tx,
    values::Cells as _,
};
use crate::{
    ReplayLook, ReplayPlace, StoreError,
    identifiers::earliest_id,
    looking::{Passed, Stand},
};

impl<G> Tx<'_, G> {
    pub(super) fn deliveries_passed(
        &self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
    ) -> Result<Vec<Passed>, StoreError> {
        let sql =
            "SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts,
                d.id, e.at, e.type, e.checklist_id, e.id
            FROM delivery d INDEXED BY delivery_of_team CROSS JOIN event e ON e.number = d.event
                CROSS JOIN subscription s ON s.id = d.subscription_id
            WHERE d.team_id = ?1 AND d.id > ?2 AND d.id <= ?3 ORDER BY d.id LIMIT ?4";
        let from = look.filter.since.map(before_all_of).unwrap_or_default();
        let from = after.map_or(from, |after| from.max(after.0));
        let bound = params![look.team.get(), from, look.bound.0, rows];
        self.all(sql, bound, |row| {
            Ok(Passed {
                place: ReplayPlace(row.guid(5)?),
                at: row.time(6)?,
                event_type: row.word(7, EVENT_TYPE)?,
                checklist: ChecklistId::new(row.get(8)?),
                is_ours: !EventId::new(row.guid(9)?).is_test(),
                standing: vec![stand(row)?],
            })
        })
    }

    pub(super) fn events_passed(
        &self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
    ) -> Result<Vec<Passed>, StoreError> {
        let sql = "SELECT number, at, type, checklist_id, team_id = ?1, id FROM event
            WHERE number > ?2 ORDER BY number LIMIT ?3";
        let from = after.map_or(i64::MIN, ReplayPlace::number);
        let mut passed = self.all(sql, params![look.team.get(), from, rows], |row| {
            Ok(Passed {
                place: ReplayPlace::of_number(row.get(0)?),
                at: row.time(1)?,
                event_type: row.word(2, EVENT_TYPE)?,
                checklist: ChecklistId::new(row.get(3)?),
                is_ours: row.get::<_, bool>(4)? && !EventId::new(row.guid(5)?).is_test(),
                standing: Vec::new(),
            })
        })?;
        if look.filter.asks_of_deliveries() {
            let sql = "SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts
                FROM event e CROSS JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                    CROSS JOIN subscription s ON s.id = d.subscription_id
                WHERE e.number = ?1
                UNION ALL
                SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts
                FROM delivery d INDEXED BY delivery_copied
                    CROSS JOIN subscription s ON s.id = d.subscription_id
                WHERE d.event = ?1 AND d.copied_by IS NOT NULL";
            for one in &mut passed {
                if look.wants_event(one) {
                    one.standing = self.all(sql, [one.place.number()], stand)?;
                }
            }
        }
        Ok(passed)
    }
}

/// The greatest identifier that is less than all of `at` and later.
fn before_all_of(at: Timestamp) -> Uuid {
    Uuid::from_u128(earliest_id(at).as_u128().saturating_sub(1))
}

fn stand(row: &Row<'_>) -> Result<Stand, Fault> {
    Ok(Stand {
        subscription: SubscriptionId::new(row.guid(0)?),
        stored: row.word(1, DELIVERY_STATE)?,
        of: row.word(2, STATE)?,
        delivered_before: row.get(3)?,
        attempts: row.get(4)?,
    })
}
