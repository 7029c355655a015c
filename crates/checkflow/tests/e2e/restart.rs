//! Stopping in good order and starting again: nothing that was answered is lost.

use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;
use testkit::{Gate, Receiver, Reply};

use crate::support::{Client, Server, form, line_with, team_and_key};

/// What is promised of a stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Waits of half a second before each attempt.
const SCHEDULE: (&str, &str) = (
    "CHECKFLOW_DELIVERY__SCHEDULE",
    r#"["0s", "500ms", "500ms", "500ms", "500ms", "500ms", "500ms"]"#,
);
/// Looks often, so that the tests end soon.
const SCAN: (&str, &str) = ("CHECKFLOW_DELIVERY__SCAN_INTERVAL", "50ms");

/// A server with a template whose new checklists are told to `receiver`.
async fn subscribed(folder: &std::path::Path, receiver: &Receiver) -> (Server, Client, Value) {
    let server = Server::start_with(folder, &[SCHEDULE, SCAN]).await;
    let (_, key) = team_and_key(folder).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    client
        .subscribe("new_checklist", &scope, &receiver.url("/hook"))
        .await;
    (server, client, template)
}

#[tokio::test]
async fn retries_go_on_after_a_stop_and_a_start() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.always("/hook", Reply::status(503));
    let (server, client, template) = subscribed(folder.path(), &receiver).await;
    client.checklist(&template, "March").await;
    receiver.wait_for(2).await;
    server.stop().await;
    let before = receiver.requests();

    receiver.always("/hook", Reply::ok());
    let server = Server::start_with(folder.path(), &[SCHEDULE, SCAN]).await;
    let after = receiver.wait_for(before.len() + 1).await;
    for (index, attempt) in after.iter().enumerate() {
        assert_eq!(
            attempt.header("checkflow-attempt"),
            Some(&*(index + 1).to_string()),
            "{attempt}"
        );
        assert_eq!(
            attempt.header("webhook-id"),
            after[0].header("webhook-id"),
            "{attempt}"
        );
        assert_eq!(attempt.body, after[0].body, "{attempt}");
    }
    server.stop().await;
    assert_eq!(
        receiver.requests().len(),
        before.len() + 1,
        "what was taken is not sent again"
    );
}

#[tokio::test]
async fn a_delivery_that_a_kill_cut_short_is_sent_again() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.script("/hook", [Reply::ok().after(&Gate::closed())]);
    let (server, client, template) = subscribed(folder.path(), &receiver).await;
    client.checklist(&template, "March").await;
    receiver.wait_for(1).await;
    server.process.kill().await;

    let server = Server::start_with(folder.path(), &[SCHEDULE, SCAN]).await;
    let attempts = receiver.wait_for(2).await;
    assert_eq!(
        attempts[1].header("checkflow-attempt"),
        Some("2"),
        "the cut attempt counts"
    );
    assert_eq!(
        attempts[1].header("webhook-id"),
        attempts[0].header("webhook-id")
    );
    assert_eq!(attempts[1].body, attempts[0].body);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_the_running_request_though_a_receiver_hangs() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.script("/hook", [Reply::ok().after(&Gate::closed())]);
    let (mut server, client, template) = subscribed(folder.path(), &receiver).await;
    let list = client.checklist(&template, "March").await;
    receiver.wait_for(1).await;
    let form = form("a scan");
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let upload = client.begin_upload(field, form.len()).await;

    let begun = Instant::now();
    server.process.terminate();
    line_with(&mut server.process.log, "stopping").await;
    let answer = upload.finish(&form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(server.process.ended().await.success());
    assert!(
        begun.elapsed() < STOP_WITHIN,
        "it took {:?}",
        begun.elapsed()
    );
    assert!(
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err(),
        "nothing new is taken"
    );

    // What the receiver never answered is sent again; the file that was answered is there.
    let server = Server::start_with(folder.path(), &[SCHEDULE, SCAN]).await;
    let attempts = receiver.wait_for(2).await;
    assert_eq!(
        attempts[1].header("webhook-id"),
        attempts[0].header("webhook-id")
    );
    let client = client.at(server.address);
    let scan = template["tasks"][0]["controls"][0]["key"].as_str().unwrap();
    let files = format!("/api/checklist/uploaded-files?taskContentKey={scan}");
    let files = client.done("GET", &files, &Value::Null).await;
    assert_eq!(files[0]["fileKey"], answer.body["fileKey"]);
    server.stop().await;
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.always("/hook", Reply::ok().after(&Gate::closed()));
    let (mut server, client, template) = subscribed(folder.path(), &receiver).await;
    client.checklist(&template, "March").await;
    receiver.wait_for(1).await;
    server.process.terminate();
    line_with(&mut server.process.log, "stopping").await;
    server.process.terminate();
    assert_eq!(server.process.ended().await.code(), Some(1));
}
