//! What every request passes on its way in and every answer on its way out.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Right, Source};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;

use crate::{
    Api, ApiSettings, Code, ask,
    problem::{PROBLEM_JSON, Problem, Unproven},
};

/// The header that names a request, in the answer and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest identifier that is taken from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Headers of every answer that does not bring its own.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Names the request, catches panics, turns the router's own errors into problems, and adds the
/// headers that every answer has.
pub(crate) async fn around(
    State(settings): State<Arc<ApiSettings>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers(), &settings.source);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", %method, path, id = id.to_str().unwrap_or_default());
    let answered = guarded(next.run(request));
    let mut response = answered.instrument(span).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers.insert(REQUEST_ID, id);
    response
}

/// What `answer` comes to, or the problem that it ends in.
async fn guarded(answer: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    let answer = answer.unwrap_or_else(|panic| {
        let cause = panic_text(panic.as_ref());
        Problem::new(Code::Internal)
            .caused_by(cause)
            .into_response()
    });
    let answer = as_problem(answer);
    tracing::debug!(status = answer.status().as_u16(), "answered");
    answer
}

/// The caller's identifier if it can stand in a log line, else a new one.
fn request_id(headers: &HeaderMap, source: &Source) -> HeaderValue {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let given = headers.get(REQUEST_ID).filter(|id| {
        let bytes = id.as_bytes();
        (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(sane)
    });
    given.cloned().unwrap_or_else(|| {
        let made = HeaderValue::try_from(source.uuid().to_string());
        made.unwrap_or(HeaderValue::from_static("none"))
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_default())
}

/// What the router and its extractors refuse on their own has a status and some text; callers get
/// the same shape of it as of everything else.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !is_error || kind.is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => Code::RouteMissing,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaTypeUnsupported,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        status if status.is_client_error() => Code::InvalidRequest,
        _ => Code::Internal,
    };
    let mut problem = Problem::new(code);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem = problem.header(header::ALLOW, allow.clone());
    }
    problem.into_response()
}

/// When to look what came of a request that was given up.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Answers in time, or says that it could not.
pub(crate) async fn timed(State(api): State<Api>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(api.limits().request_timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let problem = Problem::new(Code::TimedOut).retry_after(RETRY_AFTER);
        problem.into_response()
    })
}

/// Whoever holds no key of this server, or one that may not do this, hears of that, and not of what else is wrong.
///
/// Keys are checked by the use case, in its transaction. What is refused before one runs has not
/// been past that check, so it is made here, on the way out, and only then.
pub(crate) async fn proof(
    State((api, needs)): State<(Api, Right)>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(needs);
    let caller = ask::caller(request.headers());
    let response = next.run(request).await;
    let status = response.status();
    let unproven = response.extensions().get::<Unproven>().is_some();
    if !unproven || !status.is_client_error() || status == StatusCode::UNAUTHORIZED {
        return response;
    }
    let Ok(caller) = caller else {
        return response;
    };
    match api
        .app
        .authorize(&caller, needs)
        .await
        .map_err(Problem::from)
    {
        Err(problem) if problem.code().status().is_client_error() => problem.into_response(),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::source;

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
            request_id(&headers, &source())
        };
        assert_eq!(id("abc-1.2_3"), "abc-1.2_3");
        for bad in ["", "a b", "a\"b", "ü", &"x".repeat(129)] {
            assert_ne!(id(bad), bad);
            assert_eq!(id(bad).len(), 36, "{bad}");
        }
    }

    #[test]
    fn a_panic_is_answered_as_a_problem_without_its_text() {
        let panicking = async { panic!("SECRET of the server") };
        let response = crate::tests::now(guarded(panicking));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = crate::tests::now(axum::body::to_bytes(response.into_body(), usize::MAX));
        let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
        assert!(
            body.contains("\"internal\"") && !body.contains("SECRET"),
            "{body}"
        );
    }

    #[test]
    fn the_routers_own_errors_become_problems() {
        for (status, code) in [
            (StatusCode::NOT_FOUND, "route_missing"),
            (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        ] {
            let response = as_problem((status, "text of the router").into_response());
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
            let body =
                crate::tests::now(axum::body::to_bytes(response.into_body(), usize::MAX)).unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                body.contains(code) && !body.contains("text of the router"),
                "{body}"
            );
        }
        assert_eq!(
            as_problem(StatusCode::OK.into_response()).status(),
            StatusCode::OK
        );
    }
}
