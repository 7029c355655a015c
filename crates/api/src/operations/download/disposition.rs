//! `Content-Disposition` (RFC 6266): the name of a file, whatever letters it has.

use http::HeaderValue;

/// Has the file saved under `name`: in UTF-8 (RFC 8187) for everybody, and in ASCII for those who
/// do not know that.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let plain = |c: char| {
        if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' {
            c
        } else {
            '_'
        }
    };
    let ascii: String = name.chars().map(plain).collect();
    let mut value = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // `attr-char` of RFC 8187; the rest is percent-encoded.
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                use std::fmt::Write;
                write!(value, "%{byte:02X}").expect("writing to a string");
            }
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_can_not_break_out() {
        for (name, expected) in [
            ("scan 1.pdf", "attachment; filename=\"scan 1.pdf\""),
            (
                "Prüfung.pdf",
                "attachment; filename=\"Pr_fung.pdf\"; filename*=UTF-8''Pr%C3%BCfung.pdf",
            ),
            (
                "a\"b\\.txt",
                "attachment; filename=\"a_b_.txt\"; filename*=UTF-8''a%22b%5C.txt",
            ),
            (
                "a\r\nx: y",
                "attachment; filename=\"a__x: y\"; filename*=UTF-8''a%0D%0Ax%3A%20y",
            ),
            (
                "発票.pdf",
                "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E7%99%BA%E7%A5%A8.pdf",
            ),
        ] {
            assert_eq!(attachment(name), expected, "{name}");
        }
    }
}
