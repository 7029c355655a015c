//! Reading the feed of a subscription.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, EventId, TeamId};
use rusqlite::params;

use super::{subscriptions::EVENT_TYPE, tx::Tx, values::Cells as _};
use crate::{FeedItem, FeedPage, FeedQuery, Looked, ReadFeed, StoreError, sql};

#[async_trait]
impl<G: Send> ReadFeed for Tx<'_, G> {
    async fn feed_page(
        &mut self,
        team: TeamId,
        query: &FeedQuery,
    ) -> Result<Option<FeedPage>, StoreError> {
        let id = query.subscription.uuid();
        let head = self.first(sql::FEED_HEAD, params![id, team.get()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let Some((revision, last, first)) = head else {
            return Ok(None);
        };
        let sql = "SELECT d.sequence, d.id, e.id, e.type, e.body
            FROM delivery d CROSS JOIN event e ON e.number = d.event
            WHERE d.subscription_id = ?1 AND d.sequence > ?2
            ORDER BY d.sequence LIMIT ?3";
        let mut bytes = 0;
        let looked = self.some(sql, params![id, query.after, query.limit], |row| {
            if bytes >= query.bytes_max {
                return Ok(None);
            }
            let (sequence, body) = (row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(4)?));
            bytes += body.len() as u64;
            if body.is_empty() {
                return Ok(Some((sequence, None)));
            }
            let item = FeedItem {
                sequence,
                delivery: DeliveryId::new(row.guid(1)?),
                event: EventId::new(row.guid(2)?),
                event_type: row.word(3, EVENT_TYPE)?,
                body,
            };
            Ok(Some((sequence, Some(item))))
        })?;
        let destination = self.signing(query.subscription, revision)?;
        let page = Looked(looked).page(query.after, (first, last), destination);
        Ok(Some(page))
    }
}
