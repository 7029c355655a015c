//! Testing a subscription, from outside.

use serde_json::Value;
use tempfile::tempdir;
use testkit::{Receiver, Reply};

use crate::support::{Client, Server, team_and_key};

async fn test(client: &Client, subscription: &Value) -> Value {
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/api/web-hook/test?subscriptionId={id}");
    client.done("POST", &path, &Value::Null).await
}

#[tokio::test]
async fn a_test_brings_a_signed_sample_of_exactly_that_subscriptions_event() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (receive, pay) = (&template["tasks"][0], &template["tasks"][1]);
    let template_key = format!("templateKey={}", text(&template["templateKey"]));
    let cases = [
        ("new_checklist", template_key.clone(), "/new"),
        ("task_completed", template_key, "/any"),
        (
            "task_completed",
            format!("taskKey={}", text(&pay["key"])),
            "/pay",
        ),
        ("task_completed", "scope=team".to_owned(), "/team"),
        (
            "file_uploaded",
            format!("taskContentKey={}", text(&receive["controls"][0]["key"])),
            "/file",
        ),
    ];
    for (count, (event, scope, path)) in (1..).zip(cases) {
        let made = client.subscribe(event, &scope, &receiver.url(path)).await;
        let tested = test(&client, &made).await;
        assert_eq!(tested["state"], "delivered", "{tested}");
        assert_eq!(tested["sequence"], 1);
        assert_eq!(tested["attemptLog"][0]["statusCode"], 200);
        let requests = receiver.wait_for(count).await;
        assert_eq!(requests.len(), count, "a test is nobody else's business");
        let request = &requests[count - 1];
        assert_eq!(request.uri.path(), path);
        let ident = request.header("webhook-id").unwrap();
        assert!(ident.starts_with("test_"), "{ident}");
        assert_eq!(tested["eventId"], ident);
        let secret: domain::SigningSecret = text(&made["secret"]).parse().unwrap();
        let at = request
            .header("webhook-timestamp")
            .unwrap()
            .parse()
            .unwrap();
        let signature = domain::sign(&[secret], ident, at, &request.body);
        assert_eq!(request.header("webhook-signature"), Some(&*signature));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], event);
        let data = &body["data"];
        match path {
            "/new" => assert_eq!(data["tasks"].as_array().unwrap().len(), 2),
            "/file" => assert_eq!(
                (&data["taskContentKey"], &data["fileName"]),
                (&receive["controls"][0]["key"], &"sample.txt".into())
            ),
            // Of the whole team, the first by its name.
            "/pay" | "/team" => assert_eq!(data["taskKey"], pay["key"]),
            _ => assert_eq!(data["taskKey"], receive["key"]),
        }
        if event == "task_completed" {
            assert_eq!(data["taskIsComplete"], true);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_test_that_fails_says_how_and_is_not_tried_again() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.always("/hook", Reply::status(500));
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let refused = client
        .ask(
            "POST",
            "/api/web-hook/test?subscriptionId=019ab0c2-5b6c-7d8e-9f01-23456789abcd",
            &Value::Null,
        )
        .await;
    assert_eq!(refused.status, 404, "{refused:?}");
    let made = client
        .subscribe("task_completed", "scope=team", &receiver.url("/hook"))
        .await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/web-hook/test?subscriptionId={id}");
    let nothing = client.ask("POST", &path, &Value::Null).await;
    assert_eq!(
        (nothing.status, &nothing.body["code"]),
        (409, &"nothing_to_sample".into())
    );
    client.template().await;
    let tested = test(&client, &made).await;
    assert_eq!(tested["state"], "exhausted", "{tested}");
    assert_eq!(tested["nextAttemptDateTime"], Value::Null);
    assert_eq!(tested["attemptLog"][0]["statusCode"], 500);
    assert_eq!(tested["attemptLog"].as_array().unwrap().len(), 1);

    client
        .done(
            "DELETE",
            &format!("/api/web-hook/unsubscribe?subscriptionId={id}"),
            &Value::Null,
        )
        .await;
    let ended = client.ask("POST", &path, &Value::Null).await;
    assert_eq!(
        (ended.status, &ended.body["code"]),
        (409, &"subscription_not_sending".into())
    );
    server.stop().await;
}
