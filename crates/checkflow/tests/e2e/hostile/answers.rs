//! Answers that are none, have no end, or lead somewhere else.

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const CLOSED: &str = "the receiver closed the connection before its answer was whole";
const LARGE_HEAD: &str = "the head of the answer is larger than is taken";
const NO_HTTP: &str = "what came back is not HTTP";
const NO_BODY: &str = "the body of the answer is not HTTP: ";

const fn broken(what: &'static str, trick: Trick, error: &'static str) -> Case {
    Case {
        what,
        trick,
        outcome: "broken",
        status: None,
        error,
    }
}

/// The same, where a good head went before.
fn broken_off(what: &'static str, trick: Trick, error: &'static str) -> Case {
    Case {
        status: Some(200),
        ..broken(what, trick, error)
    }
}

async fn check_all(cases: impl IntoIterator<Item = Case>) {
    let scene = Scene::start(&[]).await;
    for case in cases {
        case.check(&scene).await;
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn an_endless_answer_is_read_to_a_bound() {
    let flood = vec![b'x'; 16 * 1024];
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let endless = |what, head: &'static str, part: &[u8]| Case {
        what,
        trick: Trick::says(head).and_repeats(part.to_vec()),
        outcome: "delivered",
        status: Some(200),
        error: "",
    };
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    check_all([
        // A receiver that has taken it may talk as long as it likes; nobody listens.
        endless("a body to the close", "HTTP/1.1 200 OK\r\n\r\n", &flood),
        endless(
            "a body of a length that nobody waits for",
            "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n",
            &flood,
        ),
        endless("a body in chunks", CHUNKED, chunk.as_bytes()),
        Case {
            status: Some(500),
            outcome: "refused_status",
            error: "the receiver answered 500 Internal Server Error",
            ..endless("a page about an error", "HTTP/1.1 500 Oops\r\n\r\n", &flood)
        },
        broken(
            "a header",
            Trick::says("HTTP/1.1 200 OK\r\nx: ").and_repeats(flood.clone()),
            LARGE_HEAD,
        ),
        broken(
            "headers",
            Trick::says("HTTP/1.1 200 OK\r\n").and_repeats("x: y\r\n"),
            LARGE_HEAD,
        ),
        broken(
            "100 Continue",
            Trick::says("").and_repeats("HTTP/1.1 100 Continue\r\n\r\n"),
            TOO_MUCH,
        ),
        broken(
            "103 Early Hints",
            Trick::says("").and_repeats(early),
            TOO_MUCH,
        ),
        broken_off(
            "a chunk's size",
            Trick::says(CHUNKED).and_repeats(vec![b'0'; 16 * 1024]),
            TOO_MUCH,
        ),
        broken_off(
            "a chunk's extension",
            Trick::says(format!("{CHUNKED}1;")).and_repeats(flood.clone()),
            NO_BODY,
        ),
        broken_off(
            "a trailer",
            Trick::says(format!("{CHUNKED}0\r\nx: ")).and_repeats(flood.clone()),
            NO_BODY,
        ),
        broken(
            "no HTTP at all",
            Trick::says("").and_repeats(flood),
            NO_HTTP,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_megabyte_of_header_is_not_taken() {
    let megabyte = 1024 * 1024;
    let one = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(megabyte));
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "x-header: y\r\n".repeat(megabyte / 13)
    );
    check_all([
        broken("in one line", Trick::says(one).and_hangs(), LARGE_HEAD),
        broken("in many lines", Trick::says(many).and_hangs(), LARGE_HEAD),
    ])
    .await;
}

#[tokio::test]
async fn a_body_in_chunks_that_are_none_is_told_in_words() {
    let bad = |what, chunks: &str, error| {
        let answer = Trick::says(format!("{CHUNKED}{chunks}"));
        broken_off(what, answer.and_hangs(), error)
    };
    check_all([
        bad("no size", "\r\n", NO_BODY),
        bad("no number", "xyz\r\n", NO_BODY),
        bad("less than nothing", "-1\r\n", NO_BODY),
        bad("as programs write it", "0x5\r\nabcde\r\n", NO_BODY),
        bad("more than can be counted", "fffffffffffffffff\r\n", NO_BODY),
        bad("more than was said", "3\r\nabcdef\r\n", NO_BODY),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let cut = |what, says: &'static str, error| broken(what, Trick::says(says), error);
    let cut_off = |what, says: &'static str, error| broken_off(what, Trick::says(says), error);
    let reset = "the connection was lost: the receiver reset it";
    check_all([
        cut("before the answer", "", CLOSED),
        cut("within the status", "HTTP/1.1 2", CLOSED),
        cut("within the head", "HTTP/1.1 200 OK\r\n", CLOSED),
        cut(
            "after 100 Continue",
            "HTTP/1.1 100 Continue\r\n\r\n",
            CLOSED,
        ),
        cut_off(
            "within the body",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            CLOSED,
        ),
        cut_off(
            "before the last chunk",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            CLOSED,
        ),
        broken(
            "by a reset before the answer",
            Trick::says("").and_resets(),
            reset,
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_http_is_told_in_words() {
    let (hello, settings) = (
        "SSH-2.0-OpenSSH_9.9\r\n",
        &b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x7f\0\x04\0\x10\0\0"[..],
    );
    let upgraded =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    check_all([
        broken("SSH", Trick::says(hello).and_hangs(), NO_HTTP),
        broken("HTTP/2", Trick::says(settings).and_hangs(), NO_HTTP),
        broken(
            "TLS",
            Trick::says(&b"\x15\x03\x03\0\x02\x02\x28"[..]).and_hangs(),
            NO_HTTP,
        ),
        broken(
            "HTTP/0.9",
            Trick::says("<html>ok</html>\r\n").and_hangs(),
            NO_HTTP,
        ),
        broken(
            "no status",
            Trick::says("HTTP/1.1 OK\r\n\r\n").and_hangs(),
            NO_HTTP,
        ),
        broken(
            "two lengths",
            Trick::says("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
                .and_hangs(),
            NO_HTTP,
        ),
        Case {
            outcome: "refused_status",
            status: Some(101),
            ..broken(
                "another protocol",
                Trick::says(upgraded).and_hangs(),
                "the receiver answered 101 Switching Protocols",
            )
        },
    ])
    .await;
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let scene = Scene::start(&[]).await;
    // It may be called, and is not.
    let trap = Receiver::start().await;
    for status in [301, 302, 303, 307, 308] {
        for location in [
            trap.url("/trap"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "//10.0.0.1/".to_owned(),
            "/elsewhere".to_owned(),
        ] {
            let says = format!(
                "HTTP/1.1 {status} See\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            );
            let hostile = Hostile::start(Trick::says(says));
            let (met, seen) = scene.meet(&hostile, &hostile.url()).await;
            assert_eq!(met.outcome(), "refused_status", "{status} {location}");
            assert_eq!(met.status(), Some(status), "{location}");
            assert!(
                met.error().ends_with("and redirects are not followed"),
                "{}",
                met.error()
            );
            assert_eq!(seen.connections, 1, "{status} {location}");
        }
    }
    assert_eq!(trap.connections(), 0);
    scene.server.stop().await;
}

#[tokio::test]
async fn where_nobody_listens_no_connection_is_made() {
    let scene = Scene::start(&[]).await;
    let gone = Receiver::start().await.stop().await;
    let subscriptions = scene.tell(&[format!("http://{gone}/hook")]).await;
    let met = scene.settled(&subscriptions[0]).await;
    assert_eq!((met.outcome(), met.status()), ("connect_failed", None));
    assert_eq!(
        met.error(),
        format!("the connection to {gone} failed: connection refused")
    );
    scene.server.stop().await;
}
