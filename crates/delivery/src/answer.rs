//! Reading what a receiver answers, and keeping no more of it than the log shows.

use std::{fmt::Write as _, mem, ops::ControlFlow};

use bytes::{Bytes, BytesMut};
use domain::{
    MASK, MASKED_ALWAYS, Outcome, RESPONSE_HEADERS_KEPT_BYTES_MAX, RESPONSE_KEPT_BYTES_MAX,
    RESPONSE_READ_BYTES_MAX, RetryAfter, SubscriptionSettings,
};
use http::{HeaderMap, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::failure::{self, Failure};

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<RetryAfter>,
    /// Empty when nothing went wrong.
    pub(crate) error: String,
    pub(crate) headers: String,
    pub(crate) body: Bytes,
    pub(crate) truncated: bool,
    pub(crate) sent: bool,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self {
            outcome: failure.outcome,
            status: None,
            retry_after: None,
            error: failure.sentence,
            headers: String::new(),
            body: Bytes::new(),
            truncated: false,
            sent: failure.sent,
        }
    }
}

impl Answer {
    /// The same, with no more in it than the log may keep of answers to this subscription.
    pub(crate) fn kept(mut self, settings: &SubscriptionSettings) -> Self {
        if settings.forgets_answer {
            self.truncated |= !(self.headers.is_empty() && self.body.is_empty());
            self.headers = String::new();
            self.body = Bytes::new();
        }
        let masks = &settings.mask_response_headers;
        if !masks.is_empty() {
            let masked = self.headers.lines().map(|line| match line.split_once(':') {
                Some((name, _)) if masks.contains(name) => format!("{name}: {MASK}\n"),
                _ => format!("{line}\n"),
            });
            self.headers = masked.collect();
        }
        self
    }
}

/// An answer while it comes in. It lives outside of the request's time limit, so that what has come
/// by then is kept.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    head: Option<Head>,
    kept: BytesMut,
    read: usize,
}

#[derive(Debug)]
struct Head {
    status: u16,
    retry_after: Option<RetryAfter>,
    headers: String,
    cut: bool,
}

impl Reading {
    /// Reads `response` to its end, or until it is longer than anybody should answer. What is
    /// dropped unread ends its connection.
    pub(crate) async fn read(&mut self, response: Response<Incoming>) -> Result<(), Failure> {
        let (parts, mut body) = response.into_parts();
        self.begin(parts.status, &parts.headers);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failure::of_exchange(&error))?;
            if let Ok(data) = frame.into_data()
                && self.keep(&data).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Keeps the head of an answer.
    pub(crate) fn begin(&mut self, status: StatusCode, headers: &HeaderMap) {
        let retry_after = headers.get(RETRY_AFTER);
        let (kept, cut) = kept_headers(headers);
        self.head = Some(Head {
            status: status.as_u16(),
            retry_after: retry_after
                .and_then(|value| value.to_str().ok())
                .and_then(RetryAfter::parse),
            headers: kept,
            cut,
        });
    }

    /// Keeps a part of the body, and says whether to read on.
    pub(crate) fn keep(&mut self, data: &[u8]) -> ControlFlow<()> {
        let room = RESPONSE_KEPT_BYTES_MAX - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        self.read = self.read.saturating_add(data.len());
        if self.read > RESPONSE_READ_BYTES_MAX {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// What it comes to, when reading ended so.
    ///
    /// A status that refuses has said all there is to say, however its body ends. One that accepts
    /// counts only with its whole answer: a receiver that broke off may have broken off its work.
    pub(crate) fn finish(&mut self, ended: Result<(), Failure>) -> Answer {
        let body = mem::take(&mut self.kept).freeze();
        let Some(head) = self.head.take() else {
            let nothing = || Failure::new(Outcome::Broken, "no answer came", true);
            return ended.err().unwrap_or_else(nothing).into();
        };
        let of_status = Outcome::of_status(head.status);
        let (outcome, error) = match (of_status, ended) {
            (Outcome::Delivered, Ok(())) => (Outcome::Delivered, String::new()),
            (Outcome::Delivered, Err(failure)) => (failure.outcome, failure.sentence),
            (refused, _) => (refused, status_sentence(head.status)),
        };
        Answer {
            outcome,
            status: Some(head.status),
            retry_after: head.retry_after,
            error,
            headers: head.headers,
            truncated: head.cut || self.read > body.len(),
            body,
            sent: true,
        }
    }
}

fn status_sentence(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason());
    let name = reason
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default();
    match status {
        300..=399 => {
            format!("the receiver answered {status}{name}, and redirects are not followed")
        }
        _ => format!("the receiver answered {status}{name}"),
    }
}

/// The headers, a line each, as many whole lines as fit; and whether some did not.
fn kept_headers(headers: &HeaderMap) -> (String, bool) {
    let mut text = String::new();
    for (name, value) in headers {
        let value = if MASKED_ALWAYS.contains(&name.as_str()) {
            MASK.into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        if text.len() + name.as_str().len() + value.len() + 3 > RESPONSE_HEADERS_KEPT_BYTES_MAX {
            return (text, true);
        }
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    (text, false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn headers_are_kept_in_whole_lines() {
        let mut headers = HeaderMap::new();
        headers.append("server", HeaderValue::from_static("one"));
        headers.append("x-bytes", HeaderValue::from_bytes(b"a\xffb").unwrap());
        let (text, cut) = kept_headers(&headers);
        assert_eq!(
            (text.as_str(), cut),
            ("server: one\nx-bytes: a\u{fffd}b\n", false)
        );
        let long = HeaderValue::from_str(&"x".repeat(RESPONSE_HEADERS_KEPT_BYTES_MAX)).unwrap();
        headers.append("x-long", long);
        assert_eq!(kept_headers(&headers), (text, true));
    }

    #[test]
    fn what_lets_somebody_in_is_never_kept() {
        let mut headers = HeaderMap::new();
        for name in MASKED_ALWAYS {
            headers.append(name, HeaderValue::from_static("let-me-in"));
        }
        headers.append("set-cookie", HeaderValue::from_static("let-me-in-too"));
        let (text, _) = kept_headers(&headers);
        assert!(!text.contains("let-me-in"), "{text}");
        assert_eq!(text.matches("set-cookie: ********\n").count(), 2);
    }

    #[test]
    fn a_subscription_says_what_is_kept_of_its_answers() {
        let answer = Answer {
            outcome: Outcome::Delivered,
            status: Some(200),
            retry_after: None,
            error: String::new(),
            headers: "x-a: 1\nx-token: 2: 3\nx-tokens: 4\n".to_owned(),
            body: Bytes::from_static(b"thanks"),
            truncated: false,
            sent: true,
        };
        let of = |settings: &SubscriptionSettings| answer.clone().kept(settings);
        assert_eq!(of(&SubscriptionSettings::default()), answer);
        let masked = of(&SubscriptionSettings {
            mask_response_headers: "X-Token".parse().unwrap(),
            ..SubscriptionSettings::default()
        });
        assert_eq!(masked.headers, "x-a: 1\nx-token: ********\nx-tokens: 4\n");
        assert_eq!(masked.body, answer.body);
        let nothing = of(&SubscriptionSettings {
            forgets_answer: true,
            ..SubscriptionSettings::default()
        });
        assert_eq!((nothing.headers.as_str(), nothing.body.len()), ("", 0));
        assert_eq!((nothing.status, nothing.truncated), (Some(200), true));
    }

    #[test]
    fn a_refusing_status_stands_though_its_body_breaks_off_and_an_accepting_one_does_not() {
        let broken = || Err(Failure::new(Outcome::Broken, "lost", true));
        for (status, ended, outcome, error) in [
            (200, Ok(()), Outcome::Delivered, ""),
            (200, broken(), Outcome::Broken, "lost"),
            (
                410,
                broken(),
                Outcome::Gone,
                "the receiver answered 410 Gone",
            ),
            (
                599,
                Ok(()),
                Outcome::RefusedStatus,
                "the receiver answered 599",
            ),
        ] {
            let head = Head {
                status,
                retry_after: None,
                headers: String::new(),
                cut: false,
            };
            let mut reading = Reading {
                head: Some(head),
                ..Reading::default()
            };
            let answer = reading.finish(ended);
            assert_eq!((answer.outcome, answer.error.as_str()), (outcome, error));
        }
    }
}
