//! Adding events: one statement stores the event, finds the subscriptions that want it and stores
//! their deliveries as due. What can be sent at once is leased right after the commit (see `hints`).

use async_trait::async_trait;
use domain::{DeliveryId, Event, SubscriptionId, SubscriptionState};
use uuid::Uuid;

use super::{
    hints::Fresh,
    subscriptions::STATE,
    tx::{Change, owned},
    values::{Cells as _, Moment},
};
use crate::{StoreError, WriteEvents};

#[async_trait]
impl WriteEvents for Change<'_> {
    async fn event_append(&mut self, event: &Event) -> Result<(), StoreError> {
        // The identifiers of an event's deliveries lie side by side, so that its row says which they
        // are: all have the same first half.
        let sql = "WITH wants AS (
                SELECT id, state, row_number() OVER (ORDER BY created_at, id) - 1 AS place
                FROM subscription
                WHERE team_id = $1 AND event_type = $2 AND scope_key IN ($3, $4, $5)
                    AND state <> 'gone'),
            numbered AS (
                SELECT id AS subscription, state,
                    ($6 || lpad(to_hex($7::bigint + place), 16, '0'))::uuid AS delivery
                FROM wants),
            happened AS (
                INSERT INTO event (id, team_id, type, at, checklist_id, template_key, task_key,
                    control_key, first_delivery, last_delivery, body)
                SELECT $8, $1, $2, $9, $10, $11, $12, $13,
                    ($6 || lpad(to_hex($7::bigint), 16, '0'))::uuid,
                    ($6 || lpad(to_hex($7::bigint + greatest((SELECT count(*) FROM wants) - 1, 0)), 16, '0'))::uuid,
                    $14),
            stored AS (
                INSERT INTO delivery (id, team_id, subscription_id, event, state, reason, attempts,
                    due_at)
                SELECT delivery, $1, subscription, $8, 'waiting', '', 0, $9 FROM numbered)
            SELECT delivery, subscription, state FROM numbered ORDER BY delivery";
        let [one, other] = event.scope_keys();
        // Repeated where it has no meaning: a set holds it once.
        let team = if event.reaches_team_scope() {
            Uuid::nil()
        } else {
            one
        };
        let (prefix, first) = self.delivery_ids(event);
        let bound = owned![
            event.team.get(),
            event.kind.word(),
            one,
            other,
            team,
            prefix,
            first,
            event.id.uuid(),
            Moment(event.at),
            event.checklist.get(),
            event.template.uuid(),
            event.task.uuid(),
            event.control.uuid(),
            event.body.to_vec(),
        ];
        self.later_fresh(sql, bound, |row| {
            let subscription = SubscriptionId::new(row.guid(1)?);
            let state: SubscriptionState = row.word(2, STATE)?;
            let delivery = DeliveryId::new(row.guid(0)?);
            Ok(state
                .sends()
                .then_some(Fresh::Delivery(delivery, subscription)))
        })
        .await
    }
}

impl Change<'_> {
    /// The first half of the identifiers of the event's deliveries, in hexadecimal, and the first of
    /// their second halves. They are greater than all before on this node, and never of an earlier time
    /// than the event, so that a list from some moment on can begin at that moment's identifier
    /// (RFC 9562, section 6.2, method 2).
    fn delivery_ids(&self, event: &Event) -> (String, i64) {
        let millis = u64::try_from(event.at.as_millis()).unwrap_or(0);
        let random = self.core.source.random();
        let fresh = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        // Room to count up in the low half without touching the variant above it.
        let fresh = fresh.as_u128() & !(0b11 << 60);
        let first = self.core.delivery_ids(fresh);
        let bytes = first.to_be_bytes();
        let (high, low) = bytes.split_at(8);
        let high = u64::from_be_bytes(high.try_into().expect("half of sixteen bytes"));
        let low = i64::from_be_bytes(low.try_into().expect("the other half"));
        (format!("{high:016x}"), low)
    }
}
