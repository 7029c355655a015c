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
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
    for (said, outcome, expected) in [
        (
            "HTTP/1.1 407 Who are you\r\n\r\n",
            Outcome::ConnectFailed,
            "the proxy answered 407 to CONNECT: it does not take proxy.user and proxy.password; give others",
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
            "the proxy sent a body with its answer",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            Outcome::ConnectFailed,
            "the proxy sent a body with its answer",
        ),
        (
            &endless,
            Outcome::ConnectFailed,
            "the proxy answered more than 8 KiB",
        ),
        (
            &hints,
            Outcome::ConnectFailed,
            "the proxy answered more than 8 KiB",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            Outcome::ConnectFailed,
            "the proxy answered 101",
        ),
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
    let expected = format!(
        "the proxy at {} made no connection to 127.0.0.1:9: the proxy did not answer CONNECT in time",
        proxy.address
    );
    assert_eq!(answer.error, expected);
}

#[tokio::test]
async fn who_is_not_there_or_says_nothing_is_named_the_proxy_or_the_receiver() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = gone.local_addr().unwrap();
    drop(gone);
    let settings = DeliverySettings {
        connect_timeout: Duration::from_millis(100),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], Names::new(&[]));
    let target = to("http://127.0.0.1:9/", 1, 1);
    let answer = post_as(&client, &target, &through(closed)).await;
    assert_eq!(answer.outcome, Outcome::ConnectFailed);
    let expected = format!("the connection to the proxy at {closed} failed: connection refused");
    assert_eq!(answer.error, expected);
    // Behind a proxy that works it is the receiver that says nothing.
    let (proxy, _asked) = proxy().await;
    let mute = Receiver::start(|_, mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    })
    .await;
    let target = to(&format!("https://{}/", mute.address), 2, 1);
    let answer = post_as(&client, &target, &through(proxy.address)).await;
    assert_eq!(answer.outcome, Outcome::TimedOut);
    assert_eq!(
        answer.error,
        "no connection within 100ms: the receiver took it, and did not finish the TLS handshake"
    );
}

#[tokio::test]
async fn a_proxy_that_wants_to_know_who_is_there_is_told_what_to_give() {
    let proxy = Receiver::start(|_, mut stream| async move {
        read_to(&mut stream, "\r\n\r\n").await?;
        stream.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await
    })
    .await;
    let mut style = through(proxy.address);
    style.settings.proxy.as_mut().unwrap().user = None;
    style.credentials.proxy = None;
    let answer = post_as(&client(), &to("http://127.0.0.1:9/", 1, 1), &style).await;
    assert_eq!(answer.outcome, Outcome::ConnectFailed);
    let expected = "the proxy answered 407 to CONNECT: it wants to know who is there; give proxy.user and proxy.password";
    assert!(answer.error.ends_with(expected), "{}", answer.error);
}

#[tokio::test]
async fn a_proxy_may_say_something_before_its_answer_and_name_a_length_in_it() {
    for said in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let proxy = Receiver::start(move |_, mut stream| async move {
            let head = read_to(&mut stream, "\r\n\r\n").await?;
            let address = head.split(' ').nth(1).unwrap().to_owned();
            let mut there = TcpStream::connect(address).await?;
            stream.write_all(said.as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await?;
            Ok(())
        })
        .await;
        let receiver = Receiver::answering(OK).await;
        let target = to(&receiver.url(), 1, 1);
        let answer = post_as(&client(), &target, &through(proxy.address)).await;
        assert_eq!(
            answer.outcome,
            Outcome::Delivered,
            "{said}: {}",
            answer.error
        );
    }
}
