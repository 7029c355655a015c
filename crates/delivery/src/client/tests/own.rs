//! Requests with wishes: through proxies, with a TLS of their own, with tokens, of servers that mean no good.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{
    Authorization, ClientAuth, Credentials, Health, Proxy, RequestSettings, RequestStyle, Secret,
    SubscriptionId, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId, TlsJudge as _,
    TlsPems, TlsSettings,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use store::Destination;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::TlsCheck;

pub(super) fn url(text: &str) -> TargetUrl {
    TargetUrl::parse(text).unwrap()
}

pub(super) fn to(target: &str, subscription: u128, revision: i64) -> Destination {
    Destination {
        subscription: SubscriptionId::new(uuid::Uuid::from_u128(subscription)),
        team: TeamId::new(1),
        state: SubscriptionState::Active,
        health: Health::default(),
        revision,
        target: url(target),
        settings: SubscriptionSettings::default(),
        secrets: Vec::new(),
        request: None,
    }
}

pub(super) fn through(proxy: SocketAddr) -> RequestStyle {
    let proxy = Proxy {
        url: url(&format!("http://{proxy}")),
        user: Some("me".to_owned()),
    };
    RequestStyle {
        settings: RequestSettings {
            proxy: Some(proxy),
            ..RequestSettings::default()
        },
        credentials: Credentials {
            proxy: Some(Secret::new("proxy-secret")),
            ..Credentials::default()
        },
    }
}

pub(super) fn with_token(server: &str) -> RequestStyle {
    RequestStyle {
        settings: RequestSettings {
            authorization: Some(Authorization::Oauth2 {
                token_url: url(server),
                client_id: "checkflow".to_owned(),
                scopes: Vec::new(),
                client_auth: ClientAuth::Basic,
            }),
            ..RequestSettings::default()
        },
        credentials: Credentials {
            authorization: Some(Secret::new("client-secret")),
            headers: BTreeMap::new(),
            ..Credentials::default()
        },
    }
}

pub(super) async fn post_as(client: &Client, to: &Destination, style: &RequestStyle) -> Answer {
    let body = Bytes::from_static(b"{}");
    let answer = client.post_as(to, style, HeaderMap::new(), body).await;
    assert!(!answer.error.contains("-secret"), "{}", answer.error);
    answer
}

/// Reads until what came ends with `end`.
async fn read_to(stream: &mut TcpStream, end: &str) -> io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        if stream.read_buf(&mut text).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(text).unwrap())
}

/// A proxy that makes the tunnels it is asked for, and tells what it was asked.
pub(super) async fn proxy() -> (Receiver, mpsc::UnboundedReceiver<String>) {
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

/// An authority, as tests make them.
pub(super) struct Authority(rcgen::Certificate, KeyPair);

fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(params.self_signed(&key).unwrap(), key)
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    pub(super) fn signs(&self, name: &str) -> (CertificateDer<'static>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.0, &self.1).unwrap();
        (leaf.der().clone(), key.serialize_der())
    }

    /// What receivers of this authority speak TLS with. They let in whoever shows a certificate of `clients`, if there
    /// is one.
    pub(super) fn config(&self, clients: Option<&Self>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(clients.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let (certificate, key) = self.signs("localhost");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        builder.with_single_cert(vec![certificate], key).unwrap()
    }

    /// A receiver of this authority.
    async fn receiver(&self, clients: Option<&Self>) -> Receiver {
        let acceptor = TlsAcceptor::from(Arc::new(self.config(clients)));
        Receiver::start(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut text = Vec::new();
                loop {
                    while !text.ends_with(b"{}") {
                        if stream.read_buf(&mut text).await? == 0 {
                            return Ok(());
                        }
                    }
                    text.clear();
                    stream.write_all(OK.as_bytes()).await?;
                }
            }
        })
        .await
    }
}

pub(super) fn with_tls(ca: Option<&Authority>, client: Option<&Authority>) -> RequestStyle {
    let pair = client.map(|client| client.signs("checkflow"));
    let certificate = pair.as_ref().map(|(der, _)| pem("CERTIFICATE", der));
    let key = pair.map(|(_, key)| Secret::new(pem("PRIVATE KEY", &key)));
    let ca = ca.map(Authority::pem);
    let settings = TlsCheck.judge(TlsPems {
        ca: ca.as_deref(),
        client: certificate.as_deref().zip(key.as_ref()),
    });
    RequestStyle {
        settings: RequestSettings {
            tls: Some(settings.unwrap()),
            ..RequestSettings::default()
        },
        credentials: Credentials {
            ca,
            certificate,
            key,
            ..Credentials::default()
        },
    }
}

#[tokio::test]
async fn a_receiver_of_an_own_authority_is_trusted_by_that_subscription_alone() {
    let (ours, others) = (Authority::new(), Authority::new());
    let mut receiver = ours.receiver(None).await;
    let client = client();
    let target = format!("https://localhost:{}/", receiver.address.port());
    let plain = post(&client, &target).await;
    assert_eq!(plain.outcome, Outcome::TlsFailed);
    receiver.connections();
    for (number, ca, expected) in [
        (1, &ours, Outcome::Delivered),
        (2, &others, Outcome::TlsFailed),
    ] {
        let answer = post_as(&client, &to(&target, number, 1), &with_tls(Some(ca), None)).await;
        assert_eq!(answer.outcome, expected, "{}", answer.error);
    }
    assert_eq!(receiver.connections(), 2);
    // The connection that is open is of the first one.
    let answer = post(&client, &target).await;
    assert_eq!(answer.outcome, Outcome::TlsFailed, "not on it");
}

#[tokio::test]
async fn a_certificate_is_shown_to_a_receiver_that_asks_for_one() {
    let (ours, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let receiver = ours.receiver(Some(&clients)).await;
    let target = format!("https://localhost:{}/", receiver.address.port());
    let client = client();
    for (number, shown, delivered) in [
        (1, Some(&clients), true),
        (2, None, false),
        (3, Some(&others), false),
    ] {
        let style = with_tls(Some(&ours), shown);
        let answer = post_as(&client, &to(&target, number, 1), &style).await;
        assert_eq!(
            answer.outcome == Outcome::Delivered,
            delivered,
            "{}",
            answer.error
        );
    }
}

#[test]
fn what_can_not_be_used_for_tls_is_refused_when_it_is_set() {
    let authority = Authority::new();
    let (one, one_key) = authority.signs("one");
    let (_, other_key) = authority.signs("other");
    let chain = pem("CERTIFICATE", &one);
    let key = |der: &[u8]| Secret::new(pem("PRIVATE KEY", der));
    let good = TlsPems {
        ca: Some(&authority.pem()),
        client: Some((&chain, &key(&one_key))),
    };
    let found: TlsSettings = TlsCheck.judge(good).unwrap();
    assert_eq!(found.ca_sha256, [domain::fingerprint(authority.0.der())]);
    assert_eq!(found.certificate_sha256, Some(domain::fingerprint(&one)));
    let many = authority.pem().repeat(101);
    let encrypted = Secret::new(pem("ENCRYPTED PRIVATE KEY", b"key-secret"));
    for (ca, chain, key, field, says) in [
        (
            Some("nothing"),
            None,
            None,
            "tls.ca",
            "holds no certificate",
        ),
        (
            Some(&*pem("CERTIFICATE", b"x")),
            None,
            None,
            "tls.ca",
            "can't be an authority",
        ),
        (Some(&*many), None, None, "tls.ca", "more than 100"),
        (
            None,
            Some("-----BEGIN CERTIFICATE-----\n*"),
            Some(key(&one_key)),
            "tls.certificate",
            "",
        ),
        (
            None,
            Some(&*chain),
            Some(Secret::new("x")),
            "tls.key",
            "no private key",
        ),
        (
            None,
            Some(&*chain),
            Some(encrypted),
            "tls.key",
            "not encrypted",
        ),
        (
            None,
            Some(&*chain),
            Some(key(&other_key)),
            "tls.key",
            "not the key of the certificate",
        ),
        (None, Some(&*chain), Some(key(b"x")), "tls.key", "of a kind"),
    ] {
        let pems = TlsPems {
            ca,
            client: chain.zip(key.as_ref()),
        };
        let error = TlsCheck.judge(pems).unwrap_err();
        assert_eq!(error.field, field, "{says}");
        assert!(error.message.contains(says), "{}", error.message);
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}

/// A token server that answers so.
pub(super) async fn token_server(answer: &str) -> Receiver {
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

pub(super) fn token(expires_in: u32) -> String {
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
    // Changed wishes have a token of their own, as another subscription has.
    for other in [to(&receiver.url(), 1, 2), to(&receiver.url(), 2, 1)] {
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
    for _ in 0..5 {
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
    let forbidden = with_token("http://10.0.0.1/token");
    let answer = post_as(&client(), &to("http://127.0.0.1:9/", 1, 1), &forbidden).await;
    assert_eq!(answer.outcome, Outcome::AddressRefused);
    assert!(
        answer
            .error
            .starts_with("no token: the token URL leads to 10.0.0.1"),
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

#[tokio::test]
async fn pools_of_subscriptions_have_a_bound() {
    let client = client();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let style = through(listener.local_addr().unwrap());
    drop(listener);
    for number in 0..300 {
        let target = to("http://127.0.0.1:9/", number, 1);
        assert_eq!(
            post_as(&client, &target, &style).await.outcome,
            Outcome::ConnectFailed
        );
        assert!(client.current().own.len() <= 256);
    }
}

/// Futures that are awaited together.
pub(super) struct JoinAll<F: Future>(Vec<Pin<Box<F>>>);

impl<F: Future> JoinAll<F> {
    pub(super) fn of(futures: impl Iterator<Item = F>) -> Self {
        Self(futures.map(Box::pin).collect())
    }

    pub(super) async fn all(&mut self) -> Vec<F::Output> {
        let mut ended: Vec<Option<F::Output>> = self.0.iter().map(|_| None).collect();
        std::future::poll_fn(|cx| {
            for (future, ended) in self.0.iter_mut().zip(&mut ended) {
                if ended.is_none()
                    && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
                {
                    *ended = Some(output);
                }
            }
            if ended.iter().all(Option::is_some) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        ended.into_iter().flatten().collect()
    }
}
