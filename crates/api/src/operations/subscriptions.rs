//! Subscriptions: making one, listing them, ending one.

use std::time::Duration;

use app::{GetSubscription, ListSubscriptions, ScopeKeys, Subscribe, SubscribeAnswer, Unsubscribe};
use axum::{Json, extract::State};
use domain::{
    DeliveryDetail, DeliveryOrder, EventType, HttpVersion, Payload, Proof, Signing,
    SubscriptionRow, SubscriptionSettings,
};

use super::{
    Answer, rows, secrets::own_secret, subscription_changes::settings,
    subscription_requests::SubscribeWishes, wait_within,
};
use crate::{
    Api,
    ask::Ask,
    input::Input,
    openapi::words::{AnyEventType, ScopeWord},
};

/// How long a test waits for its attempt to end: longer than that may take.
const TEST_WAIT_MAX: Duration = Duration::from_secs(20);

/// What a subscription may be made with, beside its settings.
const SUBSCRIBABLE: [&str; 8] = [
    "source",
    "eventType",
    "targetUrl",
    "templateKey",
    "taskKey",
    "taskContentKey",
    "scope",
    "secret",
];

/// List subscriptions
///
/// Those of the team that have not ended.
#[utoipa::path(
    get,
    path = "/api/web-hook/subscriptions",
    tag = "Webhooks",
    params(
        ("source" = Option<String>, Query, description = "With this label; `ALL` (the default) for any."),
        ("eventType" = inline(Option<AnyEventType>), Query, description = "To these events: `ALL` (the default), \
            `new_checklist`, `task_completed` or `file_uploaded`."),
    ),
    responses((status = 200, description = "The subscriptions.", body = Vec<SubscriptionRow>))
)]
pub(crate) async fn list_subscriptions(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<SubscriptionRow>> {
    let source = ask
        .input
        .filled("source")
        .map(|source| source.trim().to_owned());
    let wanted = ListSubscriptions {
        source: source.filter(|source| !source.eq_ignore_ascii_case("ALL")),
        event_type: ask.input.word_or_all("eventType"),
    };
    ask.input.done()?;
    rows(api.app.query(&ask.caller, wanted).await?, "subscriptions")
}

/// Subscribe to events
///
/// `new_checklist` needs `templateKey`; `file_uploaded` needs `taskContentKey`; `task_completed`
/// needs `taskKey`, or `templateKey` for every task of a template, or `scope=team` for every task
/// of the team. The all-zero GUID is the same as no key. Asking twice for the same gives the same
/// subscription back, with `isNew: false`, no secret and the settings that it has. The `secret` signs the webhooks and is
/// shown in this answer alone; where `signing` is `ed25519`, `publicKey` is what verifies them. Parameters stand in the query, as with CheckFlow, or by the same
/// names in a JSON body.
#[utoipa::path(
    post,
    path = "/api/web-hook/subscribe",
    tag = "Webhooks",
    params(
        ("source" = String, Query, description = "A label, such as `zapier`, other than `ALL`.", example = "custom"),
        ("eventType" = inline(EventType), Query, description = "`new_checklist`, `task_completed` or \
            `file_uploaded`.", example = "task_completed"),
        ("targetUrl" = String, Query, description = "Where webhooks are sent.", example = "https://example.com/hooks"),
        ("templateKey" = Option<String>, Query, format = Uuid, description = "The template."),
        ("taskKey" = Option<String>, Query, format = Uuid, description = "The task."),
        ("taskContentKey" = Option<String>, Query, format = Uuid, description = "The File Upload control."),
        ("scope" = inline(Option<ScopeWord>), Query, description = "`team` for every task of the team."),
        ("ordering" = inline(Option<DeliveryOrder>), Query, description = "`checklist`: a delivery waits until those \
            before it of the same checklist have ended. `none` (the default): it does not."),
        ("ratePerSecond" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "Most \
            requests a second; as many as the receiver takes where it is left out."),
        ("signing" = inline(Option<Signing>), Query, description = "`hmac` (the default), `ed25519`, or `both`."),
        ("proof" = inline(Option<Proof>), Query, description = "How the target proves that it wants webhooks, before the \
            subscription is made: `none` (the default), `options` (CloudEvents) or `echo` (REST Hooks)."),
        ("httpsOnly" = Option<bool>, Query, description = "Whether the target must be `https`, now and later."),
        ("payload" = inline(Option<Payload>), Query, description = "`full` (the default), or `thin`: identifiers alone. \
            Never changes."),
        ("traceparent" = Option<bool>, Query, description = "Whether requests carry a `traceparent`."),
        ("httpVersion" = inline(Option<HttpVersion>), Query, description = "`1.1` (the default), or `2`: HTTP/2 with an `https` \
            target that offers it, else 1.1."),
        ("keepAnswer" = Option<bool>, Query, description = "Whether the log keeps headers and bodies \
            of answers, rather than status and duration alone; `true` by default."),
        ("maskResponseHeaders" = Option<String>, Query, description = "Names of headers of answers \
            whose values the log keeps as `********`, with commas between; none by default. \
            Those that let somebody in, such as `set-cookie`, are always kept so."),
        ("deleteBodyOnSuccess" = Option<bool>, Query, description = "Whether the body of an event goes \
            once all subscriptions that it was for have it and wish so; `false` by default."),
    ),
    request_body(content = Option<SubscribeWishes>, description = "The parameters may stand here as well. What holds \
        secrets stands here alone.",
        example = json!({})),
    responses((status = 200, description = "The subscription.", body = SubscribeAnswer))
)]
pub(crate) async fn subscribe(State(api): State<Api>, mut ask: Ask) -> Answer<SubscribeAnswer> {
    let input = &mut ask.input;
    input.mostly_known(&[&SUBSCRIBABLE[..], &SubscriptionSettings::NAMES].concat());
    let source = input.need("source", source);
    let event_type = input.need("eventType", Input::word::<EventType>);
    let target_url = input.need("targetUrl", Input::filled);
    let keys = ScopeKeys {
        template: input.key("templateKey"),
        task: input.key("taskKey"),
        control: input.key("taskContentKey"),
        team: team(input),
    };
    let settings = settings(input);
    let secret = own_secret(input);
    let (source, event_type, target_url) = input.all((source, event_type, target_url))?;
    let target_url = target_url.trim().to_owned();
    let subscribe = Subscribe {
        source,
        event_type,
        target_url,
        keys,
        settings,
        secret,
    };
    Ok(Json(api.app.subscribe(&ask.caller, subscribe).await?))
}

pub(super) fn source(input: &mut Input, name: &str) -> Option<String> {
    let source = input.filled(name)?;
    if source.trim().eq_ignore_ascii_case("ALL") {
        input.wrong(
            name,
            "can't be ALL, which means any label where subscriptions are listed",
        );
    }
    Some(source)
}

/// Whether the whole team is meant, which must be said in so many words.
fn team(input: &mut Input) -> bool {
    let Some(scope) = input.filled("scope") else {
        return false;
    };
    let team = scope.trim().eq_ignore_ascii_case("team");
    if !team {
        input.wrong(
            "scope",
            "must be team, or be left out; a template, task or control is said by its key",
        );
    }
    team
}

/// Get a subscription
///
/// With its state, whether it has ended or not.
#[utoipa::path(
    get,
    path = "/api/web-hook/subscription",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "The subscription.", body = SubscriptionRow))
)]
pub(crate) async fn get_subscription(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<SubscriptionRow> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetSubscription(id)).await?))
}

/// Test a subscription
///
/// Sends a sample of exactly its event to its target, now, and answers the delivery with the attempt. It goes the way
/// of all others and is in the log, with a sequence; its `webhook-id` begins with `test_`, which is signed. The sample is made
/// from the team's own templates: a checklist with the number 0, filled in. It is tried once. A receiver that takes longer than
/// 20 seconds is answered as it stands; `GET web-hook/delivery` shows what came of it.
#[utoipa::path(
    post,
    path = "/api/web-hook/test",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "The delivery, with its attempt.", body = DeliveryDetail))
)]
pub(crate) async fn test_subscription(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<DeliveryDetail> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    let wait = wait_within(&api, TEST_WAIT_MAX);
    Ok(Json(
        api.app.test_subscription(&ask.caller, id, wait).await?,
    ))
}

/// End a subscription
///
/// What waits for it is cancelled. Ending one that has ended changes nothing. Answers the
/// subscription as it is now.
#[utoipa::path(
    delete,
    path = "/api/web-hook/unsubscribe",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "The subscription, ended.", body = SubscriptionRow))
)]
pub(crate) async fn unsubscribe(State(api): State<Api>, mut ask: Ask) -> Answer<SubscriptionRow> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.change(&ask.caller, Unsubscribe(id)).await?))
}
