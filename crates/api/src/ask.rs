//! A request to an operation: who asks, and what is given.

use std::sync::Arc;

use app::{Caller, Once};
use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use domain::{MemberId, Right};
use futures_util::StreamExt;
use http::{HeaderMap, Method, header, request::Parts};

use crate::{Api, Code, input::Input, instead::Instead, problem::Problem};

/// The header with the key.
pub(crate) const KEY_HEADER: &str = "x-api-key";
/// The header with the name of a request that may be sent again.
pub(crate) const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Longest such name, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The header with the version of the API that the caller was written for.
pub(crate) const VERSION_HEADER: &str = "x-api-version";
/// The versions there are, which mean the same.
const VERSIONS: [&str; 4] = ["1", "1.0", "2", "2.0"];

/// Who asks, and what is given in the query and in a JSON body.
pub(crate) struct Ask {
    /// Who.
    pub(crate) caller: Caller,
    /// What.
    pub(crate) input: Input,
}

impl Ask {
    /// Who asks, and what is given in the query alone.
    pub(crate) fn of_parts(parts: &Parts, api: &Api) -> Result<Self, Problem> {
        let caller = caller(&parts.headers)?;
        version(&parts.headers)?;
        let query = parts.uri.query().unwrap_or_default();
        let caller = match idempotency_key(parts)? {
            Some(key) => caller.with_once(once(parts, &key, &[])),
            None => caller,
        };
        let max = api.limits().query_bytes_max;
        if query.len() > max {
            let detail = format!(
                "the query has {} bytes, and at most {max} are taken",
                query.len()
            );
            return Err(Problem::new(Code::QueryTooLong).detail(detail));
        }
        Ok(Self {
            caller,
            input: Input::of_query(query)?,
        })
    }
}

/// The number that stands for the API key where CheckFlow wants that of a member.
const KEY_ITSELF: i64 = 0;

impl Ask {
    /// Who asks, for the member whose number was given as `named`; for nobody where none was, or 0.
    pub(crate) fn caller_for(&self, named: &'static str, member: Option<i64>) -> Caller {
        match member.filter(|number| *number != KEY_ITSELF) {
            Some(number) => {
                let caller = self.caller.clone();
                caller.acting_for(MemberId::new(number), named)
            }
            None => self.caller.clone(),
        }
    }
}

impl FromRequest<Api> for Ask {
    type Rejection = Instead;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Instead> {
        let (parts, body) = request.into_parts();
        let mut ask = Self::of_parts(&parts, api)?;
        // The body of a GET means nothing (RFC 9110, section 9.3.1), and some clients send one.
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let bytes = json_bytes(&parts.headers, body, api).await?;
            if !bytes.is_empty() {
                ask.input.add_body(&bytes)?;
            }
            if let Some(key) = idempotency_key(&parts)? {
                ask.caller = ask.caller.with_once(once(&parts, &key, &bytes));
                // Before a name is looked up, or a target asked, for what was done long ago.
                let needs = parts.extensions.get().copied().unwrap_or(Right::Admin);
                api.app.answered(&ask.caller, needs).await?;
            }
        }
        Ok(ask)
    }
}

/// The name that a POST is given so that it can be sent again safely, if it is. Quoted, as a string of RFC 8941, or as
/// it is.
fn idempotency_key(parts: &Parts) -> Result<Option<String>, Problem> {
    if parts.method != Method::POST {
        return Ok(None);
    }
    let mut given = parts.headers.get_all(IDEMPOTENCY_HEADER).iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let key = key.as_bytes().trim_ascii();
    let bare = key
        .strip_prefix(b"\"")
        .and_then(|key| key.strip_suffix(b"\""))
        .unwrap_or(key);
    let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&bare.len());
    if !fits || !bare.iter().all(u8::is_ascii_graphic) || given.next().is_some() {
        let message = "must be given once, and be 1 to 255 letters, digits and signs without spaces, such as a UUID";
        return Err(Problem::field("Idempotency-Key", message));
    }
    Ok(Some(String::from_utf8_lossy(bare).into_owned()))
}

fn once(parts: &Parts, key: &str, body: &[u8]) -> Arc<Once> {
    let query = parts.uri.query().unwrap_or_default();
    Once::new(parts.uri.path(), key, [query.as_bytes(), body])
}

/// The key that a request carries.
pub(crate) fn caller(headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut given = keys(headers);
    let first = given.next().ok_or_else(|| Problem::new(Code::KeyMissing))?;
    if given.any(|other| other != first) {
        let message = "and Authorization carry different keys; send one of them";
        return Err(Problem::field("X-API-KEY", message));
    }
    // A key of ours is ASCII; whatever else was sent hashes to something that nobody holds.
    Ok(Caller::key(&String::from_utf8_lossy(first)))
}

/// Its bytes, unless it carries none.
pub(crate) fn key(headers: &HeaderMap) -> Option<&[u8]> {
    keys(headers).next()
}

fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(|value| {
            let (scheme, key) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
        });
    let keys = headers
        .get_all(KEY_HEADER)
        .iter()
        .map(http::HeaderValue::as_bytes);
    keys.chain(bearer)
        .map(<[u8]>::trim_ascii)
        .filter(|key| !key.is_empty())
}

fn version(headers: &HeaderMap) -> Result<(), Problem> {
    for given in headers.get_all(VERSION_HEADER) {
        let given = String::from_utf8_lossy(given.as_bytes());
        if !VERSIONS.contains(&given.trim()) {
            return Err(Problem::new(Code::VersionUnknown));
        }
    }
    Ok(())
}

/// The body of a request, which must be JSON unless it is empty.
pub(crate) async fn json_bytes(
    headers: &HeaderMap,
    body: Body,
    api: &Api,
) -> Result<Bytes, Problem> {
    let bytes = bounded(body, api).await?;
    if bytes.is_empty() || is_json(headers) {
        return Ok(bytes);
    }
    let detail = "the body must be JSON, with Content-Type: application/json";
    Err(Problem::new(Code::MediaTypeUnsupported).detail(detail))
}

fn is_json(headers: &HeaderMap) -> bool {
    // Without a type there is nothing to contradict; what is not JSON is found by reading it.
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

async fn bounded(body: Body, api: &Api) -> Result<Bytes, Problem> {
    let max = api.limits().json_bytes_max;
    let mut chunks = body.into_data_stream();
    let mut bytes = BytesMut::new();
    loop {
        let next = tokio::time::timeout(api.limits().body_idle_timeout, chunks.next()).await;
        let next = next.map_err(|_| Problem::new(Code::RequestTimeout))?;
        let Some(chunk) = next else {
            return Ok(bytes.freeze());
        };
        let chunk =
            chunk.map_err(|error| Problem::new(Code::UploadInterrupted).caused_by(error))?;
        if bytes.len() + chunk.len() > max {
            let detail = format!("the body has more than {max} bytes, the most that is taken");
            return Err(Problem::new(Code::BodyTooLarge).detail(detail));
        }
        bytes.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn the_key_comes_from_either_header() {
        let same = |given: &[(&'static str, &'static str)]| {
            let found = caller(&headers(given)).unwrap();
            assert_eq!(
                format!("{found:?}"),
                format!("{:?}", Caller::key("ck_a")),
                "{given:?}"
            );
        };
        same(&[("x-api-key", "ck_a")]);
        same(&[("x-api-key", " ck_a ")]);
        same(&[("authorization", "Bearer ck_a")]);
        same(&[("authorization", "bearer ck_a"), ("x-api-key", "ck_a")]);
        // A proxy in front may use the header for itself.
        same(&[("authorization", "Basic dTpw"), ("x-api-key", "ck_a")]);
    }

    #[test]
    fn no_key_and_two_keys_are_refused() {
        let refused =
            |given: &[(&'static str, &'static str)]| caller(&headers(given)).unwrap_err().code();
        assert_eq!(refused(&[]), Code::KeyMissing);
        assert_eq!(refused(&[("x-api-key", " ")]), Code::KeyMissing);
        assert_eq!(
            refused(&[("authorization", "Basic dTpw")]),
            Code::KeyMissing
        );
        assert_eq!(
            refused(&[("authorization", "Bearer a"), ("x-api-key", "b")]),
            Code::InvalidRequest
        );
    }

    #[test]
    fn two_versions_and_none_are_taken() {
        for good in [
            &[][..],
            &[("x-api-version", "1.0")],
            &[("x-api-version", "2.0")],
        ] {
            version(&headers(good)).unwrap();
        }
        for bad in ["3.0", "", "two"] {
            let problem = version(&headers(&[("x-api-version", bad)])).unwrap_err();
            assert_eq!(problem.code(), Code::VersionUnknown, "{bad}");
        }
    }

    #[test]
    fn json_goes_by_several_media_types() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.checkflow+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/yaml", false),
        ] {
            assert_eq!(
                is_json(&headers(&[("content-type", kind)])),
                expected,
                "{kind}"
            );
        }
        assert!(is_json(&HeaderMap::new()));
    }
}
