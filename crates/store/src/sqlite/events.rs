//! Adding events: finding the subscriptions that want one, numbering and storing its deliveries, and
//! leasing at once those whose lane has room.

use async_trait::async_trait;
use domain::{DeliveryId, Event, SubscriptionId, SubscriptionState, Timestamp};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{
    chains::{first_due, first_reason},
    fault::Fault,
    subscriptions::STATE,
    tx::{Change, Gathered},
    values::Cells as _,
};
use crate::{Chain, Lease, LeasedDelivery, Permit, StoreError, WriteEvents};

/// A subscription that wants the event.
struct Wants {
    id: SubscriptionId,
    revision: i64,
    state: SubscriptionState,
    /// Whether its deliveries about one checklist go one after the other.
    ordered: bool,
    /// Most of its requests that begin in a second.
    per_second: Option<u32>,
}

#[async_trait]
impl WriteEvents for Change<'_> {
    async fn event_append(&mut self, event: &Event) -> Result<(), StoreError> {
        let wants = self.wants(event)?;
        self.append(event, &wants)?;
        Ok(())
    }

    async fn event_append_for(
        &mut self,
        event: &Event,
        subscription: SubscriptionId,
    ) -> Result<DeliveryId, StoreError> {
        let sql = "SELECT id, revision, state, ordering = 'checklist', rate_per_second
            FROM subscription
            WHERE id = ?1 AND team_id = ?2 AND state <> 'gone'";
        let bound = params![subscription.uuid(), event.team.get()];
        let one = self.one(sql, bound, wants)?;
        self.append(event, &[one])
    }
}

fn wants(row: &Row<'_>) -> Result<Wants, Fault> {
    Ok(Wants {
        id: SubscriptionId::new(row.guid(0)?),
        revision: row.get(1)?,
        state: row.word(2, STATE)?,
        ordered: row.get(3)?,
        per_second: row.get(4)?,
    })
}

impl Change<'_> {
    /// Stores the event and its deliveries; answers the first of them.
    fn append(&mut self, event: &Event, wants: &[Wants]) -> Result<DeliveryId, StoreError> {
        let first = self.delivery_ids(event.at, wants.len());
        let number = self.event_insert(event, first, wants.len())?;
        for (offset, subscription) in (0_u128..).zip(wants) {
            let id = DeliveryId::new(Uuid::from_u128(first + offset));
            self.delivery_insert(event, number, id, subscription)?;
        }
        Ok(DeliveryId::new(Uuid::from_u128(first)))
    }

    fn wants(&self, event: &Event) -> Result<Vec<Wants>, StoreError> {
        let [one, other] = event.scope_keys();
        // Repeated where it has no meaning: a set holds it once.
        let team = if event.reaches_team_scope() {
            Uuid::nil()
        } else {
            one
        };
        let sql = "SELECT id, revision, state, ordering = 'checklist', rate_per_second
            FROM subscription
            WHERE team_id = ?1 AND event_type = ?2 AND scope_key IN (?3, ?4, ?5)
                AND state <> 'gone' AND id <> ?6";
        let about = event.about.unwrap_or(SubscriptionId::ZERO).uuid();
        let bound = params![event.team.get(), event.kind.word(), one, other, team, about];
        self.all(sql, bound, wants)
    }

    /// The first of `count` consecutive identifiers: greater than all before, so that their order is
    /// that of the deliveries, and never of an earlier time than the event, so that a list from some
    /// moment on can begin at that moment's identifier (RFC 9562, section 6.2, method 2).
    pub(super) fn delivery_ids(&mut self, at: Timestamp, count: usize) -> u128 {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        let random = self.core.source.random();
        let fresh = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let first = fresh
            .as_u128()
            .max(self.gathered.last_delivery.saturating_add(1));
        self.gathered.last_delivery = first.saturating_add(count as u128);
        first
    }

    fn event_insert(&self, event: &Event, first: u128, count: usize) -> Result<i64, StoreError> {
        let sql = "INSERT INTO event (id, team_id, type, at, checklist_id, template_key, task_key,
                control_key, first_delivery, last_delivery, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let first = (count > 0).then_some(first);
        let last = first.map(|first| Uuid::from_u128(first + count as u128 - 1));
        self.run(
            sql,
            params![
                event.id.uuid(),
                event.team.get(),
                event.kind.word(),
                event.at.as_millis(),
                event.checklist.get(),
                event.template.uuid(),
                event.task.uuid(),
                event.control.uuid(),
                first.map(Uuid::from_u128),
                last,
                &event.body[..],
            ],
        )?;
        Ok(self.last_number())
    }

    /// The next number among the deliveries of a subscription.
    pub(super) fn next_sequence(&self, of: SubscriptionId) -> Result<i64, StoreError> {
        let sql = "UPDATE subscription_sequence SET last = last + 1 WHERE subscription_id = ?1
            RETURNING last";
        self.one(sql, [of.uuid()], |row| Ok(row.get(0)?))
    }

    fn delivery_insert(
        &mut self,
        event: &Event,
        number: i64,
        delivery: DeliveryId,
        wants: &Wants,
    ) -> Result<(), StoreError> {
        let sequence = self.next_sequence(wants.id)?;
        let chain = wants.ordered.then_some(Chain {
            subscription: wants.id,
            checklist: event.checklist,
        });
        let behind = chain.map(|chain| self.place_behind(chain)).transpose()?;
        let may_go = wants.state.sends() && behind.unwrap_or(0) == 0;
        let destination = may_go.then(|| self.destination(wants.id, wants.revision));
        let destination = match destination.transpose() {
            Ok(destination) => destination,
            // The event is stored all the same; the take says what is wrong.
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        let permit = if destination.is_some() {
            self.gathered.reserve(wants.id, wants.per_second)
        } else {
            None
        };
        let now = self.core.source.now();
        let lease = permit.as_ref().map(|(_, lanes)| Lease {
            delivery,
            node: lanes.node(),
            attempt: 1,
            until: lanes.lease_until(now),
        });
        let sql = "INSERT INTO delivery (id, team_id, subscription_id, event, sequence, state,
                reason, attempts, due_at, lease_node, lease_until, chain, behind)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        self.run(
            sql,
            params![
                delivery.uuid(),
                event.team.get(),
                wants.id.uuid(),
                number,
                sequence,
                if lease.is_some() { "leased" } else { "waiting" },
                first_reason(behind),
                u32::from(lease.is_some()),
                if lease.is_some() {
                    now
                } else {
                    first_due(behind, event.at)
                }
                .as_millis(),
                lease.map(|lease| lease.node.uuid()),
                lease.map(|lease| lease.until.as_millis()),
                chain.map(|chain| chain.checklist.get()),
                behind,
            ],
        )?;
        let Some(((lease, (permit, _)), destination)) = lease.zip(permit).zip(destination) else {
            if may_go {
                self.gathered.due(wants.id);
            }
            return Ok(());
        };
        let leased = LeasedDelivery {
            lease,
            event: event.id,
            event_type: event.kind,
            sequence,
            manual_by: None,
            replay: None,
            delivered_before: false,
            destination,
            body: event.body.clone(),
        };
        self.gathered.ready.push((leased, permit));
        Ok(())
    }
}

/// The greatest identifier of a delivery in the table. It may have been given in an earlier life of this
/// process, by a clock that was ahead of the present one.
pub(super) fn last_delivery(conn: &Connection) -> rusqlite::Result<u128> {
    let mut statement = conn.prepare_cached("SELECT max(id) FROM delivery")?;
    let last: Option<Uuid> = statement.query_row((), |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.as_u128()))
}

impl Gathered {
    /// A permit for the subscription, if the engine is there and gives one.
    fn reserve(
        &self,
        subscription: SubscriptionId,
        per_second: Option<u32>,
    ) -> Option<(Permit, std::sync::Arc<dyn crate::Lanes>)> {
        let lanes = self.lanes.as_ref()?;
        Some((
            Permit::reserve(lanes, subscription, per_second)?,
            lanes.clone(),
        ))
    }
}
