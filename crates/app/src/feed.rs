//! The feed: what a subscription's receiver would have got, to be fetched by its sequence.

use std::{collections::BTreeMap, time::Duration};

use domain::{Actor, DeliveryId, Right, SubscriptionId, WebhookHead};
use serde::Serialize;
use store::{Destination, Doing, FeedItem, FeedQuery, ReadTx, StoreError};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Missing, Query, subscriptions};

/// Most deliveries in one answer of the feed.
pub const FEED_LIMIT_MAX: u32 = 100;
/// No further delivery goes into an answer whose bodies have so many bytes.
pub const FEED_BYTES_MAX: u64 = 1024 * 1024;
/// Longest wait for a delivery that is not there yet, in seconds.
pub const FEED_WAIT_SECONDS_MAX: u32 = 20;
/// Most callers that wait at once. Those beyond it are answered without waiting.
const WAITING_MAX: usize = 256;

/// How often a waiting caller looks, for what other servers on the database store.
const LOOK: Duration = Duration::from_secs(1);
/// Least time between two looks, however much happens.
const LOOK_LEAST: Duration = Duration::from_millis(50);

/// `GET web-hook/events`: a part of a subscription's feed.
#[derive(Clone, Copy, Debug)]
pub struct ReadFeed {
    /// Whose; may be paused or gone.
    pub subscription: SubscriptionId,
    /// What comes after this sequence; 0 for all that is kept.
    pub after: i64,
    /// At most so many, 1 to [`FEED_LIMIT_MAX`].
    pub limit: u32,
    /// How long to wait for the first, at most [`FEED_WAIT_SECONDS_MAX`].
    pub wait: Duration,
}

/// A part of a subscription's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// By their sequence. A number that is missing between two belongs to a delivery whose body is
    /// not kept any more.
    pub items: Vec<FeedRow>,
    /// What to give as `afterSequence` to go on. What is not among the items up to there is not kept any more.
    pub next_after_sequence: i64,
    /// The sequence of the oldest delivery that is kept; null when none is.
    pub first_sequence: Option<i64>,
    /// The sequence of the newest delivery; 0 before the first.
    pub last_sequence: i64,
}

/// One delivery in the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedRow {
    /// Its sequence (`checkflow-sequence`).
    pub sequence: i64,
    /// The delivery (`checkflow-delivery`).
    pub delivery_id: DeliveryId,
    /// The headers of a request that would bring it now, signed now; `checkflow-attempt` is 0.
    pub headers: BTreeMap<&'static str, String>,
    /// The body of such a request, byte for byte.
    pub body: String,
}

impl App {
    /// Reads a part of a feed, and waits for its first delivery if that is asked for.
    ///
    /// # Errors
    /// The subscription is not there, whoever asks is not known, or the store failed.
    pub async fn read_feed(&self, caller: &Caller, ask: ReadFeed) -> Result<Feed, AppError> {
        let news = self.news();
        let mut changed = news.said.subscribe();
        let place = news.waiting.try_acquire();
        let wait = place.as_ref().map_or(Duration::ZERO, |_| {
            ask.wait
                .min(Duration::from_secs(FEED_WAIT_SECONDS_MAX.into()))
        });
        let deadline = Instant::now() + wait;
        loop {
            let looked = Instant::now();
            changed.mark_unchanged();
            let feed = self.query(caller, ask).await?;
            let goes_on = feed.next_after_sequence > ask.after;
            if goes_on || Instant::now() >= deadline || changed.borrow().is_over {
                return Ok(feed);
            }
            // Nobody says anything any more once the application is gone.
            let _ = timeout_at(deadline.min(looked + LOOK), changed.changed()).await;
            if !changed.borrow().is_over {
                sleep_until(deadline.min(looked + LOOK_LEAST)).await;
            }
        }
    }

    /// Has nobody wait for anything any more: the server is about to stop.
    pub fn end_waiting(&self) {
        self.news().said.send_modify(|news| news.is_over = true);
    }
}

/// Tells those who wait that something was changed.
#[derive(Debug)]
pub(crate) struct News {
    said: watch::Sender<Said>,
    waiting: Semaphore,
}

#[derive(Debug, Default)]
struct Said {
    is_over: bool,
}

impl Default for News {
    fn default() -> Self {
        Self {
            said: watch::Sender::default(),
            waiting: Semaphore::new(WAITING_MAX),
        }
    }
}

impl News {
    /// Something was changed here.
    pub(crate) fn say(&self) {
        self.said.send_modify(|_| {});
    }
}

impl Query for ReadFeed {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Feed;

    async fn run(&self, app: &App, actor: &Actor, tx: &mut dyn ReadTx) -> Result<Feed, AppError> {
        let query = FeedQuery {
            subscription: self.subscription,
            after: self.after,
            limit: self.limit.clamp(1, FEED_LIMIT_MAX),
            bytes_max: FEED_BYTES_MAX,
        };
        let page = tx.feed_page(actor.team, &query).await;
        if let Err(StoreError::Corrupt { .. }) = &page
            && let Some(why) = subscriptions::fault(tx, self.subscription).await?
        {
            return Err(AppError::SubscriptionUnreadable(why));
        }
        let page = page.doing::<AppError>("reading a feed")?;
        let page = page.ok_or(Missing::Subscription(self.subscription))?;
        let at = app.source().now();
        let row = |item| row(item, &page.destination, at);
        let items: Vec<FeedRow> = page.items.iter().map(row).collect();
        Ok(Feed {
            next_after_sequence: page.reached,
            items,
            first_sequence: page.first,
            last_sequence: page.last,
        })
    }
}

fn row(item: &FeedItem, destination: &Destination, at: domain::Timestamp) -> FeedRow {
    let head = WebhookHead {
        event: item.event,
        event_type: item.event_type,
        subscription: destination.subscription,
        delivery: item.delivery,
        sequence: item.sequence,
        attempt: 0,
        at,
    };
    let body = destination.settings.request.body(&item.body);
    let body = body.unwrap_or_default();
    let signed = destination.sign(item.event, at, &body);
    FeedRow {
        sequence: item.sequence,
        delivery_id: item.delivery,
        headers: head.headers(&signed).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}
