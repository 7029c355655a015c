//! How much of an event is told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::EventType;

words! {
    /// How much of an event the body tells.
    Payload, UnknownPayload "must be full or thin":
    /// All that the matching list call would.
    #[default]
    Full = "full",
    /// What happened, when, and the identifiers to ask by; no name, no value, no person.
    Thin = "thin",
}

/// The thin body of an event whose full one is `full`; none if that is no body of an event.
///
/// It is made anew whenever it is needed, of the bytes that are stored once for everybody, and is the same every time:
/// members stand in a fixed order, and what the full body does not have is left out.
pub fn thin(full: &[u8]) -> Option<Bytes> {
    let thin: Thin = serde_json::from_slice(full).ok()?;
    serde_json::to_vec(&thin).ok().map(Bytes::from)
}

#[derive(Serialize, Deserialize)]
struct Thin {
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: String,
    data: Identifiers,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifiers {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checklist_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checklist_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_key: Option<String>,
    #[serde(rename = "taskContentID", skip_serializing_if = "Option::is_none")]
    task_content_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_content_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checklist: Option<Box<Identifiers>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Box<Identifiers>>,
}
