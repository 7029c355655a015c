//! Lengths of time as people write them: `15s`, `5min`, `24h`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A length of time that is written with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

/// The text is no length of time.
#[derive(Debug, thiserror::Error)]
#[error("write a whole number and its unit (ms, s, min, h or d), such as \"15s\"")]
pub(crate) struct NotASpan;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(NotASpan)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| NotASpan)?;
        let (_, length) = UNITS
            .iter()
            .find(|(word, _)| *word == unit.trim())
            .ok_or(NotASpan)?;
        number
            .checked_mul(*length)
            .map(Duration::from_millis)
            .map(Self)
            .ok_or(NotASpan)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        let fits = UNITS.iter().find(|(_, length)| millis % length == 0);
        let (unit, length) = fits.unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", millis / length)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// Takes text, and tells whoever wrote a bare number what it lacks.
struct SpanVisitor;

impl de::Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as \"15s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse()
            .map_err(|error| wrong(format_args!("{text:?}"), &error))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Span, E> {
        Err(wrong(number, &NotASpan))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Span, E> {
        Err(wrong(number, &NotASpan))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Span, E> {
        Err(wrong(number, &NotASpan))
    }
}

fn wrong<E: de::Error>(written: impl fmt::Display, error: &NotASpan) -> E {
    E::custom(format_args!("{written} is no length of time: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_with_its_unit() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("15s", 15_000),
            (" 5 min ", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                text.parse::<Span>().unwrap().0,
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in [
            "",
            "15",
            "s",
            "-1s",
            "1.5s",
            "5 minutes",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_shown_in_the_longest_unit_that_keeps_it_whole() {
        for text in ["0s", "250ms", "90s", "5min", "10h", "7d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!(Span(Duration::from_hours(24)).to_string(), "1d");
    }
}
