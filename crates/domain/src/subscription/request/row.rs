//! How requests are made, as the API answers it: names, and masks where secrets are.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Authorization, ClientAuth, HttpVersion, MASK, Payload, RequestSettings};
use crate::Timestamp;

/// How requests are made beyond their signature. Sent back as it is, it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestRow {
    /// Whether the target must be `https`.
    pub https_only: bool,
    /// How much of an event is told.
    pub payload: Payload,
    /// Whether requests carry a `traceparent`.
    pub traceparent: bool,
    /// By which version of HTTP it is sent to.
    pub http_version: HttpVersion,
    /// Its own headers; each value is shown as `********`.
    #[schema(example = json!({"x-api-key": "********"}))]
    pub headers: BTreeMap<String, &'static str>,
    /// How it says who it is; null when by its signature alone.
    pub authorization: Option<AuthorizationRow>,
    /// Its own side of TLS; null for the authorities of the system and no certificate.
    pub tls: Option<TlsRow>,
    /// The proxy it is sent through; null for none.
    pub proxy: Option<ProxyRow>,
}

/// How a subscription says who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum AuthorizationRow {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// `********`.
        password: &'static str,
    },
    /// A token that does not change.
    Bearer {
        /// `********`.
        token: &'static str,
    },
    /// A token that is fetched as a client, and kept until shortly before it ends.
    Oauth2 {
        /// Where.
        token_url: String,
        /// As which client.
        client_id: String,
        /// `********`.
        client_secret: &'static str,
        /// For what.
        scopes: Vec<String>,
        /// How the client says who it is.
        client_auth: ClientAuth,
    },
}

/// A subscription's own side of TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsRow {
    /// `********` when it has authorities of its own; null for those of the system.
    pub ca: Option<&'static str>,
    /// SHA-256 of each of those authorities' certificates.
    pub ca_sha256: Vec<String>,
    /// `********` when it shows a certificate; null when it shows none.
    pub certificate: Option<&'static str>,
    /// SHA-256 of the certificate that it shows.
    pub certificate_sha256: Option<String>,
    /// Until when the certificate is good that it shows; null when that is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub certificate_valid_until_date_time: Option<Timestamp>,
    /// `********` when it shows a certificate.
    pub key: Option<&'static str>,
}

/// The proxy that a subscription is sent through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyRow {
    /// Where it is.
    pub url: String,
    /// Who is there to it; null for nobody.
    pub user: Option<String>,
    /// `********` when there is a user.
    pub password: Option<&'static str>,
}

impl From<&RequestSettings> for RequestRow {
    fn from(from: &RequestSettings) -> Self {
        let mask = |there: bool| there.then_some(MASK);
        Self {
            https_only: from.https_only,
            payload: from.payload,
            traceparent: from.traceparent,
            http_version: from.http_version,
            headers: from
                .headers
                .iter()
                .map(|name| (name.clone(), MASK))
                .collect(),
            authorization: from.authorization.as_ref().map(AuthorizationRow::from),
            tls: from.tls.as_ref().map(|tls| TlsRow {
                ca: mask(!tls.ca_sha256.is_empty()),
                ca_sha256: tls.ca_sha256.clone(),
                certificate: mask(tls.certificate_sha256.is_some()),
                certificate_sha256: tls.certificate_sha256.clone(),
                certificate_valid_until_date_time: tls.certificate_valid_until,
                key: mask(tls.certificate_sha256.is_some()),
            }),
            proxy: from.proxy.as_ref().map(|proxy| ProxyRow {
                url: proxy.url.to_string(),
                user: proxy.user.clone(),
                password: mask(proxy.user.is_some()),
            }),
        }
    }
}

impl From<&Authorization> for AuthorizationRow {
    fn from(from: &Authorization) -> Self {
        match from {
            Authorization::Basic { user } => Self::Basic {
                user: user.clone(),
                password: MASK,
            },
            Authorization::Bearer => Self::Bearer { token: MASK },
            Authorization::Oauth2 {
                token_url,
                client_id,
                scopes,
                client_auth,
            } => Self::Oauth2 {
                token_url: token_url.to_string(),
                client_id: client_id.clone(),
                client_secret: MASK,
                scopes: scopes.clone(),
                client_auth: *client_auth,
            },
        }
    }
}
