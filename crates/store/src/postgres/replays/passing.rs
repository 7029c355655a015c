//! What a redelivery job comes by: the team's deliveries, or events, by their identifiers.

use std::collections::HashMap;

use domain::{ChecklistId, EventId, SubscriptionId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::{
    deliveries::{ATTEMPTS, DELIVERY_STATE},
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

impl<G: Send> Tx<'_, G> {
    pub(super) async fn deliveries_passed(
        &mut self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
    ) -> Result<Vec<Passed>, StoreError> {
        let sql =
            "SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts,
                d.id, e.at, e.type, e.checklist_id, e.id
            FROM delivery d JOIN event e ON e.id = d.event
                JOIN subscription s ON s.id = d.subscription_id
            WHERE d.team_id = $1 AND d.id > $2 AND d.id <= $3 ORDER BY d.id LIMIT $4";
        let from = look.filter.since.map(before_all_of).unwrap_or_default();
        let from = after.map_or(from, |after| from.max(after.0));
        let (team, bound, limit) = (look.team.get(), look.bound.0, i64::from(rows));
        self.all(sql, &[&team, &from, &bound, &limit], |row| {
            Ok(Passed {
                place: ReplayPlace(row.guid(5)?),
                at: row.time(6)?,
                event_type: row.word(7, EVENT_TYPE)?,
                checklist: ChecklistId::new(row.cell(8)?),
                is_ours: !EventId::new(row.guid(9)?).is_test(),
                standing: vec![stand(row)?],
            })
        })
        .await
    }

    pub(super) async fn events_passed(
        &mut self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
    ) -> Result<Vec<Passed>, StoreError> {
        let sql = "SELECT id, at, type, checklist_id, team_id = $1 FROM event
            WHERE id > $2 ORDER BY id LIMIT $3";
        let from = look.filter.since.map(before_all_of).unwrap_or_default();
        let from = after.map_or(from, |after| from.max(after.0));
        let (team, limit) = (look.team.get(), i64::from(rows));
        let mut passed = self
            .all(sql, &[&team, &from, &limit], |row| {
                let id = row.guid(0)?;
                Ok(Passed {
                    place: ReplayPlace(id),
                    at: row.time(1)?,
                    event_type: row.word(2, EVENT_TYPE)?,
                    checklist: ChecklistId::new(row.cell(3)?),
                    is_ours: row.cell::<bool>(4)? && !EventId::new(id).is_test(),
                    standing: Vec::new(),
                })
            })
            .await?;
        if look.filter.asks_of_deliveries() {
            let asked = passed.iter().filter(|one| look.wants_event(one));
            let asked: Vec<Uuid> = asked.map(|one| one.place.0).collect();
            let mut standing = self.standing_of(&asked).await?;
            for one in &mut passed {
                one.standing = standing.remove(&one.place.0).unwrap_or_default();
            }
        }
        Ok(passed)
    }

    /// How the deliveries of events stand.
    async fn standing_of(
        &mut self,
        events: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<Stand>>, StoreError> {
        let sql = "SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts, e.id
            FROM event e JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                JOIN subscription s ON s.id = d.subscription_id
            WHERE e.id = ANY ($1::uuid[]) AND d.event = e.id
            UNION ALL
            SELECT d.subscription_id, d.state, s.state, d.delivered_at IS NOT NULL, d.attempts, d.event
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.event = ANY ($1::uuid[]) AND d.copied_by IS NOT NULL";
        let mut standing: HashMap<Uuid, Vec<Stand>> = HashMap::new();
        let all = self
            .all(sql, &[&events], |row| Ok((row.guid(5)?, stand(row)?)))
            .await?;
        for (event, one) in all {
            standing.entry(event).or_default().push(one);
        }
        Ok(standing)
    }
}

/// The greatest identifier that is less than all of `at` and later.
fn before_all_of(at: Timestamp) -> Uuid {
    Uuid::from_u128(earliest_id(at).as_u128().saturating_sub(1))
}

fn stand(row: &Row) -> Result<Stand, Fault> {
    Ok(Stand {
        subscription: SubscriptionId::new(row.guid(0)?),
        stored: row.word(1, DELIVERY_STATE)?,
        of: row.word(2, STATE)?,
        delivered_before: row.cell(3)?,
        attempts: row.number(4, ATTEMPTS)?,
    })
}
