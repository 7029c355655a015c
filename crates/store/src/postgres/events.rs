//! Adding events: one statement stores the event, finds the subscriptions that want it and stores
//! their deliveries as due. What can be sent at once is leased right after the commit (see `hints`).

use async_trait::async_trait;
use domain::{DeliveryId, Event, SubscriptionId, SubscriptionState, Timestamp};
use uuid::Uuid;

use super::{
    hints::Fresh,
    subscriptions::{RATE, STATE},
    tx::{Change, Owned, owned},
    values::{Cells as _, Moment},
};
use crate::{BEHIND_ANOTHER, Chain, NOT_YET, StoreError, WriteEvents};

/// Stores an event with a delivery for each subscription that `$wants` is true of.
///
/// The identifiers of an event's deliveries lie side by side, so that its row says which they are: all have the
/// same first half.
macro_rules! append {
    ($wants:literal) => {
        concat!(
            "WITH wants AS (
                SELECT id, state, rate_per_second, ordering = 'checklist' AS ordered,
                    row_number() OVER (ORDER BY created_at, id) - 1 AS place
                FROM subscription WHERE team_id = $1 AND ",
            $wants,
            " AND state <> 'gone'),
            numbered AS (
                SELECT id AS subscription, state, rate_per_second, ordered, place,
                    CASE WHEN ordered THEN coalesce((
                        SELECT max(d.behind) + 1 FROM delivery d
                        WHERE d.subscription_id = wants.id AND d.chain = $7
                            AND d.state IN ('waiting', 'leased')), 0) END AS behind,
                    ($3 || lpad(to_hex($4::bigint + place), 16, '0'))::uuid AS delivery
                FROM wants),
            happened AS (
                INSERT INTO event (id, team_id, type, at, checklist_id, template_key, task_key,
                    control_key, first_delivery, last_delivery, body)
                SELECT $5, $1, $2, $6, $7, $8, $9, $10,
                    (SELECT delivery FROM numbered ORDER BY place LIMIT 1),
                    (SELECT delivery FROM numbered ORDER BY place DESC LIMIT 1),
                    $11),
            stored AS (
                INSERT INTO delivery (id, team_id, subscription_id, event, state, reason, attempts,
                    due_at, chain, behind)
                SELECT delivery, $1, subscription, $5, 'waiting',
                    CASE WHEN behind > 0 THEN $12 ELSE '' END, 0,
                    CASE WHEN behind > 0 THEN $13 ELSE $6 END,
                    CASE WHEN ordered THEN $7 END, behind
                FROM numbered)
            SELECT delivery, subscription, state, coalesce(behind, 0), rate_per_second
            FROM numbered ORDER BY delivery"
        )
    };
}

#[async_trait]
impl WriteEvents for Change<'_> {
    async fn event_append(&mut self, event: &Event) -> Result<(), StoreError> {
        let [one, other] = event.scope_keys();
        // Repeated where it has no meaning: a set holds it once.
        let team = if event.reaches_team_scope() {
            Uuid::nil()
        } else {
            one
        };
        let sql = append!("event_type = $2 AND scope_key IN ($14, $15, $16) AND id <> $17");
        let about = event.about.unwrap_or(SubscriptionId::ZERO).uuid();
        self.append(event, sql, owned![one, other, team, about])
            .await?;
        Ok(())
    }

    async fn event_append_for(
        &mut self,
        event: &Event,
        subscription: SubscriptionId,
    ) -> Result<DeliveryId, StoreError> {
        let sql = append!("id = $14");
        self.append(event, sql, owned![subscription.uuid()]).await
    }
}

impl Change<'_> {
    /// Stores the event with the deliveries that `sql` finds, which `wanted` binds; answers the first of them.
    async fn append(
        &mut self,
        event: &Event,
        sql: &'static str,
        wanted: Vec<Owned>,
    ) -> Result<DeliveryId, StoreError> {
        let first = self.delivery_ids(event);
        let (prefix, counted) = halves(first);
        let mut bound = owned![
            event.team.get(),
            event.kind.word(),
            prefix,
            counted,
            event.id.uuid(),
            Moment(event.at),
            event.checklist.get(),
            event.template.uuid(),
            event.task.uuid(),
            event.control.uuid(),
            event.body.to_vec(),
            BEHIND_ANOTHER,
            Moment(NOT_YET),
        ];
        bound.extend(wanted);
        let checklist = event.checklist;
        self.later_fresh(sql, bound, move |row| {
            let subscription = SubscriptionId::new(row.guid(1)?);
            let state: SubscriptionState = row.word(2, STATE)?;
            let delivery = DeliveryId::new(row.guid(0)?);
            if row.cell::<i64>(3)? > 0 {
                let chain = Chain {
                    subscription,
                    checklist,
                };
                return Ok(Some(Fresh::Chain(chain)));
            }
            let rate = row.number_opt(4, RATE)?;
            let fresh = Fresh::Delivery(delivery, subscription, rate);
            Ok(state.sends().then_some(fresh))
        })
        .await?;
        Ok(DeliveryId::new(Uuid::from_u128(first)))
    }

    /// The first of the identifiers of the event's deliveries. They are greater than all before on this node, and
    /// never of an earlier time than the event, so that a list from some moment on can begin at that moment's
    /// identifier (RFC 9562, section 6.2, method 2).
    fn delivery_ids(&self, event: &Event) -> u128 {
        self.fresh_ids(event.at)
    }

    /// The first of as many consecutive identifiers as an event may have deliveries: greater than all before on
    /// this node, and never of an earlier time than `at`.
    pub(super) fn fresh_ids(&self, at: Timestamp) -> u128 {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        let random = self.core.source.random();
        let fresh = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        // Room to count up in the low half without touching the variant above it.
        self.core.delivery_ids(fresh.as_u128() & !(0b11 << 60))
    }
}

/// The first half of an identifier in hexadecimal, and its second as a number.
fn halves(id: u128) -> (String, i64) {
    let bytes = id.to_be_bytes();
    let (high, low) = bytes.split_at(8);
    let high = u64::from_be_bytes(high.try_into().expect("half of sixteen bytes"));
    let low = i64::from_be_bytes(low.try_into().expect("the other half"));
    (format!("{high:016x}"), low)
}
