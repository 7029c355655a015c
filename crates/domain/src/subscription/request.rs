//! How a request is made beyond its signature: what receivers ask for, chosen for each subscription.
//!
//! What everybody of the team may read is in [`RequestSettings`], kept in the text of the settings. What is secret, and
//! what is long, is in [`Credentials`], kept encrypted. [`RequestStyle`] is both, as the engine gets it; a subscription
//! without wishes has none.

mod authorization;
mod change;
mod headers;
mod payload;
mod proxy;
mod row;
mod secret;
mod tls;
mod token;
mod trace;
mod version;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::TargetUrl;

pub use authorization::{
    Authorization, AuthorizationAsk, CREDENTIAL_BYTES_MAX, ClientAuth, SCOPES_MAX, TOKEN_BYTES_MAX,
    UnknownClientAuth,
};
pub use change::{Changed, RequestChange};
pub use headers::{HEADER_VALUE_BYTES_MAX, HEADERS_BYTES_MAX, HEADERS_MAX};
pub use payload::{Payload, UnknownPayload, thin};
pub use proxy::{Proxy, ProxyAsk};
pub use row::{AuthorizationRow, ProxyRow, RequestRow, TlsRow};
pub use secret::{MASK, Secret};
pub use tls::{PEM_BYTES_MAX, TlsAsk, TlsJudge, TlsPems, TlsSettings, fingerprint};
pub use token::{
    FetchedToken, TOKEN_LASTS_MAX, TokenRequest, basic_authorization, bearer_authorization,
    token_answer, token_error, token_request,
};
pub use trace::{TRACEPARENT_HEADER, traceparent};
pub use version::{HttpVersion, UnknownHttpVersion};

/// The member that names a proxy.
pub const PROXY_MEMBER: &str = "proxy.url";
/// The member that names a token server.
pub const TOKEN_MEMBER: &str = "authorization.tokenUrl";

/// What of a subscription's wishes is not secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestSettings {
    /// Whether its target must be `https`.
    #[serde(skip_serializing_if = "is_default")]
    pub https_only: bool,
    /// How much of an event is told. Never changes, so that whatever is sent for a delivery is the same every time.
    #[serde(skip_serializing_if = "is_default")]
    pub payload: Payload,
    /// Whether requests carry a `traceparent`.
    #[serde(skip_serializing_if = "is_default")]
    pub traceparent: bool,
    /// By which version of HTTP it is sent to.
    #[serde(skip_serializing_if = "is_default")]
    pub http_version: HttpVersion,
    /// The names of its own headers, in lower case and in the order of their names.
    #[serde(skip_serializing_if = "is_default")]
    pub headers: Vec<String>,
    /// How it says who it is.
    #[serde(skip_serializing_if = "is_default")]
    pub authorization: Option<Authorization>,
    /// Its own side of TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<TlsSettings>,
    /// Through what it is sent.
    #[serde(skip_serializing_if = "is_default")]
    pub proxy: Option<Proxy>,
}

impl RequestSettings {
    /// What requests reach beside their target, each with the member that says so.
    pub fn reaches(&self) -> Vec<(&'static str, TargetUrl)> {
        let token = self.token_url().map(|url| (TOKEN_MEMBER, url.clone()));
        let proxy = self.proxy.as_ref();
        let proxy = proxy.map(|proxy| (PROXY_MEMBER, proxy.url.clone()));
        token.into_iter().chain(proxy).collect()
    }

    /// Where a token is fetched, if one is.
    pub fn token_url(&self) -> Option<&TargetUrl> {
        match &self.authorization {
            Some(Authorization::Oauth2 { token_url, .. }) => Some(token_url),
            _ => None,
        }
    }

    /// Whether nothing was wished for.
    pub fn is_plain(&self) -> bool {
        is_default(self)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What of a subscription's wishes is secret, or too long to be read with every list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Credentials {
    /// The values of its own headers, by name.
    pub headers: BTreeMap<String, Secret>,
    /// The password, the token or the client's secret, as its authorization needs one.
    pub authorization: Option<Secret>,
    /// The authorities that its receiver's certificate must be from, as PEM.
    pub ca: Option<String>,
    /// The certificate it shows, with its chain, as PEM.
    pub certificate: Option<String>,
    /// The key of that certificate, as PEM.
    pub key: Option<Secret>,
    /// The password for the proxy.
    pub proxy: Option<Secret>,
}

impl Credentials {
    /// The bytes that are encrypted and stored.
    ///
    /// # Panics
    /// Never: there is nothing in it that JSON can't say.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts are JSON")
    }

    /// What [`Self::to_bytes`] was made of; none if the bytes are something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// All that a subscription wishes for, as the engine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestStyle {
    /// What is not secret.
    pub settings: RequestSettings,
    /// What is.
    pub credentials: Credentials,
}

/// A wish whose secret is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretMissing;

impl RequestSettings {
    /// What a subscription is sent of an event whose full body is `full`, on every attempt and in the feed; none if
    /// that is no body of an event.
    pub fn body(&self, full: &Bytes) -> Option<Bytes> {
        match self.payload {
            Payload::Full => Some(full.clone()),
            Payload::Thin => thin(full),
        }
    }
}

impl RequestStyle {
    /// The wishes of a subscription; none if it has none.
    ///
    /// # Errors
    /// A header without a value, or an authorization, a key or a proxy's user without its secret.
    pub fn of(
        settings: &RequestSettings,
        credentials: Option<Credentials>,
    ) -> Result<Option<Self>, SecretMissing> {
        if settings.is_plain() {
            return Ok(None);
        }
        let style = Self {
            settings: settings.clone(),
            credentials: credentials.unwrap_or_default(),
        };
        if style.is_whole() {
            Ok(Some(style))
        } else {
            Err(SecretMissing)
        }
    }

    fn is_whole(&self) -> bool {
        let (settings, secrets) = (&self.settings, &self.credentials);
        let mut names = settings.headers.iter();
        let tls = settings.tls.clone().unwrap_or_default();
        let proxy_user = settings
            .proxy
            .as_ref()
            .and_then(|proxy| proxy.user.as_ref());
        names.all(|name| secrets.headers.contains_key(name))
            && settings.authorization.is_some() == secrets.authorization.is_some()
            && tls.ca_sha256.is_empty() == secrets.ca.is_none()
            && tls.certificate_sha256.is_some() == secrets.certificate.is_some()
            && tls.certificate_sha256.is_some() == secrets.key.is_some()
            && proxy_user.is_some() == secrets.proxy.is_some()
    }
}

#[cfg(test)]
mod tests;
