//! A receiver that hangs delays nobody else.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{Gate, Received, Receiver, Reply};

use crate::support::{Client, Server, team_and_key};

/// More than one subscription may have under way, so that the hanging one has a backlog as well.
const TASKS: usize = 200;
/// Longer than anybody here waits, so that no request that is held ends by itself.
const TIMEOUT: (&str, &str) = ("CHECKFLOW_DELIVERY__REQUEST_TIMEOUT", "30s");

/// How often each task was told.
fn told(requests: &[Received]) -> BTreeMap<i64, usize> {
    let mut told = BTreeMap::new();
    for request in requests {
        let task = request.json()["data"]["taskId"].as_i64().unwrap();
        *told.entry(task).or_default() += 1;
    }
    told
}

#[tokio::test]
async fn a_receiver_that_holds_every_request_open_holds_up_no_other() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[TIMEOUT]).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let tasks: Vec<Value> = (0..TASKS)
        .map(|number| json!({ "name": format!("Task {number}") }))
        .collect();
    let template = json!({ "name": "Invoice review", "tasks": tasks });
    let template = client.done("PUT", "/api/template", &template).await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let (hanging, healthy) = (Receiver::start().await, Receiver::start().await);
    let gate = Gate::closed();
    hanging.always("/hook", Reply::ok().after(&gate));
    for receiver in [&hanging, &healthy] {
        let target = receiver.url("/hook");
        client.subscribe("task_completed", &scope, &target).await;
    }
    let list = client.checklist(&template, "March").await;
    let tasks = list["tasks"].as_array().unwrap();
    for task in tasks {
        let answer = client.complete(task).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    let each_once: BTreeMap<i64, usize> = tasks
        .iter()
        .map(|task| (task["taskId"].as_i64().unwrap(), 1))
        .collect();
    let requests = healthy.wait_for(TASKS).await;
    assert_eq!(told(&requests), each_once);
    // Counted by the side that holds them: one that the server had given up would be gone.
    let (open, begun) = (hanging.in_flight(), hanging.requests().len());
    assert!(!gate.is_open());
    assert!(open > 0, "it was sent nothing that it could hold");
    assert_eq!(open, begun, "all that it was sent is still open");
    assert!(
        begun < TASKS,
        "there is no end to what one receiver may hold"
    );

    gate.open();
    let requests = hanging.wait_for(TASKS).await;
    assert_eq!(told(&requests), each_once, "it gets everything, too");
    client.wait_settled().await;
    server.stop().await;
    assert_eq!(told(&healthy.requests()), each_once);
    assert_eq!(told(&hanging.requests()), each_once);
}
