//! Names of headers, as a subscription's maker gives them: those of answers whose values are not to be kept.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Headers of answers whose values are never kept: they let somebody in somewhere.
pub const MASKED_ALWAYS: [&str; 6] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-hook-secret",
];

/// Most names that a subscription gives.
pub const MASKED_NAMES_MAX: usize = 20;

/// Longest name.
const NAME_CHARS_MAX: usize = 100;

/// Names of headers, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<String>")]
#[schema(value_type = Vec<String>)]
pub struct HeaderNames(Vec<String>);

impl HeaderNames {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is one of them, in whichever letters.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|one| one.eq_ignore_ascii_case(name))
    }

    /// With commas between.
    pub fn text(&self) -> String {
        self.0.join(",")
    }
}

impl TryFrom<Vec<String>> for HeaderNames {
    type Error = UnknownHeaderNames;

    fn try_from(names: Vec<String>) -> Result<Self, UnknownHeaderNames> {
        let mut names: Vec<String> = names
            .iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        let fits = names.len() <= MASKED_NAMES_MAX && names.iter().all(|name| is_name(name));
        fits.then_some(Self(names)).ok_or(UnknownHeaderNames)
    }
}

impl FromStr for HeaderNames {
    type Err = UnknownHeaderNames;

    fn from_str(text: &str) -> Result<Self, UnknownHeaderNames> {
        // A star may stand in a name, but who gives one means a pattern, which would mask nothing. What is stored is
        // taken as it is.
        if text.contains('*') {
            return Err(UnknownHeaderNames);
        }
        let names = text.split(',').filter(|name| !name.trim().is_empty());
        names.map(str::to_owned).collect::<Vec<_>>().try_into()
    }
}

/// A `token` of RFC 9110.
fn is_name(name: &str) -> bool {
    let is_fine = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_fine)
}

/// The text is no list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be up to 20 names of headers with commas between and without patterns, such as x-session,x-token"
)]
pub struct UnknownHeaderNames;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_letters_and_kept_once() {
        let names: HeaderNames = " X-Token,x-session, ,x-token".parse().unwrap();
        assert_eq!(names.text(), "x-session,x-token");
        assert!(names.contains("X-SESSION") && !names.contains("x-other"));
        assert_eq!(
            serde_json::to_string(&names).unwrap(),
            r#"["x-session","x-token"]"#
        );
        assert!("".parse::<HeaderNames>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_of_names_is_refused() {
        let many = (0..=MASKED_NAMES_MAX).map(|n| format!("x-{n}"));
        let many = many.collect::<Vec<_>>().join(",");
        for text in [
            "*",
            "x-*",
            "a b",
            "a:b",
            "é",
            &"x".repeat(NAME_CHARS_MAX + 1),
            &many,
        ] {
            assert_eq!(
                text.parse::<HeaderNames>(),
                Err(UnknownHeaderNames),
                "{text}"
            );
        }
    }
}
