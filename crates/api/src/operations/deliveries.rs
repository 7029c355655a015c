//! The delivery log, and asking for another attempt.

use std::str::FromStr;

use app::{
    DELIVERIES_PAGE_MAX, DeliveryPage, DeliveryQuery, GetDelivery, ListDeliveries, Redeliver,
};
use axum::{Json, extract::State};
use domain::{ChecklistId, Delivery, DeliveryDetail, DeliveryState};

use super::Answer;
use crate::{
    Api,
    ask::Ask,
    input::Input,
    openapi::words::{AnyEventType, AnyStateOrUndelivered, StatusClassWord},
};

/// Rows on a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// List deliveries
///
/// The team's, newest first. An empty list is `{"items": [], "nextCursor": null}`, not a 404.
#[utoipa::path(
    get,
    path = "/api/web-hook/deliveries",
    tag = "Webhooks",
    params(
        ("subscriptionId" = Option<String>, Query, format = Uuid, description = "Of this subscription."),
        ("eventType" = inline(Option<AnyEventType>), Query, description = "Of these events; `ALL` (the default) for any."),
        ("state" = inline(Option<AnyStateOrUndelivered>), Query, description = "That stand so: `ALL` (the default), `waiting`, \
            `leased`, `held`, `delivered`, `exhausted`, `cancelled`, `refused` or `expired`; or `undelivered` for \
            all but `delivered`."),
        ("statusClass" = inline(Option<StatusClassWord>), Query, description = "Whose last answer was in this class: \
            `2xx`, `3xx`, `4xx` or `5xx`.", example = "5xx"),
        ("checklistId" = Option<i64>, Query, description = "Of this checklist."),
        ("eventId" = Option<String>, Query, format = Uuid, description = "Of this event."),
        ("since" = Option<String>, Query, format = DateTime, description = "Whose event happened then or later."),
        ("until" = Option<String>, Query, format = DateTime, description = "Whose event happened before then."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Rows on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The deliveries.", body = DeliveryPage))
)]
pub(crate) async fn list_deliveries(State(api): State<Api>, mut ask: Ask) -> Answer<DeliveryPage> {
    let input = &mut ask.input;
    let stands: Option<Stands> = input.word_or_all("state");
    let wanted = DeliveryQuery {
        subscription: input.key("subscriptionId"),
        event_type: input.word_or_all("eventType"),
        state: match stands {
            Some(Stands::So(state)) => Some(state),
            _ => None,
        },
        undelivered: matches!(stands, Some(Stands::Undelivered)),
        status_class: input
            .word::<StatusClass>("statusClass")
            .map(|class| class.0),
        checklist: input.number("checklistId").map(ChecklistId::new),
        event: input.key("eventId"),
        since: input.moment("since"),
        until: input.moment("until"),
        before: input.key("cursor"),
        limit: input
            .number_in("limit", 1, DELIVERIES_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(
        api.app.query(&ask.caller, ListDeliveries(wanted)).await?,
    ))
}

/// How a delivery is to stand.
enum Stands {
    So(DeliveryState),
    Undelivered,
}

impl FromStr for Stands {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.eq_ignore_ascii_case("undelivered") {
            return Ok(Self::Undelivered);
        }
        text.parse().map(Self::So).map_err(|_| {
            "must be undelivered, waiting, leased, held, delivered, exhausted, cancelled, refused or \
             expired"
        })
    }
}

struct StatusClass(u16);

impl FromStr for StatusClass {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digit = text
            .strip_suffix("xx")
            .or_else(|| text.strip_suffix("XX"))
            .unwrap_or(text);
        let class = digit.parse().ok().filter(|class| (1..=5).contains(class));
        class.map(Self).ok_or("must be 2xx, 3xx, 4xx or 5xx")
    }
}

/// Get a delivery
///
/// With its attempts: request and answer as they were.
#[utoipa::path(
    get,
    path = "/api/web-hook/delivery",
    tag = "Webhooks",
    params(("deliveryId" = String, Query, format = Uuid, description = "The delivery.")),
    responses((status = 200, description = "The delivery.", body = DeliveryDetail))
)]
pub(crate) async fn get_delivery(State(api): State<Api>, mut ask: Ask) -> Answer<DeliveryDetail> {
    let id = ask.input.need("deliveryId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetDelivery(id)).await?))
}

/// Send a delivery again
///
/// Now, as the next attempt of the same delivery: same body, same `webhook-id`, same sequence. One
/// that was delivered may be sent again and stays delivered.
#[utoipa::path(
    post,
    path = "/api/web-hook/redeliver",
    tag = "Webhooks",
    params(("deliveryId" = String, Query, format = Uuid, description = "The delivery.")),
    responses((status = 200, description = "The delivery as it is now.", body = Delivery))
)]
pub(crate) async fn redeliver(State(api): State<Api>, mut ask: Ask) -> Answer<Delivery> {
    let id = ask.input.need("deliveryId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.change(&ask.caller, Redeliver(id)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_status_codes_are_read() {
        for (text, expected) in [
            ("2xx", Some(2)),
            ("5XX", Some(5)),
            ("4", Some(4)),
            ("6xx", None),
            ("xx", None),
            ("200", None),
        ] {
            assert_eq!(
                StatusClass::from_str(text).ok().map(|class| class.0),
                expected,
                "{text}"
            );
        }
    }
}
