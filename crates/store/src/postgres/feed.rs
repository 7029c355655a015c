//! Reading the feed of a subscription, which gives a sequence to what has none yet.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, EventId, TeamId};

use super::{deliveries::NUMBERED_MAX, subscriptions::EVENT_TYPE, tx::Tx, values::Cells as _};
use crate::{FeedItem, FeedPage, FeedQuery, Looked, ReadFeed, StoreError, sql};

#[async_trait]
impl<G: Send> ReadFeed for Tx<'_, G> {
    async fn feed_page(
        &mut self,
        team: TeamId,
        query: &FeedQuery,
    ) -> Result<Option<FeedPage>, StoreError> {
        let sql = "SELECT id FROM delivery WHERE subscription_id = $1 AND sequence IS NULL
            ORDER BY id DESC LIMIT 1";
        let unnumbered = self
            .first(sql, &[&query.subscription.uuid()], |row| row.guid(0))
            .await?;
        match unnumbered {
            None => self.feed_numbered(team, query).await,
            // A transaction that only reads does not see what is numbered beside it.
            Some(last) if self.reads_only => {
                self.core.number(last).await?;
                let page = async |tx: &mut Tx<'_, ()>| tx.feed_numbered(team, query).await;
                self.core.beside(page).await
            }
            Some(last) => {
                while self.number(last).await? >= NUMBERED_MAX.unsigned_abs() {}
                self.feed_numbered(team, query).await
            }
        }
    }
}

impl<G: Send> Tx<'_, G> {
    async fn feed_numbered(
        &mut self,
        team: TeamId,
        query: &FeedQuery,
    ) -> Result<Option<FeedPage>, StoreError> {
        let id = query.subscription.uuid();
        let head = self
            .first(sql::FEED_HEAD, &[&id, &team.get()], |row| {
                Ok((row.cell::<i64>(0)?, row.cell(1)?, row.cell(2)?))
            })
            .await?;
        let Some((revision, last, first)) = head else {
            return Ok(None);
        };
        // The bodies before a delivery are summed up by their lengths, so that none is read in vain.
        let sql = "SELECT p.sequence, p.id, e.id, e.type, e.body
            FROM (SELECT d.id, d.event, d.sequence,
                    sum(octet_length(b.body)) OVER (ORDER BY d.sequence) - octet_length(b.body) AS before
                FROM (SELECT id, event, sequence FROM delivery
                        WHERE subscription_id = $1 AND sequence > $2
                        ORDER BY sequence LIMIT $3) d
                    JOIN event b ON b.id = d.event) p
                JOIN event e ON e.id = p.event
            WHERE p.before < $4 ORDER BY p.sequence";
        let (limit, bytes) = (
            i64::from(query.limit),
            i64::try_from(query.bytes_max).unwrap_or(i64::MAX),
        );
        let looked = self
            .all(sql, &[&id, &query.after, &limit, &bytes], |row| {
                let (sequence, body): (i64, &[u8]) = (row.cell(0)?, row.cell(4)?);
                if body.is_empty() {
                    return Ok((sequence, None));
                }
                let item = FeedItem {
                    sequence,
                    delivery: DeliveryId::new(row.guid(1)?),
                    event: EventId::new(row.guid(2)?),
                    event_type: row.word(3, EVENT_TYPE)?,
                    body: Bytes::copy_from_slice(body),
                };
                Ok((sequence, Some(item)))
            })
            .await?;
        let destination = self.signing(query.subscription, revision).await?;
        let page = Looked(looked).page(query.after, (first, last), destination);
        Ok(Some(page))
    }
}
