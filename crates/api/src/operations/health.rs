//! Health of subscriptions and why something is not delivered: stopping retries, the log of events, the notices.

use app::{
    CancelDelivery, EVENTS_PAGE_MAX, EventPage, EventQuery, GetEvent, GetHealth, ListEvents,
    ListNotices, NoticePage, NoticeQuery, NoticesSeen, SeeNotices, Seen,
};
use axum::{Json, extract::State};
use domain::{ChecklistId, Delivery, EventDetail, NoticeId, SubscriptionSummary};

use super::Answer;
use crate::{Api, ask::Ask, input::Input, openapi::words::AnyEventType};

/// Rows on a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// Stop the retries of a delivery
///
/// It is `cancelled` from then on, and `redeliver` would send it after all. If it is being sent at this moment, that attempt
/// goes on: when the receiver takes it, it is delivered, and when not, it is cancelled. Saying it again changes nothing.
#[utoipa::path(
    post,
    path = "/api/web-hook/cancel",
    tag = "Webhooks",
    params(("deliveryId" = String, Query, format = Uuid, description = "The delivery.")),
    responses((status = 200, description = "The delivery as it is now.", body = Delivery))
)]
pub(crate) async fn cancel_delivery(State(api): State<Api>, mut ask: Ask) -> Answer<Delivery> {
    let id = ask.input.need("deliveryId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.change(&ask.caller, CancelDelivery(id)).await?))
}

/// List events
///
/// What happened, newest first, each with how its deliveries stand; also what no subscription wanted.
#[utoipa::path(
    get,
    path = "/api/web-hook/event-log",
    tag = "Webhooks",
    params(
        ("eventType" = inline(Option<AnyEventType>), Query, description = "Of this type; `ALL` (the default) for any."),
        ("checklistId" = Option<i64>, Query, description = "Of this checklist."),
        ("unmatched" = Option<bool>, Query, description = "Only those that no subscription wanted."),
        ("since" = Option<String>, Query, format = DateTime, description = "That happened then or later."),
        ("until" = Option<String>, Query, format = DateTime, description = "That happened before then."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Rows on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The events.", body = EventPage))
)]
pub(crate) async fn list_events(State(api): State<Api>, mut ask: Ask) -> Answer<EventPage> {
    let input = &mut ask.input;
    let wanted = EventQuery {
        event: None,
        event_type: input.word_or_all("eventType"),
        checklist: input.number("checklistId").map(ChecklistId::new),
        since: input.moment("since"),
        until: input.moment("until"),
        unmatched: input.flag("unmatched").unwrap_or(false),
        before: input.key("cursor"),
        limit: input
            .number_in("limit", 1, EVENTS_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(api.app.query(&ask.caller, ListEvents(wanted)).await?))
}

/// Get an event
///
/// With its body and its deliveries, the newest hundred; `deliveries?eventId=` lists the others.
#[utoipa::path(
    get,
    path = "/api/web-hook/event",
    tag = "Webhooks",
    params(("eventId" = String, Query, format = Uuid, description = "The event (`webhook-id`).")),
    responses((status = 200, description = "The event.", body = EventDetail))
)]
pub(crate) async fn get_event(State(api): State<Api>, mut ask: Ask) -> Answer<EventDetail> {
    let id = ask.input.need("eventId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetEvent(id)).await?))
}

/// Get the health of a subscription
///
/// Why it is in its state, since when there were nothing but failures, when a paused one is tried again, and what is not
/// delivered of it: how many deliveries stand where and why, and the oldest of them.
#[utoipa::path(
    get,
    path = "/api/web-hook/subscription-health",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "Its health.", body = SubscriptionSummary))
)]
pub(crate) async fn get_health(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<SubscriptionSummary> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetHealth(id)).await?))
}

/// List notices
///
/// What the team is told of its subscriptions, newest first: that one is failing, was warned of, was paused, recovered, or
/// was ended by its receiver. The newest 1,000 are kept.
#[utoipa::path(
    get,
    path = "/api/web-hook/notices",
    tag = "Webhooks",
    params(
        ("unseen" = Option<bool>, Query, description = "Only those that nobody has seen."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Rows on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The notices.", body = NoticePage))
)]
pub(crate) async fn list_notices(State(api): State<Api>, mut ask: Ask) -> Answer<NoticePage> {
    let input = &mut ask.input;
    let wanted = NoticeQuery {
        unseen: input.flag("unseen").unwrap_or(false),
        before: input.key("cursor"),
        limit: input
            .number_in("limit", 1, EVENTS_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(api.app.query(&ask.caller, ListNotices(wanted)).await?))
}

/// Say that notices were seen
///
/// One of them by `noticeId`, or it and all older ones by `upTo`. Those that had been seen keep their time;
/// one that is not there counts for none.
#[utoipa::path(
    post,
    path = "/api/web-hook/notices/seen",
    tag = "Webhooks",
    params(
        ("noticeId" = Option<String>, Query, format = Uuid, description = "This one."),
        ("upTo" = Option<String>, Query, format = Uuid, description = "This one and all older ones."),
    ),
    responses((status = 200, description = "How many were seen that had not been.", body = NoticesSeen))
)]
pub(crate) async fn see_notices(State(api): State<Api>, mut ask: Ask) -> Answer<NoticesSeen> {
    let input = &mut ask.input;
    let up_to: Option<NoticeId> = input.key("upTo");
    let is_up_to = input.any("upTo").is_some();
    let seen = if is_up_to && input.any("noticeId").is_some() {
        input.wrong(
            "noticeId",
            "can't be given together with upTo; leave one of them out",
        );
        Seen::One(NoticeId::ZERO)
    } else if let Some(id) = up_to {
        Seen::UpTo(id)
    } else if is_up_to {
        // It can't be read, which is said already.
        Seen::One(NoticeId::ZERO)
    } else if input.any("noticeId").is_none() {
        input.wrong(
            "noticeId",
            "must be given, or upTo; GET /api/web-hook/notices lists them",
        );
        Seen::One(NoticeId::ZERO)
    } else {
        let one = input.need("noticeId", Input::key);
        Seen::One(input.all(one)?)
    };
    input.done()?;
    Ok(Json(api.app.change(&ask.caller, SeeNotices(seen)).await?))
}
