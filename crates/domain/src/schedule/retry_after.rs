//! The `Retry-After` header (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::{civil::DateTime, tz::Offset};

use crate::Timestamp;

/// Longest value that is looked at; the longest date has 33 characters.
const VALUE_BYTES_MAX: usize = 64;

// The preferred form, and the two that a recipient must still read (RFC 9110, section 5.6.7).
const DATE_FORMS: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// How long a receiver asks to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// So long from its answer.
    Delay(Duration),
    /// Until this moment, by the receiver's clock.
    At(Timestamp),
}

impl RetryAfter {
    /// Reads the header's value. `None` for anything that is neither seconds nor a date: a receiver
    /// that can't say what it wants gets the schedule.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_matches([' ', '\t']);
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            return None;
        }
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than fit mean very long, and how long is decided elsewhere.
            let seconds = value.parse().unwrap_or(u64::MAX);
            return Some(Self::Delay(Duration::from_secs(seconds)));
        }
        DATE_FORMS
            .iter()
            .find_map(|form| date(form, value))
            .map(Self::At)
    }

    /// The moment it speaks of, when the answer came at `now`.
    pub fn until(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Delay(delay) => now.after(delay),
            Self::At(moment) => moment,
        }
    }
}

fn date(form: &str, value: &str) -> Option<Timestamp> {
    let date = DateTime::strptime(form, value).ok()?;
    let moment = Offset::UTC.to_timestamp(date).ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> RetryAfter {
        RetryAfter::Delay(Duration::from_secs(seconds))
    }

    #[test]
    fn seconds_and_the_three_forms_of_a_date_are_read() {
        let at = RetryAfter::At("1994-11-06T08:49:37Z".parse().unwrap());
        for (value, expected) in [
            ("0", seconds(0)),
            ("120", seconds(120)),
            (" 120\t", seconds(120)),
            ("007", seconds(7)),
            ("99999999999999999999999999", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", at),
            ("Sunday, 06-Nov-94 08:49:37 GMT", at),
            ("Sun Nov  6 08:49:37 1994", at),
        ] {
            assert_eq!(RetryAfter::parse(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn anything_else_is_ignored() {
        for value in [
            "",
            " ",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "5s",
            "0x10",
            "soon",
            "١٢٠",
            "Sun, 06 Nov 1994",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 PST",
            "1994-11-06T08:49:37Z",
            "11111111111111111111111111111111111111111111111111111111111111111",
        ] {
            assert_eq!(RetryAfter::parse(value), None, "{value}");
        }
    }

    #[test]
    fn a_delay_counts_from_the_answer_and_a_date_does_not() {
        let now = Timestamp::from_millis(1_000);
        let date = Timestamp::from_millis(500);
        assert_eq!(RetryAfter::At(date).until(now), date);
        let delay = RetryAfter::parse("2").unwrap();
        assert_eq!(delay.until(now), Timestamp::from_millis(3_000));
        let endless = RetryAfter::parse("99999999999999999999").unwrap();
        assert_eq!(endless.until(now), Timestamp::from_millis(i64::MAX));
    }

    proptest! {
        #[test]
        fn no_value_makes_reading_panic(value in "\\PC{0,40}") {
            let _ = RetryAfter::parse(&value);
        }
    }
}
