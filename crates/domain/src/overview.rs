//! Views over many deliveries: what is not delivered of a subscription, and events with whom they reached.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    ChecklistId, ControlKey, Delivery, DeliveryId, DeliveryState, EventId, EventType, HealthRow,
    ReasonCode, SubscriptionRow, TaskKey, TemplateKey, Timestamp,
};

/// Most deliveries in one state that a summary of a subscription counts.
pub const SUMMARY_COUNTED_MAX: u32 = 5_000;
/// Most deliveries of one event that the log of events counts.
pub const EVENT_COUNTED_MAX: u32 = 1_000;

/// How many deliveries stand so, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonCount {
    /// Where they stand.
    pub state: DeliveryState,
    /// Why.
    pub reason_code: ReasonCode,
    /// How many.
    pub count: u64,
}

/// How many deliveries stand so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateCount {
    /// Where they stand.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
}

/// What of a subscription is not delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndeliveredSummary {
    /// How many deliveries stand where, and why.
    pub counts: Vec<ReasonCount>,
    /// All of them together.
    pub total: u64,
    /// Whether all were counted: of each state 5,000 are at most.
    pub is_complete: bool,
    /// The oldest of those that were counted; null when all is delivered.
    pub oldest_delivery_id: Option<DeliveryId>,
    /// When its event happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_date_time: Option<Timestamp>,
}

/// One subscription with its health and what is not delivered of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSummary {
    /// The subscription, as lists show it.
    #[serde(flatten)]
    pub row: SubscriptionRow,
    /// Its health.
    #[serde(flatten)]
    pub health: HealthRow,
    /// What is not delivered.
    pub undelivered: UndeliveredSummary,
}

/// One event, as the log of events lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// The event (`webhook-id`).
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// The checklist it happened in; 0 where there is none.
    pub checklist_id: ChecklistId,
    /// The template of that checklist; all zero where there is none.
    pub template_key: TemplateKey,
    /// The task; all zero where that does not apply.
    pub task_key: TaskKey,
    /// The control; all zero where that does not apply.
    pub task_content_key: ControlKey,
    /// Whether any subscription wanted it.
    pub is_matched: bool,
    /// How many of its deliveries stand where.
    pub deliveries: Vec<StateCount>,
    /// Whether all its deliveries were counted: 1,000 are at most.
    pub is_complete: bool,
}

/// One event with its deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventDetail {
    /// The event.
    #[serde(flatten)]
    pub event: EventRow,
    /// What is sent of it, byte for byte; null once it is no longer kept.
    pub request_body: Option<String>,
    /// Its deliveries, newest first; `deliveries?eventId=` lists those beyond the first hundred.
    pub items: Vec<Delivery>,
    /// What to give as `cursor` to `deliveries?eventId=` for those after these; null when these are all.
    pub next_cursor: Option<DeliveryId>,
}
