//! Secrets of subscriptions: listing them, rolling, revoking one, and the public keys for anybody.

use app::{ListSecrets, RevokeSecret, RollAnswer, RollSecret, SecretPage};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    KEEP_OLD_SECONDS_DEFAULT, KEEP_OLD_SECONDS_MAX, PublicKey, SecretId, SecretKind, SigningSecret,
    TeamId,
};
use http::{HeaderName, header};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Answer;
use crate::{Api, Code, ask::Ask, input::Input, problem::Problem};

/// How long a set of public keys may be kept: a key that is new signs at once, but receivers that meet one they do not
/// know are told to ask anew.
const KEYS_CACHE: &str = "public, max-age=300";

/// A secret of your own, in a body and nowhere else.
#[expect(dead_code, reason = "what a body may hold is only described by it")]
#[derive(ToSchema)]
pub(crate) struct OwnSecret {
    /// `whsec_` (may be left out) and the base64 of 24 to 64 bytes; or `whsk_` and that of an Ed25519 private key, 32
    /// bytes. Made by the server where it is left out.
    secret: Option<String>,
}

/// A secret that somebody brings along. What is wrong with it is said without repeating it.
pub(super) fn own_secret(input: &mut Input) -> Option<SigningSecret> {
    let text = input.text("secret")?;
    if text.trim().is_empty() {
        input.wrong(
            "secret",
            "is empty: give one, or leave it out to have one made",
        );
        return None;
    }
    if input.is_in_query("secret") {
        input.wrong(
            "secret",
            "must stand in a JSON body: addresses get into logs; consider it known, and take another one",
        );
        return None;
    }
    match SigningSecret::read(&text) {
        Ok(secret) => Some(secret),
        Err(error) => {
            input.wrong("secret", error.to_string());
            None
        }
    }
}

/// List secrets
///
/// What signs the webhooks of a subscription, and what could, newest first: what has run out is not there. The secrets
/// themselves are shown once, when they are made; public keys always.
#[utoipa::path(
    get,
    path = "/api/web-hook/secrets",
    tag = "Webhooks",
    params(("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`.")),
    responses((status = 200, description = "The secrets.", body = SecretPage))
)]
pub(crate) async fn list_secrets(State(api): State<Api>, mut ask: Ask) -> Answer<SecretPage> {
    let id = ask.input.need("subscriptionId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, ListSecrets(id)).await?))
}

/// Roll a secret
///
/// Makes a new secret of a kind, which signs at once, and gives those of that kind an end: until then webhooks carry the
/// signatures of all, so that a receiver may change over in its own time. `keepOldFor` never lengthens what ends sooner.
/// Rolling a kind that is not in use makes one in advance, as to give its public key to a receiver first.
/// Ten secrets of a subscription may sign at once.
#[utoipa::path(
    post,
    path = "/api/web-hook/roll-secret",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`."),
        ("kind" = inline(Option<SecretKind>), Query, description = "`hmac` or `ed25519`; needed where `signing` is `both`, else \
            the kind that signs where it is left out."),
        ("keepOldFor" = Option<u32>, Query, minimum = 0, maximum = 2_592_000, description = "How many seconds the \
            old ones sign on: 86400 (a day) by default, 30 days at most. 0 revokes them now."),
    ),
    request_body(content = Option<OwnSecret>, description = "The parameters may stand here as well. A secret of your own \
        stands here alone.",
        example = json!({})),
    responses((status = 200, description = "The new secret.", body = RollAnswer))
)]
pub(crate) async fn roll_secret(State(api): State<Api>, mut ask: Ask) -> Answer<RollAnswer> {
    let input = &mut ask.input;
    let subscription = input.need("subscriptionId", Input::key);
    let kind = input.word::<SecretKind>("kind");
    let secret = own_secret(input);
    let keep = input.number_in("keepOldFor", 0, KEEP_OLD_SECONDS_MAX);
    let subscription = input.all(subscription)?;
    let roll = RollSecret {
        subscription,
        kind,
        secret,
        keep_old_seconds: keep.unwrap_or(KEEP_OLD_SECONDS_DEFAULT),
    };
    Ok(Json(api.app.change(&ask.caller, roll).await?))
}

/// Revoke a secret
///
/// It signs no longer from now on, and a public key is no longer published. One without an end, of a kind that signs,
/// can't go: roll with a `keepOldFor` of 0, which puts a new one in its place. Answers those that are left.
#[utoipa::path(
    post,
    path = "/api/web-hook/revoke-secret",
    tag = "Webhooks",
    params(
        ("subscriptionId" = String, Query, format = Uuid, description = "The subscription's `id`."),
        ("secretId" = String, Query, format = Uuid, description = "The secret's `id`."),
    ),
    responses((status = 200, description = "The secrets that are left.", body = SecretPage))
)]
pub(crate) async fn revoke_secret(State(api): State<Api>, mut ask: Ask) -> Answer<SecretPage> {
    let subscription = ask.input.need("subscriptionId", Input::key);
    let secret = ask.input.need("secretId", Input::key);
    let (subscription, secret) = ask.input.all((subscription, secret))?;
    let revoke = RevokeSecret {
        subscription,
        secret,
    };
    Ok(Json(api.app.change(&ask.caller, revoke).await?))
}

/// `GET /.well-known/checkflow/{teamId}/jwks.json`: the public keys that a team's webhooks are signed with, as a JWK set
/// (RFC 7517, RFC 8037). Without a key, because receivers have none. A team that is not there has none either.
pub(crate) async fn public_keys(State(api): State<Api>, Path(team): Path<String>) -> Response {
    let Ok(team) = team.parse().map(TeamId::new) else {
        return Problem::new(Code::RouteMissing).into_response();
    };
    match api.app.published_keys(team).await {
        Ok(keys) => {
            let headers: [(HeaderName, &str); 4] = [
                (header::CONTENT_TYPE, "application/jwk-set+json"),
                (header::CACHE_CONTROL, KEYS_CACHE),
                (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    "cross-origin",
                ),
            ];
            let keys: Vec<Value> = keys.iter().map(jwk).collect();
            (headers, json!({"keys": keys}).to_string()).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

fn jwk((id, key): &(SecretId, PublicKey)) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": key.to_base64_url(),
        "kid": id,
        "use": "sig",
        "alg": "EdDSA",
    })
}
