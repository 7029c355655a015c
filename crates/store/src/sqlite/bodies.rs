//! Dropping bodies that everybody has.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::DeliveryId;
use rusqlite::params;

use super::tx::Change;
use crate::{StoreError, WriteBodies, drops_bodies};

#[async_trait]
impl WriteBodies for Change<'_> {
    async fn event_body_drop(&mut self, deliveries: &[DeliveryId]) -> Result<u64, StoreError> {
        let mut events = BTreeSet::new();
        for delivery in deliveries {
            let sql = "SELECT event FROM delivery WHERE id = ?1";
            let event: Option<i64> = self.first(sql, [delivery.uuid()], |row| Ok(row.get(0)?))?;
            events.extend(event);
        }
        let mut dropped = 0;
        for event in events {
            if self.everybody_has(event)? {
                let sql = "UPDATE event SET body = x'' WHERE number = ?1 AND length(body) > 0";
                dropped += self.run(sql, params![event])? as u64;
            }
        }
        Ok(dropped)
    }
}

impl Change<'_> {
    /// Whether nobody may need the body of an event any more.
    fn everybody_has(&self, event: i64) -> Result<bool, StoreError> {
        // The last to be sent first: of many, one that was not is found at once.
        let came_of_it = "SELECT d.state = 'delivered', s.settings
            FROM event e CROSS JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                CROSS JOIN subscription s ON s.id = d.subscription_id
            WHERE e.number = ?1 AND s.state <> 'gone' ORDER BY d.id DESC";
        let made_by_jobs = "SELECT d.state = 'delivered', s.settings
            FROM delivery d INDEXED BY delivery_copied
                CROSS JOIN subscription s ON s.id = d.subscription_id
            WHERE d.event = ?1 AND d.copied_by IS NOT NULL AND s.state <> 'gone'";
        let mut is_needed = false;
        for sql in [came_of_it, made_by_jobs] {
            self.some(sql, [event], |row| {
                let settings: String = row.get(1)?;
                is_needed |= !(row.get::<_, bool>(0)? && drops_bodies(&settings));
                Ok((!is_needed).then_some(()))
            })?;
        }
        Ok(!is_needed)
    }
}
