//! What is said to a token server, and what it answers (RFC 6749, sections 2.3.1, 4.4 and 5).

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use url::form_urlencoded;

use super::{Authorization, ClientAuth, Secret, TOKEN_BYTES_MAX};

/// How long a token is good whose server does not say.
const TOKEN_LASTS: Duration = Duration::from_mins(5);

/// Longest that a token is kept, whatever its server says.
pub const TOKEN_LASTS_MAX: Duration = Duration::from_hours(24);

/// Most characters of an error's code that are repeated.
const ERROR_CHARS_MAX: usize = 60;

/// What a token is asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The `authorization` header, if the client says there who it is.
    pub authorization: Option<Secret>,
    /// The form that is the body.
    pub body: Secret,
}

/// A token that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedToken {
    /// The token.
    pub token: Secret,
    /// For how long it is good, from when it was asked for.
    pub lasts: Duration,
}

/// The value of an `authorization` header of a user with a password (RFC 7617).
pub fn basic_authorization(user: &str, password: &str) -> Secret {
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    Secret::new(format!("Basic {pair}"))
}

/// The value of an `authorization` header of whoever bears a token (RFC 6750).
pub fn bearer_authorization(token: &str) -> Secret {
    Secret::new(format!("Bearer {token}"))
}

/// What a token is asked for with; none for an authorization that needs none.
pub fn token_request(authorization: &Authorization, secret: &Secret) -> Option<TokenRequest> {
    let Authorization::Oauth2 {
        client_id,
        scopes,
        client_auth,
        ..
    } = authorization
    else {
        return None;
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    let authorization = match client_auth {
        ClientAuth::Basic => {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let (id, secret): (String, String) = (encoded(client_id), encoded(secret.reveal()));
            Some(basic_authorization(&id, &secret))
        }
        ClientAuth::Body => {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", secret.reveal());
            None
        }
    };
    Some(TokenRequest {
        authorization,
        body: Secret::new(form.finish()),
    })
}

#[derive(Deserialize)]
struct Answered {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
}

/// The token in what a token server answered.
///
/// # Errors
/// Why there is none, in words that repeat nothing of the answer.
pub fn token_answer(body: &[u8]) -> Result<FetchedToken, &'static str> {
    let answered: Answered = serde_json::from_slice(body)
        .map_err(|_| "its answer is not the JSON object of RFC 6749")?;
    let token = answered
        .access_token
        .ok_or("its answer has no access_token")?;
    let bearer = |kind: &String| kind.eq_ignore_ascii_case("bearer");
    if !answered.token_type.as_ref().is_none_or(bearer) {
        return Err("its token is of a type other than Bearer");
    }
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.len());
    if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its token is empty, too long, or no text that a header can carry");
    }
    // Some servers write the number as a text.
    let seconds = answered.expires_in.and_then(|said| match said {
        serde_json::Value::String(text) => text.trim().parse::<f64>().ok(),
        said => said.as_f64(),
    });
    let lasts = seconds.map_or(TOKEN_LASTS, |seconds| {
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(TOKEN_LASTS_MAX)
    });
    Ok(FetchedToken {
        token: Secret::new(token),
        lasts: lasts.min(TOKEN_LASTS_MAX),
    })
}

/// The code of the error that a token server answered, such as `invalid_client`.
pub fn token_error(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Error {
        error: String,
    }
    let read: Error = serde_json::from_slice(body).ok()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let fits = (1..=ERROR_CHARS_MAX).contains(&read.error.len());
    (fits && read.error.bytes().all(plain)).then_some(read.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TargetUrl;

    fn client(client_auth: ClientAuth) -> Authorization {
        Authorization::Oauth2 {
            token_url: TargetUrl::parse("https://id.example.com/token").unwrap(),
            client_id: "check flow".to_owned(),
            scopes: vec!["a".to_owned(), "b:c".to_owned()],
            client_auth,
        }
    }

    #[test]
    fn a_client_says_who_it_is_in_one_of_two_places() {
        let asked = |auth| token_request(&client(auth), &Secret::new("s&=")).unwrap();
        let basic = asked(ClientAuth::Basic);
        assert_eq!(
            basic.body.reveal(),
            "grant_type=client_credentials&scope=a+b%3Ac"
        );
        let expected = BASE64_STANDARD.encode("check+flow:s%26%3D");
        let header = basic.authorization.unwrap();
        assert_eq!(header.reveal(), format!("Basic {expected}"));
        let body = asked(ClientAuth::Body);
        assert_eq!(body.authorization, None);
        assert_eq!(
            body.body.reveal(),
            "grant_type=client_credentials&scope=a+b%3Ac&client_id=check+flow&client_secret=s%26%3D"
        );
        assert_eq!(
            token_request(&Authorization::Bearer, &Secret::new("t")),
            None
        );
    }

    #[test]
    fn a_token_lasts_as_its_server_says_within_bounds() {
        for (rest, seconds) in [
            ("", 300),
            (r#","expires_in":60,"scope":"a""#, 60),
            (r#","expires_in":"60""#, 60),
            (r#","expires_in":-5"#, 0),
            (r#","expires_in":1e300"#, 86_400),
            (r#","expires_in":null"#, 300),
        ] {
            let body = format!(r#"{{"access_token":"t","token_type":"bearer"{rest}}}"#);
            let got = token_answer(body.as_bytes()).unwrap();
            assert_eq!(got.lasts, Duration::from_secs(seconds), "{rest}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        let long = format!(
            r#"{{"access_token":"{}"}}"#,
            "t".repeat(TOKEN_BYTES_MAX + 1)
        );
        for body in [
            "",
            "[]",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"SECRET x"}"#,
            r#"{"access_token":"SECRET","token_type":"mac"}"#,
            &long,
        ] {
            let why = token_answer(body.as_bytes()).unwrap_err();
            assert!(!why.contains("SECRET"), "{why}");
        }
        let code = |body: &str| token_error(body.as_bytes());
        assert_eq!(
            code(r#"{"error":"invalid_client"}"#).as_deref(),
            Some("invalid_client")
        );
        assert_eq!(code(r#"{"error":"SECRET said <b>"}"#), None);
        assert_eq!(code("no"), None);
    }
}
