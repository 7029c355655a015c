//! What is kept of deliveries, as each subscription wishes.

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{Receiver, Reply};

use crate::support::{Client, Server, team_and_key};

/// The details of the newest deliveries of a subscription, newest first.
async fn details(client: &Client, subscription: &Value) -> Vec<Value> {
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/api/web-hook/deliveries?subscriptionId={id}");
    let rows = client.done("GET", &path, &Value::Null).await;
    let mut found = Vec::new();
    for row in rows["items"].as_array().unwrap() {
        let id = row["deliveryId"].as_str().unwrap();
        let path = format!("/api/web-hook/delivery?deliveryId={id}");
        found.push(client.done("GET", &path, &Value::Null).await);
    }
    found
}

/// Fails unless nothing of an answer is in the first log, and all but what lets somebody in in the second.
fn check_answers(forgot: &Value, masked: &Value) {
    let attempt = &forgot["attemptLog"][0];
    assert_eq!(
        (&forgot["state"], &attempt["statusCode"]),
        (&json!("delivered"), &json!(200))
    );
    assert_eq!(
        (
            &attempt["responseHeaders"],
            &attempt["responseBody"],
            &attempt["responseTruncated"]
        ),
        (&json!([]), &json!(""), &json!(true))
    );
    let attempt = &masked["attemptLog"][0];
    assert_eq!(attempt["responseBody"], "thanks");
    let headers = attempt["responseHeaders"].to_string();
    assert!(
        headers.contains("plain") && !headers.contains("let-me-in"),
        "{headers}"
    );
    assert_eq!(headers.matches("********").count(), 2, "{headers}");
    for detail in [forgot, masked] {
        assert!(detail["requestBody"].is_string(), "one of both may need it");
    }
}

/// Fails unless the newer of the two deliveries of a subscription has lost its body, and nothing else has.
async fn check_bodies(client: &Client, subscription: &Value) {
    let all = details(client, subscription).await;
    let states: Vec<_> = all.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["delivered", "delivered"]);
    assert_eq!(all[0]["requestBody"], Value::Null);
    assert!(all[1]["requestBody"].is_string());
    let id = subscription["id"].as_str().unwrap();
    let feed = format!("/api/web-hook/events?subscriptionId={id}&afterSequence=0");
    let feed = client.done("GET", &feed, &Value::Null).await;
    let items = feed["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &feed["lastSequence"]),
        (1, &json!(2)),
        "{feed}"
    );
    let again = format!(
        "/api/web-hook/redeliver?deliveryId={}",
        all[0]["deliveryId"].as_str().unwrap()
    );
    let refused = client.ask("POST", &again, &Value::Null).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("delivery_body_gone"))
    );
}

#[tokio::test]
async fn what_subscriptions_do_not_want_kept_is_not() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let reply = || {
        Reply::ok()
            .header("x-plain", "plain")
            .header("x-token", "let-me-in")
            .header("set-cookie", "session=let-me-in")
            .body("thanks")
    };
    receiver.always("/forgets", reply());
    receiver.always("/masks", reply());
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let event = "new_checklist";
    let forgets = format!("{scope}&keepAnswer=false&deleteBodyOnSuccess=true");
    let forgets = client
        .subscribe(event, &forgets, &receiver.url("/forgets"))
        .await;
    let masks = format!("{scope}&maskResponseHeaders=X-Token");
    let masks = client
        .subscribe(event, &masks, &receiver.url("/masks"))
        .await;

    client.checklist(&template, "first").await;
    client.wait_settled().await;
    let forgot = details(&client, &forgets).await.remove(0);
    let masked = details(&client, &masks).await.remove(0);
    check_answers(&forgot, &masked);

    // Once both wish so, what arrives at both goes, and nothing else.
    let path = format!(
        "/api/web-hook/subscription?subscriptionId={}",
        masks["id"].as_str().unwrap()
    );
    client
        .done("PATCH", &path, &json!({"deleteBodyOnSuccess": true}))
        .await;
    client.checklist(&template, "second").await;
    client.wait_settled().await;
    for subscription in [&forgets, &masks] {
        check_bodies(&client, subscription).await;
    }
    server.stop().await;
}
