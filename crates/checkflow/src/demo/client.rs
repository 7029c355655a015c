//! A small HTTP client for the demo's own server: what a script of an integrator would do.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Parts the demo's one form; it stands in none of the files that the demo sends.
const BOUNDARY: &str = "checkflow-demo-5d0b2c";

/// Calls the API with a key.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    key: String,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Null when the body was empty.
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer that must be a success.
    pub(crate) fn done(self) -> anyhow::Result<Value> {
        if !self.status.is_success() {
            bail!("the API answered {}: {}", self.status, self.body);
        }
        Ok(self.body)
    }
}

impl Client {
    pub(crate) const fn new(address: SocketAddr, key: String) -> Self {
        Self { address, key }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// A request without a body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        self.send(method, &with_query(path, query), None, Bytes::new())
            .await
    }

    /// A request with a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let bytes = Bytes::from(body.to_string());
        self.send(
            Method::PUT,
            path,
            Some("application/json".to_owned()),
            bytes,
        )
        .await
    }

    /// A file in the field `file` of a form.
    pub(crate) async fn upload(
        &self,
        path: &str,
        query: &[(&str, &str)],
        (name, media_type): (&str, &str),
        bytes: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut form = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: {media_type}\r\n\r\n"
        )
        .into_bytes();
        form.extend_from_slice(bytes);
        form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(
            Method::POST,
            &with_query(path, query),
            Some(kind),
            form.into(),
        )
        .await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<String>,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let shown = format!("{method} {path}");
        self.exchange(method, path, kind, body)
            .await
            .with_context(|| shown)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        kind: Option<String>,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("connecting")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the request, for the sender is dropped then; its error is the request's.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header("X-API-KEY", &self.key)
            .header("X-API-VERSION", "2.0");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let answer = sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let bytes = bytes.map_err(anyhow::Error::from_boxed)?.to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        };
        Ok(Answer { status, body })
    }
}

/// The path with its query, written as URLs want it.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    let text = text.extend_pairs(query).finish();
    if text.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{text}")
    }
}
