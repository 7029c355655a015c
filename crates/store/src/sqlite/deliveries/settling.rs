//! What becomes of a delivery after an attempt, or after a lease that nobody settled.

use bytes::Bytes;
use domain::{Attempt, DeliveryId, DeliveryState, Outcome, ReplayJobId, SubscriptionId, Timestamp};
use rusqlite::params;

use super::super::{tx::Change, values::millis};
use crate::{ATTEMPTS_USED_UP, LEASE_LAPSED, Settled, Settlement, StoreError};

/// A lease that is to be ended.
pub(super) struct Lapsed {
    pub(super) delivery: DeliveryId,
    pub(super) subscription: SubscriptionId,
    pub(super) attempt: u32,
    pub(super) began: Timestamp,
    pub(super) manual_by: Option<String>,
    pub(super) delivered_before: bool,
    pub(super) cancelled: bool,
    /// Whether its subscription is paused, or was when the attempt began.
    pub(super) held: bool,
    pub(super) target: String,
    pub(super) replay: Option<ReplayJobId>,
}

impl Change<'_> {
    pub(super) fn settle(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        let Settlement {
            lease,
            attempt,
            state,
            reason,
            due_at,
        } = settlement;
        settlement.check()?;
        let delivered = *state == DeliveryState::Delivered;
        if settlement.is_straightforward() {
            return self.settle_first(settlement);
        }
        // What was delivered once stays so, and what somebody stopped does not wait again. The right side of SET
        // sees the row as it was.
        let sql = "UPDATE delivery SET
                state = CASE WHEN delivered_at IS NOT NULL THEN 'delivered'
                    WHEN ?4 = 'waiting' AND cancelled_by IS NOT NULL THEN 'cancelled' ELSE ?4 END,
                reason = iif(delivered_at IS NULL, ?5, reason),
                due_at = iif(delivered_at IS NULL AND cancelled_by IS NULL, ?6, NULL),
                delivered_at = coalesce(delivered_at, ?7),
                lease_node = NULL, lease_until = NULL, manual_by = NULL, replay = NULL,
                last_ended_at = ?8, last_outcome = ?9, last_status = ?10
            WHERE id = ?1 AND state = 'leased' AND attempts = ?2 AND lease_node = ?3";
        let ended = settlement.ended_at().as_millis();
        let stored = self.run(
            sql,
            params![
                lease.delivery.uuid(),
                lease.attempt,
                lease.node.uuid(),
                state.word(),
                reason,
                millis(*due_at),
                delivered.then_some(ended),
                ended,
                attempt.outcome.word(),
                attempt.status,
            ],
        )?;
        if stored == 0 {
            return Ok(Settled::LeaseLost);
        }
        self.attempt_insert(lease.delivery, attempt)?;
        Ok(Settled::Stored)
    }

    /// A first attempt that the receiver took: one statement, no row but the delivery's own.
    fn settle_first(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        let Settlement {
            lease,
            attempt,
            reason,
            ..
        } = settlement;
        let sql = "UPDATE delivery SET
                state = 'delivered', reason = ?4, due_at = NULL, delivered_at = ?5,
                lease_node = NULL, lease_until = NULL, manual_by = NULL,
                last_ended_at = ?5, last_outcome = ?6, last_status = ?7,
                first_started_at = ?8, first_duration_ms = ?9, first_status = ?7,
                first_target = ?10, first_signature = ?11, first_response_headers = ?12,
                first_response_body = ?13, first_response_truncated = ?14
            WHERE id = ?1 AND state = 'leased' AND attempts = ?2 AND lease_node = ?3";
        let stored = self.run(
            sql,
            params![
                lease.delivery.uuid(),
                lease.attempt,
                lease.node.uuid(),
                reason,
                settlement.ended_at().as_millis(),
                attempt.outcome.word(),
                attempt.status,
                attempt.started_at.as_millis(),
                attempt.duration_ms,
                attempt.target,
                attempt.signature,
                attempt.response_headers,
                &attempt.response_body[..],
                attempt.response_truncated,
            ],
        )?;
        Ok(if stored == 0 {
            Settled::LeaseLost
        } else {
            Settled::Stored
        })
    }

    fn attempt_insert(&self, delivery: DeliveryId, attempt: &Attempt) -> Result<(), StoreError> {
        let sql = "INSERT INTO attempt (delivery_id, number, manual_by, started_at, duration_ms,
                outcome, status, error, target, signature, response_headers, response_body,
                response_truncated, replay)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        self.run(
            sql,
            params![
                delivery.uuid(),
                attempt.number,
                attempt.manual_by,
                attempt.started_at.as_millis(),
                attempt.duration_ms,
                attempt.outcome.word(),
                attempt.status,
                attempt.error,
                attempt.target,
                attempt.signature,
                attempt.response_headers,
                &attempt.response_body[..],
                attempt.response_truncated,
                attempt.replay.map(ReplayJobId::uuid),
            ],
        )?;
        Ok(())
    }

    /// Ends a lease: writes an attempt of which nobody knows what came.
    pub(super) fn rescue(
        &mut self,
        one: &Lapsed,
        now: Timestamp,
        max: u32,
    ) -> Result<(), StoreError> {
        let attempt = Attempt {
            number: one.attempt,
            manual_by: one.manual_by.clone(),
            replay: one.replay,
            started_at: one.began,
            duration_ms: 0,
            outcome: Outcome::Unknown,
            status: None,
            error: LEASE_LAPSED.to_owned(),
            target: one.target.clone(),
            signature: String::new(),
            response_headers: String::new(),
            response_body: Bytes::new(),
            response_truncated: false,
        };
        self.attempt_insert(one.delivery, &attempt)?;
        let (state, reason, due_at) = if one.delivered_before {
            ("delivered", "", None)
        } else if one.attempt >= max && !one.held {
            ("exhausted", ATTEMPTS_USED_UP, None)
        } else if one.cancelled {
            ("cancelled", LEASE_LAPSED, None)
        } else {
            ("waiting", LEASE_LAPSED, Some(now))
        };
        let sql = "UPDATE delivery SET state = ?2, reason = ?3, due_at = ?4, lease_node = NULL,
                lease_until = NULL, manual_by = NULL, replay = NULL, last_ended_at = ?5, last_outcome = ?6,
                last_status = NULL
            WHERE id = ?1";
        let (began, outcome) = (one.began.as_millis(), Outcome::Unknown.word());
        let id = one.delivery.uuid();
        self.run(
            sql,
            params![id, state, reason, millis(due_at), began, outcome],
        )?;
        if due_at.is_some() {
            self.gathered.due(one.subscription);
        } else {
            self.through(one.delivery)?;
        }
        Ok(())
    }
}
