//! Sending a POST again under the same `Idempotency-Key`.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Server, text};

const KEY: &str = "4f2c1a80-5f0e-4c56-9c49-0f3c6c1b7a11";

async fn create(server: &Server, template: &Value, name: &str, key: &str) -> Answer {
    let template = text(&template["templateKey"]);
    let target = format!("/api/checklist?templateKey={template}&checklistName={name}");
    let ask = server.post(&target).header("idempotency-key", key);
    ask.answer().await
}

async fn count(server: &Server, template: &Value) -> usize {
    let template = text(&template["templateKey"]);
    let listed = server.get(&format!(
        "/api/checklist/details?templateKey={template}&pageSize=10"
    ));
    listed.answer().await.value().as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_post_that_is_sent_again_is_made_once_and_answered_the_same() {
    let server = Server::start().await;
    let template = server.template().await;
    let first = create(&server, &template, "One", KEY).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    server.clock.advance(Duration::from_hours(23));
    let again = create(&server, &template, "One", KEY).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.body, first.body, "byte for byte");
    // Quoted, as the draft of the header has it, is the same.
    let quoted = create(&server, &template, "One", &format!("\"{KEY}\"")).await;
    assert_eq!(quoted.body, first.body);
    assert_eq!(count(&server, &template).await, 1);
    let another = create(&server, &template, "One", "another").await.ok();
    assert_ne!(another["checklistId"], first.value()["checklistId"]);
}

#[tokio::test]
async fn the_same_key_for_something_else_is_refused() {
    let server = Server::start().await;
    let template = server.template().await;
    create(&server, &template, "One", KEY).await.ok();
    let other = create(&server, &template, "Two", KEY).await.problem();
    assert_eq!(other["code"], "idempotency_key_reused");
    assert_eq!(count(&server, &template).await, 1);
    // Other operations and other teams have names of their own.
    let made = server
        .post("/api/key?name=one")
        .header("idempotency-key", KEY);
    made.answer().await.ok();
    let theirs = server
        .post("/api/key?name=one")
        .header("idempotency-key", KEY)
        .header("x-api-key", &server.other_key);
    let theirs = theirs.answer().await;
    assert!(!theirs.headers.contains_key("idempotency-replayed"));
    theirs.ok();
}

#[tokio::test]
async fn refusals_are_not_kept_and_who_may_not_ask_is_not_answered() {
    let server = Server::start().await;
    let template = server.template().await;
    let refused = create(&server, &template, "", KEY).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    create(&server, &template, "One", KEY).await.ok();
    let made = server
        .post("/api/key?name=one&scopes=read")
        .header("idempotency-key", KEY)
        .answer()
        .await
        .ok();
    // A key that may not make keys hears nothing of one that was made.
    let asked = server
        .post("/api/key?name=one&scopes=read")
        .header("idempotency-key", KEY)
        .header("x-api-key", text(&made["key"]));
    let (status, code) = asked.refusal().await;
    assert_eq!((status, &*code), (403, "scope_missing"));
    let strange = server
        .post("/api/key?name=one&scopes=read")
        .header("idempotency-key", KEY)
        .header("x-api-key", "ck_nobody");
    assert_eq!(strange.refusal().await, (401, "key_unknown".to_owned()));
}

#[tokio::test]
async fn secrets_that_were_shown_once_are_shown_again_and_are_not_stored_in_clear() {
    let server = Server::start().await;
    let ask = async || {
        let body = json!({"source": "custom", "eventType": "task_completed", "scope": "team",
            "targetUrl": "https://example.com/hooks"});
        let ask = server.post("/api/web-hook/subscribe").json(&body);
        ask.header("idempotency-key", KEY).answer().await
    };
    let first = ask().await;
    let secret = text(&first.value()["secret"]).to_owned();
    let again = ask().await;
    assert_eq!(again.body, first.body);
    assert!(text(&again.value()["secret"]).starts_with("whsec_"));
    for file in std::fs::read_dir(server.folder()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let there = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!there, "{}", path.display());
    }
}

#[tokio::test]
async fn a_file_that_is_uploaded_again_is_there_once() {
    let server = Server::start().await;
    let template = server.template().await;
    let list = server.checklist(&template).await;
    let field = &list["tasks"][0]["fields"][1]["taskContentID"];
    let upload = async |name: &str, bytes: &[u8]| {
        let ask = server.upload(field, name, bytes);
        ask.header("idempotency-key", KEY).answer().await
    };
    let first = upload("scan.pdf", b"%PDF-1").await;
    let again = upload("scan.pdf", b"%PDF-1").await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    for (name, bytes) in [("scan.pdf", b"%PDF-2"), ("other.pdf", b"%PDF-1")] {
        let other = upload(name, bytes).await.problem();
        assert_eq!(other["code"], "idempotency_key_reused", "{name}");
    }
    first.ok();
}

#[tokio::test]
async fn a_name_must_be_one() {
    let server = Server::start().await;
    for bad in ["a b", "\"\"", &"x".repeat(256)] {
        let ask = server
            .post("/api/key?name=one")
            .header("idempotency-key", bad);
        let problem = ask.answer().await.problem();
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key", "{bad}");
    }
    // Nothing is done by looking, so there it says nothing.
    let look = server.get("/api/key/keys").header("idempotency-key", "a b");
    look.answer().await.ok();
}
