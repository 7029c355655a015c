use std::time::Duration;

use domain::SigningSecret;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{NOBODY, Server, text};

/// Longer than anything here takes, and shorter than a test may.
const PATIENCE: Duration = Duration::from_secs(10);

/// A subscription to each completed task of the template, and a checklist of it.
async fn stage(server: &Server) -> (Value, Value) {
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    let asked = format!(
        "/api/web-hook/subscribe?source=custom&eventType=task_completed&templateKey={key}\
         &targetUrl=https%3A%2F%2Fexample.com%2Fhooks"
    );
    let made = server.post(&asked).answer().await.ok();
    (made, server.checklist(&template).await)
}

/// Completes a task, and reopens it so that it can be completed again.
pub(crate) async fn complete(server: &Server, list: &Value) {
    let task = &list["tasks"][2]["taskId"];
    for status in ["Complete", "Incomplete"] {
        server.status(task, status).answer().await.ok();
    }
}

async fn feed(server: &Server, subscription: &Value, query: &str) -> Value {
    let id = text(&subscription["id"]);
    let asked = format!("/api/web-hook/events?subscriptionId={id}{query}");
    server.get(&asked).answer().await.ok()
}

fn sequences(feed: &Value) -> Vec<i64> {
    let items = feed["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["sequence"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_feed_is_signed_like_the_webhooks_themselves() {
    let server = Server::start().await;
    let (made, list) = stage(&server).await;
    complete(&server, &list).await;
    let found = feed(&server, &made, "").await;
    assert_eq!(
        (
            &found["nextAfterSequence"],
            &found["firstSequence"],
            &found["lastSequence"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    let item = &found["items"][0];
    let (headers, body) = (&item["headers"], text(&item["body"]));
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!(event["type"], "task_completed");
    assert_eq!(headers["checkflow-sequence"], "1");
    assert_eq!(headers["checkflow-attempt"], "0");
    assert_eq!(headers["checkflow-delivery"], item["deliveryId"]);
    assert_eq!(headers["checkflow-subscription"], made["id"]);
    let secret: SigningSecret = text(&made["secret"]).parse().unwrap();
    let time = text(&headers["webhook-timestamp"]).parse().unwrap();
    let id = text(&headers["webhook-id"]);
    let signature = domain::sign(&[secret], id, time, body.as_bytes());
    assert_eq!(headers["webhook-signature"], signature);
}

#[tokio::test]
async fn the_feed_goes_on_where_its_reader_was() {
    let server = Server::start().await;
    let (made, list) = stage(&server).await;
    let empty = feed(&server, &made, "&afterSequence=7").await;
    assert_eq!(
        empty,
        json!({"items": [], "nextAfterSequence": 7, "firstSequence": null, "lastSequence": 0})
    );
    for _ in 0..3 {
        complete(&server, &list).await;
    }
    let first = feed(&server, &made, "&limit=2").await;
    assert_eq!(sequences(&first), [1, 2]);
    let after = format!("&afterSequence={}", first["nextAfterSequence"]);
    assert_eq!(sequences(&feed(&server, &made, &after).await), [3]);
}

#[tokio::test]
async fn a_reader_that_waits_is_answered_when_something_happens() {
    let server = Server::start().await;
    let (made, list) = stage(&server).await;
    let waiting = feed(&server, &made, "&waitSeconds=20");
    let happening = complete(&server, &list);
    let (found, ()) = timeout(PATIENCE, async { tokio::join!(waiting, happening) })
        .await
        .expect("it is answered long before its time is over");
    assert_eq!(sequences(&found), [1]);
}

#[tokio::test]
async fn a_reader_waits_as_long_as_it_said_and_no_longer_once_the_server_stops() {
    let server = Server::start().await;
    let (made, _) = stage(&server).await;
    let begun = tokio::time::Instant::now();
    assert!(sequences(&feed(&server, &made, "&waitSeconds=1").await).is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waited");
    let waiting = feed(&server, &made, "&waitSeconds=20");
    let stopping = async { server.app.end_waiting() };
    let (found, ()) = timeout(PATIENCE, async { tokio::join!(waiting, stopping) })
        .await
        .expect("who waits is answered at the stop");
    assert!(sequences(&found).is_empty());
    let after = timeout(PATIENCE, feed(&server, &made, "&waitSeconds=20")).await;
    assert!(sequences(&after.expect("nobody waits any more")).is_empty());
}

#[tokio::test]
async fn the_feed_of_what_is_not_ours_is_not_there() {
    let server = Server::start().await;
    let (made, list) = stage(&server).await;
    complete(&server, &list).await;
    let asked = |id: &str| format!("/api/web-hook/events?subscriptionId={id}");
    let theirs = server
        .get(&asked(text(&made["id"])))
        .header("x-api-key", &server.other_key);
    let expected = (404, "subscription_missing".to_owned());
    assert_eq!(theirs.refusal().await, expected);
    assert_eq!(server.get(&asked(NOBODY)).refusal().await, expected);
    for wrong in [
        "&afterSequence=-1",
        "&limit=0",
        "&limit=101",
        "&waitSeconds=21",
        "&waitSeconds=x",
    ] {
        let asked = asked(text(&made["id"])) + wrong;
        assert_eq!(server.get(&asked).refusal().await.0, 400, "{wrong}");
    }
}
