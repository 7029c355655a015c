//! `traceparent` of W3C Trace Context, made of what a delivery is known by.
//!
//! It needs no memory: everything about one event is one trace, and each attempt a span of it.

use sha2::{Digest as _, Sha256};

use crate::{DeliveryId, EventId};

/// The header.
pub const TRACEPARENT_HEADER: &str = "traceparent";

/// The value for one attempt: version 00, the event as the trace, and a span of the delivery's and the attempt's own.
/// Marked as sampled, because the attempt is in the log.
pub fn traceparent(event: EventId, delivery: DeliveryId, attempt: u32) -> String {
    let hash = Sha256::new()
        .chain_update(delivery.uuid().as_bytes())
        .chain_update(attempt.to_be_bytes())
        .finalize();
    let span = crate::hex(&hash[..8]);
    format!("00-{}-{span}-01", event.uuid().simple())
}
