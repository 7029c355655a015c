//! What can be subscribed to: types of events, their scopes, their schemas, and samples.

use app::ListEventTypes;
use axum::{Json, extract::State};
use domain::EventType;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Answer;
use crate::{
    Api,
    ask::Ask,
    openapi::{event_schema, words::AnyEventType},
};

/// Something that can be subscribed to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypeRow {
    /// The word for it.
    event_type: EventType,
    /// When it happens.
    description: &'static str,
    /// What it can be about. A subscription has one of these.
    scopes: Vec<EventScopeRow>,
    /// The JSON Schema (2020-12) of its body, which is at its `$id` too.
    #[schema(value_type = Object)]
    schema: Value,
    /// A body as the team would get it: of its first template or subscription that would do; null where there is none.
    #[schema(value_type = Option<Object>)]
    sample: Option<Value>,
}

/// What a subscription can be about.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventScopeRow {
    /// The parameter of `subscribe` that says it; null where nothing need be said.
    parameter: Option<&'static str>,
    /// What is told of then.
    description: &'static str,
}

/// What can be subscribed to, whole.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypeList {
    /// The types of events.
    items: Vec<EventTypeRow>,
    /// Always null: there is one page.
    next_cursor: Option<String>,
}

/// List event types
///
/// What can be subscribed to: when it happens, what it can be about, the JSON Schema of its body, and a body as the team
/// would get it, made up from its own templates.
#[utoipa::path(
    get,
    path = "/api/web-hook/event-types",
    tag = "Webhooks",
    params(("eventType" = inline(Option<AnyEventType>), Query, description = "This one; `ALL` (the default) for each.")),
    responses((status = 200, description = "The types of events.", body = EventTypeList))
)]
pub(crate) async fn list_event_types(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<EventTypeList> {
    let wanted: Option<EventType> = ask.input.word_or_all("eventType");
    ask.input.done()?;
    let types = api.app.query(&ask.caller, ListEventTypes).await?;
    let types = types.into_iter();
    let types = types.filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == *kind));
    let items = types.map(|(kind, sample)| EventTypeRow {
        event_type: kind,
        description: description(kind),
        scopes: scopes(kind),
        schema: event_schema(kind, api.app.public_url()),
        sample: sample.and_then(|body| serde_json::from_slice(&body).ok()),
    });
    Ok(Json(EventTypeList {
        items: items.collect(),
        next_cursor: None,
    }))
}

/// When it happens.
pub(crate) const fn description(kind: EventType) -> &'static str {
    match kind {
        EventType::NewChecklist => "A checklist was made",
        EventType::TaskCompleted => "A task was completed",
        EventType::FileUploaded => "A file was uploaded",
        EventType::SubscriptionFailing => "A subscription is failing: its deliveries are not taken",
        EventType::SubscriptionPaused => {
            "A subscription was paused by the system, after nothing but failures"
        }
        EventType::SubscriptionRecovered => {
            "A subscription that was failing or paused delivers again"
        }
    }
}

fn scopes(kind: EventType) -> Vec<EventScopeRow> {
    let scopes: &[(Option<&str>, &str)] = match kind {
        EventType::NewChecklist => &[(Some("templateKey"), "Checklists of this template.")],
        EventType::TaskCompleted => &[
            (Some("taskKey"), "This task, in every checklist."),
            (Some("templateKey"), "Every task of this template."),
            (Some("scope=team"), "Every task of the team."),
        ],
        EventType::FileUploaded => &[(
            Some("taskContentKey"),
            "This File Upload control, in every checklist.",
        )],
        EventType::SubscriptionFailing
        | EventType::SubscriptionPaused
        | EventType::SubscriptionRecovered => &[(None, "Every other subscription of the team.")],
    };
    let scopes = scopes.iter();
    scopes
        .map(|&(parameter, description)| EventScopeRow {
            parameter,
            description,
        })
        .collect()
}
