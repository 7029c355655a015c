//! Changing a subscription: its address, label and settings, and whether anything is sent to it.

use app::{ChangeAnswer, ChangeSubscription, SetPaused};
use axum::{Json, extract::State};
use domain::{
    DeliveryOrder, HeaderNames, HttpVersion, Proof, RATE_PER_SECOND_MAX, SettingsChange, Signing,
    SubscriptionRow, SubscriptionSettings,
};

use super::{
    Answer,
    subscription_requests::{RequestWishes, request},
    subscriptions::source,
};
use crate::{Api, ask::Ask, input::Input};

/// What a change of a subscription may give, beside its settings.
const CHANGEABLE: [&str; 3] = ["subscriptionId", "source", "targetUrl"];

/// What a subscription is shown with beside both. It may be sent back as it was read, save `unreadable`: the settings of
/// such a row are not what anybody chose.
const SHOWN: [&str; 14] = [
    "id",
    "teamID",
    "eventType",
    "templateKey",
    "taskKey",
    "taskContentKey",
    "isActive",
    "createdDateTime",
    "scope",
    "state",
    "stateReason",
    "stateDateTime",
    "stateBy",
    "provenAt",
];

/// The settings that a request gives; one as nothing goes back to what it is when nobody says.
pub(super) fn settings(input: &mut Input) -> SettingsChange {
    let rate = input.number_in("ratePerSecond", 1, RATE_PER_SECOND_MAX);
    // As a query has it, and as it is read.
    input.join_list("maskResponseHeaders");
    SettingsChange {
        ordering: or_default(input, "ordering", Input::word::<DeliveryOrder>),
        rate_per_second: rate
            .map(Some)
            .or_else(|| input.cleared("ratePerSecond").then_some(None)),
        signing: or_default(input, "signing", Input::word::<Signing>),
        proof: or_default(input, "proof", Input::word::<Proof>),
        request: request(input),
        keep_answer: if input.cleared("keepAnswer") {
            Some(true)
        } else {
            input.flag("keepAnswer")
        },
        mask_response_headers: or_default(input, "maskResponseHeaders", Input::word::<HeaderNames>),
        delete_body_on_success: or_default(input, "deleteBodyOnSuccess", Input::flag),
    }
}

/// What is given, or the default for what is given as nothing.
pub(super) fn or_default<T: Default>(
    input: &mut Input,
    name: &str,
    read: impl FnOnce(&mut Input, &str) -> Option<T>,
) -> Option<T> {
    if input.cleared(name) {
        return Some(T::default());
    }
    read(input, name)
}

/// Change a subscription
///
/// What is left out stays as it is; a setting of null goes back to its default. A new `targetUrl` is checked as
/// when subscribing, and has to prove itself if there is a `proof`; deliveries that wait go to it from then on. What a subscription is about, its event and its
/// keys, can't be changed: subscribe anew. What else a subscription is shown with may be sent back as it was read, and is
/// refused otherwise, as is a name that means nothing here.
#[utoipa::path(
    patch,
    path = "/api/web-hook/subscription",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`."),
        ("source" = Option<String>, Query, description = "Another label, other than `ALL`."),
        ("targetUrl" = Option<String>, Query, description = "Where webhooks are sent."),
        ("ordering" = inline(Option<DeliveryOrder>), Query, description = "`checklist` or `none`."),
        ("ratePerSecond" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "Most \
            requests a second; empty or null for as many as the receiver takes."),
        ("signing" = inline(Option<Signing>), Query, description = "`hmac`, `ed25519` or `both`. What there is no secret \
            of yet is made, and shown once."),
        ("proof" = inline(Option<Proof>), Query, description = "`none`, `options` or `echo`. Another one than before is asked \
            for at once, as it is of a new target."),
        ("httpsOnly" = Option<bool>, Query, description = "Whether the target must be `https`."),
        ("traceparent" = Option<bool>, Query, description = "Whether requests carry a `traceparent`."),
        ("httpVersion" = inline(Option<HttpVersion>), Query, description = "`1.1`, or `2` with an `https` target."),
        ("keepAnswer" = Option<bool>, Query, description = "Whether the log keeps headers and bodies \
            of answers."),
        ("maskResponseHeaders" = Option<String>, Query, description = "Names of headers of answers \
            whose values the log keeps as `********`, with commas between; empty for none."),
        ("deleteBodyOnSuccess" = Option<bool>, Query, description = "Whether the body of an event goes \
            once all subscriptions that it was for have it and wish so."),
    ),
    request_body(content = Option<RequestWishes>, description = "The parameters may stand here as well. What holds \
        secrets stands here alone; `********` keeps what is stored, null takes away.",
        example = json!({})),
    responses((status = 200, description = "The subscription as it is now.", body = ChangeAnswer))
)]
pub(crate) async fn change_subscription(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<ChangeAnswer> {
    let input = &mut ask.input;
    input.only(
        &[&CHANGEABLE[..], &SubscriptionSettings::NAMES, &SHOWN].concat(),
        "can't be changed, or is unknown; source, targetUrl and the settings can, \
         save payload",
    );
    let id = input.need("subscriptionId", Input::key);
    let source = source(input, "source");
    let target_url = input.filled("targetUrl");
    let settings = settings(input);
    let id = input.all(id)?;
    let change = ChangeSubscription {
        id,
        source,
        target_url: target_url.map(|url| url.trim().to_owned()),
        settings,
        repeated: input.given_of(&SHOWN),
    };
    let row = api.app.change_subscription(&ask.caller, change).await?;
    Ok(Json(row))
}

/// Prove a target again
///
/// Makes the handshake that the subscription's `proof` asks for, and answers the subscription with the new `provenAt`. A
/// target that does not prove itself is a 422, and the subscription stays as it was.
#[utoipa::path(
    post,
    path = "/api/web-hook/prove",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "The subscription, proven.", body = SubscriptionRow))
)]
pub(crate) async fn prove(State(api): State<Api>, mut ask: Ask) -> Answer<SubscriptionRow> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.prove_subscription(&ask.caller, id).await?))
}

/// Pause a subscription
///
/// Nothing more is sent; events go on being recorded and wait. What is being sent at this moment is not cut short.
/// Pausing one that is paused changes nothing.
#[utoipa::path(
    post,
    path = "/api/web-hook/pause",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`."),
        ("reason" = Option<String>, Query, description = "Why, in up to 500 characters; shown as `stateReason`."),
    ),
    responses((status = 200, description = "The subscription, paused.", body = SubscriptionRow))
)]
pub(crate) async fn pause(State(api): State<Api>, ask: Ask) -> Answer<SubscriptionRow> {
    set_paused(&api, ask, true).await
}

/// Resume a subscription
///
/// What waited is sent first, oldest first and at a bounded rate. Resuming one that is not paused changes nothing.
#[utoipa::path(
    post,
    path = "/api/web-hook/resume",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`."),
        ("reason" = Option<String>, Query, description = "Why, in up to 500 characters; shown as `stateReason`."),
    ),
    responses((status = 200, description = "The subscription, sending.", body = SubscriptionRow))
)]
pub(crate) async fn resume(State(api): State<Api>, ask: Ask) -> Answer<SubscriptionRow> {
    set_paused(&api, ask, false).await
}

async fn set_paused(api: &Api, mut ask: Ask, paused: bool) -> Answer<SubscriptionRow> {
    let reason = ask.input.filled("reason");
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    let change = SetPaused { id, paused, reason };
    Ok(Json(api.app.change(&ask.caller, change).await?))
}
