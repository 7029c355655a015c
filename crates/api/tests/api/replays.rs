//! Redelivery jobs, as far as the API goes: nobody works them off here.

use serde_json::{Value, json};

use crate::harness::{NOBODY, Server, errors, text};

/// A subscription with five deliveries.
async fn stage(server: &Server) -> Value {
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    let made = subscribe(server, key, "hooks").await;
    for _ in 0..5 {
        server.checklist(&template).await;
    }
    made
}

async fn subscribe(server: &Server, template: &str, path: &str) -> Value {
    let asked = format!(
        "/api/web-hook/subscribe?source=custom&eventType=new_checklist&templateKey={template}\
         &targetUrl=https%3A%2F%2Fexample.com%2F{path}"
    );
    server.post(&asked).answer().await.ok()
}

fn job(query: &str) -> String {
    format!("/api/web-hook/redelivery-job?{query}")
}

#[tokio::test]
async fn a_job_is_made_seen_paused_resumed_and_cancelled() {
    let server = Server::start().await;
    let made = stage(&server).await;
    let to = text(&made["id"]).to_owned();
    let asked = job(&format!(
        "subscriptionId={to}&state=waiting&ratePerSecond=7"
    ));
    let made = server.post(&asked).answer().await.ok();
    assert_eq!(
        (&made["state"], &made["done"], &made["ratePerSecond"]),
        (&json!("running"), &json!(0), &json!(7))
    );
    assert_eq!(made["filter"]["subscriptionId"], *to);
    assert_eq!(made["filter"]["state"], "waiting");
    assert_eq!(made["matched"], Value::Null);
    let id = text(&made["jobId"]).to_owned();
    let by_id = job(&format!("jobId={id}"));
    assert_eq!(server.get(&by_id).answer().await.ok(), made);
    for (word, state) in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "running"),
    ] {
        let path = format!("/api/web-hook/redelivery-job/{word}?jobId={id}");
        assert_eq!(server.post(&path).answer().await.ok()["state"], state);
    }
    for _ in 0..2 {
        let answer = server.ask("DELETE", &by_id).answer().await.ok();
        assert_eq!(answer["state"], "cancelled");
        assert!(text(&answer["reason"]).starts_with("cancelled by "));
    }
    let path = format!("/api/web-hook/redelivery-job/resume?jobId={id}");
    let problem = server.post(&path).answer().await.problem();
    assert_eq!(problem["code"], "redelivery_job_ended");
    let list = server.get("/api/web-hook/redelivery-jobs").answer().await;
    let list = list.ok();
    assert_eq!(list["items"][0]["jobId"], *id);
    assert_eq!(list["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_dry_run_counts_and_stores_nothing() {
    let server = Server::start().await;
    let made = stage(&server).await;
    let template = server.template().await;
    let other = subscribe(&server, text(&template["templateKey"]), "other").await;
    let id = text(&made["id"]);
    let to = text(&other["id"]);
    for (query, matched, is_delivery) in [
        (format!("subscriptionId={id}"), 5, true),
        (format!("subscriptionId={id}&neverAttempted=true"), 5, true),
        ("state=exhausted".to_owned(), 0, true),
        (
            format!("eventType=new_checklist&toSubscriptionId={to}"),
            5,
            false,
        ),
    ] {
        let asked = job(&format!("{query}&dryRun=true"));
        let count = server.post(&asked).answer().await.ok();
        assert_eq!(
            (&count["matched"], &count["isComplete"]),
            (&json!(matched), &json!(true)),
            "{query}"
        );
        let samples = count["samples"].as_array().unwrap();
        assert_eq!(samples.len(), matched.min(5));
        for sample in samples {
            assert_eq!(sample["deliveryId"].is_string(), is_delivery);
        }
    }
    let list = server.get("/api/web-hook/redelivery-jobs").answer().await;
    assert_eq!(list.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_job_that_can_not_be_is_refused_with_what_to_do() {
    let server = Server::start().await;
    let made = stage(&server).await;
    let id = text(&made["id"]);
    let unknown = NOBODY;
    for (query, expected) in [
        (String::new(), "since must be given, or until"),
        (
            "since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z".to_owned(),
            "until must be later than since",
        ),
        (
            format!("subscriptionId={id}&toSubscriptionId={id}"),
            "toSubscriptionId is where they went",
        ),
        ("state=done".to_owned(), "state must be waiting, leased"),
        (
            "state=exhausted&ratePerSecond=0".to_owned(),
            "ratePerSecond must be from 1 to 1000",
        ),
    ] {
        for dry_run in ["", "&dryRun=true"] {
            let asked = job(&format!("{query}{dry_run}"));
            let problem = server.post(&asked).answer().await.problem();
            let found = errors(&problem);
            assert!(found[0].starts_with(expected), "{query}: {found:?}");
        }
    }
    for (query, code) in [
        (format!("subscriptionId={unknown}"), "subscription_missing"),
        (
            format!("state=waiting&toSubscriptionId={unknown}"),
            "subscription_missing",
        ),
    ] {
        let problem = server.post(&job(&query)).answer().await.problem();
        assert_eq!(problem["code"], code, "{query}");
    }
    for (method, path) in [
        ("GET", job(&format!("jobId={unknown}"))),
        ("DELETE", job(&format!("jobId={unknown}"))),
        (
            "POST",
            format!("/api/web-hook/redelivery-job/pause?jobId={unknown}"),
        ),
    ] {
        let problem = server.ask(method, &path).answer().await.problem();
        assert_eq!(problem["code"], "redelivery_job_missing", "{method} {path}");
    }
    for _ in 0..10 {
        server.post(&job("state=waiting")).answer().await.ok();
    }
    let problem = server.post(&job("state=waiting")).answer().await.problem();
    assert_eq!(problem["code"], "team_full");
    let ended = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    server.ask("DELETE", &ended).answer().await.ok();
    let asked = job(&format!("subscriptionId={id}"));
    let problem = server.post(&asked).answer().await.problem();
    assert_eq!(problem["code"], "subscription_not_sending");
}
