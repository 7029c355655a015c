//! Requests with wishes: through proxies, with a TLS of their own, with tokens, of servers that mean no good.

mod proxies;
mod tls;
mod tokens;

use std::collections::BTreeMap;

use domain::{
    Authorization, ClientAuth, Credentials, Health, Proxy, RequestSettings, RequestStyle, Secret,
    SubscriptionId, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId,
};
use store::Destination;

use super::*;

pub(super) use proxies::proxy;
pub(super) use tls::{Authority, with_tls};
pub(super) use tokens::{token, token_server};

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
