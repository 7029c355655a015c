//! Reading how a subscription's requests are to be made.

use domain::{
    AuthorizationAsk, ClientAuth, HttpVersion, Payload, ProxyAsk, RequestChange, Secret, TlsAsk,
};
use utoipa::ToSchema;

use super::subscription_changes::or_default;
use crate::input::Input;

/// How requests are made beyond their signature. Each member may be left out.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestWishes {
    /// Whether the target must be `https`.
    https_only: Option<bool>,
    /// How much of an event is told; given when subscribing.
    payload: Option<Payload>,
    /// Whether requests carry a `traceparent`.
    traceparent: Option<bool>,
    /// By which version of HTTP; `2` with `https` targets alone.
    http_version: Option<HttpVersion>,
    /// All of its own headers, at most 20, by name.
    #[schema(example = json!({"X-Api-Key": "s3cr3t"}))]
    headers: Option<std::collections::BTreeMap<String, String>>,
    /// How it says who it is.
    authorization: Option<AuthorizationWish>,
    /// Its own side of TLS.
    tls: Option<TlsWish>,
    /// The proxy it is sent through.
    proxy: Option<ProxyWish>,
}

/// What a subscription is made with that stands in a body alone. Each member may be left out.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
pub(crate) struct SubscribeWishes {
    /// Your own secret: `whsec_` (may be left out) and the base64 of 24 to 64 bytes; or, for Ed25519, `whsk_` and that of
    /// a private key, 32 bytes. Made by the server where it is left out.
    secret: Option<String>,
    /// How requests are made.
    #[serde(flatten)]
    requests: RequestWishes,
}

/// How a subscription says who it is.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum AuthorizationWish {
    /// A user and a password.
    Basic { user: String, password: String },
    /// A token that does not change.
    Bearer { token: String },
    /// A token that is fetched as a client (RFC 6749, section 4.4).
    Oauth2 {
        token_url: String,
        client_id: String,
        client_secret: String,
        scopes: Option<Vec<String>>,
        client_auth: Option<ClientAuth>,
    },
}

/// A subscription's own side of TLS.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
struct TlsWish {
    /// The authorities that the receiver's certificate must be from, instead of the system's, as PEM.
    ca: Option<String>,
    /// The certificate that is shown, with its chain, as PEM; with `key`.
    certificate: Option<String>,
    /// Its key, as PEM.
    key: Option<String>,
}

/// The proxy that a subscription is sent through.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
struct ProxyWish {
    /// Where it is: `http`, a host and a port.
    #[schema(example = "http://proxy.internal:3128")]
    url: String,
    /// Who is there to it; with `password`.
    user: Option<String>,
    /// The password.
    password: Option<String>,
}

/// What a request gives of it.
pub(super) fn request(input: &mut Input) -> RequestChange {
    RequestChange {
        https_only: or_default(input, "httpsOnly", Input::flag),
        payload: or_default(input, "payload", Input::word::<Payload>),
        traceparent: or_default(input, "traceparent", Input::flag),
        http_version: or_default(input, "httpVersion", Input::word::<HttpVersion>),
        headers: headers(input),
        authorization: given(input, "authorization", authorization),
        tls: given(input, "tls", tls),
        proxy: given(input, "proxy", proxy),
    }
}

/// `Some(None)` for one that is given as nothing.
#[expect(
    clippy::option_option,
    reason = "absent and taken away are two things, as in the change that it becomes"
)]
fn given<T>(
    input: &mut Input,
    name: &str,
    read: impl FnOnce(&mut Input) -> Option<T>,
) -> Option<Option<T>> {
    if input.cleared(name) {
        return Some(None);
    }
    read(input).map(Some)
}

fn headers(input: &mut Input) -> Option<Vec<(String, Secret)>> {
    if input.cleared("headers") {
        return Some(Vec::new());
    }
    let texts = input.members("headers")?.all_texts();
    let secret = |(name, value): (String, String)| (name, Secret::new(value));
    Some(texts.into_iter().map(secret).collect())
}

fn authorization(input: &mut Input) -> Option<AuthorizationAsk> {
    let mut members = input.members("authorization")?;
    let kind = members.need("kind")?;
    match kind.as_str() {
        "basic" => {
            members.only(&["kind", "user", "password"]);
            let (user, password) = (members.need("user"), members.need("password"));
            Some(AuthorizationAsk::Basic {
                user: user?,
                password: Secret::new(password?),
            })
        }
        "bearer" => {
            members.only(&["kind", "token"]);
            let token = Secret::new(members.need("token")?);
            Some(AuthorizationAsk::Bearer { token })
        }
        "oauth2" => {
            members.only(&[
                "kind",
                "tokenUrl",
                "clientId",
                "clientSecret",
                "scopes",
                "clientAuth",
            ]);
            let (url, id) = (members.need("tokenUrl"), members.need("clientId"));
            let secret = members.need("clientSecret");
            let scopes = members.texts("scopes");
            let auth = members.text("clientAuth").map(|word| word.parse());
            let auth = auth.transpose().unwrap_or_else(|unknown| {
                let unknown: domain::UnknownClientAuth = unknown;
                members.wrong("clientAuth", unknown.to_string());
                None
            });
            Some(AuthorizationAsk::Oauth2 {
                token_url: url?,
                client_id: id?,
                client_secret: Secret::new(secret?),
                scopes,
                client_auth: auth.unwrap_or(ClientAuth::Basic),
            })
        }
        _ => {
            members.wrong("kind", "must be basic, bearer or oauth2");
            None
        }
    }
}

fn tls(input: &mut Input) -> Option<TlsAsk> {
    let mut members = input.members("tls")?;
    // The last ones are what is shown of the first; they say nothing when they come back.
    members.only(&[
        "ca",
        "certificate",
        "key",
        "caSha256",
        "certificateSha256",
        "certificateValidUntilDateTime",
    ]);
    let mut text = |name| members.text(name).map(Secret::new);
    let (ca, certificate, key) = (text("ca"), text("certificate"), text("key"));
    Some(TlsAsk {
        ca,
        certificate,
        key,
    })
}

fn proxy(input: &mut Input) -> Option<ProxyAsk> {
    let mut members = input.members("proxy")?;
    members.only(&["url", "user", "password"]);
    let url = members.need("url");
    let user = match (members.text("user"), members.text("password")) {
        (Some(user), Some(password)) => Some((user, Secret::new(password))),
        (None, None) => None,
        (user, _) => {
            let missing = if user.is_some() { "password" } else { "user" };
            members.wrong(missing, "must be given: a user and a password go together");
            None
        }
    };
    Some(ProxyAsk { url: url?, user })
}
