//! What happens before a byte is sent, and how connections are kept.

use domain::{TargetUrl, check_target};

use super::*;

#[tokio::test]
async fn a_closed_port_is_refused_and_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = post(&client(), &format!("http://{address}/")).await;
    assert_eq!(
        (answer.outcome, answer.sent),
        (Outcome::ConnectFailed, false)
    );
    assert_eq!(
        answer.error,
        format!("the connection to {address} failed: connection refused")
    );
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_told_in_words() {
    let receiver = Receiver::start(|_, mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await?;
        stream.shutdown().await
    })
    .await;
    let answer = post(&client(), &format!("https://{}/", receiver.address)).await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::TlsFailed, false));
    assert_eq!(answer.error, "the receiver does not speak TLS on this port");
}

#[tokio::test]
async fn a_handshake_that_is_closed_is_told_in_words() {
    let receiver = Receiver::start(|_, mut stream| async move {
        let mut hello = [0; 4_096];
        let _ = stream.read(&mut hello).await?;
        stream.shutdown().await
    })
    .await;
    let answer = post(&client(), &format!("https://{}/", receiver.address)).await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::TlsFailed, false));
    assert_eq!(
        answer.error,
        "the connection could not be secured: the receiver closed it"
    );
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_time_for_connecting() {
    let receiver = Receiver::start(|_, mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    })
    .await;
    let settings = DeliverySettings {
        connect_timeout: Duration::from_millis(100),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    let answer = post(&client, &format!("https://{}/", receiver.address)).await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::TimedOut, false));
    assert_eq!(
        answer.error,
        "no connection within 100ms: the receiver took it, and did not finish the TLS handshake"
    );
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_connected_to() {
    let mut receiver = Receiver::answering(OK).await;
    let client = client_with(&settings(), &[], Names::new(&[]));
    let answer = post(&client, &receiver.url()).await;
    assert_eq!(
        (answer.outcome, answer.sent),
        (Outcome::AddressRefused, false)
    );
    assert!(
        answer.error.contains("webhook.allow_targets"),
        "{}",
        answer.error
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_moves_inside_after_it_was_checked_is_refused_when_connecting() {
    let mut receiver = Receiver::answering(OK).await;
    let names = Names::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    let target = TargetUrl::parse(&url).unwrap();
    let saved = check_target(&AddressPolicy::default(), &*names, &target).await;
    assert!(saved.is_ok());
    let answer = post(&client_with(&settings(), &[], names), &url).await;
    assert_eq!(answer.outcome, Outcome::AddressRefused);
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection_and_the_checked_address_is_used() {
    let mut receiver = Receiver::answering(OK).await;
    // A second look would lead to where nothing listens.
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = client_with(&settings(), &["hooks.example"], names.clone());
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    for _ in 0..3 {
        assert_eq!(post(&client, &url).await.outcome, Outcome::Delivered);
    }
    assert_eq!((names.asked(), receiver.connections()), (1, 1));
}

#[tokio::test]
async fn when_the_rule_changes_open_connections_are_not_used_any_more() {
    let mut receiver = Receiver::answering(OK).await;
    let client = client();
    assert_eq!(
        post(&client, &receiver.url()).await.outcome,
        Outcome::Delivered
    );
    client.set_policy(AddressPolicy::new(&["127.0.0.0/8"]).unwrap());
    assert_eq!(
        post(&client, &receiver.url()).await.outcome,
        Outcome::Delivered
    );
    assert_eq!(receiver.connections(), 1, "the same rule is no change");
    client.set_policy(AddressPolicy::default());
    assert_eq!(
        post(&client, &receiver.url()).await.outcome,
        Outcome::AddressRefused
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_connection_is_not_used_beyond_its_age() {
    let mut receiver = Receiver::answering(OK).await;
    let settings = DeliverySettings {
        connection_max_age: Duration::ZERO,
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    for _ in 0..3 {
        assert_eq!(
            post(&client, &receiver.url()).await.outcome,
            Outcome::Delivered
        );
    }
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_attempt() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            read_request(&mut stream).await?;
            stream.write_all(OK.as_bytes()).await?;
            drop(stream);
            tell.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let (other, client) = (Receiver::answering(OK).await, client());
    for _ in 0..3 {
        assert_eq!(
            post(&client, &receiver.url()).await.outcome,
            Outcome::Delivered
        );
        told.recv().await.unwrap();
        // A request to somebody else takes several turns of the one thread, in which the client
        // gets to know of the close.
        assert_eq!(
            post(&client, &other.url()).await.outcome,
            Outcome::Delivered
        );
    }
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn the_next_address_of_a_name_is_tried_when_the_first_refuses() {
    let receiver = Receiver::answering(OK).await;
    // Nothing listens at the second loopback address.
    let names = Names::new(&[&["127.0.0.2", "127.0.0.1"]]);
    let client = client_with(&settings(), &["hooks.example"], names);
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    assert_eq!(post(&client, &url).await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_name_without_an_address_is_told_in_words() {
    let answer = post(&client(), "http://hooks.example/").await;
    assert_eq!(
        (answer.outcome, answer.sent),
        (Outcome::NameNotFound, false)
    );
    assert!(answer.error.contains("no such name"), "{}", answer.error);
}

#[tokio::test]
async fn closing_the_client_ends_its_connections() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            read_request(&mut stream).await?;
            stream.write_all(OK.as_bytes()).await?;
            let left = read_request(&mut stream).await;
            tell.send(left.is_err()).unwrap();
            Ok(())
        }
    })
    .await;
    let client = client();
    assert_eq!(
        post(&client, &receiver.url()).await.outcome,
        Outcome::Delivered
    );
    client.close().await;
    assert_eq!(told.recv().await, Some(true));
}
