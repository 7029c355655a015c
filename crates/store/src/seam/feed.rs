//! The feed: what the deliveries of one subscription carry, by their sequence.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, EventId, EventType, SubscriptionId, TeamId};

use crate::{Destination, StoreError};

/// Which part of a subscription's feed is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedQuery {
    /// Whose.
    pub subscription: SubscriptionId,
    /// What comes after this sequence; 0 for all of it.
    pub after: i64,
    /// At most so many deliveries are looked at.
    pub limit: u32,
    /// No further one once their bodies have so many bytes.
    pub bytes_max: u64,
}

/// One delivery in the feed, whatever has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// Its sequence.
    pub sequence: i64,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// What is sent.
    pub body: Bytes,
}

/// A part of a subscription's feed.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// What signs it.
    pub destination: Arc<Destination>,
    /// The sequence of the oldest delivery that is kept; none when none is.
    pub first: Option<i64>,
    /// The sequence that was given last; 0 before the first.
    pub last: i64,
    /// By their sequence, without a gap but for those that are not kept any more, or whose body is not.
    pub items: Vec<FeedItem>,
    /// The sequence up to which it was looked: what is not among the items up to there never will be.
    pub reached: i64,
}

/// What was looked at for a page: each with its sequence, and without an item where its body is not kept.
pub(crate) struct Looked(pub(crate) Vec<(i64, Option<FeedItem>)>);

impl Looked {
    /// The page of it that follows `after`, where `last` was given last when it was begun to look.
    pub(crate) fn page(
        self,
        after: i64,
        (first, last): (Option<i64>, i64),
        destination: Arc<Destination>,
    ) -> FeedPage {
        // Where nothing is left nothing comes any more, up to what was there.
        let reached = self
            .0
            .last()
            .map_or(after.max(last), |(sequence, _)| *sequence);
        FeedPage {
            destination,
            first,
            last,
            items: self.0.into_iter().filter_map(|(_, item)| item).collect(),
            reached,
        }
    }
}

/// Reading feeds.
#[async_trait]
pub trait ReadFeed: Send {
    /// A part of a feed; none when the team has no such subscription.
    ///
    /// Whoever has read up to a sequence never sees a smaller one appear: what had none gets it here, and sequences
    /// are given one after the other.
    async fn feed_page(
        &mut self,
        team: TeamId,
        query: &FeedQuery,
    ) -> Result<Option<FeedPage>, StoreError>;
}
