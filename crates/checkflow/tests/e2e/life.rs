//! From an empty folder to a verified webhook, with the tools working beside the server.

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::tempdir;
use testkit::{Received, Receiver};

use crate::support::{Client, Server, json, run, team_and_key};

/// Fails unless the webhook is signed with the subscription's secret.
fn verify(webhook: &Received, subscription: &Value) {
    let secret = Webhook::new(subscription["secret"].as_str().unwrap()).unwrap();
    secret
        .verify(&webhook.body, &webhook.headers)
        .unwrap_or_else(|error| panic!("{webhook}: {error}"));
    assert_eq!(
        webhook.header("checkflow-subscription"),
        subscription["id"].as_str()
    );
}

#[tokio::test]
async fn a_checklist_is_run_and_each_event_arrives_verified() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (team, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let whose = client
        .done("GET", "/api/authentication/validate", &Value::Null)
        .await;
    assert_eq!(whose["teamId"].to_string(), team);

    let template = client.template().await;
    let of_template = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let scan = template["tasks"][0]["controls"][0]["key"].as_str().unwrap();
    let receiver = Receiver::start().await;
    let begun = client
        .subscribe("new_checklist", &of_template, &receiver.url("/begun"))
        .await;
    let done = client
        .subscribe("task_completed", &of_template, &receiver.url("/done"))
        .await;
    let of_scan = format!("taskContentKey={scan}");
    let stored = client
        .subscribe("file_uploaded", &of_scan, &receiver.url("/stored"))
        .await;

    let list = client.checklist(&template, "March").await;
    let (receive, pay) = (&list["tasks"][0], &list["tasks"][1]);
    let refused = client.complete(receive).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (422, &json!("controls_unsatisfied"))
    );
    let file = client
        .upload(&receive["fields"][0]["taskContentID"], "a scan")
        .await;
    assert_eq!(file.status, 200, "{}", file.body);
    let mut completed = Vec::new();
    for task in [receive, pay] {
        let answer = client.complete(task).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        completed.push(answer.body);
    }

    receiver.wait_for(4).await;
    let [webhook] = &receiver.requests_to("/begun")[..] else {
        panic!("not one")
    };
    verify(webhook, &begun);
    assert_eq!(
        webhook.json()["data"],
        list,
        "a webhook carries what the API answered"
    );
    let [webhook] = &receiver.requests_to("/stored")[..] else {
        panic!("not one")
    };
    verify(webhook, &stored);
    assert_eq!(webhook.json()["data"], file.body);
    let webhooks = receiver.requests_to("/done");
    assert_eq!(webhooks.len(), 2);
    for (webhook, task) in webhooks.iter().zip(&completed) {
        verify(webhook, &done);
        assert_eq!(webhook.json()["data"]["taskId"], task["taskId"]);
    }
    server.stop().await;
    assert_eq!(
        receiver.requests().len(),
        4,
        "nothing is sent twice when nothing went wrong"
    );
}

#[tokio::test]
async fn a_key_revoked_beside_the_server_opens_nothing_from_then_on() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start(folder.path()).await;
    let (team, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    client
        .done("GET", "/api/authentication/validate", &Value::Null)
        .await;

    let id = key["keyId"].as_str().unwrap();
    let revoke = [
        "key", "revoke", "--team", &team, id, "--data", data, "--json",
    ];
    assert_eq!(
        json(&revoke).await,
        json!({ "keyId": id, "revokedNow": true })
    );
    let answer = client
        .ask("GET", "/api/authentication/validate", &Value::Null)
        .await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (401, &json!("key_revoked"))
    );

    assert_eq!(json(&revoke).await["revokedNow"], false);
    let keys = json(&["key", "list", "--team", &team, "--data", data, "--json"]).await;
    assert_eq!(keys[0]["keyId"], id);
    assert!(keys[0]["revokedDateTime"].is_string(), "{keys}");
    server.stop().await;
}

#[tokio::test]
async fn the_tools_work_without_a_server_and_what_they_made_is_there_at_its_start() {
    let folder = tempdir().unwrap();
    let (_, key) = team_and_key(folder.path()).await;
    let server = Server::start(folder.path()).await;
    let client = Client::new(server.address, &key);
    client
        .done("GET", "/api/authentication/validate", &Value::Null)
        .await;
    server.stop().await;

    let data = folder.path().to_str().unwrap();
    let output = run(&["key", "list", "--team", "1", "--data", data]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(key["prefix"].as_str().unwrap()), "{text}");
    assert!(
        !text.contains(key["key"].as_str().unwrap()),
        "a key is shown once"
    );
}

#[tokio::test]
async fn health_answers_without_a_key() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let client = Client::new(server.address, &json!({ "key": "none" }));
    assert_eq!(
        client.ask("GET", "/health/live", &Value::Null).await.status,
        200
    );
    // Ready comes when leases of an earlier life are ended, a moment after the first answer.
    client.ask_until("/health/ready", 200).await;
    server.stop().await;
}
