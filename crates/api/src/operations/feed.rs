//! The feed of a subscription.

use std::time::Duration;

use app::{FEED_LIMIT_MAX, FEED_WAIT_SECONDS_MAX, Feed, ReadFeed};
use axum::{Json, extract::State};

use super::{Answer, wait_within};
use crate::{Api, ask::Ask, input::Input};

/// Read the feed of a subscription
///
/// What its receiver would have got after a sequence, by sequence, whatever has become of each delivery: with the
/// headers and the body of a request, signed now, so that it can be verified like one. With `waitSeconds` an empty
/// answer is put off until something is there. Reading changes nothing: deliveries go on as they would have.
#[utoipa::path(
    get,
    path = "/api/web-hook/events",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription; may be paused or ended."),
        ("afterSequence" = Option<i64>, Query, description = "What comes after this one; 0 (the default) for all that is kept.", minimum = 0),
        ("limit" = Option<u32>, Query, description = "Most deliveries, 1 to 100, 100 by default; fewer where \
            their bodies have over 1 MiB.", minimum = 1, maximum = 100),
        ("waitSeconds" = Option<u32>, Query, description = "How long to wait for the first, 0 (the default) to 20.", minimum = 0, maximum = 20),
    ),
    responses((status = 200, description = "That part of the feed.", body = Feed))
)]
pub(crate) async fn read_feed(State(api): State<Api>, mut ask: Ask) -> Answer<Feed> {
    let input = &mut ask.input;
    let subscription = input.need("subscriptionId", Input::key);
    let after = input.number_in("afterSequence", 0, i64::MAX);
    let limit = input.number_in("limit", 1, FEED_LIMIT_MAX);
    let wait = input.number_in("waitSeconds", 0, FEED_WAIT_SECONDS_MAX);
    let subscription = input.all(subscription)?;
    let wait = Duration::from_secs(wait.unwrap_or(0).into());
    let ask_for = ReadFeed {
        subscription,
        after: after.unwrap_or(0),
        limit: limit.unwrap_or(FEED_LIMIT_MAX),
        wait: wait_within(&api, wait),
    };
    Ok(Json(api.app.read_feed(&ask.caller, ask_for).await?))
}
