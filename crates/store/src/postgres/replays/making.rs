//! Making deliveries due for a redelivery job.

use std::collections::HashMap;

use domain::SubscriptionId;
use uuid::Uuid;

use super::super::{
    deliveries::{DELIVERY_STATE, NUMBERED_MAX},
    hints::Fresh,
    subscriptions::STATE,
    tx::{Change, owned},
    values::{Cells as _, Moment},
};
use crate::{Redeliverable, ReplayStep, ReplayWork, Replayed, StoreError};

impl Change<'_> {
    /// Makes deliveries due again; answers what was done with each.
    pub(super) async fn replay(
        &mut self,
        work: &ReplayWork,
        step: &ReplayStep,
    ) -> Result<Vec<Replayed>, StoreError> {
        let sql = "SELECT d.id, d.subscription_id, d.state, s.state,
                (SELECT octet_length(body) > 0 FROM event WHERE id = d.event)
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = ANY ($1::uuid[]) AND d.team_id = $2
            ORDER BY d.id FOR NO KEY UPDATE OF d";
        let ids: Vec<Uuid> = step.matches.iter().map(|place| place.0).collect();
        let found = self
            .all(sql, &[&ids, &work.look.team.get()], |row| {
                let found = Redeliverable {
                    subscription: SubscriptionId::new(row.guid(1)?),
                    state: row.word(2, DELIVERY_STATE)?,
                    of: row.word(3, STATE)?,
                    has_body: row.cell(4)?,
                };
                Ok((row.guid(0)?, found))
            })
            .await?;
        let found: HashMap<Uuid, Redeliverable> = found.into_iter().collect();
        let mut due = Vec::new();
        let mut outcomes = Vec::with_capacity(ids.len());
        for id in ids {
            let one = found.get(&id);
            let outcome = Replayed::of(one);
            outcomes.push(outcome);
            if let Some(one) = one.filter(|_| outcome == Replayed::Due) {
                due.push(id);
                if one.of.sends() {
                    self.fresh.push(Fresh::Due(one.subscription));
                }
            }
        }
        let sql = "UPDATE delivery SET state = 'waiting', manual_by = $1, replay = $2,
                due_at = CASE WHEN state = 'waiting' AND behind > 0 THEN due_at ELSE $3 END,
                reason = CASE WHEN state = 'waiting' AND behind > 0 THEN reason ELSE '' END,
                chain = CASE WHEN state = 'waiting' THEN chain END,
                behind = CASE WHEN state = 'waiting' THEN behind END,
                cancelled_by = NULL
            WHERE id = ANY ($4::uuid[])";
        let (now, job) = (Moment(step.now), &work.job);
        let bound = owned![job.created_by.clone(), job.job_id.uuid(), now, due];
        self.later(sql, bound).await?;
        Ok(outcomes)
    }

    /// Stores deliveries of events for a subscription, unless it has one; answers what was done with each.
    pub(super) async fn copy_to(
        &mut self,
        to: SubscriptionId,
        work: &ReplayWork,
        step: &ReplayStep,
    ) -> Result<Vec<Replayed>, StoreError> {
        let sql = "SELECT e.id, octet_length(e.body) > 0,
                EXISTS (SELECT 1 FROM delivery d
                    WHERE d.id BETWEEN e.first_delivery AND e.last_delivery
                        AND d.event = e.id AND d.subscription_id = $2)
                OR (SELECT true FROM delivery d
                    WHERE d.event = e.id AND d.subscription_id = $2 AND d.copied_by IS NOT NULL
                    LIMIT 1) IS NOT NULL
            FROM event e WHERE e.id = ANY ($1::uuid[])";
        let events: Vec<Uuid> = step.matches.iter().map(|place| place.0).collect();
        let found = self
            .all(sql, &[&events, &to.uuid()], |row| {
                Ok((row.guid(0)?, (row.cell(1)?, row.cell(2)?)))
            })
            .await?;
        let found: HashMap<Uuid, (bool, bool)> = found.into_iter().collect();
        let outcome = |event: &Uuid| match found.get(event) {
            Some((_, true)) => Replayed::AlreadyThere,
            Some((true, false)) => Replayed::Due,
            None | Some((false, false)) => Replayed::BodyGone,
        };
        let outcomes: Vec<Replayed> = events.iter().map(outcome).collect();
        let of = events.iter().zip(&outcomes);
        let of = of.filter(|(_, outcome)| **outcome == Replayed::Due);
        let of: Vec<Uuid> = of.map(|(event, _)| *event).collect();
        if of.is_empty() {
            return Ok(outcomes);
        }
        let first = self.fresh_ids(step.now);
        let ids: Vec<Uuid> = (0..of.len() as u128)
            .map(|place| Uuid::from_u128(first + place))
            .collect();
        let last = ids.last().copied().unwrap_or_default();
        let sql =
            "INSERT INTO delivery (id, team_id, subscription_id, event, state, reason, attempts,
                due_at, manual_by, replay, copied_by)
            SELECT v.id, $1, $2, v.event, 'waiting', '', 0, $3, $4, $5, $5
            FROM unnest($6::uuid[], $7::uuid[]) AS v (id, event)";
        let job = &work.job;
        let bound = owned![
            work.look.team.get(),
            to.uuid(),
            Moment(step.now),
            job.created_by.clone(),
            job.job_id.uuid(),
            ids,
            of,
        ];
        self.later(sql, bound).await?;
        // In the order of the events, and after all that is older.
        while self.number(last).await? >= NUMBERED_MAX.unsigned_abs() {}
        Ok(outcomes)
    }
}
