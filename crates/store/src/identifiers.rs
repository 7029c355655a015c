//! Identifiers of deliveries as places in time: they grow with it, and none is of an earlier time than its event.

use std::time::Duration;

use domain::Timestamp;
use uuid::Uuid;

/// How far the clock may have gone back while the server ran, for a list up to some moment to be
/// whole: identifiers never go back, the times of events do.
pub(crate) const CLOCK_BACK_MAX: Duration = Duration::from_hours(1);

/// The least identifier of a moment.
pub(crate) fn earliest_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_millis())
        .unwrap_or(0)
        .min((1 << 48) - 1);
    Uuid::from_u128(millis << 80)
}
