//! Requests by HTTP/2: what they share, what they do not, and what one that goes wrong does to the others.

mod frames;
mod hostile;
mod leaving;

use std::sync::atomic::AtomicU64;

use domain::{HttpVersion, RequestStyle};
use h2::{Reason, RecvStream, server::SendResponse};
use http::{HeaderValue, Response, StatusCode, header};
use rustls::ServerConfig;
use store::Destination;
use tokio::sync::Barrier;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    own::{
        Authority, JoinAll, post_as, proxy, through, to, token, token_server, with_tls, with_token,
    },
    *,
};

type Stream = TlsStream<TcpStream>;

/// A receiver of `config` that offers these protocols.
async fn receiver_of<F>(
    mut config: ServerConfig,
    offers: &[&[u8]],
    serve: impl Fn(usize, Stream) -> F + Clone + Send + Sync + 'static,
) -> Receiver
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    config.alpn_protocols = offers.iter().map(|offer| offer.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Receiver::start(move |number, stream| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        async move { serve(number, acceptor.accept(stream).await?).await }
    })
    .await
}

/// A receiver by HTTP/2 that does with each request what it is told, and answers as that says.
async fn receiver<F>(
    config: ServerConfig,
    answer: impl Fn(Asked) -> F + Clone + Send + Sync + 'static,
) -> Receiver
where
    F: Future<Output = ()> + Send + 'static,
{
    receiver_of(config, &[b"h2"], move |_, stream| {
        let answer = answer.clone();
        async move {
            let connection = h2::server::handshake(stream).await;
            let mut connection = connection.map_err(io::Error::other)?;
            while let Some(asked) = connection.accept().await {
                let (request, respond) = asked.map_err(io::Error::other)?;
                let answer = answer.clone();
                tokio::spawn(async move {
                    if let Some(asked) = Asked::read(request, respond).await {
                        answer(asked).await;
                    }
                });
            }
            Ok(())
        }
    })
    .await
}

/// A request that came, whole, and the way to answer it.
struct Asked {
    request: Request<String>,
    respond: SendResponse<Bytes>,
}

impl Asked {
    async fn read(request: Request<RecvStream>, respond: SendResponse<Bytes>) -> Option<Self> {
        let (parts, mut body) = request.into_parts();
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.ok()?;
            let _ = body.flow_control().release_capacity(data.len());
            text.extend_from_slice(&data);
        }
        let request = Request::from_parts(parts, String::from_utf8(text).unwrap());
        Some(Self { request, respond })
    }

    fn answer(mut self, status: u16, body: &str) {
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(status).unwrap();
        let mut stream = self.respond.send_response(head, false).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        stream.send_data(body, true).unwrap();
    }
}

/// Wishes for HTTP/2, from receivers of `authority`.
fn by_http2(authority: &Authority) -> RequestStyle {
    let mut style = with_tls(Some(authority), None);
    style.settings.http_version = HttpVersion::Http2;
    style
}

fn target(receiver: &Receiver, subscription: u128) -> Destination {
    let url = format!("https://localhost:{}/hooks?a=b", receiver.address.port());
    to(&url, subscription, 1)
}

/// `many` requests to it at once.
async fn post_many(
    client: &Client,
    target: &Destination,
    style: &RequestStyle,
    many: usize,
) -> Vec<Answer> {
    let posts = (0..many).map(|_| post_as(client, target, style));
    JoinAll::of(posts).all().await
}

fn all_delivered(answers: &[Answer]) {
    for answer in answers {
        assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    }
}

fn localhost() -> Arc<Names> {
    Names::new(&[&["127.0.0.1"]])
}

fn quick(within: Duration) -> Client {
    let settings = DeliverySettings {
        request_timeout: within,
        ..settings()
    };
    client_with(&settings, &["127.0.0.0/8"], localhost())
}

fn patient() -> Client {
    client_with(&settings(), &["127.0.0.0/8"], localhost())
}

#[tokio::test]
async fn requests_of_one_subscription_share_a_connection_and_those_of_two_do_not() {
    let authority = Authority::new();
    let all_there = Arc::new(Barrier::new(40));
    let mut receiver = receiver(authority.config(None), move |asked| {
        let all_there = all_there.clone();
        async move {
            // So that no answer is there before the last request is.
            all_there.wait().await;
            asked.answer(200, "thanks");
        }
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    let (one, two) = (target(&receiver, 1), target(&receiver, 2));
    for _ in 0..2 {
        let (ones, twos) = tokio::join!(
            post_many(&client, &one, &style, 20),
            post_many(&client, &two, &style, 20)
        );
        all_delivered(&ones);
        all_delivered(&twos);
        assert_eq!(
            (ones[0].status, &ones[0].body[..]),
            (Some(200), &b"thanks"[..])
        );
    }
    assert_eq!(receiver.connections(), 2);
    // Changed wishes have a connection of their own.
    let changed = Destination { revision: 2, ..one };
    let answers = post_many(&client, &changed, &style, 40).await;
    all_delivered(&answers);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_request_says_what_it_says_by_http_1_in_the_places_of_http_2() {
    let authority = Authority::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = receiver(authority.config(None), move |asked| {
        tell.send(asked.request.clone()).unwrap();
        async move { asked.answer(503, "busy") }
    })
    .await;
    let target = target(&receiver, 1);
    let answer = post_as(&patient(), &target, &by_http2(&authority)).await;
    assert_eq!(
        (answer.outcome, answer.status, answer.error.as_str()),
        (
            Outcome::RefusedStatus,
            Some(503),
            "the receiver answered 503 Service Unavailable"
        )
    );
    let request = told.recv().await.unwrap();
    assert_eq!(
        (request.method(), request.version()),
        (&Method::POST, Version::HTTP_2)
    );
    assert_eq!(request.uri().to_string(), target.target.as_str());
    assert_eq!(request.headers()["content-length"], "2");
    assert!(!request.headers().contains_key("host"));
    assert_eq!(request.body(), "{}");
}

#[tokio::test]
async fn a_receiver_that_offers_no_http_2_is_sent_to_by_http_1() {
    for offers in [&[][..], &[&b"http/1.1"[..]]] {
        let authority = Authority::new();
        let mut receiver =
            receiver_of(authority.config(None), offers, |_, mut stream| async move {
                let mut text = Vec::new();
                loop {
                    while !text.ends_with(b"{}") {
                        if stream.read_buf(&mut text).await? == 0 {
                            return Ok(());
                        }
                    }
                    assert!(text.starts_with(b"POST /hooks?a=b HTTP/1.1\r\n"));
                    text.clear();
                    stream.write_all(OK.as_bytes()).await?;
                }
            })
            .await;
        let (client, target) = (patient(), target(&receiver, 1));
        for _ in 0..3 {
            let answer = post_as(&client, &target, &by_http2(&authority)).await;
            assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
        }
        // The one that showed it, and the one that is used.
        assert_eq!(receiver.connections(), 2);
    }
}

#[tokio::test]
async fn who_does_not_wish_for_http_2_does_not_offer_it() {
    let authority = Authority::new();
    let offers = [&b"h2"[..], b"http/1.1"];
    let receiver = receiver_of(
        authority.config(None),
        &offers,
        |_, mut stream| async move {
            let mut text = Vec::new();
            while !text.ends_with(b"{}") {
                if stream.read_buf(&mut text).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            assert!(text.starts_with(b"POST /hooks?a=b HTTP/1.1\r\n"));
            stream.write_all(OK.as_bytes()).await
        },
    )
    .await;
    let policy = AddressPolicy::new(&["127.0.0.0/8"]).unwrap();
    let rooted = crate::tls::versions().with_root_certificates(authority.roots());
    let client = Client::new(&settings(), policy, localhost(), rooted.into());
    let target = target(&receiver, 1);
    let shared = post(&client, target.target.as_str()).await;
    let own = post_as(&client, &target, &with_tls(Some(&authority), None)).await;
    all_delivered(&[shared, own]);
}

#[tokio::test]
async fn a_request_that_hangs_or_is_broken_off_does_nothing_to_the_others() {
    let authority = Authority::new();
    let turn = Arc::new(AtomicU64::new(0));
    let mut receiver = receiver(authority.config(None), move |mut asked| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move {
            match turn % 3 {
                0 => asked.respond.send_reset(Reason::INTERNAL_ERROR),
                1 => {
                    // Until it is cancelled.
                    let _ = std::future::poll_fn(|cx| asked.respond.poll_reset(cx)).await;
                }
                _ => asked.answer(200, "ok"),
            }
        }
    })
    .await;
    let (client, style) = (quick(Duration::from_millis(500)), by_http2(&authority));
    let answers = post_many(&client, &target(&receiver, 1), &style, 30).await;
    for (outcome, error) in [
        (
            Outcome::Broken,
            "the receiver broke off its answer (INTERNAL_ERROR)",
        ),
        (
            Outcome::TimedOut,
            "the receiver did not answer within 500ms",
        ),
        (Outcome::Delivered, ""),
    ] {
        let alike = |answer: &&Answer| (answer.outcome, answer.error.as_str()) == (outcome, error);
        assert_eq!(answers.iter().filter(alike).count(), 10, "{answers:?}");
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_body_without_end_is_left_and_its_connection_goes_on() {
    let authority = Authority::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut receiver = receiver(authority.config(None), move |mut asked| {
        let tell = tell.clone();
        async move {
            let mut stream = asked
                .respond
                .send_response(Response::new(()), false)
                .unwrap();
            loop {
                stream.reserve_capacity(1024);
                let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                let Some(Ok(_)) = room else { break };
                if stream
                    .send_data(Bytes::from_static(&[b'x'; 1024]), false)
                    .is_err()
                {
                    break;
                }
            }
            tell.send(()).unwrap();
        }
    })
    .await;
    let (client, target) = (patient(), target(&receiver, 1));
    for _ in 0..20 {
        let answer = post_as(&client, &target, &by_http2(&authority)).await;
        assert_eq!(
            (answer.outcome, answer.truncated),
            (Outcome::Delivered, true)
        );
        assert_eq!(answer.body.len(), RESPONSE_KEPT_BYTES_MAX);
        told.recv().await.unwrap();
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn certificates_proxies_and_tokens_are_as_with_http_1() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let mut receiver = receiver(authority.config(Some(&clients)), |asked| async move {
        let may = asked.request.headers().get("authorization");
        let status = if may.is_some_and(|may| may == "Bearer the-token") {
            200
        } else {
            403
        };
        asked.answer(status, "");
    })
    .await;
    let (mut proxy, _asked) = proxy().await;
    let server = token_server(&token(3_600)).await;
    let mut style = with_tls(Some(&authority), Some(&clients));
    style.settings.http_version = HttpVersion::Http2;
    let token = with_token(&server.url());
    style.settings.authorization = token.settings.authorization;
    style.credentials.authorization = token.credentials.authorization;
    let client = patient();
    let answer = post_as(&client, &target(&receiver, 1), &style).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{}", answer.error);
    assert_eq!(receiver.connections(), 1);
    let mut proxied = style.clone();
    let wishes = through(proxy.address);
    proxied.settings.proxy = wishes.settings.proxy;
    proxied.credentials.proxy = wishes.credentials.proxy;
    proxied.settings.authorization = None;
    let answer = post_as(&client, &target(&receiver, 2), &proxied).await;
    assert_eq!(answer.status, Some(403));
    assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
    // Nobody is let in without a certificate, and nobody is trusted that the authorities do not know.
    for (number, tls) in [
        (3, with_tls(Some(&authority), None)),
        (4, with_tls(Some(&clients), Some(&clients))),
    ] {
        let mut style = tls;
        style.settings.http_version = HttpVersion::Http2;
        let answer = post_as(&client, &target(&receiver, number), &style).await;
        assert_eq!(
            (answer.outcome, answer.sent),
            (Outcome::TlsFailed, false),
            "{}",
            answer.error
        );
    }
    let refused = client_with(&settings(), &[], localhost());
    let answer = post_as(&refused, &target(&receiver, 1), &by_http2(&authority)).await;
    assert_eq!(
        (answer.outcome, answer.sent),
        (Outcome::AddressRefused, false)
    );
}

#[tokio::test]
async fn who_wishes_for_http_2_is_asked_by_it_for_a_head_alone() {
    let authority = Authority::new();
    let receiver = receiver(authority.config(None), |mut asked| async move {
        let method = asked.request.method().to_string();
        let mut head = Response::new(());
        head.headers_mut()
            .insert("x-asked", method.parse().unwrap());
        // Its body never ends, and nobody waits for that.
        let _body = asked.respond.send_response(head, false).unwrap();
        let _ = std::future::poll_fn(|cx| asked.respond.poll_reset(cx)).await;
    })
    .await;
    let (client, style) = (quick(Duration::from_secs(30)), by_http2(&authority));
    let to = target(&receiver, 1);
    for method in [Method::OPTIONS, Method::POST] {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(0))]);
        let asked = client.ask_as(&to, Some(&style), method.clone(), headers);
        let (status, headers) = asked.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["x-asked"], method.as_str());
    }
}

#[tokio::test]
async fn a_head_is_asked_for_by_http_1_of_who_offers_no_other() {
    let authority = Authority::new();
    let receiver = receiver_of(
        authority.config(None),
        &[b"http/1.1"],
        |_, mut stream| async move {
            let mut text = Vec::new();
            while !text.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut text).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            assert!(text.starts_with(b"OPTIONS /hooks?a=b HTTP/1.1\r\n"));
            stream.write_all(OK.as_bytes()).await
        },
    )
    .await;
    let (client, style) = (quick(Duration::from_secs(30)), by_http2(&authority));
    let to = target(&receiver, 1);
    let asked = client.ask_as(&to, Some(&style), Method::OPTIONS, HeaderMap::new());
    assert_eq!(asked.await.unwrap().0, StatusCode::OK);
}
