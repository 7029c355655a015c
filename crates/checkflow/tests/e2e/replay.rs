//! A redelivery job outlives kills in the middle of it, and makes each delivery due exactly once.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{PATIENCE, Receiver, Reply};
use tokio::time::{sleep, timeout};

use crate::support::{Client, Server, team_and_key};

/// Deliveries that are sent again.
const COUNT: usize = 25;
/// Makes three steps of it.
const RATE: usize = 10;

/// Waits until the job has ended, and answers it.
async fn ended(client: &Client, job: &Value) -> Value {
    let path = format!(
        "/api/web-hook/redelivery-job?jobId={}",
        job.as_str().unwrap()
    );
    let asking = async {
        loop {
            let found = client.done("GET", &path, &Value::Null).await;
            if !found["endedDateTime"].is_null() {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = timeout(PATIENCE * 2, asking).await;
    ended.expect("the job comes to its end")
}

/// The deliveries of a subscription, whole.
async fn log(client: &Client, subscription: &Value) -> Vec<Value> {
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/api/web-hook/deliveries?subscriptionId={id}&limit=100");
    let page = client.done("GET", &path, &Value::Null).await;
    let mut all = Vec::new();
    for row in page["items"].as_array().unwrap() {
        let id = row["deliveryId"].as_str().unwrap();
        let path = format!("/api/web-hook/delivery?deliveryId={id}");
        all.push(client.done("GET", &path, &Value::Null).await);
    }
    all
}

#[tokio::test]
async fn a_job_that_kills_cut_short_goes_on_where_it_was() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.always("/hook", Reply::ok());
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let target = receiver.url("/hook");
    let subscription = client.subscribe("new_checklist", &scope, &target).await;
    for number in 0..COUNT {
        client.checklist(&template, &format!("list-{number}")).await;
    }
    receiver.wait_for(COUNT).await;
    client.wait_settled().await;
    server.stop().await;

    // Dies by the second step before it is committed, and in the next life by one that is.
    let armed = [("CHECKFLOW_CRASH_AT", "before-replay:2")];
    let server = Server::start_with(folder.path(), &armed).await;
    let client = client.at(server.address);
    let path = format!(
        "/api/web-hook/redelivery-job?subscriptionId={}&ratePerSecond={RATE}",
        subscription["id"].as_str().unwrap()
    );
    let job = client.done("POST", &path, &Value::Null).await["jobId"].take();
    server.process.killed().await;
    let armed = [("CHECKFLOW_CRASH_AT", "after-replay:1")];
    let server = Server::start_with(folder.path(), &armed).await;
    server.process.killed().await;

    let server = Server::start(folder.path()).await;
    let client = client.at(server.address);
    let done = ended(&client, &job).await;
    assert_eq!(
        (&done["state"], &done["done"], &done["matched"]),
        (&json!("done"), &json!(COUNT), &json!(COUNT)),
        "{done}"
    );
    client.wait_settled().await;
    for delivery in log(&client, &subscription).await {
        assert_eq!(delivery["state"], "delivered", "{delivery}");
        let attempts = delivery["attemptLog"].as_array().unwrap();
        let of_job: Vec<_> = attempts.iter().filter(|one| one["jobId"] == job).collect();
        assert_eq!(of_job.len(), 1, "made due once: {delivery}");
        assert_eq!(attempts.len(), 2, "{delivery}");
    }
    let marked = receiver.requests();
    let marked = marked
        .iter()
        .filter(|one| one.header("checkflow-replay") == job.as_str());
    // One that was under way at a kill may have arrived without the server's knowing.
    assert!(marked.count() > COUNT / 2);
    server.stop().await;
}
