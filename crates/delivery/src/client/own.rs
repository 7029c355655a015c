//! Requests of subscriptions with wishes: through a proxy, with a TLS of their own, with a token, by HTTP/2.
//!
//! Connections with wishes are of one subscription at one revision, so that nobody else's request ever goes out on
//! one, nor one that was made before the wishes changed. Their pools go with the shared one, when it gets too old or the
//! address rule changes.

use std::{collections::HashMap, sync::Arc};

use domain::{
    Authorization, FetchedToken, HttpVersion, RequestStyle, Secret, SubscriptionId, TargetUrl,
    USER_AGENT, bearer_authorization, token_answer, token_error, token_request,
};
use http::{HeaderValue, header};
use http_body_util::{BodyExt as _, Full, Limited};
use store::Destination;

use super::{
    Answer, Bytes, Client, Duration, Failure, HeaderMap, Outcome, Pool, Reading, Request, checked,
    connector, failure,
    http2::{Streams, Way, no_room},
    pool, request, time,
};
use crate::{connector::Via, styled::secret_value, tls::offering_http2, token::Owner};

/// Most pools of subscriptions with wishes. Beyond that all are let go, and made again as they are needed.
const OWN_POOLS_MAX: usize = 256;

/// Most bytes of a token server's answer.
const TOKEN_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a pool of a subscription's own is for. The receiver's TLS is not the token server's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Deliveries,
    Tokens,
}

/// What a subscription's requests go out on.
#[derive(Clone)]
pub(super) enum Own {
    Http1(Box<Pool>),
    Http2(Arc<Streams>),
}

/// The pools of subscriptions with wishes.
#[derive(Default)]
pub(super) struct OwnPools(HashMap<(SubscriptionId, Use), (i64, Own)>);

impl OwnPools {
    fn get(&self, of: &Destination, used: Use) -> Option<Own> {
        let (revision, pool) = self.0.get(&(of.subscription, used))?;
        (*revision == of.revision).then(|| pool.clone())
    }

    fn put(&mut self, of: &Destination, used: Use, pool: Own) {
        if self.0.len() >= OWN_POOLS_MAX {
            self.0.clear();
        }
        self.0.insert((of.subscription, used), (of.revision, pool));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Client {
    /// Posts `body` as `style` wishes, and reads the answer. All of it, fetching a token included, is within the one
    /// time of a request.
    pub(crate) async fn post_as(
        &self,
        to: &Destination,
        style: &RequestStyle,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Answer {
        let began = time::Instant::now();
        let token = match self.token(to, style).await {
            Ok(token) => token,
            Err(failure) => return failure.into(),
        };
        let ready = token.as_ref().map_or(Ok(()), |token| {
            let value = secret_value(&bearer_authorization(token.reveal()))?;
            headers.insert(header::AUTHORIZATION, value);
            Ok(())
        });
        let pool = ready.and_then(|()| self.own_pool(to, style, Use::Deliveries));
        let left = self.limits.request_timeout.saturating_sub(began.elapsed());
        let request = request(to.target.as_str(), headers, body);
        let answer = match pool {
            Ok(Own::Http1(pool)) => self.exchange(&pool, request, left).await,
            Ok(Own::Http2(streams)) => self.exchange_http2(&streams, request, left).await,
            Err(failure) => return failure.into(),
        };
        if answer.status == Some(401)
            && let Some(token) = token
        {
            let owner = Owner::of(to, style);
            self.tokens
                .refused(owner, &token, time::Instant::now())
                .await;
        }
        answer
    }

    async fn exchange_http2(
        &self,
        streams: &Streams,
        request: Result<Request<Bytes>, Failure>,
        within: Duration,
    ) -> Answer {
        let request = match request {
            Ok(request) => request,
            Err(failure) => return failure.into(),
        };
        let (mut reading, mut sent) = (Reading::default(), false);
        let exchange = streams.exchange(request, &mut reading, &mut sent);
        let ended = time::timeout(within, exchange).await;
        let ended = ended.unwrap_or_else(|_| {
            Err(if sent {
                self.timed_out()
            } else {
                no_room(self.limits.request_timeout)
            })
        });
        reading.finish(ended)
    }

    pub(super) async fn token(
        &self,
        to: &Destination,
        style: &RequestStyle,
    ) -> Result<Option<Secret>, Failure> {
        let Some(Authorization::Oauth2 { token_url, .. }) = &style.settings.authorization else {
            return Ok(None);
        };
        // The other half is left for the request itself.
        let within = self.limits.request_timeout / 2;
        let fetch = || self.fetch_token(to, style, token_url, within);
        let token = self.tokens.get(Owner::of(to, style), within, fetch).await;
        token.map(Some)
    }

    async fn fetch_token(
        &self,
        to: &Destination,
        style: &RequestStyle,
        token_url: &TargetUrl,
        within: Duration,
    ) -> Result<FetchedToken, Failure> {
        let fetching = time::timeout(within, self.ask_token(to, style, token_url));
        let late = || {
            let sentence = format!("the token server did not answer within {within:?}");
            Failure::new(Outcome::TimedOut, sentence, false)
        };
        let fetched = fetching.await.unwrap_or_else(|_| Err(late()));
        fetched.map_err(|failure| {
            let said = failure.sentence.replace("the receiver", "the token server");
            Failure::new(failure.outcome, format!("no token: {said}"), false)
        })
    }

    async fn ask_token(
        &self,
        to: &Destination,
        style: &RequestStyle,
        token_url: &TargetUrl,
    ) -> Result<FetchedToken, Failure> {
        let settings = style.settings.authorization.as_ref();
        let secret = style.credentials.authorization.as_ref();
        let asked = settings
            .zip(secret)
            .and_then(|(of, secret)| token_request(of, secret));
        let asked = asked.ok_or_else(|| none("the client has no secret"))?;
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &asked.authorization {
            headers.insert(header::AUTHORIZATION, secret_value(authorization)?);
        }
        for (name, value) in [
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
            (header::ACCEPT, "application/json"),
            (header::USER_AGENT, USER_AGENT),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let Own::Http1(pool) = self.own_pool(to, style, Use::Tokens)? else {
            return Err(none("tokens are fetched by HTTP/1.1"));
        };
        let body = Bytes::copy_from_slice(asked.body.reveal().as_bytes());
        let request = request(token_url.as_str(), headers, body)?;
        let response = pool.request(request.map(Full::new)).await;
        let response = response.map_err(|error| failure::of_token_request(&error))?;
        let status = response.status();
        let read = Limited::new(response.into_body(), TOKEN_ANSWER_BYTES_MAX);
        let read = read.collect().await;
        let body =
            read.map_err(|_| none("the token server's answer was cut off, or is too long"))?;
        let body = body.to_bytes();
        if !status.is_success() {
            let code = token_error(&body).map_or_else(String::new, |code| format!(" ({code})"));
            return Err(none(&format!("the token server answered {status}{code}")));
        }
        token_answer(&body).map_err(|why| none(&format!("the token server: {why}")))
    }

    /// The pool for a subscription's requests: the shared one, if it has no wishes about connections.
    pub(super) fn own_pool(
        &self,
        to: &Destination,
        style: &RequestStyle,
        used: Use,
    ) -> Result<Own, Failure> {
        let wishes = &style.settings;
        let of_receiver = used == Use::Deliveries;
        let has_tls = of_receiver && wishes.tls.is_some();
        let by_http2 = of_receiver && wishes.http_version == HttpVersion::Http2;
        if !has_tls && !by_http2 && wishes.proxy.is_none() {
            return Ok(Own::Http1(Box::new(self.pool())));
        }
        let mut current = self.current();
        if let Some(pool) = current.own.get(to, used) {
            return Ok(pool);
        }
        let tls = if has_tls {
            self.tls.own(&style.credentials).map_err(|error| {
                let sentence = format!("{} {}", error.field, error.message);
                Failure::new(Outcome::TlsFailed, sentence, false)
            })?
        } else {
            self.tls.shared.clone()
        };
        let checked = checked(&self.limits, current.policy.clone(), self.resolver.clone());
        let checked = checked.via(Via::of(style));
        let connector = connector(&self.limits, checked.clone(), tls.clone());
        let pool = pool(&self.limits, connector, self.connections.clone());
        let own = if by_http2 {
            let way = Way {
                checked,
                tls: offering_http2(&tls),
                times: self.limits.http2,
            };
            let streams = Streams::new(way, pool, self.connections.clone());
            Own::Http2(Arc::new(streams))
        } else {
            Own::Http1(Box::new(pool))
        };
        current.own.put(to, used, own.clone());
        Ok(own)
    }
}

fn none(why: &str) -> Failure {
    Failure::new(Outcome::ConnectFailed, why, false)
}
