//! Answers that have no end, or no sense, where neither their head nor their body is.

use crate::bounded::EXCHANGE_BYTES_MAX;

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// The outcome of one request to a receiver that says `first` and then `more` for as long as it is
/// listened to; waits until it has noticed that it no longer is.
async fn answer_without_end(first: &'static str, more: &'static str) -> Answer {
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            read_request(&mut stream).await?;
            stream.write_all(first.as_bytes()).await?;
            let more = more.repeat(64);
            while stream.write_all(more.as_bytes()).await.is_ok() {}
            tell.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let answer = post(&client(), &receiver.url()).await;
    told.recv().await.unwrap();
    answer
}

#[tokio::test]
async fn what_has_no_end_around_an_answer_is_left() {
    for (first, more, status) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n", None),
        (
            "",
            "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
            None,
        ),
        (CHUNKED, "0", Some(200)),
    ] {
        let answer = answer_without_end(first, more).await;
        assert_eq!((answer.outcome, answer.status), (Outcome::Broken, status));
        assert_eq!(
            answer.error, "the receiver sent more than 512 KiB in answer to one request",
            "{more:?}"
        );
        assert!(answer.sent);
    }
}

#[tokio::test]
async fn each_request_of_a_connection_has_the_whole_bound() {
    let body = "x".repeat(60 * 1024);
    let length = body.len();
    let mut receiver = Receiver::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await;
    let client = client();
    for _ in 0..2 * EXCHANGE_BYTES_MAX / length {
        let answer = post(&client, &receiver.url()).await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn the_longest_body_may_come_byte_by_byte() {
    let chunks = "1\r\nx\r\n".repeat(RESPONSE_READ_BYTES_MAX);
    let answer = answer_to(format!("{CHUNKED}{chunks}0\r\n\r\n")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    assert_eq!(answer.body.len(), RESPONSE_KEPT_BYTES_MAX);
}

#[tokio::test]
async fn a_body_in_chunks_that_are_none_is_told_in_words() {
    let trailer = format!("0\r\nx-trailer: {}\r\n\r\n", "x".repeat(128 * 1024));
    let extension = format!("1;{}\r\nx\r\n", "x".repeat(32 * 1024));
    for (body, expected) in [
        ("\r\n", "missing size digit"),
        ("xyz\r\n", "missing size digit"),
        ("-1\r\n", "missing size digit"),
        ("0x5\r\nabcde\r\n", "Invalid Size"),
        ("fffffffffffffffff\r\n", "overflow"),
        ("5\r\nabcdefgh\r\n", "body CR"),
        (&extension, "extensions over limit"),
        (&trailer, "trailers bytes over limit"),
    ] {
        let answer = answer_to(format!("{CHUNKED}{body}")).await;
        let told = (answer.outcome, answer.status);
        assert_eq!(told, (Outcome::Broken, Some(200)), "{expected}");
        let error = &answer.error;
        assert!(
            error.starts_with("the body of the answer is not HTTP: ") && error.ends_with(expected),
            "{error}"
        );
    }
}
