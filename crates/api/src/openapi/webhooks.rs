//! What receivers get: the `webhooks` of the document.

use std::{collections::BTreeMap, sync::LazyLock};

use domain::{EventType, PublicUrl, SubscriptionHealthRow};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::openapi;
use crate::operations::description;

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
    let webhook = |kind: EventType| {
        json!({"post": {
            "tags": ["Webhooks"],
            "summary": description(kind),
            "description": "Signed as Standard Webhooks says. Sent at least once: `webhook-id` is the same on every retry.",
            "operationId": kind.word(),
            "security": [],
            "parameters": webhook_headers(),
            "requestBody": {"required": true, "content": {"application/json": {"schema": body(kind)}}},
            "responses": {
                "2XX": {"description": "Taken. Any other status is tried again."},
                "410": {"description": "Not wanted any more: ends the subscription."},
            },
        }})
    };
    let webhooks = EventType::ALL.map(|kind| (kind.word().to_owned(), webhook(kind)));
    Value::Object(webhooks.into_iter().collect())
}

/// What is told: `data` is the row that the matching list answers.
fn body(kind: EventType) -> Value {
    let row = match kind {
        EventType::NewChecklist => "ChecklistRow",
        EventType::TaskCompleted => "TaskHit",
        EventType::FileUploaded => "FileRow",
        EventType::SubscriptionFailing
        | EventType::SubscriptionPaused
        | EventType::SubscriptionRecovered => "SubscriptionHealthRow",
    };
    json!({
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.word()},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {"$ref": format!("{COMPONENTS}{row}")},
        },
    })
}

/// Where schemas are in the document.
const COMPONENTS: &str = "#/components/schemas/";
/// Where they are in a schema that stands for itself.
const DEFINITIONS: &str = "#/$defs/";

/// The JSON Schema of the body of an event, which needs nothing beside it. It is at its own `$id`.
pub fn event_schema(kind: EventType, at: &PublicUrl) -> Value {
    let mut schema = EVENT_SCHEMAS[&kind.word()].clone();
    schema["$id"] = json!(at.event_schema(kind));
    schema
}

static EVENT_SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
    let document = openapi();
    let components = &document["components"]["schemas"];
    let whole = |kind: EventType| {
        let (mut schema, mut found) = (body(kind), BTreeMap::new());
        stand_alone(&mut schema, components, &mut found);
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["title"] = json!(kind.word());
        schema["description"] = json!(description(kind));
        schema["$defs"] = json!(found);
        (kind.word(), schema)
    };
    EventType::ALL.into_iter().map(whole).collect()
});

/// Has `schema` refer to definitions of its own, which are taken from `components` into `found`.
fn stand_alone(schema: &mut Value, components: &Value, found: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "$ref" {
                    refer(value, components, found);
                } else {
                    stand_alone(value, components, found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                stand_alone(item, components, found);
            }
        }
        _ => {}
    }
}

fn refer(reference: &mut Value, components: &Value, found: &mut BTreeMap<String, Value>) {
    let name = reference
        .as_str()
        .and_then(|at| at.strip_prefix(COMPONENTS));
    let Some(name) = name.map(str::to_owned) else {
        return;
    };
    *reference = json!(format!("{DEFINITIONS}{name}"));
    if found.contains_key(&name) {
        return;
    }
    // Known from here on, for a row may speak of its like.
    let mut definition = components[&name].clone();
    found.insert(name.clone(), Value::Null);
    stand_alone(&mut definition, components, found);
    found.insert(name, definition);
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
