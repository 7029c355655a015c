//! How fast a subscription is sent to: what has to wait for its rate, or for the end of a pause, arrives whole, in its order,
//! and at no attempt's cost.
//!
//! Only how much may have come is bounded, by the time that has passed since before anything could begin: what begins at its
//! moment arrives no earlier, so a slow machine can't break the bound.

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{Received, Receiver};
use tokio::time::Instant;

use crate::support::{Client, Server, team_and_key};

/// Requests a second that are allowed.
const RATE: u32 = 5;
/// Makes four seconds of it, after the first second's worth.
const COUNT: usize = 25;
/// What clocks that differ a little, and one more at the edge of a second, may come to.
const MARGIN: f64 = 2.0;

/// Fails if more came by any moment than the rate lets begin after a second's worth at once.
fn check_rate(requests: &[Received], since: Instant) {
    for (before, request) in requests.iter().enumerate() {
        let elapsed = request.arrived.duration_since(since).as_secs_f64();
        let most = f64::from(RATE) * (1.0 + elapsed) + MARGIN;
        let count = u32::try_from(before + 1).unwrap();
        assert!(f64::from(count) <= most, "{count} came in {elapsed} s");
    }
}

/// Fails unless each delivery from 1 on came once, with its first attempt; answers their sequences as they arrived.
fn check_whole(requests: &[Received]) -> Vec<usize> {
    let mut sequences = Vec::new();
    for request in requests {
        assert_eq!(request.header("checkflow-attempt"), Some("1"), "{request}");
        let sequence = request.header("checkflow-sequence").unwrap();
        sequences.push(sequence.parse().unwrap());
    }
    let mut sorted = sequences.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=COUNT).collect::<Vec<_>>());
    sequences
}

async fn fill(client: &Client, template: &Value) {
    for number in 0..COUNT {
        client.checklist(template, &format!("list-{number}")).await;
    }
}

#[tokio::test]
async fn a_rate_holds_its_own_subscription_back_and_costs_no_attempt() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let limited = format!("{scope}&ratePerSecond={RATE}");
    for (path, scope) in [("/limited", limited), ("/free", scope)] {
        let target = receiver.url(path);
        let made = client.subscribe("new_checklist", &scope, &target).await;
        assert_eq!(made["isNew"], true, "{made}");
    }

    let since = Instant::now();
    fill(&client, &template).await;
    receiver.wait_for(2 * COUNT).await;
    client.wait_settled().await;
    for path in ["/limited", "/free"] {
        check_whole(&receiver.requests_to(path));
    }
    check_rate(&receiver.requests_to("/limited"), since);
    server.stop().await;
}

#[tokio::test]
async fn what_gathered_in_a_pause_arrives_in_its_order_and_no_faster_than_is_allowed() {
    let folder = tempdir().unwrap();
    let receiver = Receiver::start().await;
    // One at a time, so that the order of arrival is the order in which they were sent.
    let rate = RATE.to_string();
    let variables = [
        ("CHECKFLOW_DELIVERY__IN_FLIGHT_PER_SUBSCRIPTION_MAX", "1"),
        ("CHECKFLOW_DELIVERY__CATCH_UP_PER_SECOND_MAX", &*rate),
    ];
    let server = Server::start_with(folder.path(), &variables).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let target = receiver.url("/hook");
    let subscription = client.subscribe("new_checklist", &scope, &target).await;
    let id = subscription["id"].as_str().unwrap();
    let path = |operation| format!("/api/web-hook/{operation}?subscriptionId={id}");
    client.done("POST", &path("pause"), &json!({})).await;
    fill(&client, &template).await;
    assert_eq!(receiver.requests().len(), 0, "it is paused");

    let since = Instant::now();
    client.done("POST", &path("resume"), &json!({})).await;
    let all = receiver.wait_for(COUNT).await;
    client.wait_settled().await;
    let sequences = check_whole(&receiver.requests());
    assert!(sequences.is_sorted(), "{sequences:?}");
    check_rate(&all, since);
    server.stop().await;
}
