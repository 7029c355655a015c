//! Dates as values: `2026-11-23`, or with a time and offset `2026-11-23T09:30:00+01:00`.

use std::cmp::Ordering;

use jiff::civil;

use crate::Timestamp;

/// How long a date without a time is.
const DATE_LEN: usize = "2026-11-23".len();

/// Whether `value` is a date, and if so whether it has a time.
pub(crate) fn date_has_time(value: &str) -> Option<bool> {
    if value.len() == DATE_LEN && value.parse::<civil::Date>().is_ok() {
        return Some(false);
    }
    (value.len() <= 40 && value.parse::<jiff::Timestamp>().is_ok()).then_some(true)
}

/// The moment of a date: its own, or the beginning of the day in UTC where it has no time.
pub(crate) fn date_moment(value: &str) -> Option<Timestamp> {
    if date_has_time(value)? {
        return value.parse().ok();
    }
    format!("{value}T00:00:00Z").parse().ok()
}

/// How a date stands to another. To one without a time, days are compared, as they were written;
/// to one with a time, moments.
pub(crate) fn date_order(value: &str, other: &str) -> Option<Ordering> {
    if date_has_time(other)? {
        return Some(date_moment(value)?.cmp(&date_moment(other)?));
    }
    date_has_time(value)?;
    let day = |text: &str| text.get(..DATE_LEN)?.parse::<civil::Date>().ok();
    Some(day(value)?.cmp(&day(other)?))
}
