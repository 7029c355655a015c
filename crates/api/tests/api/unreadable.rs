//! Subscriptions of which something that is stored can't be read: they are seen, mended and ended.

use domain::SubscriptionSettings;
use serde_json::{Value, json};
use store::SubscriptionChange;
use testkit::writing;

use crate::{
    harness::{Answer, Server, errors, text},
    subscription_requests::{change, subscribe},
};

/// Has the settings of a subscription be what nobody can read.
async fn damage(server: &Server, made: &Value) {
    let id = text(&made["id"]).parse().unwrap();
    let team = server.team;
    let unit = writing!([id, team] tx => {
        let found = tx.subscription_get(*team, *id).await?.expect("it is there");
        let change = SubscriptionChange {
            source: found.source,
            target: found.target,
            settings: SubscriptionSettings { unreadable: true, ..found.settings },
        };
        tx.subscription_put(*id, &change).await
    });
    assert!(server.store.write(unit).await.unwrap());
}

async fn get(server: &Server, operation: &str, id: &str) -> Answer {
    let target = format!("/api/web-hook/{operation}?subscriptionId={id}");
    server.get(&target).answer().await
}

async fn post(server: &Server, operation: &str, id: &str) -> Answer {
    let target = format!("/api/web-hook/{operation}?subscriptionId={id}");
    server.post(&target).answer().await
}

/// A refusal that says what to do.
fn refused(answer: &Answer, said: &str) {
    let problem = answer.problem();
    assert_eq!(problem["code"], "subscription_unreadable", "{problem}");
    assert!(text(&problem["detail"]).contains(said), "{problem}");
}

/// A change of all that is read from one text.
fn whole() -> Value {
    json!({"signing": "ed25519", "proof": null, "httpsOnly": true, "payload": "thin", "traceparent": null,
        "httpVersion": null, "headers": null, "authorization": null, "tls": null, "proxy": null,
        "keepAnswer": null, "maskResponseHeaders": null, "deleteBodyOnSuccess": null})
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_listed_said_and_ended() {
    let server = Server::start().await;
    let other = json!({"source": "other", "ordering": "checklist"});
    let (sound, broken) = (
        subscribe(&server, &json!({})).await.ok(),
        subscribe(&server, &other).await.ok(),
    );
    damage(&server, &broken).await;
    let listed = server
        .get("/api/web-hook/subscriptions")
        .answer()
        .await
        .ok();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["id"], sound["id"]);
    assert_eq!(listed[0].get("unreadable"), None, "not there otherwise");
    assert_eq!(listed[1]["ordering"], "checklist", "what is known is shown");
    let id = text(&broken["id"]);
    for row in [
        listed[1].clone(),
        get(&server, "subscription", id).await.ok(),
        get(&server, "subscription-health", id).await.ok(),
        subscribe(&server, &other).await.ok(),
        post(&server, "pause", id).await.ok(),
        post(&server, "resume", id).await.ok(),
    ] {
        let said = text(&row["unreadable"]);
        assert!(said.contains("PATCH /api/web-hook/subscription"), "{said}");
    }
    for operation in ["test", "prove", "roll-secret"] {
        refused(&post(&server, operation, id).await, "give all of them anew");
    }
    for operation in ["explain", "events"] {
        refused(&get(&server, operation, id).await, "give all of them anew");
    }
    let target = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    let ended = server.ask("DELETE", &target).answer().await.ok();
    assert_eq!(ended["state"], "gone");
    let left = server
        .get("/api/web-hook/subscriptions")
        .answer()
        .await
        .ok();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_mended_by_giving_all_of_them() {
    let server = Server::start().await;
    let wishes = json!({"payload": "thin", "signing": "ed25519"});
    let made = subscribe(&server, &wishes).await.ok();
    let id = text(&made["id"]);
    damage(&server, &made).await;
    let mut part = whole();
    part.as_object_mut().unwrap().remove("payload");
    for (ask, missing) in [(json!({}), 13), (json!({"source": "x"}), 13), (part, 1)] {
        let problem = change(&server, id, &ask).await.problem();
        let said = errors(&problem);
        assert_eq!(said.len(), missing, "{problem}");
        assert!(
            said.iter()
                .all(|said| said.contains("must be given, because")),
            "{problem}"
        );
    }
    // The defaults that it is shown with are nobody's choice, even as a whole.
    let shown = get(&server, "subscription", id).await.ok();
    let problem = change(&server, id, &shown).await.problem();
    assert!(
        errors(&problem)[0].starts_with("unreadable can't be changed"),
        "{problem}"
    );
    let mended = change(&server, id, &whole()).await.ok();
    assert_eq!(mended.get("unreadable"), None);
    for (name, value) in [("payload", "thin"), ("signing", "ed25519")] {
        assert_eq!(mended[name], value);
    }
    assert_eq!(mended["httpsOnly"], true);
    // Nothing of it can be moved any more, and it signs by what it has.
    assert_eq!(mended.get("publicKey"), None, "there was one");
    let problem = change(&server, id, &json!({"payload": null}))
        .await
        .problem();
    assert!(
        errors(&problem)[0].starts_with("payload is thin"),
        "{problem}"
    );
    let row = get(&server, "subscription", id).await.ok();
    assert_eq!(
        (row.get("unreadable"), &row["state"]),
        (None, &json!("active"))
    );
}

/// Has nothing be there of what a subscription keeps secret.
async fn lose(server: &Server, made: &Value) {
    let id = text(&made["id"]).parse().unwrap();
    let unit = writing!([id] tx => tx.credentials_put(*id, None).await);
    assert!(server.store.write(unit).await.unwrap());
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_mended_by_giving_anew_or_taking_away_what_had_some() {
    let server = Server::start().await;
    let (basic, proxy) = (
        json!({"kind": "basic", "user": "me", "password": "one"}),
        json!({"url": "http://example.com:3128", "user": "me", "password": "two"}),
    );
    let tls =
        json!({"certificate": "-----BEGIN CERTIFICATE-----", "key": "-----BEGIN PRIVATE KEY-----"});
    let wishes = json!({"source": "torn", "headers": {"x-key": "three"}, "authorization": basic,
        "proxy": proxy, "tls": tls});
    let made = subscribe(&server, &wishes).await.ok();
    let id = text(&made["id"]);
    let whole =
        json!({"headers": {"x-key": "four"}, "authorization": null, "proxy": null, "tls": tls});
    for away in ["headers", "authorization", "proxy", "tls"] {
        lose(&server, &made).await;
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(away);
        refused(&change(&server, id, &part).await, "anew");
    }
    let mut masked = whole.clone();
    masked["headers"] = json!({"x-key": "********"});
    let problem = change(&server, id, &masked).await.problem();
    assert!(errors(&problem)[0].starts_with("headers."), "{problem}");
    // What has no secret needs nothing of them.
    let paced = change(&server, id, &json!({"ratePerSecond": 5})).await.ok();
    assert_eq!(paced["ratePerSecond"], 5);
    let mended = change(&server, id, &whole).await.ok();
    assert_eq!(mended["headers"], json!({"x-key": "********"}));
    assert_eq!(mended["authorization"], Value::Null);
    // They are there again: one may be kept while another is given.
    let kept = json!({"headers": {"x-key": "********", "x-other": "five"}});
    change(&server, id, &kept).await.ok();
}

#[tokio::test]
async fn what_cannot_be_sent_says_so_at_once_and_its_feed_goes_on() {
    let server = Server::start().await;
    server.template().await;
    let torn = json!({"source": "torn", "headers": {"x-key": "one"}});
    let made = subscribe(&server, &torn).await.ok();
    let id = text(&made["id"]);
    let row = get(&server, "subscription", id).await.ok();
    assert_eq!(row.get("unreadable"), None);
    lose(&server, &made).await;
    let before = server.get("/api/web-hook/deliveries").answer().await.ok();
    refused(&post(&server, "test", id).await, "credentials");
    let after = server.get("/api/web-hook/deliveries").answer().await.ok();
    assert_eq!(
        after["items"], before["items"],
        "nothing was made that would wait"
    );
    for operation in ["subscription", "subscription-health"] {
        let row = get(&server, operation, id).await.ok();
        let said = text(&row["unreadable"]);
        assert!(said.contains("credentials"), "{said}");
    }
    let feed = get(&server, "events", id).await.ok();
    assert_eq!(feed["items"], json!([]));
}
