//! Health of subscriptions, notices, stopping retries, and the probes of those that were given up.

use async_trait::async_trait;
use domain::{
    DeliveryId, DeliveryState, NOTICES_MAX, Notice, StateCode, SubscriptionId, SubscriptionState,
    TeamId, Timestamp,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    deliveries::{LeaseTerms, NUMBERED_MAX, through},
    fault::Fault,
    subscriptions::{CODE, STATE, health},
    tx::{Change, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{
    Cancelled, LeasedDelivery, NOT_YET, ProbeTake, Seen, Stand, StandChange, StoreError,
    WriteHealth, place::Place, sql,
};

const DELIVERY_STATE: Place = Place {
    table: "delivery",
    column: "state",
};
const PROBES: Place = Place {
    table: "subscription",
    column: "probes",
};

/// How a subscription stands, from five columns.
pub(super) fn stand(row: &Row) -> Result<Stand, Fault> {
    Ok(Stand {
        code: row.word::<StateCode>(0, CODE)?,
        health: health(row, 1)?,
    })
}

#[async_trait]
impl WriteHealth for Change<'_> {
    async fn stand_hold(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Stand>, StoreError> {
        let sql = "SELECT state_code, failing_since, warned, probe_at, probes FROM subscription
            WHERE id = $1 AND team_id = $2 FOR NO KEY UPDATE";
        self.first(sql, &[&id.uuid(), &team.get()], stand).await
    }

    async fn stand_put(
        &mut self,
        id: SubscriptionId,
        change: &StandChange,
    ) -> Result<bool, StoreError> {
        self.state_put(id, change).await
    }

    async fn warned_put(&mut self, id: SubscriptionId, warned: u32) -> Result<(), StoreError> {
        let row = owned![i64::from(warned), id.uuid()];
        self.later(sql::SUBSCRIPTION_WARNED_PUT, row).await
    }

    async fn notice_insert(&mut self, notice: &Notice) -> Result<(), StoreError> {
        let row = owned![
            notice.team.get(),
            notice.id.uuid(),
            notice.kind.word().to_owned(),
            notice.subscription.uuid(),
            notice.text.clone(),
            notice.code.word().to_owned(),
            Moment(notice.at),
            moment(notice.seen_at),
        ];
        self.later(sql::NOTICE_INSERT, row).await?;
        let row = owned![notice.team.get(), i64::from(NOTICES_MAX)];
        self.later(sql::NOTICE_TRIM, row).await
    }

    async fn notice_see(
        &mut self,
        team: TeamId,
        which: Seen,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (first, last) = match which {
            Seen::One(id) => (id.uuid(), id.uuid()),
            Seen::UpTo(id) => (Uuid::nil(), id.uuid()),
        };
        self.run(sql::NOTICE_SEE, &[&Moment(at), &team.get(), &first, &last])
            .await
    }

    async fn delivery_cancel(
        &mut self,
        team: TeamId,
        id: DeliveryId,
        by: &str,
    ) -> Result<Cancelled, StoreError> {
        let sql = "SELECT d.state, d.delivered_at IS NOT NULL, d.cancelled_by IS NOT NULL, s.state,
                d.sequence IS NULL, d.subscription_id, d.chain
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.id = $1 AND d.team_id = $2 FOR NO KEY UPDATE OF d";
        let found = self
            .first(sql, &[&id.uuid(), &team.get()], |row| {
                let state: DeliveryState = row.word(0, DELIVERY_STATE)?;
                let of: SubscriptionState = row.word(3, STATE)?;
                let (delivered, cancelled): (bool, bool) = (row.cell(1)?, row.cell(2)?);
                let before = Cancelled::before(state, of, delivered, cancelled);
                Ok((before, row.cell::<bool>(4)?, through(row, 5)?))
            })
            .await?;
        let (sql, unnumbered, through) = match found {
            None => return Ok(Cancelled::NotThere),
            Some((Err(answer), ..)) => return Ok(answer),
            Some((Ok(DeliveryState::Leased), ..)) => (sql::DELIVERY_CANCEL_MARK, false, None),
            Some((Ok(_), unnumbered, through)) => (sql::DELIVERY_CANCEL, unnumbered, through),
        };
        if unnumbered {
            // What never will be sent has its place among the numbers, after all that is older.
            while self.number(id.uuid()).await? == NUMBERED_MAX.unsigned_abs() {}
        }
        self.later(sql, owned![by.to_owned(), id.uuid()]).await?;
        // What waited behind it in its checklist may go.
        self.fresh.extend(through);
        Ok(Cancelled::Now)
    }

    async fn probe_take(&mut self, take: &ProbeTake) -> Result<Vec<LeasedDelivery>, StoreError> {
        let sql = "SELECT s.id, s.probes,
                (SELECT d.id FROM delivery d
                    WHERE d.subscription_id = s.id AND d.state = 'waiting' AND d.due_at < $3
                    ORDER BY d.due_at, d.id LIMIT 1)
            FROM subscription s
            WHERE s.probe_at IS NOT NULL AND s.probe_at <= $1 ORDER BY s.probe_at LIMIT $2
            FOR NO KEY UPDATE OF s SKIP LOCKED";
        // One that waits behind another has its turn once that is through.
        let (limit, not_yet) = (i64::from(take.limit), Moment(NOT_YET));
        let due = self
            .all(sql, &[&Moment(take.now), &limit, &not_yet], |row| {
                let probes: u32 = row.number(1, PROBES)?;
                Ok((row.guid(0)?, probes, row.cell::<Option<Uuid>>(2)?))
            })
            .await?;
        for (id, probes, delivery) in &due {
            // One that has nothing to be tried with has not been tried.
            let probes = probes + u32::from(delivery.is_some());
            let next = take.now.after(take.settings.probe_wait(probes));
            let row = owned![Moment(next), i64::from(probes), *id];
            self.later(sql::SUBSCRIPTION_PROBED, row).await?;
        }
        let wanted: Vec<Uuid> = due.iter().filter_map(|(.., delivery)| *delivery).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let terms = LeaseTerms {
            node: take.node,
            now: take.now,
            until: take.until,
        };
        self.lease_held(&wanted, terms).await
    }
}
