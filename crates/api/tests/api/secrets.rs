//! What signs a subscription's webhooks: listed, rolled, revoked, and published.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::SigningSecret;
use serde_json::{Value, json};
use testkit::reading;

use crate::{
    feed::complete,
    harness::{Answer, NOBODY, Server, errors, text},
};

/// A secret of 32 bytes, and its base64.
const OWN: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

async fn subscribe(server: &Server, more: &Value) -> Answer {
    let mut body = json!({"source": "custom", "targetUrl": "https://example.com/hooks",
        "eventType": "task_completed", "scope": "team"});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    server
        .post("/api/web-hook/subscribe")
        .json(&body)
        .answer()
        .await
}

/// Runs an operation on the secrets of `of`.
async fn post(server: &Server, operation: &str, of: &Value, body: &Value) -> Answer {
    let target = format!(
        "/api/web-hook/{operation}?subscriptionId={}",
        text(&of["id"])
    );
    server.post(&target).json(body).answer().await
}

async fn roll(server: &Server, of: &Value, body: &Value) -> Value {
    // In a moment of its own, so that lists have an order to show.
    server.clock.advance(Duration::from_secs(1));
    post(server, "roll-secret", of, body).await.ok()
}

async fn list(server: &Server, of: &Value) -> Vec<Value> {
    let target = format!("/api/web-hook/secrets?subscriptionId={}", text(&of["id"]));
    let page = server.get(&target).answer().await.ok();
    assert_eq!(page["nextCursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

fn ids(rows: &[Value]) -> Vec<&Value> {
    rows.iter().map(|row| &row["id"]).collect()
}

/// The headers of the newest event as it would be sent now, and its body.
async fn signed_now(server: &Server, of: &Value) -> (Value, String) {
    let target = format!("/api/web-hook/events?subscriptionId={}", text(&of["id"]));
    let feed = server.get(&target).answer().await.ok();
    let item = feed["items"].as_array().unwrap().last().unwrap().clone();
    (item["headers"].clone(), text(&item["body"]).to_owned())
}

/// What the newest event is signed with, of these secrets, in the order of the entries.
async fn signers<'a>(server: &Server, of: &Value, secrets: &[(&'a str, &Value)]) -> Vec<&'a str> {
    let (headers, body) = signed_now(server, of).await;
    let at = text(&headers["webhook-timestamp"]).parse().unwrap();
    let id = text(&headers["webhook-id"]);
    let made: Vec<(&str, String)> = secrets
        .iter()
        .map(|(name, made)| {
            let secret: SigningSecret = text(&made["secret"]).parse().unwrap();
            (*name, domain::sign(&[secret], id, at, body.as_bytes()))
        })
        .collect();
    let entries = text(&headers["webhook-signature"]).split(' ');
    let whose = |entry: &str| made.iter().find(|(_, made)| made == entry);
    entries
        .map(|entry| whose(entry).expect("one of these has signed").0)
        .collect()
}

/// Whether the public key verifies one of the entries `v1a`.
fn verifies(key: &str, headers: &Value, body: &str) -> bool {
    let key = BASE64_STANDARD.decode(key.strip_prefix("whpk_").unwrap());
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key.unwrap());
    let (id, at) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let signed = format!("{}.{}.{body}", text(id), text(at));
    let entries = text(&headers["webhook-signature"]).split(' ');
    let entries = entries.filter_map(|entry| entry.strip_prefix("v1a,"));
    entries
        .map(|entry| BASE64_STANDARD.decode(entry).unwrap())
        .any(|entry| key.verify(signed.as_bytes(), &entry).is_ok())
}

/// A subscription and an event for it.
async fn stage(server: &Server, more: &Value) -> Value {
    let template = server.template().await;
    let made = subscribe(server, more).await.ok();
    let list = server.checklist(&template).await;
    complete(server, &list).await;
    made
}

#[tokio::test]
async fn a_rolled_secret_signs_beside_the_new_one_until_its_end() {
    let server = Server::start().await;
    let old = stage(&server, &json!({})).await;
    let new = roll(&server, &old, &json!({})).await;
    assert_eq!(
        (&new["kind"], &new["validUntilDateTime"], &new["publicKey"]),
        (&json!("hmac"), &Value::Null, &Value::Null)
    );
    let both = [("old", &old), ("new", &new)];
    assert_eq!(signers(&server, &old, &both).await, ["new", "old"]);
    let held = list(&server, &old).await;
    assert_eq!(held.len(), 2);
    assert_eq!(held[0]["id"], new["id"]);
    assert!(held.iter().all(|row| row.get("secret").is_none()));
    // A day, where nothing is said.
    server.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(signers(&server, &old, &both).await, ["new", "old"]);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(signers(&server, &old, &both).await, ["new"]);
    assert_eq!(ids(&list(&server, &old).await), [&new["id"]]);
}

#[tokio::test]
async fn rolling_without_keeping_the_old_one_revokes_it_at_once() {
    let server = Server::start().await;
    let old = stage(&server, &json!({})).await;
    let new = roll(&server, &old, &json!({"keepOldFor": 0, "secret": OWN})).await;
    assert_eq!(new["secret"], OWN);
    let both = [("old", &old), ("new", &new)];
    assert_eq!(signers(&server, &old, &both).await, ["new"]);
    assert_eq!(ids(&list(&server, &old).await), [&new["id"]]);
}

#[tokio::test]
async fn rolling_to_a_secret_that_signs_already_is_refused_for_it_would_change_nothing() {
    let server = Server::start().await;
    let seed = |byte| BASE64_STANDARD.encode([byte; 32]);
    let (hmac, key) = (format!("whsec_{}", seed(1)), format!("whsk_{}", seed(2)));
    let made = stage(&server, &json!({"secret": hmac, "signing": "both"})).await;
    roll(&server, &made, &json!({"secret": key, "keepOldFor": 0})).await;
    let held = list(&server, &made).await;
    for (secret, kind) in [(&hmac, "hmac"), (&key, "ed25519")] {
        let id = text(&held.iter().find(|row| row["kind"] == kind).unwrap()["id"]);
        for keep in [0, 600] {
            let body = json!({"secret": secret, "keepOldFor": keep});
            let problem = post(&server, "roll-secret", &made, &body).await.problem();
            assert_eq!(problem["code"], "invalid_request", "{problem}");
            let said = errors(&problem).remove(0);
            let expected = format!("secret is a secret of this subscription already (id {id})");
            assert!(said.starts_with(&expected), "{said}");
            assert!(!problem.to_string().contains(&**secret), "{problem}");
        }
    }
    assert_eq!(list(&server, &made).await, held);
    // One that has run out is no longer one of them.
    roll(&server, &made, &json!({"kind": "hmac", "keepOldFor": 60})).await;
    server.clock.advance(Duration::from_mins(1));
    roll(&server, &made, &json!({"secret": hmac})).await;
}

#[tokio::test]
async fn an_empty_secret_is_no_secret_of_ones_own() {
    let server = Server::start().await;
    let made = stage(&server, &json!({"secret": null})).await;
    assert!(text(&made["secret"]).starts_with("whsec_"));
    let refused = |answer: Answer| {
        let problem = answer.problem();
        assert_eq!(problem["code"], "invalid_request", "{problem}");
        let said = errors(&problem).remove(0);
        assert!(said.starts_with("secret is empty: give one"), "{said}");
    };
    for empty in ["", "  "] {
        let body = json!({"secret": empty});
        refused(subscribe(&server, &body).await);
        refused(post(&server, "roll-secret", &made, &body).await);
    }
}

#[tokio::test]
async fn one_is_revoked_by_its_identifier_unless_nothing_could_be_signed_without_it() {
    let server = Server::start().await;
    let old = stage(&server, &json!({})).await;
    let first = list(&server, &old).await.remove(0);
    let new = roll(&server, &old, &json!({"keepOldFor": 600})).await;
    let revoke = async |id: &Value| {
        let body = json!({"secretId": id});
        post(&server, "revoke-secret", &old, &body).await
    };
    let refused = revoke(&new["id"]).await.problem();
    assert_eq!(
        (&refused["code"], &refused["status"]),
        (&json!("secret_in_use"), &json!(409))
    );
    assert!(text(&refused["detail"]).contains("roll first"), "{refused}");
    let left = revoke(&first["id"]).await.ok();
    assert_eq!(ids(left["items"].as_array().unwrap()), [&new["id"]]);
    assert_eq!(signers(&server, &old, &[("new", &new)]).await, ["new"]);
    for gone in [&first["id"], &json!(NOBODY)] {
        let (status, code) = (404, json!("secret_missing"));
        let refused = revoke(gone).await.problem();
        assert_eq!(
            (&refused["status"], &refused["code"]),
            (&json!(status), &code)
        );
    }
}

#[tokio::test]
async fn ten_may_sign_at_once() {
    let server = Server::start().await;
    let old = stage(&server, &json!({})).await;
    for _ in 1..10 {
        roll(&server, &old, &json!({"keepOldFor": 600})).await;
    }
    assert_eq!(list(&server, &old).await.len(), 10);
    let full = post(&server, "roll-secret", &old, &json!({})).await;
    assert_eq!(full.problem()["code"], "secrets_full");
    // Who switches needs room as well; what has run out takes none.
    let target = format!(
        "/api/web-hook/subscription?subscriptionId={}",
        text(&old["id"])
    );
    let body = json!({"signing": "both"});
    let switch = async || server.ask("PATCH", &target).json(&body).answer().await;
    assert_eq!(switch().await.problem()["code"], "secrets_full");
    let row = server.get(&target).answer().await.ok();
    assert_eq!(row["signing"], "hmac", "it is one commit");
    server.clock.advance(Duration::from_secs(700));
    assert!(text(&switch().await.ok()["publicKey"]).starts_with("whpk_"));
    assert_eq!(list(&server, &old).await.len(), 2);
}

#[tokio::test]
async fn asymmetric_signatures_are_verified_with_what_is_published() {
    let server = Server::start().await;
    let made = stage(&server, &json!({"signing": "ed25519"})).await;
    assert_eq!(
        (&made["signing"], &made["secret"]),
        (&json!("ed25519"), &Value::Null)
    );
    let (headers, body) = signed_now(&server, &made).await;
    assert!(verifies(text(&made["publicKey"]), &headers, &body));
    let held = list(&server, &made).await.remove(0);
    assert_eq!(held["publicKey"], made["publicKey"]);
    assert_eq!(headers["checkflow-key"], held["id"]);

    let new = roll(&server, &made, &json!({"keepOldFor": 600})).await;
    assert_eq!(new["secret"], Value::Null);
    let (headers, body) = signed_now(&server, &made).await;
    for key in [&made["publicKey"], &new["publicKey"]] {
        assert!(verifies(text(key), &headers, &body), "{key}");
    }
    let keys = format!("{} {}", text(&new["id"]), text(&held["id"]));
    assert_eq!(headers["checkflow-key"], keys);

    let path = format!("/.well-known/checkflow/{}/jwks.json", server.team.get());
    let set = server.get(&path).answer().await;
    assert_eq!(set.header("content-type"), "application/jwk-set+json");
    assert_eq!(set.header("cache-control"), "public, max-age=300");
    let set = set.ok();
    let kids: Vec<&Value> = set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    assert_eq!(kids, [&new["id"], &held["id"]]);
    let x = text(&set["keys"][0]["x"])
        .replace('-', "+")
        .replace('_', "/");
    assert_eq!(new["publicKey"], format!("whpk_{x}="));
    assert_eq!(
        set["keys"][1],
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": held["id"], "x": set["keys"][1]["x"]})
    );

    // A little longer than it signs: what was signed a moment before can still be verified.
    let kept = async |seconds| {
        server.clock.advance(Duration::from_secs(seconds));
        let set = server.get(&path).answer().await.ok();
        set["keys"].as_array().unwrap().len()
    };
    assert_eq!(kept(899).await, 2);
    assert_eq!(kept(2).await, 1);
}

#[tokio::test]
async fn keys_are_for_anybody_and_who_has_none_is_not_told_from_who_is_not_there() {
    let server = Server::start().await;
    stage(&server, &json!({"signing": "both"})).await;
    let ask = async |team: &str| {
        let path = format!("/.well-known/checkflow/{team}/jwks.json");
        let asked = server.get(&path).header("x-api-key", "");
        asked.answer().await
    };
    let ours = ask(&server.team.get().to_string()).await.ok();
    assert_eq!(ours["keys"].as_array().unwrap().len(), 1);
    let (other, nobody) = (ask("2").await, ask("987654").await);
    for (name, value) in &other.headers {
        let differs = name == "x-request-id";
        assert!(differs || nobody.headers.get(name) == Some(value), "{name}");
    }
    assert_eq!(nobody.ok(), json!({"keys": []}));
    assert_eq!(other.ok(), json!({"keys": []}));
    for wrong in ["x", "1.5", "99999999999999999999999"] {
        assert_eq!(
            ask(wrong).await.problem()["code"],
            "route_missing",
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn switching_makes_what_is_lacking_and_shows_it_once() {
    let server = Server::start().await;
    let made = stage(&server, &json!({})).await;
    let target = format!(
        "/api/web-hook/subscription?subscriptionId={}",
        text(&made["id"])
    );
    let switch = async |signing: &str| {
        server.clock.advance(Duration::from_secs(1));
        let body = json!({ "signing": signing });
        server.ask("PATCH", &target).json(&body).answer().await.ok()
    };
    let both = switch("both").await;
    assert_eq!(both["secret"], Value::Null, "there is one");
    let (headers, body) = signed_now(&server, &made).await;
    assert!(verifies(text(&both["publicKey"]), &headers, &body));
    let signature = text(&headers["webhook-signature"]);
    assert!(
        signature.starts_with("v1a,") && signature.contains(" v1,"),
        "{signature}"
    );
    // Back and forth makes nothing anew: what is there is there.
    for signing in ["ed25519", "hmac", "both"] {
        let again = switch(signing).await;
        assert_eq!(
            (&again["secret"], &again["publicKey"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(list(&server, &made).await.len(), 2);
    }
    switch("ed25519").await;
    let (headers, _) = signed_now(&server, &made).await;
    assert!(!text(&headers["webhook-signature"]).contains("v1,"));
    // What is not in use can go, and is made anew when it is wanted again.
    let held = list(&server, &made).await;
    let hmac = held.iter().find(|row| row["kind"] == "hmac").unwrap();
    post(
        &server,
        "revoke-secret",
        &made,
        &json!({"secretId": hmac["id"]}),
    )
    .await
    .ok();
    let new = switch("hmac").await;
    assert!(text(&new["secret"]).starts_with("whsec_"));
    assert_eq!(signers(&server, &made, &[("new", &new)]).await, ["new"]);
}

#[tokio::test]
async fn own_secrets_are_taken_when_they_are_good_and_never_from_an_address() {
    let server = Server::start().await;
    let bare = OWN.strip_prefix("whsec_").unwrap();
    let made = stage(&server, &json!({"secret": bare})).await;
    assert_eq!(made["secret"], OWN);
    let key = format!("whsk_{bare}");
    let rolled = roll(&server, &made, &json!({"secret": key})).await;
    assert_eq!(
        (&rolled["kind"], &rolled["secret"]),
        (&json!("ed25519"), &Value::Null)
    );
    for (body, error) in [
        (
            json!({"secret": "whsec_c2hvcnQ="}),
            "secret must hold 24 to 64 bytes, but holds 5",
        ),
        (
            json!({"secret": "whsec_!"}),
            "secret must have base64 after whsec_",
        ),
        (
            json!({"secret": "whsk_c2hvcnQ="}),
            "secret must hold the 32 bytes of a seed, with or without the 32 of its public key behind them, but holds 5",
        ),
        (
            json!({"secret": key, "kind": "hmac"}),
            "secret is of the kind ed25519, and kind is hmac",
        ),
        (
            json!({"kind": "rsa"}),
            "kind must be hmac or ed25519, but is \"rsa\"",
        ),
        (
            json!({"keepOldFor": 2_592_001}),
            "keepOldFor must be from 0 to 2592000, but is 2592001",
        ),
    ] {
        let refused = post(&server, "roll-secret", &made, &body).await.problem();
        assert_eq!(errors(&refused), [error], "{body}");
        assert!(
            !refused.to_string().contains("c2hvcnQ"),
            "it is not repeated"
        );
    }
    let wrong = subscribe(&server, &json!({"source": "b", "secret": key}))
        .await
        .problem();
    assert_eq!(
        errors(&wrong),
        ["secret is of the kind ed25519, and signing is hmac"]
    );
    let target = format!(
        "/api/web-hook/roll-secret?subscriptionId={}&secret={bare}",
        text(&made["id"])
    );
    let wrong = errors(&server.post(&target).answer().await.problem());
    assert!(wrong[0].contains("must stand in a JSON body"), "{wrong:?}");
    let both = subscribe(&server, &json!({"source": "c", "signing": "both"}))
        .await
        .ok();
    let which = post(&server, "roll-secret", &both, &json!({}))
        .await
        .problem();
    assert_eq!(
        errors(&which),
        ["kind must be hmac or ed25519: the subscription is signed with both"]
    );
}

#[tokio::test]
async fn secrets_of_what_is_not_ours_are_not_there_and_those_of_what_has_ended_stay() {
    let server = Server::start().await;
    let made = stage(&server, &json!({})).await;
    let id = text(&made["id"]);
    let paths = [
        ("GET", "secrets", ""),
        ("POST", "roll-secret", ""),
        (
            "POST",
            "revoke-secret",
            "&secretId=0192f3a4-5b6c-7d8e-9f01-23456789abcd",
        ),
    ];
    let ask = |method: &str, path: &str, of: &str, more: &str| {
        server.ask(
            method,
            &format!("/api/web-hook/{path}?subscriptionId={of}{more}"),
        )
    };
    let missing = (404, "subscription_missing".to_owned());
    for (method, path, more) in paths {
        let theirs = ask(method, path, id, more).header("x-api-key", &server.other_key);
        assert_eq!(theirs.refusal().await, missing, "{path}");
        assert_eq!(
            ask(method, path, NOBODY, more).refusal().await,
            missing,
            "{path}"
        );
    }
    let end = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    server.ask("DELETE", &end).answer().await.ok();
    let gone = (409, "subscription_gone".to_owned());
    for (method, path, more) in &paths[1..] {
        assert_eq!(ask(method, path, id, more).refusal().await, gone, "{path}");
    }
    assert_eq!(list(&server, &made).await.len(), 1);
}

#[tokio::test]
async fn every_change_of_secrets_leaves_a_line_in_the_audit_log() {
    let server = Server::start().await;
    let made = stage(&server, &json!({})).await;
    let first = list(&server, &made).await.remove(0);
    let new = roll(&server, &made, &json!({"keepOldFor": 60})).await;
    post(
        &server,
        "revoke-secret",
        &made,
        &json!({"secretId": first["id"]}),
    )
    .await
    .ok();
    let target = format!(
        "/api/web-hook/subscription?subscriptionId={}",
        text(&made["id"])
    );
    let switched = server
        .ask("PATCH", &target)
        .json(&json!({"signing": "both"}));
    switched.answer().await.ok();
    let team = server.team;
    let look = reading!([team] tx => tx.audit_list(*team, None, 3).await);
    let lines = server.store.read(look).await.unwrap();
    let said: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (&*line.action, &*line.detail))
        .collect();
    let id = |of: &Value| text(&of["id"]).to_owned();
    let key = list(&server, &made).await.remove(0);
    assert_eq!(
        said,
        [
            (
                "subscription.change",
                &*format!("signing both, made ed25519 {}", id(&key))
            ),
            (
                "subscription.revoke-secret",
                &format!("hmac {}", id(&first))
            ),
            (
                "subscription.roll-secret",
                &format!("hmac {}, 1 older until 2026-11-23T17:42:56.120Z", id(&new))
            ),
        ]
    );
    assert!(lines.iter().all(|line| line.subject == id(&made)));
}
