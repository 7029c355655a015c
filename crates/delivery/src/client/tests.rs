//! Requests to receivers that answer in every way there is.

mod bounds;
mod connecting;
mod http2;
mod own;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use domain::{RESPONSE_KEPT_BYTES_MAX, RESPONSE_READ_BYTES_MAX, RetryAfter};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers each name with the next of its lists, and the last one for ever.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parse).collect(),
            asked: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, _: &'a str) -> domain::Answer<'a> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.get(turn).or(self.answers.last()).cloned();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// A receiver that does with each connection what it is told.
struct Receiver {
    address: SocketAddr,
    /// Connections taken, by their number.
    taken: mpsc::UnboundedReceiver<usize>,
}

impl Receiver {
    async fn start<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, taken) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = tell.send(number);
                // Clients go away when they have had enough, which is what some tests are about.
                tokio::spawn(serve(number, stream));
            }
        });
        Self { address, taken }
    }

    /// Answers every request with `answer`.
    async fn answering(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::start(move |_, mut stream| {
            let answer = answer.clone();
            async move {
                loop {
                    read_request(&mut stream).await?;
                    stream.write_all(answer.as_bytes()).await?;
                }
            }
        })
        .await
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?a=b", self.address)
    }

    fn connections(&mut self) -> usize {
        std::iter::from_fn(|| self.taken.try_recv().ok()).count()
    }
}

/// Reads a request to its end; its length is that of the tests' body.
async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"{}") {
        if stream.read_buf(&mut text).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(text).unwrap())
}

fn settings() -> DeliverySettings {
    DeliverySettings::default()
}

fn client_with(settings: &DeliverySettings, allow: &[&str], names: Arc<Names>) -> Client {
    let policy = AddressPolicy::new(allow).unwrap();
    Client::new(settings, policy, names, no_roots())
}

fn client() -> Client {
    client_with(&settings(), &["127.0.0.0/8"], Names::new(&[]))
}

fn no_roots() -> Tls {
    crate::tls::versions()
        .with_root_certificates(rustls::RootCertStore::empty())
        .into()
}

async fn post(client: &Client, url: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "1".parse().unwrap());
    client.post(url, headers, Bytes::from_static(b"{}")).await
}

/// The outcome of one request to a receiver that answers so.
async fn answer_to(answer: impl Into<String>) -> Answer {
    let receiver = Receiver::answering(answer).await;
    post(&client(), &receiver.url()).await
}

#[tokio::test]
async fn the_status_decides_and_only_2xx_is_taken() {
    for (line, outcome, error) in [
        ("200 OK", Outcome::Delivered, ""),
        ("204 No Content", Outcome::Delivered, ""),
        (
            "304 Not Modified",
            Outcome::RefusedStatus,
            "the receiver answered 304 Not Modified, and redirects are not followed",
        ),
        ("410 Gone", Outcome::Gone, "the receiver answered 410 Gone"),
        (
            "503 Busy",
            Outcome::RefusedStatus,
            "the receiver answered 503 Service Unavailable",
        ),
        (
            "999 Whatever",
            Outcome::RefusedStatus,
            "the receiver answered 999",
        ),
    ] {
        let answer = answer_to(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(
            (answer.outcome, answer.error.as_str()),
            (outcome, error),
            "{line}"
        );
        let status: u16 = line[..3].parse().unwrap();
        assert_eq!(answer.status, Some(status));
    }
}

#[tokio::test]
async fn the_answer_is_kept_and_its_retry_after_read() {
    let answer = answer_to(
        "HTTP/1.1 429 Slow Down\r\nretry-after: 7\r\nserver: x\r\ncontent-length: 4\r\n\r\nbusy",
    )
    .await;
    assert_eq!(
        answer.retry_after,
        Some(RetryAfter::Delay(Duration::from_secs(7)))
    );
    assert_eq!(
        answer.headers,
        "retry-after: 7\nserver: x\ncontent-length: 4\n"
    );
    assert_eq!((&answer.body[..], answer.truncated), (&b"busy"[..], false));
}

#[tokio::test]
async fn the_request_is_a_post_in_origin_form_with_host_and_length() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            tell.send(read_request(&mut stream).await?).unwrap();
            stream.write_all(OK.as_bytes()).await
        }
    })
    .await;
    post(&client(), &receiver.url()).await;
    let request = told.recv().await.unwrap();
    let expected = format!(
        "POST /hooks?a=b HTTP/1.1\r\nwebhook-id: 1\r\nhost: {}\r\ncontent-length: 2\r\n\r\n{{}}",
        receiver.address
    );
    assert_eq!(request, expected);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut inside = Receiver::answering(OK).await;
    let location = inside.url();
    let answer = answer_to(format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    assert_eq!(
        (answer.outcome, answer.status),
        (Outcome::RefusedStatus, Some(302))
    );
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn an_endless_body_is_left_and_its_connection_ends() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            read_request(&mut stream).await?;
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            while stream.write_all(b"5\r\nabcde\r\n").await.is_ok() {}
            tell.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let answer = post(&client(), &receiver.url()).await;
    assert_eq!(
        (answer.outcome, answer.truncated),
        (Outcome::Delivered, true)
    );
    assert_eq!(answer.body.len(), RESPONSE_KEPT_BYTES_MAX);
    told.recv().await.unwrap();
}

#[tokio::test]
async fn the_time_limit_covers_the_whole_exchange() {
    for (answer, status) in [
        ("", None),
        ("HTTP/1.1 200 OK\r\n", None),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            Some(200),
        ),
        ("HTTP/1.1 100 Continue\r\n\r\n", None),
    ] {
        let receiver = Receiver::answering(answer).await;
        let within = Duration::from_millis(100);
        let settings = DeliverySettings {
            request_timeout: within,
            ..settings()
        };
        let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
        let answer = post(&client, &receiver.url()).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::TimedOut, status));
        assert_eq!(answer.error, "the receiver did not answer within 100ms");
    }
}

#[tokio::test]
async fn a_gone_receiver_is_gone_though_its_body_never_ends() {
    let receiver = Receiver::answering("HTTP/1.1 410 Gone\r\ncontent-length: 9\r\n\r\nhalf").await;
    let settings = DeliverySettings {
        request_timeout: Duration::from_millis(100),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    let answer = post(&client, &receiver.url()).await;
    assert_eq!(
        (answer.outcome, &answer.body[..]),
        (Outcome::Gone, &b"half"[..])
    );
}

#[tokio::test]
async fn what_is_no_whole_http_answer_is_broken() {
    let many = "x: y\r\n".repeat(200);
    let large = "x".repeat(4 * ANSWER_HEAD_BYTES_MAX);
    for (answer, expected) in [
        (
            "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(),
            "what came back is not HTTP",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nx: {large}\r\n\r\n"),
            "the head of the answer is larger",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            "the head of the answer is larger",
        ),
    ] {
        let answer = answer_to(answer).await;
        assert_eq!(
            answer.outcome,
            Outcome::Broken,
            "{expected}: {}",
            answer.error
        );
        assert!(answer.error.starts_with(expected), "{}", answer.error);
    }
}

#[tokio::test]
async fn an_answer_has_a_hundred_headers_at_most() {
    let with = |headers: usize| {
        let more = "x: y\r\n".repeat(headers - 1);
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}\r\n")
    };
    let answer = answer_to(with(ANSWER_HEADERS_MAX)).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    let answer = answer_to(with(ANSWER_HEADERS_MAX + 1)).await;
    assert_eq!(answer.outcome, Outcome::Broken);
    assert_eq!(
        answer.error,
        "the head of the answer is larger than is taken: at most 100 headers, and 64 KiB"
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_without_an_answer_is_broken() {
    for partial in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let receiver = Receiver::start(move |_, mut stream| async move {
            read_request(&mut stream).await?;
            stream.write_all(partial.as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
        let answer = post(&client(), &receiver.url()).await;
        assert_eq!(answer.outcome, Outcome::Broken, "{partial:?}");
        let expected = "the receiver closed the connection before its answer was whole";
        assert_eq!(answer.error, expected, "{partial:?}");
        assert!(answer.sent);
    }
}
