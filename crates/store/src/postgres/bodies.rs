//! Dropping bodies that everybody has.

use std::collections::HashSet;

use async_trait::async_trait;
use domain::DeliveryId;
use uuid::Uuid;

use super::{tx::Change, values::Cells as _};
use crate::{StoreError, WriteBodies, drops_bodies};

#[async_trait]
impl WriteBodies for Change<'_> {
    async fn event_body_drop(&mut self, deliveries: &[DeliveryId]) -> Result<u64, StoreError> {
        // Of two that settle the last deliveries of an event, the later waits here and then sees what the earlier did.
        let sql = "SELECT e.id FROM event e
            WHERE e.id IN (SELECT event FROM delivery WHERE id = ANY ($1::uuid[]))
            ORDER BY e.id FOR NO KEY UPDATE";
        let ids: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
        let mut events: Vec<Uuid> = self.all(sql, &[&ids], |row| row.guid(0)).await?;
        let sql = "SELECT DISTINCT e.id, d.state = 'delivered', s.settings
            FROM event e JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                JOIN subscription s ON s.id = d.subscription_id
            WHERE e.id = ANY ($1::uuid[]) AND d.event = e.id AND s.state <> 'gone'
            UNION
            SELECT d.event, d.state = 'delivered', s.settings
            FROM delivery d JOIN subscription s ON s.id = d.subscription_id
            WHERE d.event = ANY ($1::uuid[]) AND d.copied_by IS NOT NULL AND s.state <> 'gone'";
        let others: Vec<(Uuid, bool)> = self
            .all(sql, &[&events], |row| {
                let needs_it = !(row.cell::<bool>(1)? && drops_bodies(row.cell(2)?));
                Ok((row.guid(0)?, needs_it))
            })
            .await?;
        let needed = others.into_iter().filter(|(_, needs_it)| *needs_it);
        let needed: HashSet<Uuid> = needed.map(|(event, _)| event).collect();
        events.retain(|event| !needed.contains(event));
        let sql =
            "UPDATE event SET body = '' WHERE id = ANY ($1::uuid[]) AND octet_length(body) > 0";
        self.run(sql, &[&events]).await
    }
}
