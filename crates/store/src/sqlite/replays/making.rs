//! Making deliveries due for a redelivery job.

use domain::{DeliveryId, SubscriptionId, Timestamp};
use rusqlite::params;
use uuid::Uuid;

use super::super::tx::Change;
use crate::{Redeliverable, ReplayPlace, ReplayWork, Replayed, StoreError};

impl Change<'_> {
    /// Makes a delivery due again.
    pub(super) fn replay(
        &mut self,
        place: ReplayPlace,
        work: &ReplayWork,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let found: Option<Redeliverable> =
            self.redeliverable(work.look.team, DeliveryId::new(place.0))?;
        let outcome = Replayed::of(found.as_ref());
        let Some(found) = found.filter(|_| outcome == Replayed::Due) else {
            return Ok(outcome);
        };
        let sql = "UPDATE delivery SET state = 'waiting', manual_by = ?1, replay = ?2,
                due_at = CASE WHEN state = 'waiting' AND behind > 0 THEN due_at ELSE ?3 END,
                reason = CASE WHEN state = 'waiting' AND behind > 0 THEN reason ELSE '' END,
                chain = CASE WHEN state = 'waiting' THEN chain END,
                behind = CASE WHEN state = 'waiting' THEN behind END,
                cancelled_by = NULL
            WHERE id = ?4";
        let job = &work.job;
        let bound = params![job.created_by, job.job_id.uuid(), now.as_millis(), place.0];
        self.run(sql, bound)?;
        if found.of.sends() {
            self.gathered.due(found.subscription);
        }
        Ok(Replayed::Due)
    }

    /// Stores a delivery of an event for a subscription, unless it has one.
    pub(super) fn copy_to(
        &mut self,
        to: SubscriptionId,
        place: ReplayPlace,
        work: &ReplayWork,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let event = place.number();
        let sql = "SELECT length(e.body) > 0,
                EXISTS (SELECT 1 FROM delivery d
                    WHERE d.id BETWEEN e.first_delivery AND e.last_delivery
                        AND d.subscription_id = ?2)
                OR EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_copied
                    WHERE d.event = e.number AND d.subscription_id = ?2 AND d.copied_by IS NOT NULL)
            FROM event e WHERE e.number = ?1";
        let found = self.first(sql, params![event, to.uuid()], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?))
        })?;
        match found {
            Some((_, true)) => return Ok(Replayed::AlreadyThere),
            Some((true, false)) => {}
            None | Some((false, false)) => return Ok(Replayed::BodyGone),
        }
        let sequence = self.next_sequence(to)?;
        let id = Uuid::from_u128(self.delivery_ids(now, 1));
        let sql = "INSERT INTO delivery (id, team_id, subscription_id, event, sequence, state,
                reason, attempts, due_at, manual_by, replay, copied_by)
            VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', '', 0, ?6, ?7, ?8, ?8)";
        let (job, team) = (&work.job, work.look.team.get());
        let (by, job) = (&job.created_by, job.job_id.uuid());
        let bound = params![
            id,
            team,
            to.uuid(),
            event,
            sequence,
            now.as_millis(),
            by,
            job
        ];
        self.run(sql, bound)?;
        Ok(Replayed::Due)
    }
}
