//! Giving a file back: whole or in part, as an attachment, never shown in the server's own name.

mod disposition;
mod range;

use std::error::Error;

use app::{OpenFile, Opened};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{FileKey, StoredFile, hex};
use futures_util::{Stream, TryStreamExt as _};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::Span;

use crate::{Api, ask::Ask, input::Input, problem::Problem};

/// A file that a person uploaded is shown by no browser as a page of this server.
const FILE_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";
/// Kept by the caller alone, and asked about before each use: a key may have been revoked.
const FILE_CACHE: &str = "private, no-cache";

/// Download a file
///
/// Always as an attachment, under the name that its owner gave it. Takes `Range` with one range
/// (RFC 9110), `If-Range` and `If-None-Match`; the `ETag` is the SHA-256 of the bytes.
#[utoipa::path(
    get,
    path = "/api/checklist/file",
    tag = "Files",
    params(
        ("fileKey" = String, Query, format = Uuid, description = "The file."),
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
    ),
    responses(
        (status = 200, description = "The bytes.", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The range of bytes that was asked for.", content_type = "application/octet-stream", body = String),
        (status = 304, description = "The file is the one that `If-None-Match` names."),
    )
)]
pub(crate) async fn download(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    mut ask: Ask,
) -> Result<Response, Problem> {
    let key = ask.input.need("fileKey", Input::key);
    let key: FileKey = ask.input.all(key)?;
    // Only a GET has ranges (RFC 9110, section 14.2).
    let range = headers
        .get(header::RANGE)
        .filter(|_| method == Method::GET)
        .and_then(range::one);
    let conditional = [header::IF_NONE_MATCH, header::IF_RANGE];
    let conditional = conditional.iter().any(|name| headers.contains_key(name));

    let first = if conditional { None } else { range };
    let mut opened = api
        .app
        .open_file(&ask.caller, OpenFile { key, range: first })
        .await?;
    let etag = etag(&opened.file);
    if headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|given| names(given, &etag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let if_range = headers.get(header::IF_RANGE);
    let range = range.filter(|_| if_range.is_none_or(|given| given.as_bytes() == etag.as_bytes()));
    if conditional && range.is_some() {
        opened = api
            .app
            .open_file(&ask.caller, OpenFile { key, range })
            .await?;
    }
    Ok(respond(opened, range.is_some(), &etag))
}

/// The strong validator of a file: its SHA-256.
fn etag(file: &StoredFile) -> String {
    format!("\"{}\"", hex(&file.sha256))
}

/// Whether an `If-None-Match` names `etag`, in the weak comparison that RFC 9110 wants there.
fn names(given: &HeaderValue, etag: &str) -> bool {
    let given = String::from_utf8_lossy(given.as_bytes());
    given
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

fn respond(opened: Opened, partial: bool, etag: &str) -> Response {
    let Opened { file, range, bytes } = opened;
    let mut response = Body::from_stream(telling(bytes)).into_response();
    let unknown = HeaderValue::from_static("application/octet-stream");
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::try_from(&file.media_type).unwrap_or(unknown),
    );
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(range.end - range.start),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition::attachment(&file.name),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(FILE_CACHE));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(FILE_POLICY),
    );
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if partial {
        let last = range.end.saturating_sub(1);
        let shown = HeaderValue::try_from(format!("bytes {}-{last}/{}", range.start, file.size));
        headers.extend(shown.ok().map(|shown| (header::CONTENT_RANGE, shown)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// The bytes, and a line in the log should they end too early: the head is sent by then, so the caller sees the
/// connection end before the file does, and nothing else.
fn telling<B, E: Error>(
    bytes: impl Stream<Item = Result<B, E>>,
) -> impl Stream<Item = Result<B, E>> {
    let request = Span::current();
    bytes.inspect_err(move |error| {
        let cause = error.source().map(ToString::to_string);
        request.in_scope(|| tracing::warn!(%error, cause, "a download was cut short"));
    })
}

#[cfg(test)]
mod tests {
    use app::FileStoreError;
    use futures_util::{StreamExt as _, stream};

    use super::*;

    #[test]
    fn a_download_that_is_cut_short_is_logged_with_its_request_and_why() {
        let logged = crate::tests::logged(|| {
            let whole = || stream::iter([Ok::<_, FileStoreError>("a")]);
            let cut = FileStoreError::Away("nothing moved".into());
            let span = tracing::info_span!("request", id = "r-1");
            let (sound, broken) = span.in_scope(|| {
                (
                    telling(whole()),
                    telling(whole().chain(stream::iter([Err(cut)]))),
                )
            });
            // Polled by the connection, outside of its request.
            assert_eq!(crate::tests::now(sound.count()), 1);
            assert_eq!(crate::tests::now(broken.count()), 2);
        });
        assert_eq!(logged.lines().count(), 1, "{logged}");
        for part in ["WARN", "r-1", "a download was cut short", "nothing moved"] {
            assert!(logged.contains(part), "{part}: {logged}");
        }
    }

    #[test]
    fn a_cached_copy_is_known_by_its_tag() {
        for (given, expected) in [
            ("\"ab\"", true),
            ("\"x\", \"ab\"", true),
            ("W/\"ab\"", true),
            ("*", true),
            ("\"abc\"", false),
            ("ab", false),
        ] {
            assert_eq!(
                names(&HeaderValue::from_static(given), "\"ab\""),
                expected,
                "{given}"
            );
        }
    }
}
