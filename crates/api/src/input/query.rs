//! The query of a request, as names and values (the URL standard's `application/x-www-form-urlencoded`).

use crate::{Code, problem::Problem};

/// Takes `query` apart. Unlike most readers it refuses what is not UTF-8, for a name with
/// replacement characters in it would be stored and sent on.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok((decoded(name)?, decoded(value)?))
    };
    parts.map(pair).collect()
}

fn decoded(text: &str) -> Result<String, Problem> {
    let refused = |why: &str| {
        let shown: String = text.chars().take(60).collect();
        Problem::new(Code::MalformedQuery).detail(format!("{shown:?} in the query {why}"))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(refused(
                        "has a % without two hexadecimal digits; write %25 for %",
                    ));
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(u8::MAX));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(pairs(query).unwrap(), expected, "{query}");
    }

    #[test]
    fn names_and_values_are_decoded() {
        check("", &[]);
        check("&&", &[]);
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a", &[("a", "")]);
        check("a=b=c", &[("a", "b=c")]);
        check("name=caf%C3%A9+two%2B", &[("name", "café two+")]);
    }

    #[test]
    fn what_is_not_utf8_or_half_encoded_is_refused() {
        for bad in ["a=%FF", "a=%C3", "%ff=1", "a=%", "a=%2", "a=%zz", "a=%+1"] {
            assert_eq!(
                pairs(bad).unwrap_err().code(),
                Code::MalformedQuery,
                "{bad}"
            );
        }
    }
}
