use serde_json::{Value, json};

use domain::{Proxy, TargetUrl};
use store::SubscriptionChange;
use testkit::writing;

use crate::{
    harness::{Server, text},
    subscription_requests::subscribe,
};

async fn explain(server: &Server, target: &str) -> Value {
    let asked = format!("/api/web-hook/explain?targetUrl={target}");
    server.get(&asked).answer().await.ok()
}

#[tokio::test]
async fn an_allowed_target_is_explained_with_its_addresses() {
    let server = Server::start().await;
    let found = explain(&server, "HTTPS%3A%2F%2FExample.com%2Fhooks").await;
    assert_eq!(
        found,
        json!({
            "targetURL": "https://example.com/hooks",
            "allowed": true,
            "rule": null,
            "reason": "webhooks may be sent there",
            "setting": null,
            "host": "example.com",
            "port": 443,
            "addresses": [{
                "address": "93.184.215.14",
                "allowed": true,
                "range": null,
                "rangeDescription": null,
                "openedBy": null,
            }],
            "reaches": [],
        })
    );
}

#[tokio::test]
async fn a_refused_target_is_explained_by_its_rule_and_what_would_allow_it() {
    let server = Server::start().await;
    let found = explain(&server, "http%3A%2F%2Fintranet.example.com%3A8080%2F").await;
    assert_eq!(
        (&found["allowed"], &found["rule"], &found["port"]),
        (&json!(false), &json!("private"), &json!(8080))
    );
    assert_eq!(
        found["setting"],
        "webhook.allow_targets = [\"intranet.example.com\"]"
    );
    assert_eq!(
        found["addresses"],
        json!([{
            "address": "10.0.0.7",
            "allowed": false,
            "range": "private",
            "rangeDescription": "a private address (10.0.0.0/8, RFC 1918)",
            "openedBy": null,
        }])
    );
}

#[tokio::test]
async fn what_can_not_be_resolved_or_read_is_explained_too() {
    let server = Server::start().await;
    for (target, rule, host) in [
        (
            "https%3A%2F%2Fnobody.example%2F",
            "unresolvable",
            json!("nobody.example"),
        ),
        ("ftp%3A%2F%2Fexample.com%2F", "not_http", Value::Null),
        (
            "https%3A%2F%2Fme%3Apass%40example.com%2F",
            "credentials",
            Value::Null,
        ),
        ("hooks", "not_absolute", Value::Null),
    ] {
        let found = explain(&server, target).await;
        assert_eq!(found["rule"], rule, "{target}");
        assert_eq!(
            (&found["allowed"], &found["host"]),
            (&json!(false), &host),
            "{target}"
        );
        assert_eq!(found["addresses"], json!([]), "{target}");
    }
}

#[tokio::test]
async fn nothing_is_explained_without_a_target_or_a_key() {
    let server = Server::start().await;
    let (status, _) = server.get("/api/web-hook/explain").refusal().await;
    assert_eq!(status, 400);
    let unknown = server
        .get("/api/web-hook/explain?targetUrl=https%3A%2F%2Fexample.com%2F")
        .header("x-api-key", "ck_nobody");
    assert_eq!(unknown.refusal().await.0, 401);
}

#[tokio::test]
async fn a_target_is_not_allowed_whose_proxy_is_refused() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({})).await.ok();
    let id = text(&made["id"]).parse().unwrap();
    let explain = format!("/api/web-hook/explain?subscriptionId={id}");
    let sound = server.get(&explain).answer().await.ok();
    assert_eq!(sound["allowed"], true);
    // Allowed when it was set, and no longer.
    let team = server.team;
    let unit = writing!([id, team] tx => {
        let found = tx.subscription_get(*team, *id).await?.expect("it is there");
        let mut settings = found.settings;
        settings.request.proxy = Some(Proxy {
            url: TargetUrl::parse("http://intranet.example.com:3128").expect("a proxy"),
            user: None,
        });
        let change = SubscriptionChange { source: found.source, target: found.target, settings };
        tx.subscription_put(*id, &change).await
    });
    assert!(server.store.write(unit).await.unwrap());
    let found = server.get(&explain).answer().await.ok();
    assert_eq!(
        (&found["allowed"], &found["rule"]),
        (&json!(false), &json!("private"))
    );
    let reason = text(&found["reason"]);
    assert!(reason.contains("proxy.url"), "{reason}");
    assert_eq!(found["setting"], found["reaches"][0]["setting"]);
    assert_eq!(
        found["addresses"], sound["addresses"],
        "those of the target"
    );
}
