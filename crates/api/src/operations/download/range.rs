//! `Range` (RFC 9110, section 14): one range of bytes.

use app::ByteRange;
use http::HeaderValue;

/// The one range that is asked for.
///
/// Several ranges, other units and what can't be read are ignored, as the RFC allows and wants: the
/// answer is the whole file then.
pub(super) fn one(header: &HeaderValue) -> Option<ByteRange> {
    let text = header.to_str().ok()?;
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    match (digits(first), digits(last)) {
        (Some(first), Some(last)) if first > last => None,
        (Some(first), Some(last)) => Some(ByteRange::From {
            first,
            last: Some(last),
        }),
        (Some(first), None) if last.is_empty() => Some(ByteRange::From { first, last: None }),
        (None, Some(last)) if first.is_empty() => Some(ByteRange::Last(last)),
        _ => None,
    }
}

/// A number of digits alone; one too large for us is beyond the end of every file.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &'static str, expected: Option<ByteRange>) {
        assert_eq!(one(&HeaderValue::from_static(text)), expected, "{text}");
    }

    #[test]
    fn one_range_of_bytes_is_read() {
        check(
            "bytes=0-99",
            Some(ByteRange::From {
                first: 0,
                last: Some(99),
            }),
        );
        check(
            "Bytes=5-",
            Some(ByteRange::From {
                first: 5,
                last: None,
            }),
        );
        check("bytes=-3", Some(ByteRange::Last(3)));
        check(
            "bytes=7-7",
            Some(ByteRange::From {
                first: 7,
                last: Some(7),
            }),
        );
        check(
            "bytes=99999999999999999999-",
            Some(ByteRange::From {
                first: u64::MAX,
                last: None,
            }),
        );
    }

    #[test]
    fn anything_else_is_ignored() {
        for text in [
            "bytes=0-1,3-4",
            "bytes=5-4",
            "bytes=-",
            "bytes=a-b",
            "items=0-1",
            "bytes",
            "bytes=+1-2",
            "bytes=1-2-3",
            "",
        ] {
            check(text, None);
        }
    }
}
