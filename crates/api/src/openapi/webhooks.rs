//! What receivers get: the `webhooks` of the document.

use domain::{EventType, SubscriptionHealthRow};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema as _, ToSchema as _};

/// The schemas that only webhooks have.
pub(super) fn schemas() -> Map<String, Value> {
    let mut of_webhooks = vec![(
        SubscriptionHealthRow::name().into_owned(),
        SubscriptionHealthRow::schema(),
    )];
    SubscriptionHealthRow::schemas(&mut of_webhooks);
    let schemas = of_webhooks.into_iter();
    schemas
        .map(|(name, schema)| (name, json!(schema)))
        .collect()
}

/// The events, as their receivers get them.
pub(super) fn webhooks() -> Value {
    let webhook = |kind: EventType, row: &str, summary: &str| {
        let body = json!({
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"const": kind.word()},
                "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
                "data": {"$ref": format!("#/components/schemas/{row}")},
            },
        });
        json!({"post": {
            "tags": ["Webhooks"],
            "summary": summary,
            "description": "Signed as Standard Webhooks says. Sent at least once: `webhook-id` is the same on every retry.",
            "operationId": kind.word(),
            "security": [],
            "parameters": webhook_headers(),
            "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
            "responses": {
                "2XX": {"description": "Taken. Any other status is tried again."},
                "410": {"description": "Not wanted any more: ends the subscription."},
            },
        }})
    };
    let mut webhooks = Map::new();
    for kind in EventType::ALL {
        let (row, summary) = match kind {
            EventType::NewChecklist => ("ChecklistRow", "A checklist was made"),
            EventType::TaskCompleted => ("TaskHit", "A task was completed"),
            EventType::FileUploaded => ("FileRow", "A file was uploaded"),
            EventType::SubscriptionFailing => (
                "SubscriptionHealthRow",
                "A subscription is failing: its deliveries are not taken",
            ),
            EventType::SubscriptionPaused => (
                "SubscriptionHealthRow",
                "A subscription was paused by the system, after nothing but failures",
            ),
            EventType::SubscriptionRecovered => (
                "SubscriptionHealthRow",
                "A subscription that was failing or paused delivers again",
            ),
        };
        webhooks.insert(kind.word().to_owned(), webhook(kind, row, summary));
    }
    Value::Object(webhooks)
}

fn webhook_headers() -> Value {
    let either = |name: &str, required: bool, description: &str| json!({"name": name, "in": "header", "required": required, "description": description, "schema": {"type": "string"}});
    let header = |name: &str, description: &str| either(name, true, description);
    let optional = |name: &str, description: &str| either(name, false, description);
    json!([
        header(
            "webhook-id",
            "The event; the same on every retry and for every subscription."
        ),
        header(
            "webhook-timestamp",
            "When the attempt began, in seconds since 1970."
        ),
        header(
            "webhook-signature",
            "An entry for each secret that signs, with spaces between: `v1,` and the HMAC-SHA256 of id, timestamp \
                and body, or `v1a,` and the Ed25519 signature of the same, in base64."
        ),
        optional(
            "checkflow-key",
            "The `kid` of the public key for each entry `v1a`, with spaces between; where there are such."
        ),
        header("checkflow-event", "The type of the event."),
        header("checkflow-subscription", "The subscription."),
        header("checkflow-delivery", "The delivery."),
        header("checkflow-attempt", "Which attempt this is, from 1."),
        header(
            "checkflow-sequence",
            "The delivery's number among those of its subscription."
        ),
    ])
}
