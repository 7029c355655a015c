//! The HTTP client under `object_store`, which brings none of its own in the build that we take.
//!
//! HTTP/1.1 over pooled connections, rustls with what this machine trusts, no redirect followed and no
//! proxy of the environment obeyed. Its targets are the operator's: the configured endpoint, and the
//! machine's own services that give credentials. What receivers name goes through `delivery`, whose
//! client checks addresses; nothing of it comes here.
//!
//! Nothing waits for ever: a connection has [`S3Limits::connect_time`], TLS included, and after that
//! something must have moved within every [`S3Limits::idle_time`], in the request or in its answer. What
//! is an error and worth another try is decided here, answers included, so that the rest of the
//! program sees one [`Trouble`] and reads no texts.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt as _;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector as Connector, HttpError, HttpErrorKind, HttpRequest,
        HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
    },
};
use rustls::ClientConfig;
use tokio::time::timeout;
use tower_service::Service;

use super::{
    S3Limits,
    moving::{Coming, Moved, Moving},
    trouble::Trouble,
};
use crate::error::reason;

/// Longest that a connection is kept without a request. Stores close theirs after some twenty seconds.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// Most bytes of an answer that says no which are read; they are a few lines of XML.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a reason that is kept.
const CODE_CHARS_MAX: usize = 64;
/// In which region the bucket is, when we asked in another.
const REGION_HEADER: &str = "x-amz-bucket-region";

type BoxError = Box<dyn Error + Send + Sync>;
type Pool = legacy::Client<Timed<HttpsConnector<HttpConnector>>, Moving<HttpRequestBody>>;

/// Makes [`Client`]s.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) limits: S3Limits,
    pub(super) tls: Arc<ClientConfig>,
}

impl Connector for Http {
    // The options are those of a client that we do not have; what of them matters is in the limits.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among the addresses of a name.
        tcp.set_connect_timeout(Some(self.limits.connect_time));
        let connector = Timed {
            inner: HttpsConnector::from((tcp, self.tls.clone())),
            time_max: self.limits.connect_time,
        };
        // A connection's task ends with the connection, and that with the pool.
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(HttpClient::new(Client {
            pool,
            idle: self.limits.idle_time,
        }))
    }
}

struct Client {
    pool: Pool,
    idle: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = host(request.uri());
        let moved = Moved::default();
        let request = request.map(|body| Moving {
            body,
            moved: moved.clone(),
        });
        let answer = tokio::select! {
            answer = self.pool.request(request) => {
                answer.map_err(|error| unanswered(&host, &error))?
            }
            () = moved.not_for(self.idle) => return Err(silent(&host, self.idle)),
        };
        let (head, body) = answer.into_parts();
        let refused = !head.status.is_success() && head.status != StatusCode::NOT_MODIFIED;
        let body = Coming {
            body,
            host: host.clone(),
            idle: self.idle,
            patience: None,
        };
        if !refused {
            return Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)));
        }
        let told = beginning(body).await?;
        let code = code_in(&told);
        let by_status = matches!(
            head.status,
            StatusCode::NOT_FOUND | StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT
        );
        if by_status && code != "NoSuchBucket" {
            // `object_store` has an error of its own for each of these.
            return Ok(HttpResponse::from_parts(head, told.into()));
        }
        let region = head.headers.get(REGION_HEADER);
        Err(trouble(Trouble::Answered {
            host,
            status: head.status,
            code,
            region: region.and_then(|region| region.to_str().ok().map(str::to_owned)),
        }))
    }
}

/// Host and port, and nothing that could be a secret.
fn host(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let without_user = authority.rsplit('@').next();
    without_user.unwrap_or_default().to_owned()
}

/// The error that `object_store` decides by whether to try again.
fn trouble(trouble: Trouble) -> HttpError {
    let kind = match &trouble {
        Trouble::Unreachable { .. } => HttpErrorKind::Connect,
        Trouble::Silent { .. } => HttpErrorKind::Timeout,
        Trouble::Lost { .. } => HttpErrorKind::Interrupted,
        // What was answered so was not done, whatever it was.
        Trouble::Answered { .. } if trouble.is_transient() => HttpErrorKind::Request,
        Trouble::Answered { .. } => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, trouble)
}

pub(super) fn silent(host: &str, idle: Duration) -> HttpError {
    trouble(Trouble::Silent {
        host: host.to_owned(),
        idle,
    })
}

fn unanswered(host: &str, error: &legacy::Error) -> HttpError {
    if !error.is_connect() {
        return lost(host, error);
    }
    trouble(Trouble::Unreachable {
        host: host.to_owned(),
        why: reason(error),
    })
}

pub(super) fn lost(host: &str, error: &(dyn Error + 'static)) -> HttpError {
    trouble(Trouble::Lost {
        host: host.to_owned(),
        why: reason(error),
    })
}

/// The beginning of an answer that says no.
async fn beginning<B>(mut body: B) -> Result<Bytes, HttpError>
where
    B: Body<Data = Bytes, Error = HttpError> + Unpin,
{
    let mut told = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            told.extend_from_slice(&data);
        }
        if told.len() >= REFUSAL_BYTES_MAX {
            break;
        }
    }
    Ok(told.freeze())
}

/// What the store calls its reason: `<Code>…</Code>` in its XML.
fn code_in(told: &[u8]) -> String {
    let text = String::from_utf8_lossy(told);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map_or("", |(code, _)| code.trim());
    let is_word = code.len() <= CODE_CHARS_MAX && code.chars().all(|c| c.is_ascii_alphanumeric());
    if is_word {
        code.to_owned()
    } else {
        String::new()
    }
}

/// Ends a connector's work after a time, its TLS handshake included.
#[derive(Clone)]
struct Timed<C> {
    inner: C,
    time_max: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, time_max) = (self.inner.call(uri), self.time_max);
        Box::pin(async move {
            match timeout(time_max, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(format!("not within {time_max:?}").into()),
            }
        })
    }
}
