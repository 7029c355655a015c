//! The receiver does what it is told, seen from the other end of a plain connection.

use std::time::{Duration, Instant};

use testkit::{Gate, Receiver, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends one request and answers all that comes back until the connection is closed.
async fn post(receiver: &Receiver, path: &str, body: &str) -> String {
    let mut stream = connect(receiver, path, body).await;
    let mut answer = Vec::new();
    // A connection that is cut says so; what came before is still an answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn connect(receiver: &Receiver, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(receiver.address())
        .await
        .expect("it listens");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-mark: {body}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    stream
}

#[tokio::test]
async fn requests_are_written_down_in_order_and_byte_for_byte() {
    let receiver = Receiver::start().await;
    assert!(
        post(&receiver, "/a?x=1", "first")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    post(&receiver, "/b", "{\"n\":2}").await;
    let came = receiver.wait_for(2).await;
    assert_eq!((came[0].path(), came[0].uri.query()), ("/a", Some("x=1")));
    assert_eq!(
        (came[0].header("x-mark"), &came[0].body[..]),
        (Some("first"), &b"first"[..])
    );
    assert_eq!(
        (
            came[1].number,
            came[1].connection,
            came[1].json()["n"].as_i64()
        ),
        (1, 2, Some(2))
    );
    assert!(came[0].arrived <= came[1].arrived);
    assert_eq!(
        (receiver.connections(), receiver.requests_to("/b").len()),
        (2, 1)
    );
}

#[tokio::test]
async fn each_request_to_a_path_gets_what_its_script_says() {
    let receiver = Receiver::start().await;
    let busy = Reply::status(503).header("retry-after", "7").body("busy");
    receiver.script("/hook", [busy, Reply::status(204)]);
    receiver.always("/gone", Reply::status(410));
    let first = post(&receiver, "/hook", "1").await;
    assert!(
        first.starts_with("HTTP/1.1 503 ") && first.contains("retry-after: 7\r\n"),
        "{first}"
    );
    assert!(first.ends_with("\r\n\r\nbusy"), "{first}");
    assert!(
        post(&receiver, "/hook?again", "2")
            .await
            .starts_with("HTTP/1.1 204 ")
    );
    assert!(
        post(&receiver, "/hook", "3")
            .await
            .starts_with("HTTP/1.1 200 "),
        "then all is well"
    );
    for _ in 0..2 {
        assert!(
            post(&receiver, "/gone", "")
                .await
                .starts_with("HTTP/1.1 410 ")
        );
    }
}

#[tokio::test]
async fn an_answer_waits_for_its_gate() {
    let receiver = Receiver::start().await;
    let gate = Gate::closed();
    receiver.script(
        "/slow",
        [Reply::ok().after(&gate), Reply::ok().after(&gate)],
    );
    let (one, other, ()) = tokio::join!(
        post(&receiver, "/slow", "1"),
        post(&receiver, "/slow", "2"),
        async {
            receiver.wait_for(2).await;
            assert_eq!(receiver.in_flight(), 2);
            gate.open();
        }
    );
    assert!(one.starts_with("HTTP/1.1 200 ") && other.starts_with("HTTP/1.1 200 "));
    receiver.wait_idle().await;
    assert_eq!(receiver.in_flight_max(), 2);
}

#[tokio::test]
async fn a_connection_can_end_without_an_answer_or_with_nonsense() {
    let receiver = Receiver::start().await;
    receiver.script(
        "/bad",
        [
            Reply::close(),
            Reply::raw("SSH-2.0-nonsense\r\n"),
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        ],
    );
    assert_eq!(post(&receiver, "/bad", "").await, "");
    assert_eq!(post(&receiver, "/bad", "").await, "SSH-2.0-nonsense\r\n");
    assert!(post(&receiver, "/bad", "").await.ends_with("\r\n\r\nhalf"));
    assert_eq!(
        receiver.wait_for(3).await.len(),
        3,
        "all three were written down"
    );
}

#[tokio::test]
async fn a_body_can_go_on_for_ever() {
    let receiver = Receiver::start().await;
    receiver.script("/endless", [Reply::endless()]);
    let mut stream = connect(&receiver, "/endless", "").await;
    let mut much = vec![0; 5_000_000];
    stream.read_exact(&mut much).await.expect("there is more");
    assert_eq!(receiver.in_flight(), 1);
    drop(stream);
    receiver.wait_idle().await;
}

#[tokio::test]
async fn an_answer_can_take_its_time() {
    let receiver = Receiver::start().await;
    let time = Duration::from_millis(20);
    receiver.always("/hook", Reply::ok().taking(time));
    let begun = Instant::now();
    let answer = post(&receiver, "/hook", "1").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(begun.elapsed() >= time);
}

#[tokio::test]
async fn a_body_can_drip_until_its_gate_is_opened() {
    let receiver = Receiver::start().await;
    let gate = Gate::closed();
    receiver.script("/drip", [Reply::drip(&gate)]);
    let mut stream = connect(&receiver, "/drip", "").await;
    let mut head = vec![0; 200];
    stream.read_exact(&mut head).await.expect("it drips");
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
    gate.open();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("it ends well");
    assert!(
        rest.ends_with(b"0\r\n\r\n"),
        "the last chunk of a whole answer"
    );
}

#[tokio::test]
async fn a_stopped_receiver_cuts_connections_and_can_come_back() {
    let receiver = Receiver::start().await;
    receiver.script("/hang", [Reply::ok().after(&Gate::closed())]);
    let mut hanging = connect(&receiver, "/hang", "").await;
    receiver.wait_for(1).await;
    let address = receiver.stop().await;
    let mut answer = Vec::new();
    let _ = hanging.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert!(TcpStream::connect(address).await.is_err());
    let receiver = Receiver::start_on(address).await;
    assert!(post(&receiver, "/", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "waited 20s in vain for 2 requests; 0 requests came")]
async fn waiting_in_vain_says_for_what() {
    Receiver::start().await.wait_for(2).await;
}
