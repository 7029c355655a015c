//! The one shape of every error answer: problem details (RFC 9457) with a stable `code`.

mod from_app;

use std::{error::Error, time::Duration};

use axum::response::{IntoResponse, Response};
use domain::FieldError;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Code;

/// The media type of every error answer.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// An error answer. Boxed, for every function that may refuse returns room for one.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
    known_caller: bool,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// Marks an answer that was decided before anybody looked at the key. `edge::proof` looks then, so
/// that whoever holds no key hears of that first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unproven;

impl Problem {
    /// The problem with its standard text.
    pub(crate) fn new(code: Code) -> Self {
        let mut headers = HeaderMap::new();
        if code.status() == http::StatusCode::UNAUTHORIZED {
            // RFC 9110 wants a challenge with every 401; bearer (RFC 6750) is the registered one of
            // the two ways to send a key.
            let challenge = HeaderValue::from_static("Bearer realm=\"CheckFlow\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Self(Box::new(Inner {
            code,
            detail: code.remedy().replace('`', ""),
            members: Map::new(),
            headers,
            known_caller: false,
            cause: None,
        }))
    }

    /// Several parts of the request are wrong.
    pub(crate) fn invalid(errors: &[FieldError]) -> Self {
        let detail = match errors {
            [] => Code::InvalidRequest.title().to_owned(),
            [one] => format!("{} {}", one.field, one.message),
            [one, rest @ ..] => format!("{} {} (and {} more)", one.field, one.message, rest.len()),
        };
        Self::new(Code::InvalidRequest)
            .detail(detail)
            .with("errors", errors)
    }

    /// One part of the request is wrong.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(&[FieldError::new(field, message)])
    }

    /// A list came out empty, which CheckFlow answers with 404.
    pub(crate) fn nothing_found(what: &str) -> Self {
        let detail = format!("there are no {what} that match, or none on this page");
        Self::new(Code::NothingFound)
            .detail(detail)
            .for_known_caller()
    }

    /// Says what happened this time.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// Adds a member.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.members.insert(name.to_owned(), json!(value));
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Asks to come back after `wait`.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()))
    }

    /// Keeps what caused it for the log; it is never in the answer.
    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// It was decided for a caller whose key is good.
    #[must_use]
    pub(crate) fn for_known_caller(mut self) -> Self {
        self.0.known_caller = true;
        self
    }

    /// Its code.
    pub(crate) const fn code(&self) -> Code {
        self.0.code
    }

    /// Failures of ours are logged here, once; the span of the request adds its identifier.
    fn log(&self) {
        match self.0.code {
            // Being asked too early whether it is ready is no failure of the server.
            Code::NotReady => return,
            // Callers alone can bring these about, and nothing of ours failed; but whoever runs
            // the server should see that its limits are reached.
            code @ (Code::Overloaded | Code::TimedOut) => {
                tracing::warn!(code = code.word(), "a request was given up");
                return;
            }
            code if !code.status().is_server_error() => return,
            _ => {}
        }
        let mut chain = String::new();
        let mut next = self.0.cause.as_deref().map(|cause| cause as &dyn Error);
        while let Some(error) = next {
            if !chain.is_empty() {
                chain.push_str(": ");
            }
            chain.push_str(&error.to_string());
            next = error.source();
        }
        let code = self.0.code;
        if matches!(code, Code::Unavailable | Code::FilesUnavailable) {
            // Every request fails so while the database or the file store is away, which the log says once, elsewhere.
            tracing::debug!(code = code.word(), cause = %chain, "a request was put off");
        } else {
            tracing::error!(code = code.word(), cause = %chain, "a request failed");
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let Inner {
            code,
            detail,
            members,
            headers,
            known_caller,
            cause: _,
        } = *self.0;
        let status = code.status();
        let mut body = Map::new();
        body.insert(
            "type".to_owned(),
            json!(format!("/problems/{}", code.word())),
        );
        body.insert("title".to_owned(), json!(code.title()));
        body.insert("status".to_owned(), json!(status.as_u16()));
        body.insert("detail".to_owned(), json!(detail));
        body.insert("code".to_owned(), json!(code.word()));
        body.extend(members);
        let bytes = serde_json::to_vec(&body).expect("a map of JSON values");
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))];
        let mut response = (status, kind, bytes).into_response();
        response.headers_mut().extend(headers);
        if !known_caller {
            response.extensions_mut().insert(Unproven);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_tells_what_caused_it() {
        for code in Code::ALL {
            let problem = Problem::new(*code).caused_by("SECRET of the database");
            let response = problem.into_response();
            assert_eq!(response.status(), code.status());
            assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
            let body = crate::tests::now(axum::body::to_bytes(response.into_body(), usize::MAX));
            let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
            assert!(!body.contains("SECRET"), "{body}");
            assert!(body.contains(code.word()), "{body}");
        }
    }

    #[test]
    fn only_failures_of_the_server_are_logged_as_errors() {
        for code in Code::ALL {
            let logged = crate::tests::logged(|| {
                let _ = Problem::new(*code).caused_by("the disk").into_response();
            });
            match code {
                Code::Internal | Code::StorageFull => {
                    assert!(logged.contains("ERROR"), "{code:?}: {logged}");
                    assert!(logged.contains("cause=the disk"), "{code:?}: {logged}");
                }
                Code::Overloaded | Code::TimedOut => {
                    assert!(logged.contains("WARN"), "{code:?}: {logged}");
                    assert!(!logged.contains("cause"), "{code:?}: {logged}");
                }
                _ => assert_eq!(logged, "", "{code:?}"),
            }
        }
    }

    #[test]
    fn a_refused_key_comes_with_a_challenge() {
        for code in [Code::KeyMissing, Code::KeyUnknown, Code::KeyRevoked] {
            let response = Problem::new(code).into_response();
            assert!(
                response.headers().contains_key(header::WWW_AUTHENTICATE),
                "{code:?}"
            );
        }
    }
}
