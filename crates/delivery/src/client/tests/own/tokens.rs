//! Requests with tokens that are fetched.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// A token server that answers so.
pub(in super::super) async fn token_server(answer: &str) -> Receiver {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
    let answer: Arc<str> = if answer.starts_with('{') {
        format!("{head}: {}\r\n\r\n{answer}", answer.len()).into()
    } else {
        answer.into()
    };
    Receiver::start(move |_, mut stream| {
        let answer = answer.clone();
        async move {
            let request = read_to(&mut stream, "client_credentials").await?;
            let pair = BASE64_STANDARD.encode("checkflow:client-secret");
            assert!(
                request.contains(&format!("authorization: Basic {pair}")),
                "{request}"
            );
            stream.write_all(answer.as_bytes()).await?;
            // One request for each connection, so that connections tell how often it was asked.
            stream.shutdown().await
        }
    })
    .await
}

pub(in super::super) fn token(expires_in: u32) -> String {
    format!(r#"{{"access_token":"the-token","token_type":"Bearer","expires_in":{expires_in}}}"#)
}

/// A receiver that answers so to whoever has the token.
async fn receiver_of_tokens(answer: &'static str) -> Receiver {
    Receiver::start(move |_, mut stream| async move {
        loop {
            let request = read_request(&mut stream).await?;
            assert!(
                request.contains("authorization: Bearer the-token"),
                "{request}"
            );
            stream.write_all(answer.as_bytes()).await?;
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_fetched_once_for_many_attempts() {
    let mut server = token_server(&token(3_600)).await;
    let receiver = receiver_of_tokens(OK).await;
    let (client, style) = (client(), with_token(&server.url()));
    let target = to(&receiver.url(), 1, 1);
    let many = (0..20).map(|_| post_as(&client, &target, &style));
    let mut attempts = JoinAll::of(many);
    for answer in attempts.all().await {
        assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    }
    assert_eq!(server.connections(), 1);
    // A receiver whose health changes is still the same.
    post_as(&client, &to(&receiver.url(), 1, 2), &style).await;
    assert_eq!(server.connections(), 0);
    // Another subscription has a token of its own, and so has another target.
    let elsewhere = format!("{}&c", receiver.url());
    for other in [to(&receiver.url(), 2, 2), to(&elsewhere, 2, 2)] {
        post_as(&client, &other, &style).await;
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_token_without_time_left_is_fetched_anew() {
    let mut server = token_server(&token(0)).await;
    let receiver = receiver_of_tokens(OK).await;
    let (client, target) = (client(), to(&receiver.url(), 1, 1));
    for _ in 0..3 {
        post_as(&client, &target, &with_token(&server.url())).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_refused_token_is_forgotten_once() {
    let mut server = token_server(&token(3_600)).await;
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let receiver = receiver_of_tokens(unauthorized).await;
    let (client, target) = (client(), to(&receiver.url(), 1, 1));
    for revision in 1..=5 {
        let target = Destination {
            revision,
            ..target.clone()
        };
        let answer = post_as(&client, &target, &with_token(&server.url())).await;
        assert_eq!(answer.status, Some(401));
    }
    assert_eq!(server.connections(), 2, "the first one, and one more");
}

#[tokio::test]
async fn a_token_that_can_not_be_had_is_a_failed_attempt_with_a_reason() {
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    for (answer, says) in [
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 26\r\n\r\n{\"error\":\"invalid_client\"}",
            "no token: the token server answered 401 Unauthorized (invalid_client)",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            "no token: the token server answered 302 Found",
        ),
        (
            "{}",
            "no token: the token server: its answer has no access_token",
        ),
        (
            &long,
            "no token: the token server's answer was cut off, or is too long",
        ),
        ("nonsense\r\n\r\n", "no token: "),
        ("", "no token: the token server closed the connection"),
    ] {
        let server = token_server(answer).await;
        let mut receiver = receiver_of_tokens(OK).await;
        let target = to(&receiver.url(), 1, 1);
        let answer = post_as(&client(), &target, &with_token(&server.url())).await;
        assert!(answer.error.starts_with(says), "{says}: {}", answer.error);
        assert!(!answer.sent && answer.status.is_none(), "{says}");
        assert!(
            matches!(answer.outcome, Outcome::ConnectFailed | Outcome::Broken),
            "{says}"
        );
        assert_eq!(receiver.connections(), 0, "{says}");
    }
    // In words of its own, which say nothing of webhooks.
    let forbidden = with_token("http://10.0.0.1/token");
    let answer = post_as(&client(), &to("http://127.0.0.1:9/", 1, 1), &forbidden).await;
    assert_eq!(answer.outcome, Outcome::AddressRefused);
    assert!(
        answer
            .error
            .starts_with("no token: the token URL leads to 10.0.0.1")
            && answer.error.contains("where tokens are not fetched unless"),
        "{}",
        answer.error
    );
}

#[tokio::test]
async fn a_token_server_that_hangs_is_asked_once_for_all_who_wait_and_holds_nobody_else() {
    let mut server = Receiver::start(|_, mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    })
    .await;
    let settings = DeliverySettings {
        request_timeout: Duration::from_millis(600),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    let receiver = Receiver::answering(OK).await;
    let (target, style) = (to(&receiver.url(), 1, 1), with_token(&server.url()));
    let waiting = (0..5).map(|_| post_as(&client, &target, &style));
    let mut waiting = JoinAll::of(waiting);
    let plain = receiver.url();
    let other = post(&client, &plain);
    let (answers, other) = tokio::join!(waiting.all(), other);
    assert_eq!(other.outcome, Outcome::Delivered);
    for answer in answers {
        assert_eq!(answer.outcome, Outcome::TimedOut);
        assert!(answer.error.starts_with("no token: "), "{}", answer.error);
    }
    assert_eq!(server.connections(), 1);
}
