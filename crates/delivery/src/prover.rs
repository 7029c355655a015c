//! Handshakes with targets, made by whoever needs them and not by the engine, which not every node has.
//!
//! Each has a client of its own for the length of one request: what is proven is not stored yet, so that neither its
//! connections nor its tokens may be anybody else's, and when it ends, so does its connection.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::{
    AddressPolicy, Granted, Handshake, Health, ProofRefusal, Prover, Proving, RequestStyle,
    Resolver, SubscriptionId, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId,
    USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use store::Destination;

use crate::{
    DeliverySettings,
    client::Client,
    failure::Failure,
    styled::{add_own, secret_value},
    tls::Tls,
};

/// How long a handshake may take: as long as a request may, and no longer than this, because somebody waits for it.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Makes handshakes.
pub struct TargetProver {
    settings: DeliverySettings,
    policy: AddressPolicy,
    resolver: Arc<dyn Resolver>,
    /// Read from this machine when it is first needed, which for most is never.
    tls: OnceLock<Tls>,
}

impl TargetProver {
    /// One that makes its requests by `settings`, to targets that `policy` allows.
    pub fn new(
        settings: &DeliverySettings,
        policy: AddressPolicy,
        resolver: Arc<dyn Resolver>,
    ) -> Self {
        let mut settings = settings.clone();
        settings.request_timeout = settings.request_timeout.min(HANDSHAKE_TIME_MAX);
        settings.connect_timeout = settings.connect_timeout.min(settings.request_timeout);
        Self {
            settings,
            policy,
            resolver,
            tls: OnceLock::new(),
        }
    }

    async fn ask(
        &self,
        target: &TargetUrl,
        style: Option<&RequestStyle>,
        handshake: &Handshake,
    ) -> Result<Granted, ProofRefusal> {
        let no_answer = |failure: Failure| ProofRefusal::NoAnswer(failure.sentence);
        let headers = headers(style, handshake).map_err(no_answer)?;
        let tls = self.tls.get_or_init(Tls::of_this_machine).clone();
        let (policy, resolver) = (self.policy.clone(), self.resolver.clone());
        let client = Client::new(&self.settings, policy, resolver, tls);
        let method = match handshake {
            Handshake::Options { .. } => Method::OPTIONS,
            Handshake::Echo { .. } => Method::POST,
        };
        let to = destination(target);
        let answer = client.ask_as(&to, style, method, headers).await;
        client.close().await;
        let (status, headers) = answer.map_err(no_answer)?;
        let headers: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        handshake.judge(status.as_u16(), &headers)
    }
}

impl Prover for TargetProver {
    fn prove<'a>(
        &'a self,
        target: &'a TargetUrl,
        style: Option<&'a RequestStyle>,
        handshake: &'a Handshake,
    ) -> Proving<'a> {
        Box::pin(self.ask(target, style, handshake))
    }
}

/// All headers of the request; those of the handshake in the place of a subscription's own of the same name.
fn headers(style: Option<&RequestStyle>, handshake: &Handshake) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if let Some(style) = style {
        add_own(&mut headers, style)?;
    }
    for (name, value) in handshake.headers() {
        headers.insert(HeaderName::from_static(name), secret_value(&value)?);
    }
    if matches!(handshake, Handshake::Echo { .. }) {
        // Of a `POST` it is told that it has no body (RFC 9110, section 8.6); hyper leaves that out.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(headers)
}

/// Where it goes, for a client that knows of nothing else.
fn destination(target: &TargetUrl) -> Destination {
    Destination {
        subscription: SubscriptionId::ZERO,
        team: TeamId::new(0),
        state: SubscriptionState::Active,
        health: Health::default(),
        revision: 0,
        target: target.clone(),
        settings: SubscriptionSettings::default(),
        secrets: Vec::new(),
        request: None,
    }
}

#[cfg(test)]
mod tests;
