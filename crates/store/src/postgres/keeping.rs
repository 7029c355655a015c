//! Keeping less: events and the deliveries that an event's row names are found by their identifiers, so that no
//! statement looks through a table, and rows that another transaction has at the moment are left for the next slice.

use async_trait::async_trait;
use domain::{ChecklistId, TeamId};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    deliveries::{NUMBERED_MAX, through},
    fault::Fault,
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{
    Ending, EventPlace, Forget, KeptEvent, ReadKeeping, Slimmed, StoreError, WriteKeeping,
};

/// What a walk reads of `event e`. For EXISTS of what is equal PostgreSQL may read all there is once; for a first row
/// it does not.
macro_rules! walk {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.at, octet_length(e.body) > 0,
                EXISTS (SELECT 1 FROM delivery d
                    WHERE d.id BETWEEN e.first_delivery AND e.last_delivery
                        AND (d.first_response_headers <> ''
                            OR octet_length(d.first_response_body) > 0))
                OR EXISTS (SELECT 1 FROM attempt a
                    WHERE a.delivery_id BETWEEN e.first_delivery AND e.last_delivery
                        AND (a.response_headers <> '' OR octet_length(a.response_body) > 0))
                OR (SELECT true FROM delivery d JOIN attempt a ON a.delivery_id = d.id
                    WHERE d.event = e.id AND d.copied_by IS NOT NULL
                        AND (a.response_headers <> '' OR octet_length(a.response_body) > 0)
                    LIMIT 1) IS NOT NULL
            FROM event e WHERE ",
            $rest
        )
    };
}

/// The deliveries of the events `$1`: those that came of them, and those that redelivery jobs made.
const OF_EVENTS: [&str; 2] = [
    "event e JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
        WHERE e.id = ANY ($1::uuid[]) AND d.event = e.id",
    "delivery d WHERE d.event = ANY ($1::uuid[]) AND d.copied_by IS NOT NULL",
];

fn kept(row: &Row) -> Result<KeptEvent, Fault> {
    Ok(KeptEvent {
        place: EventPlace(row.guid(0)?),
        at: row.time(1)?,
        has_body: row.cell(2)?,
        has_answers: row.cell(3)?,
    })
}

fn after(place: Option<EventPlace>) -> Uuid {
    place.map_or(Uuid::nil(), |place| place.0)
}

fn ids(places: &[EventPlace]) -> Vec<Uuid> {
    places.iter().map(|place| place.0).collect()
}

#[async_trait]
impl<G: Send> ReadKeeping for Tx<'_, G> {
    async fn event_walk(
        &mut self,
        place: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let sql = walk!("e.id > $1 ORDER BY e.id LIMIT $2");
        self.all(sql, &[&after(place), &i64::from(limit)], kept)
            .await
    }

    async fn event_walk_of(
        &mut self,
        team: TeamId,
        checklist: ChecklistId,
        place: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let sql =
            walk!("e.checklist_id = $1 AND e.id > $2 AND e.team_id = $3 ORDER BY e.id LIMIT $4");
        let (checklist, team) = (checklist.get(), team.get());
        let (after, limit) = (after(place), i64::from(limit));
        self.all(sql, &[&checklist, &after, &team, &limit], kept)
            .await
    }
}

#[async_trait]
impl WriteKeeping for Change<'_> {
    async fn event_forget(
        &mut self,
        places: &[EventPlace],
        which: Forget,
        deliveries_max: u32,
    ) -> Result<Slimmed, StoreError> {
        let events = ids(places);
        // What was never sent nor read has no number in its lane yet; it gets one, so that receivers see the gap.
        if which == Forget::All && !self.number_of(&events).await? {
            return Ok(Slimmed {
                more: true,
                ..Slimmed::default()
            });
        }
        let which = which.term();
        let mut rows = 0;
        for deliveries in OF_EVENTS {
            let sql = format!(
                "WITH gone AS MATERIALIZED (
                    SELECT d.id FROM {deliveries} AND {which}
                    LIMIT $2 FOR UPDATE OF d SKIP LOCKED),
                tried AS (DELETE FROM attempt a USING gone WHERE a.delivery_id = gone.id),
                done AS (
                    DELETE FROM delivery d USING gone WHERE d.id = gone.id
                    RETURNING d.subscription_id, CASE WHEN d.state = 'waiting' THEN d.chain END AS chain)
                SELECT subscription_id, chain, count(*) FROM done GROUP BY subscription_id, chain"
            );
            let left = i64::from(deliveries_max) - i64::try_from(rows).unwrap_or(0);
            rows += self.counted(&sql, &[&events, &left]).await?;
        }
        let sql = "DELETE FROM event e WHERE e.id = ANY ($1::uuid[])
            AND NOT EXISTS (SELECT 1 FROM delivery d
                WHERE d.id BETWEEN e.first_delivery AND e.last_delivery AND d.event = e.id)
            AND (SELECT true FROM delivery d
                WHERE d.event = e.id AND d.copied_by IS NOT NULL LIMIT 1) IS NULL";
        Ok(Slimmed {
            events: self.run(sql, &[&events]).await?,
            rows,
            more: rows >= u64::from(deliveries_max),
        })
    }

    async fn event_body_remove(
        &mut self,
        places: &[EventPlace],
        ending: &Ending,
        deliveries_max: u32,
    ) -> Result<Slimmed, StoreError> {
        ending.check()?;
        let events = ids(places);
        if !self.number_of(&events).await? {
            return Ok(Slimmed {
                more: true,
                ..Slimmed::default()
            });
        }
        let (state, mut rows) = (ending.state.word(), 0);
        for deliveries in OF_EVENTS {
            let sql = format!(
                "WITH ends AS MATERIALIZED (
                    SELECT d.id FROM {deliveries} AND d.state = 'waiting'
                    LIMIT $2 FOR NO KEY UPDATE OF d SKIP LOCKED),
                done AS (
                    UPDATE delivery d SET
                        state = CASE WHEN d.delivered_at IS NULL THEN $3 ELSE 'delivered' END,
                        reason = CASE WHEN d.delivered_at IS NULL THEN $4 ELSE '' END,
                        due_at = NULL, manual_by = NULL, replay = NULL
                    FROM ends WHERE d.id = ends.id
                    RETURNING d.subscription_id, d.chain)
                SELECT subscription_id, chain, count(*) FROM done GROUP BY subscription_id, chain"
            );
            let left = i64::from(deliveries_max) - i64::try_from(rows).unwrap_or(0);
            rows += self
                .counted(&sql, &[&events, &left, &state, &ending.reason])
                .await?;
        }
        let more = rows >= u64::from(deliveries_max);
        if let (Some(by), false) = (&ending.stopped_by, more) {
            for deliveries in OF_EVENTS {
                let sql = format!(
                    "UPDATE delivery SET cancelled_by = $2 WHERE id IN (
                        SELECT d.id FROM {deliveries} AND d.state = 'leased'
                            AND d.cancelled_by IS NULL)"
                );
                self.run(&sql, &[&events, by]).await?;
            }
        }
        let sql =
            "UPDATE event SET body = '' WHERE id = ANY ($1::uuid[]) AND octet_length(body) > 0";
        let events = if more {
            0
        } else {
            self.run(sql, &[&events]).await?
        };
        Ok(Slimmed { events, rows, more })
    }

    async fn event_answers_remove(
        &mut self,
        places: &[EventPlace],
        answers_max: u32,
    ) -> Result<Slimmed, StoreError> {
        let (events, limit) = (ids(places), i64::from(answers_max));
        let sql = "WITH slim AS MATERIALIZED (
                SELECT d.id FROM event e
                    JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                WHERE e.id = ANY ($1::uuid[]) AND d.event = e.id
                    AND (d.first_response_headers <> '' OR octet_length(d.first_response_body) > 0)
                LIMIT $2 FOR NO KEY UPDATE OF d SKIP LOCKED)
            UPDATE delivery d SET first_response_headers = '', first_response_body = '',
                first_response_truncated = true
            FROM slim WHERE d.id = slim.id RETURNING d.event";
        let mut of = self.all(sql, &[&events, &limit], |row| row.guid(0)).await?;
        for deliveries in OF_EVENTS {
            let sql = format!(
                "WITH slim AS MATERIALIZED (
                    SELECT a.delivery_id, a.number, d.event
                    FROM attempt a CROSS JOIN {deliveries} AND a.delivery_id = d.id
                        AND (a.response_headers <> '' OR octet_length(a.response_body) > 0)
                    LIMIT $2 FOR NO KEY UPDATE OF a SKIP LOCKED)
                UPDATE attempt a SET response_headers = '', response_body = '',
                    response_truncated = true
                FROM slim WHERE a.delivery_id = slim.delivery_id AND a.number = slim.number
                RETURNING slim.event"
            );
            let left = i64::from(answers_max) - i64::try_from(of.len()).unwrap_or(0);
            of.extend(self.all(&sql, &[&events, &left], |row| row.guid(0)).await?);
        }
        let rows = of.len() as u64;
        let more = rows >= u64::from(answers_max);
        of.sort_unstable();
        of.dedup();
        let events = of.len() as u64;
        Ok(Slimmed { events, rows, more })
    }
}

impl Change<'_> {
    /// How many deliveries a statement changed that counts them by their chains; what waited behind them may go once
    /// this is committed.
    async fn counted(
        &mut self,
        sql: &str,
        bound: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let done = self
            .all(sql, bound, |row| {
                Ok((through(row, 0)?, row.cell::<i64>(2)?))
            })
            .await?;
        let rows = done.iter().map(|(_, count)| count.unsigned_abs()).sum();
        self.fresh.extend(done.into_iter().filter_map(|(of, _)| of));
        Ok(rows)
    }

    /// Gives a sequence to the deliveries of these events that have none, and to all before them; answers whether
    /// that is done. Few slices meet any: what is neither sent nor read for so long is held.
    async fn number_of(&mut self, events: &[Uuid]) -> Result<bool, StoreError> {
        let sql = "SELECT last.id FROM event e CROSS JOIN LATERAL (
                SELECT d.id FROM delivery d
                WHERE d.id BETWEEN e.first_delivery AND e.last_delivery AND d.sequence IS NULL
                ORDER BY d.id DESC LIMIT 1) last
            WHERE e.id = ANY ($1::uuid[])";
        let without = self.all(sql, &[&events], |row| row.guid(0)).await?;
        let Some(last) = without.into_iter().max() else {
            return Ok(true);
        };
        Ok(self.number(last).await? < NUMBERED_MAX.unsigned_abs())
    }
}
