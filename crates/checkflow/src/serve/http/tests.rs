use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{Extension, routing::get};
use testkit::{Gate, PATIENCE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Longest that a stop is to wait in a test in which something never ends.
const SHORT: Duration = Duration::from_millis(50);

async fn start(router: Router, settings: &Http) -> (HttpServer, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (HttpServer::start(listener, router, settings), address)
}

async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads until what has come ends with `end`, or the connection does.
async fn read(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) || end.is_empty() {
            match stream.read_u8().await {
                Ok(byte) => text.push(byte),
                Err(_) => break,
            }
        }
    };
    timeout(PATIENCE, reading)
        .await
        .expect("an answer, or the end of the connection");
    String::from_utf8(text).unwrap()
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_request_says_who_is_at_the_other_end() {
    async fn peer(Extension(Peer(address)): Extension<Peer>) -> String {
        format!("from {address}!")
    }
    let (server, address) = start(Router::new().route("/", get(peer)), &Http::default()).await;
    let mut stream = send(address, REQUEST).await;
    let answer = read(&mut stream, "!").await;
    assert!(answer.ends_with("from 127.0.0.1!"), "{answer}");
    drop(stream);
    assert!(server.stop(PATIENCE).await);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let router = Router::new().route("/", get(async || "ok"));
    let (server, address) = start(router, &Http::default()).await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    let mut stream = send(address, &head).await;
    assert!(read(&mut stream, "").await.starts_with("HTTP/1.1 431 "));
    assert!(server.stop(PATIENCE).await);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up() {
    let mut settings = Http::default();
    settings.header_read_timeout.0 = SHORT;
    let (server, address) = start(Router::new(), &settings).await;
    let mut stream = send(address, "GET / HTTP/1.1\r\nhost:").await;
    let answer = read(&mut stream, "").await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert!(server.stop(PATIENCE).await);
}

#[tokio::test]
async fn a_connection_beyond_the_most_waits_until_another_ends() {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let router = Router::new().route("/first", get(async || "ok")).route(
        "/",
        get(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            "ok"
        }),
    );
    let (server, address) = start(
        router,
        &Http {
            connections_max: 1,
            ..Http::default()
        },
    )
    .await;
    let first = "GET /first HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut one = send(address, first).await;
    assert!(read(&mut one, "ok").await.starts_with("HTTP/1.1 200 "));
    let mut other = send(address, REQUEST).await;
    one.write_all(first.as_bytes()).await.unwrap();
    assert!(read(&mut one, "ok").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(answered.load(Ordering::SeqCst), 0, "it is not taken yet");
    drop(one);
    assert!(read(&mut other, "ok").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(answered.load(Ordering::SeqCst), 1);
    assert!(server.stop(PATIENCE).await);
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish_and_idle_connections_go() {
    let (begun, gate) = (Gate::closed(), Gate::closed());
    let (tell, wait) = (begun.clone(), gate.clone());
    let router = Router::new().route(
        "/",
        get(async move || {
            tell.open();
            wait.pass().await;
            "ok"
        }),
    );
    let (server, address) = start(router, &Http::default()).await;
    let mut idle = send(address, "").await;
    let mut running = send(address, REQUEST).await;
    begun.pass().await;
    let stopping = tokio::spawn(server.stop(PATIENCE));
    assert_eq!(read(&mut idle, "").await, "");
    gate.open();
    assert!(read(&mut running, "").await.ends_with("\r\n\r\nok"));
    assert!(stopping.await.unwrap());
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nothing listens any more"
    );
}

#[tokio::test]
async fn a_request_that_never_ends_is_ended_by_a_stop() {
    let begun = Gate::closed();
    let tell = begun.clone();
    let router = Router::new().route(
        "/",
        get(async move || {
            tell.open();
            std::future::pending::<()>().await;
            ""
        }),
    );
    let (server, address) = start(router, &Http::default()).await;
    let mut running = send(address, REQUEST).await;
    begun.pass().await;
    assert!(!server.stop(SHORT).await);
    assert_eq!(read(&mut running, "").await, "");
}
