//! Deliveries: one event for one subscription, the attempts made of it, and what is sent.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChecklistId, DeliveryId, EventId, EventType, Outcome, ReasonCode, ReplayJobId, Signed,
    SubscriptionId, Timestamp, traceparent,
};

/// Most bytes of an answer that are read before the connection is given up.
pub const RESPONSE_READ_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of an answer's body that the log keeps.
pub const RESPONSE_KEPT_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of an answer's headers that the log keeps.
pub const RESPONSE_HEADERS_KEPT_BYTES_MAX: usize = 4 * 1024;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be sent when it is due.
    Waiting,
    /// It is being sent.
    Leased,
    /// It waits until its subscription, which is paused, is resumed.
    Held,
    /// The receiver took it.
    Delivered,
    /// Every attempt failed.
    Exhausted,
    /// Nobody wants it any more: its subscription ended, or a person stopped it.
    Cancelled,
    /// The address rule does not let it out.
    Refused,
    /// It became older than the retention before it could be sent.
    Expired,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Leased,
        Self::Held,
        Self::Delivered,
        Self::Exhausted,
        Self::Cancelled,
        Self::Refused,
        Self::Expired,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be waiting, leased, held, delivered, exhausted, cancelled, refused or expired")]
pub struct UnknownDeliveryState;

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;

    fn from_str(text: &str) -> Result<Self, UnknownDeliveryState> {
        let found = Self::ALL
            .into_iter()
            .find(|state| state.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownDeliveryState)
    }
}

/// One event for one subscription, as the log lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its identifier (`checkflow-delivery`).
    pub delivery_id: DeliveryId,
    /// The event (`webhook-id`), the same for every subscription.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Who is told.
    pub subscription_id: SubscriptionId,
    /// Its number among the deliveries of its subscription (`checkflow-sequence`), without gaps.
    pub sequence: i64,
    /// The checklist it happened in.
    pub checklist_id: ChecklistId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why, in words.
    pub reason: String,
    /// Why, as a word for programs.
    pub reason_code: ReasonCode,
    /// How many attempts have been made, the present one included.
    pub attempts: u32,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// When it is sent next; null once it is settled or while it is held.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_date_time: Option<Timestamp>,
    /// When its last attempt ended; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_attempt_date_time: Option<Timestamp>,
    /// What came of its last attempt; null before the first.
    pub last_outcome: Option<Outcome>,
    /// The status code of the last answer, if there was one.
    pub last_status_code: Option<u16>,
    /// The redelivery job that made it, of an event that had gone to others; null for those that came of the event
    /// itself.
    pub made_by_job_id: Option<ReplayJobId>,
}

/// One request of a delivery, and what came of it, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Who asked for it by hand; none when it was due.
    pub manual_by: Option<String>,
    /// The redelivery job that it was made for; `checkflow-replay` is made from it.
    pub replay: Option<ReplayJobId>,
    /// When the request began; `webhook-timestamp` is made from it.
    pub started_at: Timestamp,
    /// How long the whole exchange took, in milliseconds.
    pub duration_ms: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The status code of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong, in words; empty when nothing did.
    pub error: String,
    /// Where it was sent.
    pub target: String,
    /// The `webhook-signature` that it carried, with the `checkflow-key` if there was one, as
    /// [`Signed::into_text`] writes them; empty when nothing was sent.
    pub signature: String,
    /// The headers of the answer, a line each, cut at [`RESPONSE_HEADERS_KEPT_BYTES_MAX`].
    pub response_headers: String,
    /// The body of the answer, cut at [`RESPONSE_KEPT_BYTES_MAX`].
    pub response_body: Bytes,
    /// Whether more of the answer came than was kept.
    pub response_truncated: bool,
}

/// One header of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeaderRow {
    /// In lower case.
    pub name: String,
    /// As it was.
    pub value: String,
}

/// One attempt as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRow {
    /// From 1 (`checkflow-attempt`).
    pub number: u32,
    /// Who asked for it by hand; null when it was due.
    pub manual_by: Option<String>,
    /// The redelivery job that it was made for; null when it was for none.
    pub job_id: Option<ReplayJobId>,
    /// When the request began.
    #[schema(value_type = String, format = DateTime)]
    pub started_date_time: Timestamp,
    /// How long the whole exchange took.
    pub duration_ms: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The status code of the answer; null when there was none.
    pub status_code: Option<u16>,
    /// What went wrong, in words; empty when nothing did.
    pub error: String,
    /// Where it was sent.
    #[serde(rename = "targetURL")]
    pub target_url: String,
    /// The headers of the request, without those that its subscription wishes for.
    pub request_headers: Vec<HeaderRow>,
    /// What the attempt is called in a trace (W3C Trace Context): the event is the trace, the attempt a span of it.
    /// It was sent as `traceparent` if the subscription wished for that; null where nothing was sent.
    pub traceparent: Option<String>,
    /// The headers of the answer.
    pub response_headers: Vec<HeaderRow>,
    /// The body of the answer, bytes that are not UTF-8 replaced.
    pub response_body: String,
    /// Whether more of the answer came than is kept.
    pub response_truncated: bool,
}

/// One delivery with its attempts and the body that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The body of every attempt, byte for byte; null once it is no longer kept.
    pub request_body: Option<String>,
    /// The attempts, first to last.
    #[serde(rename = "attemptLog")]
    pub attempt_log: Vec<AttemptRow>,
}

/// What every attempt of a delivery says about itself in its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookHead {
    /// `webhook-id`.
    pub event: EventId,
    /// `checkflow-event`.
    pub event_type: EventType,
    /// `checkflow-subscription`.
    pub subscription: SubscriptionId,
    /// `checkflow-delivery`.
    pub delivery: DeliveryId,
    /// `checkflow-sequence`.
    pub sequence: i64,
    /// `checkflow-attempt`.
    pub attempt: u32,
    /// `webhook-timestamp`.
    pub at: Timestamp,
}

/// Which redelivery job an attempt was made for, if it was for one.
pub const REPLAY_HEADER: &str = "checkflow-replay";

/// The `user-agent` of every request.
pub const USER_AGENT: &str = concat!("CheckFlow/", env!("CARGO_PKG_VERSION"));

impl WebhookHead {
    /// The headers of the request that carries `signed`, in lower case, in the order they are sent.
    pub fn headers(&self, signed: &Signed) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let keys = Some(signed.keys.clone()).filter(|keys| !keys.is_empty());
        let always = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", USER_AGENT.to_owned()),
            ("webhook-id", self.event.to_string()),
            ("webhook-timestamp", self.at.as_seconds().to_string()),
            ("webhook-signature", signed.signature.clone()),
            ("checkflow-event", self.event_type.word().to_owned()),
            ("checkflow-subscription", self.subscription.to_string()),
            ("checkflow-delivery", self.delivery.to_string()),
            ("checkflow-attempt", self.attempt.to_string()),
            ("checkflow-sequence", self.sequence.to_string()),
            ("accept", "*/*".to_owned()),
        ];
        let keys = keys.map(|keys| ("checkflow-key", keys));
        always.into_iter().chain(keys)
    }
}

impl AttemptRow {
    /// The attempt of the delivery that `head` describes, with the headers that it carried.
    pub fn of(attempt: &Attempt, head: WebhookHead) -> Self {
        let head = WebhookHead {
            attempt: attempt.number,
            at: attempt.started_at,
            ..head
        };
        // Nothing was sent where nothing was signed.
        let sent = !attempt.signature.is_empty();
        let replay = attempt.replay.map(|job| (REPLAY_HEADER, job.to_string()));
        let signed = Signed::read(&attempt.signature);
        let request_headers = head.headers(&signed).chain(replay).filter(|_| sent);
        Self {
            number: attempt.number,
            manual_by: attempt.manual_by.clone(),
            job_id: attempt.replay,
            started_date_time: attempt.started_at,
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status_code: attempt.status,
            error: attempt.error.clone(),
            target_url: attempt.target.clone(),
            traceparent: sent.then(|| traceparent(head.event, head.delivery, head.attempt)),
            request_headers: request_headers
                .map(|(name, value)| HeaderRow {
                    name: name.to_owned(),
                    value,
                })
                .collect(),
            response_headers: attempt
                .response_headers
                .lines()
                .filter_map(header_row)
                .collect(),
            response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
            response_truncated: attempt.response_truncated,
        }
    }
}

fn header_row(line: &str) -> Option<HeaderRow> {
    let (name, value) = line.split_once(": ")?;
    Some(HeaderRow {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_attempt_is_found_in_a_trace_by_what_the_log_shows() {
        let head = WebhookHead {
            event: EventId::new(Uuid::from_u128(1)),
            event_type: EventType::TaskCompleted,
            subscription: SubscriptionId::new(Uuid::from_u128(2)),
            delivery: DeliveryId::new(Uuid::from_u128(3)),
            sequence: 4,
            attempt: 0,
            at: Timestamp::default(),
        };
        let attempt = |number, signature: &str| Attempt {
            number,
            manual_by: None,
            replay: None,
            started_at: Timestamp::default(),
            duration_ms: 0,
            outcome: Outcome::Delivered,
            status: None,
            error: String::new(),
            target: String::new(),
            signature: signature.to_owned(),
            response_headers: String::new(),
            response_body: Bytes::new(),
            response_truncated: false,
        };
        for number in [1, 7] {
            let row = AttemptRow::of(&attempt(number, "v1,x"), head);
            let sent = traceparent(head.event, head.delivery, number);
            assert_eq!(row.traceparent, Some(sent));
        }
        assert_eq!(AttemptRow::of(&attempt(1, ""), head).traceparent, None);
    }

    #[test]
    fn states_read_back() {
        for state in DeliveryState::ALL {
            assert_eq!(state.word().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
