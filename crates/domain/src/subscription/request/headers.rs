//! A subscription's own headers: which names and values they may have.

use crate::FieldError;

use super::Secret;

/// Most headers of its own that a subscription has.
pub const HEADERS_MAX: usize = 20;

/// Most bytes of the name of a header.
const NAME_BYTES_MAX: usize = 128;

/// What a name may hold beside letters and digits (RFC 9110, section 5.6.2).
const TOKEN_MARKS: &str = "-_.!#$%&'*+^`|~";

/// Most bytes of the value of a header.
pub const HEADER_VALUE_BYTES_MAX: usize = 4_096;

/// Most bytes of all of them together, names and values: receivers take some 8 to 16 KiB of head.
pub const HEADERS_BYTES_MAX: usize = 8_192;

/// What the names of headers begin with that are not for others to set.
const OURS_BEGIN: [&str; 5] = ["webhook-", "checkflow-", "content-", "proxy-", "sec-"];

/// Headers that CheckFlow sets, or that belong to one connection (RFC 9110, section 7.6.1).
const OURS: [&str; 12] = [
    "accept",
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// The name in lower case, if a subscription may set it.
pub(super) fn name(given: &str) -> Result<String, FieldError> {
    let refused = |why: String| Err(FieldError::new(field(given), why));
    let name = given.trim().to_ascii_lowercase();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_token) {
        return refused(format!(
            "is no name of a header: write 1 to {NAME_BYTES_MAX} letters, digits or any of {TOKEN_MARKS}, such as X-Api-Key"
        ));
    }
    if OURS.contains(&name.as_str()) || OURS_BEGIN.iter().any(|begin| name.starts_with(begin)) {
        return refused(
            "is set by CheckFlow or belongs to the connection: give the header another name"
                .to_owned(),
        );
    }
    Ok(name)
}

/// Whether a header can have the value.
pub(super) fn value(name: &str, value: &Secret) -> Result<(), FieldError> {
    let text = value.reveal();
    let refused = |why: String| Err(FieldError::new(field(name), why));
    if text.is_empty() || text.len() > HEADER_VALUE_BYTES_MAX {
        return refused(format!(
            "must have 1 to {HEADER_VALUE_BYTES_MAX} bytes; leave the header out if it needs no value"
        ));
    }
    let visible = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    if !text.bytes().all(visible) || text.trim_ascii() != text {
        return refused(
            "may hold printable ASCII characters alone, without spaces around them: encode others, such as in base64"
                .to_owned(),
        );
    }
    Ok(())
}

/// What a header is called where it is refused.
pub(super) fn field(name: &str) -> String {
    // As much of it as a person needs to find it; it may be anything.
    let name: String = name.chars().take(60).collect();
    format!("headers.{name}")
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || TOKEN_MARKS.as_bytes().contains(&byte)
}
