//! A client that knows the API's paths and nothing else of the server.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use testkit::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

pub(crate) struct Client {
    address: SocketAddr,
    key: String,
    patience: Duration,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The seconds after which to ask again, where the answer says so.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Value,
}

/// No answer came, and the connection is broken.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(crate) fn new(address: SocketAddr, key: &Value) -> Self {
        Self {
            address,
            key: key["key"].as_str().unwrap().to_owned(),
            patience: PATIENCE,
        }
    }

    /// The same, of a server that has started again elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            key: self.key.clone(),
            patience: self.patience,
        }
    }

    /// The same, that waits so long for an answer.
    pub(crate) fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks, with a JSON body or (null) none, and answers whatever comes.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.try_ask(method, path, body).await;
        answer.unwrap_or_else(|broken| panic!("{method} {path}: {broken}"))
    }

    /// Asks a server that may be killed before it answers.
    pub(crate) async fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Broken> {
        timeout(self.patience, self.exchange(method, path, body))
            .await
            .expect("an answer comes, or the connection breaks")
    }

    /// Asks for what must be granted.
    pub(crate) async fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.body
    }

    async fn exchange(&self, method: &str, path: &str, body: &Value) -> Result<Answer, Broken> {
        self.raw(method, path, body).await.map(answer)
    }

    /// Asks for a file, and answers what comes with it and what it holds.
    pub(crate) async fn download(&self, file: &Value) -> Whole {
        let path = format!("/api/checklist/file?fileKey={}", file.as_str().unwrap());
        let answer = timeout(PATIENCE * 2, self.raw("GET", &path, &Value::Null)).await;
        answer.expect("an answer comes").unwrap()
    }

    async fn raw(&self, method: &str, path: &str, body: &Value) -> Result<Whole, Broken> {
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        self.send(method, path, "application/json", bytes).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        bytes: Bytes,
    ) -> Result<Whole, Broken> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("x-api-key", &self.key)
            .header("x-api-version", "2.0")
            .header("content-type", kind)
            .body(Full::new(bytes))
            .unwrap();
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    }

    /// Asks again and again until the answer has this status.
    pub(crate) async fn ask_until(&self, path: &str, status: u16) {
        let asked = timeout(PATIENCE, async {
            while self.ask("GET", path, &Value::Null).await.status != status {
                tokio::task::yield_now().await;
            }
        });
        asked
            .await
            .unwrap_or_else(|_| panic!("{path} never answered {status}"));
    }

    /// Makes the template of these tests and answers its document.
    pub(crate) async fn template(&self) -> Value {
        let document = json!({ "name": "Invoice review", "tasks": [
            { "name": "Receive", "controls": [{ "type": "FileUpload", "name": "Scan", "minFiles": 1 }] },
            { "name": "Pay" },
        ]});
        self.done("PUT", "/api/template", &document).await
    }

    /// Subscribes `target` and answers the subscription, its secret included.
    pub(crate) async fn subscribe(&self, event: &str, key: &str, target: &str) -> Value {
        let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let path = format!(
            "/api/web-hook/subscribe?source=test&eventType={event}&targetUrl={target}&{key}"
        );
        self.done("POST", &path, &Value::Null).await
    }

    /// Makes a checklist and answers it.
    pub(crate) async fn checklist(&self, template: &Value, name: &str) -> Value {
        let template = template["templateKey"].as_str().unwrap();
        let path = format!("/api/checklist?templateKey={template}&checklistName={name}");
        self.done("POST", &path, &Value::Null).await
    }

    /// Asks for a task to be completed.
    pub(crate) async fn complete(&self, task: &Value) -> Answer {
        let answer = self.try_complete(task).await;
        answer.unwrap_or_else(|broken| panic!("completing {task}: {broken}"))
    }

    /// The same of a server that may be killed before it answers.
    pub(crate) async fn try_complete(&self, task: &Value) -> Result<Answer, Broken> {
        let body = json!({ "taskId": task["taskId"], "status": "Complete", "modifiedByUserID": 0 });
        self.try_ask("PUT", "/api/task/status", &body).await
    }

    /// Waits until no delivery of the team is to be sent any more.
    pub(crate) async fn wait_settled(&self) {
        let mut left = Value::Null;
        let settled = timeout(PATIENCE * 2, async {
            loop {
                left = self.first_in("waiting").await;
                if left.is_null() {
                    left = self.first_in("leased").await;
                }
                // One that went from one to the other between these two is seen where all are looked at.
                if left.is_null() {
                    left = self.first_open().await;
                }
                if left.is_null() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let in_time = settled.await.is_ok();
        assert!(in_time, "the queue is not empty, but has {left}");
    }

    /// One of the deliveries that stand so.
    async fn first_in(&self, state: &str) -> Value {
        let path = format!("/api/web-hook/deliveries?limit=1&state={state}");
        let mut page = self.done("GET", &path, &Value::Null).await;
        let first = page["items"].get_mut(0);
        first.map(Value::take).unwrap_or_default()
    }

    /// One of the deliveries that are to be sent, each looked at once.
    async fn first_open(&self) -> Value {
        let mut cursor = String::new();
        loop {
            let path = format!("/api/web-hook/deliveries?limit=100{cursor}");
            let mut page = self.done("GET", &path, &Value::Null).await;
            let items = page["items"].as_array_mut().unwrap();
            let is_open = |row: &&mut Value| row["state"] == "waiting" || row["state"] == "leased";
            if let Some(open) = items.iter_mut().find(is_open) {
                return open.take();
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Value::Null,
            }
        }
    }

    /// Waits until so many subscriptions are left.
    pub(crate) async fn wait_subscriptions(&self, count: usize) {
        let path = "/api/web-hook/subscriptions";
        let left = timeout(PATIENCE, async {
            while self
                .done("GET", path, &Value::Null)
                .await
                .as_array()
                .map(Vec::len)
                != Some(count)
            {
                tokio::task::yield_now().await;
            }
        });
        assert!(left.await.is_ok(), "there are never {count} subscriptions");
    }

    /// Begins an upload whose body is still to come; returns when the server asks for it.
    pub(crate) async fn begin_upload(&self, field: &Value, length: usize) -> Raw {
        let mut stream = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        let head = format!(
            "POST /api/task/upload-file?taskContentID={field} HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\n\
             content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\n\r\n",
            self.address, self.key
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut raw = Raw { stream };
        let line = raw.line().await;
        assert_eq!(line, "HTTP/1.1 100 Continue");
        assert_eq!(raw.line().await, "");
        raw
    }

    /// Uploads a file to a server that may be killed before it answers.
    pub(crate) async fn try_upload(&self, field: &Value, bytes: &str) -> Result<Answer, Broken> {
        let path = format!("/api/task/upload-file?taskContentID={field}");
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let sending = self.send("POST", &path, &kind, form(bytes).into());
        let sent = timeout(self.patience, sending).await;
        sent.expect("an answer comes, or the connection breaks")
            .map(answer)
    }

    /// Uploads a file whole.
    pub(crate) async fn upload(&self, field: &Value, bytes: &str) -> Answer {
        let form = form(bytes);
        let raw = self.begin_upload(field, form.len()).await;
        raw.finish(&form).await
    }
}

/// An answer as it came.
pub(crate) type Whole = (http::response::Parts, Bytes);

fn answer((head, bytes): Whole) -> Answer {
    let retry_after = head.headers.get("retry-after");
    Answer {
        status: head.status.as_u16(),
        retry_after: retry_after.and_then(|value| value.to_str().ok()?.parse().ok()),
        // What is no JSON (a page for people) is as good as nothing here.
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

const BOUNDARY: &str = "checkflow-test-a81f";

/// A form with one file in it.
pub(crate) fn form(bytes: &str) -> String {
    format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"scan.txt\"\r\n\
         content-type: text/plain\r\n\r\n{bytes}\r\n--{BOUNDARY}--\r\n"
    )
}

/// A request under way.
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.stream.read_line(&mut line))
            .await
            .expect("a line comes")
            .unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a part of the body.
    pub(crate) async fn send(&mut self, part: &str) {
        self.stream.write_all(part.as_bytes()).await.unwrap();
    }

    /// Sends what is left of the body and reads the answer.
    pub(crate) async fn finish(mut self, body: &str) -> Answer {
        self.send(body).await;
        let status = self.line().await;
        let status = status
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("no status: {status:?}"));
        let (status, mut length) = (status.parse().unwrap(), 0);
        loop {
            let line = self.line().await.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        timeout(PATIENCE, self.stream.read_exact(&mut body))
            .await
            .expect("a body comes")
            .unwrap();
        Answer {
            status,
            retry_after: None,
            body: serde_json::from_slice(&body).unwrap(),
        }
    }
}
