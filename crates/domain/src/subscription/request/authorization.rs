//! How a request says who it is, beyond its signature.

use serde::{Deserialize, Serialize};

use super::{Secret, secret};
use crate::{FieldError, TargetUrl, UrlOf};

/// Most bytes of a user's or client's name, a password or a client's secret.
pub const CREDENTIAL_BYTES_MAX: usize = 1_024;

/// Most bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 8_192;

/// Most scopes that a token is asked for.
pub const SCOPES_MAX: usize = 20;

words! {
    /// How a client says who it is to a token server (RFC 6749, section 2.3.1).
    ClientAuth, UnknownClientAuth "must be basic or body":
    /// In the `authorization` header.
    #[default]
    Basic = "basic",
    /// In the body, for servers that take it only there.
    Body = "body",
}

/// How a request says who it is; its secret is in [`super::Credentials::authorization`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Authorization {
    /// A user and a password (RFC 7617).
    Basic {
        /// The user.
        user: String,
    },
    /// A token that does not change (RFC 6750).
    Bearer,
    /// A token that is fetched as a client (RFC 6749, section 4.4).
    Oauth2 {
        /// Where.
        token_url: TargetUrl,
        /// As which client.
        client_id: String,
        /// For what.
        scopes: Vec<String>,
        /// How the client says who it is.
        client_auth: ClientAuth,
    },
}

/// What is asked for, with its secret or the mask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationAsk {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that does not change.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// A token that is fetched.
    Oauth2 {
        /// Where.
        token_url: String,
        /// As which client.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// For what.
        scopes: Vec<String>,
        /// How the client says who it is.
        client_auth: ClientAuth,
    },
}

impl AuthorizationAsk {
    /// What is stored of it; `before` is what is there, for a mask to stand for.
    pub(super) fn take(
        &self,
        before: Option<(&Authorization, &Secret)>,
    ) -> Result<(Authorization, Secret), Vec<FieldError>> {
        let mut errors = Vec::new();
        let (authorization, given, member) = match self {
            Self::Basic { user, password } => {
                errors.extend(basic(user, password));
                let user = user.clone();
                (Some(Authorization::Basic { user }), password, "password")
            }
            Self::Bearer { token } => {
                errors.extend(visible("token", token.reveal(), TOKEN_BYTES_MAX));
                (Some(Authorization::Bearer), token, "token")
            }
            Self::Oauth2 { client_secret, .. } => {
                (self.oauth2(&mut errors), client_secret, "clientSecret")
            }
        };
        // What is kept goes only where it went before.
        let same = |before: &Authorization| match (before, &authorization) {
            (
                Authorization::Oauth2 { token_url: old, .. },
                Some(Authorization::Oauth2 { token_url: new, .. }),
            ) => old == new,
            (Authorization::Basic { .. }, Some(Authorization::Basic { .. }))
            | (Authorization::Bearer, Some(Authorization::Bearer)) => true,
            _ => false,
        };
        let before = before.filter(|(before, _)| same(before));
        let field = format!("authorization.{member}");
        let kept = secret_or_stored(&field, given, before.map(|(_, secret)| secret));
        match (authorization, kept) {
            (Some(authorization), Ok(secret)) if errors.is_empty() => Ok((authorization, secret)),
            (_, kept) => {
                errors.extend(kept.err());
                Err(errors)
            }
        }
    }

    fn oauth2(&self, errors: &mut Vec<FieldError>) -> Option<Authorization> {
        let Self::Oauth2 {
            token_url,
            client_id,
            client_secret,
            scopes,
            client_auth,
        } = self
        else {
            return None;
        };
        errors.extend(visible("clientId", client_id, CREDENTIAL_BYTES_MAX));
        errors.extend(visible(
            "clientSecret",
            client_secret.reveal(),
            CREDENTIAL_BYTES_MAX,
        ));
        if scopes.len() > SCOPES_MAX || !scopes.iter().all(|scope| is_scope(scope)) {
            let why = format!(
                "must be up to {SCOPES_MAX} words of printable ASCII characters without spaces, quotes and backslashes"
            );
            errors.push(FieldError::new("authorization.scopes", why));
        }
        let read = TargetUrl::parse(token_url);
        let token_url = read.map_err(|refusal| {
            errors.push(FieldError::new(
                "authorization.tokenUrl",
                refusal.about(UrlOf::TokenServer),
            ));
        });
        Some(Authorization::Oauth2 {
            token_url: token_url.ok()?,
            client_id: client_id.clone(),
            scopes: scopes.clone(),
            client_auth: *client_auth,
        })
    }
}

/// The secret that is meant.
pub(super) fn secret_or_stored(
    field: &str,
    given: &Secret,
    stored: Option<&Secret>,
) -> Result<Secret, FieldError> {
    if !given.is_mask() {
        return Ok(given.clone());
    }
    stored.cloned().ok_or_else(|| {
        let mask = secret::MASK;
        FieldError::new(field, format!("is {mask}, which keeps what is stored, but nothing is stored for this: give the value"))
    })
}

/// What is wrong with a user and a password (RFC 7617, section 2). Either may be empty, as where a key stands for the
/// user and there is no password.
pub(super) fn basic_in(of: &str, user: &str, password: &Secret) -> Vec<FieldError> {
    let control = |text: &str| text.chars().any(char::is_control);
    let mut errors = Vec::new();
    if user.len() > CREDENTIAL_BYTES_MAX || user.contains(':') || control(user) {
        let why = format!(
            "must have at most {CREDENTIAL_BYTES_MAX} bytes, without a colon and control characters"
        );
        errors.push(FieldError::new(format!("{of}.user"), why));
    }
    let password = password.reveal();
    if user.is_empty() && password.is_empty() {
        let why = "must not be empty together with the password: give either, or both";
        errors.push(FieldError::new(format!("{of}.user"), why));
    }
    if password.len() > CREDENTIAL_BYTES_MAX || control(password) {
        let why =
            format!("must have at most {CREDENTIAL_BYTES_MAX} bytes, without control characters");
        errors.push(FieldError::new(format!("{of}.password"), why));
    }
    errors
}

fn basic(user: &str, password: &Secret) -> Vec<FieldError> {
    basic_in("authorization", user, password)
}

/// What is wrong with a text that must be of visible ASCII characters.
fn visible(member: &str, text: &str, max: usize) -> Option<FieldError> {
    let fits = (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let why = || format!("must have 1 to {max} printable ASCII characters, without spaces");
    (!fits).then(|| FieldError::new(format!("authorization.{member}"), why()))
}

fn is_scope(scope: &str) -> bool {
    let of_scope = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=255).contains(&scope.len()) && scope.bytes().all(of_scope)
}
