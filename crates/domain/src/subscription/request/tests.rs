//! What may be wished for, what is kept of it, and what is shown.

use uuid::Uuid;

use super::*;
use crate::{DeliveryId, EventId, EventType, FieldError, Timestamp};

/// Takes every text but one that says `bad`.
struct Judge;

impl TlsJudge for Judge {
    fn judge(&self, pems: TlsPems<'_>) -> Result<TlsSettings, FieldError> {
        if pems.client_is_new && pems.client.is_some_and(|(chain, _)| chain == "lapsed") {
            return Err(FieldError::new("tls.certificate", "has lapsed"));
        }
        if pems.ca_is_new && pems.ca == Some("bad") {
            return Err(FieldError::new("tls.ca", "is bad"));
        }
        Ok(TlsSettings {
            ca_sha256: pems.ca.map(|_| "aa".to_owned()).into_iter().collect(),
            certificate_sha256: pems.client.map(|_| "bb".to_owned()),
            certificate_valid_until: pems.client.map(|_| Timestamp::from_millis(1)),
        })
    }
}

fn headers(given: &[(&str, &str)]) -> RequestChange {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
    RequestChange {
        headers: Some(given.iter().map(own).collect()),
        ..RequestChange::default()
    }
}

fn authorized(ask: AuthorizationAsk) -> RequestChange {
    RequestChange {
        authorization: Some(Some(ask)),
        ..RequestChange::default()
    }
}

fn basic(user: &str, password: &str) -> AuthorizationAsk {
    AuthorizationAsk::Basic {
        user: user.to_owned(),
        password: Secret::new(password),
    }
}

fn oauth2(token_url: &str, client_secret: &str) -> AuthorizationAsk {
    AuthorizationAsk::Oauth2 {
        token_url: token_url.to_owned(),
        client_id: "checkflow".to_owned(),
        client_secret: Secret::new(client_secret),
        scopes: vec!["hooks:write".to_owned()],
        client_auth: ClientAuth::Body,
    }
}

fn proxied(url: &str, user: Option<(&str, &str)>) -> RequestChange {
    let user = user.map(|(user, password)| (user.to_owned(), Secret::new(password)));
    RequestChange {
        proxy: Some(Some(ProxyAsk {
            url: url.to_owned(),
            user,
        })),
        ..RequestChange::default()
    }
}

fn tls(ca: Option<&str>, certificate: Option<&str>, key: Option<&str>) -> RequestChange {
    let [ca, certificate, key] = [ca, certificate, key].map(|text| text.map(Secret::new));
    RequestChange {
        tls: Some(Some(TlsAsk {
            ca,
            certificate,
            key,
        })),
        ..RequestChange::default()
    }
}

fn after(change: &RequestChange, before: &Changed) -> Result<Changed, Vec<FieldError>> {
    change.of(&before.settings, before.credentials.as_ref(), &Judge)
}

fn nothing() -> Changed {
    Changed {
        settings: RequestSettings::default(),
        credentials: None,
    }
}

/// Everything at once.
fn all() -> Changed {
    let change = RequestChange {
        https_only: Some(true),
        payload: Some(Payload::Thin),
        traceparent: Some(true),
        http_version: Some(HttpVersion::Http2),
        headers: headers(&[("X-Key", "header-secret")]).headers,
        authorization: authorized(oauth2("https://id.example.com/token", "client-secret"))
            .authorization,
        tls: tls(Some("ca"), Some("chain"), Some("key-secret")).tls,
        proxy: proxied(
            "http://proxy.example.com:3128",
            Some(("me", "proxy-secret")),
        )
        .proxy,
    };
    after(&change, &nothing()).unwrap()
}

/// The fields that a change of nothing is refused for.
fn refused(change: &RequestChange) -> Vec<String> {
    let errors = after(change, &nothing()).unwrap_err();
    errors.into_iter().map(|error| error.field).collect()
}

#[test]
fn a_user_may_have_no_password_and_a_password_no_user() {
    for (user, password, value) in [("key", "", "Basic a2V5Og=="), ("", "key", "Basic OmtleQ==")] {
        let plain = RequestSettings::default();
        let changed = authorized(basic(user, password)).of(&plain, None, &Judge);
        let changed = changed.unwrap();
        let stored = changed.credentials.unwrap().authorization.unwrap();
        assert_eq!(stored.reveal(), password);
        assert_eq!(basic_authorization(user, stored.reveal()).reveal(), value);
        RequestStyle::of(
            &changed.settings,
            Some(Credentials {
                authorization: Some(stored),
                ..Credentials::default()
            }),
        )
        .unwrap();
    }
}

#[test]
fn what_is_wished_for_reads_back_from_what_is_stored() {
    let all = all();
    let text = serde_json::to_string(&all.settings).unwrap();
    assert_eq!(
        serde_json::from_str::<RequestSettings>(&text).unwrap(),
        all.settings
    );
    let credentials = all.credentials.unwrap();
    let read = Credentials::read(&credentials.to_bytes());
    assert_eq!(read.as_ref(), Some(&credentials));
    let style = RequestStyle::of(&all.settings, read).unwrap().unwrap();
    assert_eq!(style.settings, all.settings);
    assert_eq!(
        RequestStyle::of(&RequestSettings::default(), None),
        Ok(None)
    );
    assert_eq!(
        serde_json::to_string(&RequestSettings::default()).unwrap(),
        "{}"
    );
    // A wish without its secret is not sent half.
    assert_eq!(RequestStyle::of(&all.settings, None), Err(SecretMissing));
}

#[test]
fn what_is_not_secret_holds_no_secret_and_nothing_prints_one() {
    let all = all();
    let row = serde_json::to_string(&RequestRow::from(&all.settings)).unwrap();
    let stored = serde_json::to_string(&all.settings).unwrap();
    let asked = format!("{:?}", authorized(basic("me", "a-secret")));
    for shown in [format!("{all:?}"), row, stored, asked] {
        assert!(!shown.contains("-secret"), "{shown}");
    }
}

#[test]
fn what_was_read_and_is_sent_back_changes_nothing() {
    let before = all();
    let change = RequestChange {
        headers: headers(&[("x-key", MASK)]).headers,
        authorization: authorized(oauth2("https://id.example.com/token", MASK)).authorization,
        tls: tls(Some(MASK), Some(MASK), Some(MASK)).tls,
        proxy: proxied("http://proxy.example.com:3128/", Some(("me", MASK))).proxy,
        ..RequestChange::default()
    };
    assert_eq!(after(&change, &before), Ok(before));
}

#[test]
fn what_is_stored_for_tls_is_kept_though_it_would_not_be_taken_anew() {
    let mut before = all();
    let stored = before.credentials.as_mut().unwrap();
    stored.ca = Some("bad".to_owned());
    stored.certificate = Some("lapsed".to_owned());
    let change = tls(Some(MASK), Some(MASK), Some(MASK));
    assert_eq!(after(&change, &before), Ok(before.clone()));
    for anew in [
        tls(Some("bad"), Some(MASK), Some(MASK)),
        tls(Some(MASK), Some("lapsed"), Some(MASK)),
    ] {
        after(&anew, &before).unwrap_err();
    }
}

#[test]
fn a_mask_keeps_only_what_goes_where_it_went_before() {
    let before = all();
    for change in [
        headers(&[("X-Other", MASK)]),
        authorized(oauth2("https://elsewhere.example.com/token", MASK)),
        authorized(basic("me", MASK)),
        proxied("http://other.example.com:3128", Some(("me", MASK))),
    ] {
        let errors = after(&change, &before).unwrap_err();
        assert!(
            errors[0].message.contains("nothing is stored"),
            "{errors:?}"
        );
    }
}

#[test]
fn each_wish_can_be_taken_away() {
    let change = RequestChange {
        https_only: Some(false),
        payload: None,
        traceparent: Some(false),
        http_version: Some(HttpVersion::Http11),
        headers: Some(Vec::new()),
        authorization: Some(None),
        tls: Some(None),
        proxy: Some(None),
    };
    let left = after(&change, &all()).unwrap();
    let thin = RequestSettings {
        payload: Payload::Thin,
        ..RequestSettings::default()
    };
    assert_eq!((left.settings, left.credentials), (thin, None));
}

#[test]
fn names_of_headers_are_taken_and_refused_as_the_refusal_says() {
    for name in ["x_tenant.id", "A1!#$%&'*+-.^_`|~", &"x".repeat(128)] {
        let taken = after(&headers(&[(name, "1")]), &nothing()).unwrap();
        assert_eq!(taken.settings.headers, [name.to_ascii_lowercase()]);
    }
    for name in ["x y", "x:", "x/y", "é", &"x".repeat(129)] {
        let errors = after(&headers(&[(name, "1")]), &nothing()).unwrap_err();
        assert_eq!(
            errors[0].message,
            "is no name of a header: write 1 to 128 letters, digits or any of -_.!#$%&'*+^`|~, such as X-Api-Key"
        );
    }
}

#[test]
fn headers_of_ours_and_of_the_connection_are_refused_by_name() {
    for name in [
        "Webhook-Id",
        "checkflow-x",
        "Content-Type",
        "HOST",
        "connection",
        "Transfer-Encoding",
        "keep-alive",
        "TE",
        "upgrade",
        "proxy-authorization",
        "user-agent",
        "",
        "a b",
        "x:y",
        "ü",
        "x\n",
    ] {
        let field = format!("headers.{name}");
        let name = if name == "x\n" { "x\ny" } else { name };
        let fields = refused(&headers(&[(name, "1")]));
        assert_eq!(fields.len(), 1, "{field}");
        assert!(fields[0].starts_with("headers."), "{field}");
    }
    let longest = "v".repeat(HEADER_VALUE_BYTES_MAX);
    for value in ["", "a\nb", "ü", " a", "a\r", &format!("{longest}v")] {
        assert_eq!(refused(&headers(&[("X-A", value)])), ["headers.X-A"]);
    }
    after(
        &headers(&[("X-A", &longest), ("x-b", "a\tb ~")]),
        &nothing(),
    )
    .unwrap();
    let sum = refused(&headers(&[("x-a", &longest), ("x-b", &longest)]));
    assert_eq!(sum, ["headers"]);
    assert_eq!(
        refused(&headers(&[("X-A", "1"), ("x-a", "2")])),
        ["headers.x-a"]
    );
    let many: Vec<String> = (0..=HEADERS_MAX).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(refused(&headers(&many)), ["headers"]);
    after(&headers(&many[1..]), &nothing()).unwrap();
}

#[test]
fn what_is_set_otherwise_is_no_header() {
    let own = headers(&[("Authorization", "Custom x"), ("TraceParent", "00-1")]);
    let before = after(&own, &nothing()).unwrap();
    let errors = after(
        &RequestChange {
            traceparent: Some(true),
            ..authorized(basic("me", "pw"))
        },
        &before,
    );
    let fields: Vec<_> = errors.unwrap_err().into_iter().map(|e| e.field).collect();
    assert_eq!(fields, ["headers.authorization", "headers.traceparent"]);
}

#[test]
fn authorizations_that_no_header_can_carry_are_refused() {
    for (ask, expected) in [
        (basic("", ""), "authorization.user"),
        (basic("a:b", "p"), "authorization.user"),
        (basic("a", "p\n"), "authorization.password"),
        (
            AuthorizationAsk::Bearer {
                token: Secret::new("a b"),
            },
            "authorization.token",
        ),
        (oauth2("id.example.com", "s"), "authorization.tokenUrl"),
        (
            oauth2("https://me:pw@id.example.com", "s"),
            "authorization.tokenUrl",
        ),
        (
            oauth2("https://id.example.com", ""),
            "authorization.clientSecret",
        ),
    ] {
        assert_eq!(refused(&authorized(ask)), [expected]);
    }
    let AuthorizationAsk::Oauth2 {
        token_url,
        client_id,
        client_secret,
        client_auth,
        ..
    } = oauth2("https://id.example.com", "s")
    else {
        unreachable!("it was made so")
    };
    let scopes = vec!["two words".to_owned()];
    let ask = AuthorizationAsk::Oauth2 {
        token_url,
        client_id,
        client_secret,
        scopes,
        client_auth,
    };
    assert_eq!(refused(&authorized(ask)), ["authorization.scopes"]);
}

#[test]
fn a_proxy_is_a_host_and_a_port_and_tls_is_whole() {
    for url in [
        "https://proxy.example.com",
        "http://proxy.example.com/x",
        "http://proxy.example.com?x",
        "socks5://proxy.example.com",
        "http://me:pw@proxy.example.com",
        "proxy",
    ] {
        assert_eq!(refused(&proxied(url, None)), ["proxy.url"], "{url}");
    }
    let userless = proxied("http://proxy.example.com", Some(("", "")));
    assert_eq!(refused(&userless), ["proxy.user"]);
    let long = "x".repeat(PEM_BYTES_MAX + 1);
    for (change, expected) in [
        (tls(None, None, None), "tls"),
        (tls(Some("bad"), None, None), "tls.ca"),
        (tls(Some(&long), None, None), "tls.ca"),
        (tls(None, Some("lapsed"), Some("key")), "tls.certificate"),
        (tls(None, Some("chain"), None), "tls.key"),
        (tls(None, None, Some("key")), "tls.certificate"),
    ] {
        assert_eq!(refused(&change), [expected]);
    }
}

#[test]
fn a_thin_body_holds_identifiers_alone_and_is_the_same_every_time() {
    for sample in ["new_checklist", "task_completed", "file_uploaded"] {
        let path = format!(
            "{}/../../docs/samples/{sample}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let full = std::fs::read(path).unwrap();
        let body = thin(&full).unwrap();
        assert_eq!(thin(&full).unwrap(), body);
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read["type"], sample);
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\"checklistId\":1"), "{text}");
        assert!(text.contains("\"templateKey\""), "{text}");
        for told in ["Invoice", "Scanner", "Name", "Url", "value", "Receive"] {
            assert!(!text.contains(told), "{told} in {text}");
        }
        assert!(body.len() < 700, "{} bytes", body.len());
    }
    assert_eq!(thin(b"{}"), None);
    let kind = EventType::TaskCompleted.word();
    let bare = format!(r#"{{"type":"{kind}","timestamp":"t","data":{{"more":[1]}}}}"#);
    let expected = format!(r#"{{"type":"{kind}","timestamp":"t","data":{{}}}}"#);
    assert_eq!(thin(bare.as_bytes()).unwrap(), expected);
}

#[test]
fn one_event_is_one_trace_and_each_attempt_a_span_of_it() {
    let (event, delivery) = (
        Uuid::from_u128(0x019a << 112 | 7),
        DeliveryId::new(Uuid::from_u128(9)),
    );
    let first = traceparent(EventId::new(event), delivery, 1);
    assert_eq!(first.len(), 55);
    assert!(
        first.starts_with("00-019a0000000000000000000000000007-"),
        "{first}"
    );
    assert!(first.ends_with("-01"), "{first}");
    assert_eq!(first, traceparent(EventId::new(event), delivery, 1));
    let second = traceparent(EventId::new(event), delivery, 2);
    assert_eq!(first[..35], second[..35]);
    assert_ne!(first, second);
    let other = DeliveryId::new(Uuid::from_u128(10));
    assert_ne!(first, traceparent(EventId::new(event), other, 1));
}
