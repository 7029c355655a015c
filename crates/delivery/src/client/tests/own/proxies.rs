//! Requests through proxies, and what is told of those that let nothing through.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// A proxy that makes the tunnels it is asked for, and tells what it was asked.
pub(in super::super) async fn proxy() -> (Receiver, mpsc::UnboundedReceiver<String>) {
    let (tell, asked) = mpsc::unbounded_channel();
    let proxy = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            let head = read_to(&mut stream, "\r\n\r\n").await?;
            let address = head.split(' ').nth(1).unwrap().to_owned();
            tell.send(head).unwrap();
            let mut there = TcpStream::connect(address).await?;
            let made = b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n";
            stream.write_all(made).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await?;
            Ok(())
        }
    })
    .await;
    (proxy, asked)
}

#[tokio::test]
async fn a_proxy_gets_the_judged_address_and_the_receiver_its_name() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut receiver = Receiver::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            loop {
                tell.send(read_request(&mut stream).await?).unwrap();
                stream.write_all(OK.as_bytes()).await?;
            }
        }
    })
    .await;
    let (mut proxy, mut asked) = proxy().await;
    // A second look would lead to where nothing listens.
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.9"]]);
    let client = client_with(&settings(), &["127.0.0.0/8"], names);
    let port = receiver.address.port();
    let target = to(&format!("http://hooks.example:{port}/"), 1, 1);
    for _ in 0..2 {
        let answer = post_as(&client, &target, &through(proxy.address)).await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
        let request = told.recv().await.unwrap();
        assert!(
            request.contains(&format!("host: hooks.example:{port}")),
            "{request}"
        );
        assert!(!request.contains("proxy-"), "{request}");
    }
    let head = asked.recv().await.unwrap();
    let pair = BASE64_STANDARD.encode("me:proxy-secret");
    assert_eq!(
        head,
        format!(
            "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nproxy-authorization: Basic {pair}\r\n\r\n"
        )
    );
    assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
    // Nobody else's request is sent that way.
    let plain = receiver.url();
    let plain = client.post(&plain, HeaderMap::new(), Bytes::from_static(b"{}"));
    assert_eq!(plain.await.outcome, Outcome::Delivered);
    assert_eq!((proxy.connections(), receiver.connections()), (0, 1));
    // Nor that of the same subscription once it has changed.
    let changed = Destination {
        revision: 2,
        ..target
    };
    post_as(&client, &changed, &through(proxy.address)).await;
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_proxy_is_no_way_around_the_address_rule() {
    let (mut proxy, _asked) = proxy().await;
    let client = client_with(&settings(), &["127.0.0.0/8"], Names::new(&[]));
    let target = to("http://10.0.0.1/", 1, 1);
    let answer = post_as(&client, &target, &through(proxy.address)).await;
    assert_eq!(answer.outcome, Outcome::AddressRefused);
    assert!(answer.error.contains("10.0.0.1"), "{}", answer.error);
    assert_eq!(proxy.connections(), 0);
    let client = client_with(&settings(), &[], Names::new(&[&["8.8.8.8"]]));
    let target = to("http://hooks.example/", 1, 1);
    let answer = post_as(&client, &target, &through(proxy.address)).await;
    assert_eq!(
        (answer.outcome, answer.sent),
        (Outcome::AddressRefused, false)
    );
    assert!(
        answer
            .error
            .starts_with("the URL of the proxy leads to 127.0.0.1"),
        "{}",
        answer.error
    );
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_is_told_in_words() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(10_000));
    for (said, outcome, expected) in [
        (
            "HTTP/1.1 407 Who are you\r\n\r\n",
            Outcome::ConnectFailed,
            "the proxy answered 407",
        ),
        (
            "HTTP/1.1 502 Bad\r\n\r\nno",
            Outcome::ConnectFailed,
            "the proxy answered 502",
        ),
        ("SSH-2.0-x\r\n\r\n", Outcome::ConnectFailed, "is not HTTP"),
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Outcome::ConnectFailed,
            "is not HTTP",
        ),
        (&endless, Outcome::ConnectFailed, "is not HTTP"),
        ("", Outcome::ConnectFailed, "the proxy closed it"),
    ] {
        let said: Arc<str> = said.into();
        let proxy = Receiver::start(move |_, mut stream| {
            let said = said.clone();
            async move {
                read_to(&mut stream, "\r\n\r\n").await?;
                stream.write_all(said.as_bytes()).await?;
                stream.shutdown().await
            }
        })
        .await;
        let mut receiver = Receiver::answering(OK).await;
        let target = to(&receiver.url(), 1, 1);
        let answer = post_as(&client(), &target, &through(proxy.address)).await;
        assert_eq!(
            (answer.outcome, answer.sent),
            (outcome, false),
            "{expected}"
        );
        assert!(answer.error.contains(expected), "{}", answer.error);
        assert_eq!(receiver.connections(), 0);
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_costs_the_time_for_connecting() {
    let proxy = Receiver::start(|_, mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    })
    .await;
    let settings = DeliverySettings {
        connect_timeout: Duration::from_millis(100),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    let answer = post_as(
        &client,
        &to("http://127.0.0.1:9/", 1, 1),
        &through(proxy.address),
    )
    .await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::TimedOut, false));
}
