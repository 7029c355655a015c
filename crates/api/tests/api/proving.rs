//! How proof of a target is asked for, shown and refused.

use app::PROOFS_OF_TEAM_MAX;
use domain::{Granted, ProofRefusal};
use serde_json::{Value, json};

use crate::{
    harness::{NOBODY, Server, errors, text},
    subscription_requests::{change, subscribe},
};

fn prove(id: &str) -> String {
    format!("/api/web-hook/prove?subscriptionId={id}")
}

fn refused() -> Result<Granted, ProofRefusal> {
    Err(ProofRefusal::Status {
        method: "OPTIONS",
        status: 405,
    })
}

#[tokio::test]
async fn a_target_that_does_not_prove_itself_is_a_422_that_says_what_to_do() {
    let server = Server::start().await;
    server.prover.script(refused());
    let answer = subscribe(&server, &json!({"proof": "options"})).await;
    assert_eq!(answer.status, 422);
    let problem = answer.problem();
    assert_eq!(problem["code"], "target_not_proven");
    let said =
        "the target is not proven: the receiver answered OPTIONS with 405; it must answer with 2xx";
    assert_eq!(problem["detail"], said);
    assert_eq!(errors(&problem), [format!("targetUrl {said}")]);
    let list = server.get("/api/web-hook/subscriptions");
    assert_eq!(list.refusal().await, (404, "nothing_found".to_owned()));
    assert_eq!(server.prover.asked().len(), 1);
}

#[tokio::test]
async fn proof_is_given_in_the_query_or_the_body_and_shown_with_its_time() {
    let server = Server::start().await;
    let target = "/api/web-hook/subscribe?source=a&eventType=task_completed&scope=team\
        &targetUrl=https%3A%2F%2Fexample.com%2F&proof=echo";
    let made = server.post(target).answer().await.ok();
    assert_eq!(
        (&made["proof"], &made["provenAt"]),
        (&json!("echo"), &made["createdDateTime"])
    );
    let plain = subscribe(&server, &json!({})).await.ok();
    assert_eq!(
        (&plain["proof"], &plain["provenAt"]),
        (&json!("none"), &Value::Null)
    );
    let id = text(&plain["id"]);
    let changed = change(&server, id, &json!({"proof": "options"})).await.ok();
    assert_eq!(changed["proof"], "options");
    assert_ne!(changed["provenAt"], Value::Null);
    let got = server.get(&format!("/api/web-hook/subscription?subscriptionId={id}"));
    assert_eq!(got.answer().await.ok(), changed);
    let wrong = change(&server, id, &json!({"proof": "Blood"}))
        .await
        .problem();
    assert_eq!(
        errors(&wrong),
        ["proof must be none, options or echo, but is \"Blood\""]
    );
    let mine = change(&server, id, &json!({"provenAt": "2026-11-23T00:00:00Z"})).await;
    assert_eq!(mine.status, 400, "nobody but the target says so");
    assert_eq!(server.prover.asked().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_otherwise_is_refused_before_anybody_is_asked() {
    let server = Server::start().await;
    for (more, code) in [
        (json!({"targetUrl": "http://10.0.0.7/"}), "target_refused"),
        (
            json!({"targetUrl": "https://intranet.example.com/"}),
            "target_refused",
        ),
        (json!({"scope": null}), "scope_invalid"),
        (json!({"ratePerSecond": 0}), "invalid_request"),
        (
            json!({"proxy": {"url": "http://intranet.example.com:3128"}}),
            "target_refused",
        ),
    ] {
        let mut asked = more;
        asked["proof"] = json!("echo");
        let problem = subscribe(&server, &asked).await.problem();
        assert_eq!(problem["code"], code, "{asked}");
    }
    let request = server.post("/api/web-hook/subscribe?proof=echo");
    let (status, _) = request.header("x-api-key", "").refusal().await;
    assert_eq!(status, 401);
    assert_eq!(server.prover.asked(), []);
}

#[tokio::test]
async fn proving_again_is_of_ones_own_and_of_what_has_a_proof() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({"proof": "echo"})).await.ok();
    let id = text(&made["id"]);
    server.clock.advance(std::time::Duration::from_mins(1));
    let proven = server.post(&prove(id)).answer().await.ok();
    assert!(text(&proven["provenAt"]) > text(&made["provenAt"]));
    server.prover.script(refused());
    let refusal = server.post(&prove(id)).refusal().await;
    assert_eq!(refusal, (422, "target_not_proven".to_owned()));
    let asked = server.prover.asked().len();
    let missing = (404, "subscription_missing".to_owned());
    let theirs = server
        .post(&prove(id))
        .header("x-api-key", &server.other_key);
    assert_eq!(theirs.refusal().await, missing);
    assert_eq!(server.post(&prove(NOBODY)).refusal().await, missing);
    change(&server, id, &json!({"proof": "none"})).await.ok();
    let none = server.post(&prove(id)).refusal().await;
    assert_eq!(none, (409, "nothing_to_prove".to_owned()));
    let end = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    server.ask("DELETE", &end).answer().await.ok();
    let gone = server.post(&prove(id)).refusal().await;
    assert_eq!(gone, (409, "subscription_gone".to_owned()));
    assert_eq!(server.prover.asked().len(), asked);
}

#[tokio::test]
async fn a_team_that_asks_for_too_many_is_told_to_come_back() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({"proof": "echo"})).await.ok();
    let path = prove(text(&made["id"]));
    let gate = server.prover.hold();
    let hanging = || async { server.post(&path).answer().await };
    let all = [hanging(), hanging(), hanging(), hanging()];
    assert_eq!(all.len(), PROOFS_OF_TEAM_MAX);
    let [one, two, three, four] = all;
    let one_more = async {
        server.prover.wait_under_way(PROOFS_OF_TEAM_MAX).await;
        let answer = tokio::time::timeout(testkit::PATIENCE, server.post(&path).answer());
        let answer = answer.await;
        gate.open();
        answer.expect("it is not begun")
    };
    let (_, _, _, _, full) = tokio::join!(one, two, three, four, one_more);
    assert_eq!(full.problem()["code"], "proofs_under_way");
    assert_eq!(
        (full.status.as_u16(), full.header("retry-after")),
        (429, "2")
    );
    server.post(&path).answer().await.ok();
}

#[tokio::test]
async fn what_changed_meanwhile_is_a_409_and_nothing_is_overwritten() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({"proof": "echo"})).await.ok();
    let id = text(&made["id"]);
    let gate = server.prover.hold();
    let moved = json!({"targetUrl": "https://example.com/one"});
    let (moved, slowed) = tokio::join!(change(&server, id, &moved), async {
        server.prover.wait_under_way(1).await;
        let slowed = change(&server, id, &json!({"ratePerSecond": 7})).await;
        gate.open();
        slowed.ok()
    });
    assert_eq!(moved.status, 409);
    assert_eq!(moved.problem()["code"], "subscription_changed");
    let got = server.get(&format!("/api/web-hook/subscription?subscriptionId={id}"));
    assert_eq!(got.answer().await.ok(), slowed);
}
