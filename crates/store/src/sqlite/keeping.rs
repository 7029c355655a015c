//! Keeping less: events are found by their numbers, their deliveries by the identifiers that an event's row names,
//! so that no statement looks through a table.
//!
//! Numbers of events are never used again: the newest event keeps its row, if nothing else, until there is a newer.

use async_trait::async_trait;
use domain::{ChecklistId, TeamId};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    chains::chain,
    fault::Fault,
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{
    Chain, Ending, EventPlace, Forget, KeptEvent, ReadKeeping, Slimmed, StoreError,
    WriteChains as _, WriteKeeping,
};

/// What a walk reads of `event e`.
macro_rules! walk {
    ($rest:literal) => {
        concat!(
            "SELECT e.number, e.at, length(e.body) > 0,
                EXISTS (SELECT 1 FROM delivery d
                    WHERE d.id BETWEEN e.first_delivery AND e.last_delivery
                        AND (d.first_response_headers <> '' OR length(d.first_response_body) > 0))
                OR EXISTS (SELECT 1 FROM attempt a
                    WHERE a.delivery_id BETWEEN e.first_delivery AND e.last_delivery
                        AND (a.response_headers <> '' OR length(a.response_body) > 0))
                OR EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_copied
                        CROSS JOIN attempt a ON a.delivery_id = d.id
                    WHERE d.event = e.number AND d.copied_by IS NOT NULL
                        AND (a.response_headers <> '' OR length(a.response_body) > 0))
            FROM event e WHERE ",
            $rest
        )
    };
}

impl EventPlace {
    fn of_number(number: i64) -> Self {
        Self(Uuid::from_u128(u128::try_from(number).unwrap_or(0)))
    }

    fn number(self) -> i64 {
        i64::try_from(self.0.as_u128()).unwrap_or(i64::MAX)
    }
}

fn kept(row: &Row<'_>) -> Result<KeptEvent, Fault> {
    Ok(KeptEvent {
        place: EventPlace::of_number(row.get(0)?),
        at: row.time(1)?,
        has_body: row.get(2)?,
        has_answers: row.get(3)?,
    })
}

fn after(place: Option<EventPlace>) -> i64 {
    place.map_or(i64::MIN, EventPlace::number)
}

#[async_trait]
impl<G: Send> ReadKeeping for Tx<'_, G> {
    async fn event_walk(
        &mut self,
        place: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let sql = walk!("e.number > ?1 ORDER BY e.number LIMIT ?2");
        self.all(sql, params![after(place), limit], kept)
    }

    async fn event_walk_of(
        &mut self,
        team: TeamId,
        checklist: ChecklistId,
        place: Option<EventPlace>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let sql = walk!(
            "e.checklist_id = ?1 AND e.number > ?2 AND e.team_id = ?3 ORDER BY e.number LIMIT ?4"
        );
        let bound = params![checklist.get(), after(place), team.get(), limit];
        self.all(sql, bound, kept)
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
        let mut slice = Slice::new(deliveries_max);
        for place in places {
            if slice.done.more {
                break;
            }
            self.forget(place.number(), which, &mut slice)?;
        }
        self.let_go_after(slice).await
    }

    async fn event_body_remove(
        &mut self,
        places: &[EventPlace],
        ending: &Ending,
        deliveries_max: u32,
    ) -> Result<Slimmed, StoreError> {
        ending.check()?;
        let mut slice = Slice::new(deliveries_max);
        for place in places {
            if slice.done.more {
                break;
            }
            self.body_remove(place.number(), ending, &mut slice)?;
        }
        self.let_go_after(slice).await
    }

    async fn event_answers_remove(
        &mut self,
        places: &[EventPlace],
        answers_max: u32,
    ) -> Result<Slimmed, StoreError> {
        let mut slice = Slice::new(answers_max);
        for place in places {
            let before = slice.done.rows;
            self.answers_remove(place.number(), &mut slice)?;
            slice.done.events += u64::from(slice.done.rows > before);
            if slice.done.more {
                break;
            }
        }
        Ok(slice.done)
    }
}

/// How much of a slice is used.
struct Slice {
    left: u64,
    done: Slimmed,
    /// Those in which one waited that does no more.
    chains: Vec<Chain>,
}

impl Slice {
    fn new(rows: u32) -> Self {
        Self {
            left: rows.into(),
            done: Slimmed::default(),
            chains: Vec::new(),
        }
    }

    /// These rows were changed, of as many as were left.
    fn used(&mut self, rows: usize) {
        let rows = rows as u64;
        self.left = self.left.saturating_sub(rows);
        self.done.rows += rows;
        self.done.more |= self.left == 0;
    }

    fn left(&self) -> i64 {
        i64::try_from(self.left).unwrap_or(i64::MAX)
    }
}

/// The chain that a row names, if it names one.
fn chain_there(row: &Row<'_>) -> Result<Option<Chain>, Fault> {
    let checklist: Option<i64> = row.get(1)?;
    checklist.map(|_| chain(row)).transpose()
}

impl Change<'_> {
    /// What waited behind deliveries of the slice may go.
    async fn let_go_after(&mut self, mut slice: Slice) -> Result<Slimmed, StoreError> {
        slice.chains.sort_unstable();
        slice.chains.dedup();
        self.chain_let_go(&slice.chains).await?;
        Ok(slice.done)
    }

    fn forget(&self, event: i64, which: Forget, slice: &mut Slice) -> Result<(), StoreError> {
        let which = which.term();
        let sql = format!(
            "SELECT d.subscription_id, iif(d.state = 'waiting', d.chain, NULL) AS chain, d.id
            FROM event e CROSS JOIN delivery d
                ON d.id BETWEEN e.first_delivery AND e.last_delivery
            WHERE e.number = ?1 AND {which}
            UNION ALL
            SELECT d.subscription_id, NULL, d.id FROM delivery d INDEXED BY delivery_copied
            WHERE d.event = ?1 AND d.copied_by IS NOT NULL AND {which} LIMIT ?2"
        );
        let gone: Vec<(Uuid, Option<Chain>)> =
            self.all(&sql, params![event, slice.left()], |row| {
                Ok((row.guid(2)?, chain_there(row)?))
            })?;
        for (id, _) in &gone {
            self.run("DELETE FROM attempt WHERE delivery_id = ?1", [id])?;
            self.run("DELETE FROM delivery WHERE id = ?1", [id])?;
        }
        slice.used(gone.len());
        slice
            .chains
            .extend(gone.into_iter().filter_map(|(_, of)| of));
        let sql = "DELETE FROM event WHERE number = ?1
            AND number < (SELECT max(number) FROM event)
            AND NOT EXISTS (SELECT 1 FROM delivery d
                WHERE d.id BETWEEN event.first_delivery AND event.last_delivery)
            AND NOT EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_copied
                WHERE d.event = event.number AND d.copied_by IS NOT NULL)";
        let gone = self.run(sql, [event])?;
        slice.done.events += gone as u64;
        Ok(())
    }

    fn body_remove(
        &self,
        event: i64,
        ending: &Ending,
        slice: &mut Slice,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET state = iif(delivered_at IS NULL, ?2, 'delivered'),
                reason = iif(delivered_at IS NULL, ?3, ''), due_at = NULL, manual_by = NULL,
                replay = NULL
            WHERE id IN (SELECT d.id FROM event e CROSS JOIN delivery d
                    ON d.id BETWEEN e.first_delivery AND e.last_delivery
                WHERE e.number = ?1 AND d.state = 'waiting'
                UNION ALL
                SELECT d.id FROM delivery d INDEXED BY delivery_copied
                WHERE d.event = ?1 AND d.copied_by IS NOT NULL AND d.state = 'waiting' LIMIT ?4)
            RETURNING subscription_id, chain";
        let bound = params![event, ending.state.word(), ending.reason, slice.left()];
        let ended: Vec<Option<Chain>> = self.all(sql, bound, chain_there)?;
        slice.used(ended.len());
        slice.chains.extend(ended.into_iter().flatten());
        if slice.done.more {
            return Ok(());
        }
        if let Some(by) = &ending.stopped_by {
            let sql = "UPDATE delivery SET cancelled_by = ?2
                WHERE id IN (SELECT d.id FROM event e CROSS JOIN delivery d
                        ON d.id BETWEEN e.first_delivery AND e.last_delivery
                    WHERE e.number = ?1 AND d.state = 'leased' AND d.cancelled_by IS NULL
                    UNION ALL
                    SELECT d.id FROM delivery d INDEXED BY delivery_copied
                    WHERE d.event = ?1 AND d.copied_by IS NOT NULL AND d.state = 'leased'
                        AND d.cancelled_by IS NULL)";
            self.run(sql, params![event, by])?;
        }
        let sql = "UPDATE event SET body = x'' WHERE number = ?1 AND length(body) > 0";
        let removed = self.run(sql, [event])?;
        slice.done.events += removed as u64;
        Ok(())
    }

    fn answers_remove(&self, event: i64, slice: &mut Slice) -> Result<(), StoreError> {
        let sql = "UPDATE delivery SET first_response_headers = '', first_response_body = x'',
                first_response_truncated = 1
            WHERE id IN (SELECT d.id FROM event e CROSS JOIN delivery d
                    ON d.id BETWEEN e.first_delivery AND e.last_delivery
                WHERE e.number = ?1 AND (d.first_response_headers <> ''
                    OR length(d.first_response_body) > 0) LIMIT ?2)";
        slice.used(self.run(sql, params![event, slice.left()])?);
        if slice.done.more {
            return Ok(());
        }
        let sql = "UPDATE attempt SET response_headers = '', response_body = x'',
                response_truncated = 1
            WHERE (delivery_id, number) IN (SELECT a.delivery_id, a.number
                FROM event e CROSS JOIN attempt a
                    ON a.delivery_id BETWEEN e.first_delivery AND e.last_delivery
                WHERE e.number = ?1 AND (a.response_headers <> ''
                    OR length(a.response_body) > 0) LIMIT ?2)";
        slice.used(self.run(sql, params![event, slice.left()])?);
        if slice.done.more {
            return Ok(());
        }
        let sql = "UPDATE attempt SET response_headers = '', response_body = x'',
                response_truncated = 1
            WHERE (delivery_id, number) IN (SELECT a.delivery_id, a.number
                FROM delivery d INDEXED BY delivery_copied
                    CROSS JOIN attempt a ON a.delivery_id = d.id
                WHERE d.event = ?1 AND d.copied_by IS NOT NULL AND (a.response_headers <> ''
                    OR length(a.response_body) > 0) LIMIT ?2)";
        slice.used(self.run(sql, params![event, slice.left()])?);
        Ok(())
    }
}
