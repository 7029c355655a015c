//! Changing, pausing and resuming a subscription.

use serde_json::{Value, json};

use crate::{
    harness::{Answer, NOBODY, Server, errors, text},
    subscription_requests::change,
};

/// A subscription to all tasks of the team, with these further parameters.
async fn subscribe(server: &Server, query: &str) -> Answer {
    let target = "/api/web-hook/subscribe?source=custom&targetUrl=https%3A%2F%2Fexample.com%2Fhooks\
        &eventType=task_completed&scope=team";
    server.post(&format!("{target}&{query}")).answer().await
}

async fn post(server: &Server, operation: &str, id: &str, rest: &str) -> Answer {
    let target = format!("/api/web-hook/{operation}?subscriptionId={id}{rest}");
    server.post(&target).answer().await
}

async fn get(server: &Server, id: &str) -> Value {
    let target = format!("/api/web-hook/subscription?subscriptionId={id}");
    server.get(&target).answer().await.ok()
}

#[tokio::test]
async fn a_setting_of_null_goes_back_to_its_default_and_what_was_read_can_be_sent_back() {
    let server = Server::start().await;
    let set = json!({"source": "custom", "eventType": "task_completed", "scope": "team",
        "targetUrl": "https://example.com/hooks", "ordering": "checklist", "ratePerSecond": 5,
        "httpsOnly": true, "traceparent": true, "httpVersion": "2", "keepAnswer": false,
        "maskResponseHeaders": ["x-one", "x-two"], "deleteBodyOnSuccess": true});
    let made = server.post("/api/web-hook/subscribe").json(&set);
    let made = made.answer().await.ok();
    let id = text(&made["id"]);
    let names = [
        "ordering",
        "ratePerSecond",
        "httpsOnly",
        "traceparent",
        "httpVersion",
        "keepAnswer",
        "maskResponseHeaders",
        "deleteBodyOnSuccess",
    ];
    for name in names {
        assert_eq!(made[name], set[name], "{name}");
        let same = change(&server, id, &json!({name: made[name]})).await.ok();
        assert_eq!(same[name], set[name], "{name} as it was read");
    }
    let plain = json!({"ordering": "none", "ratePerSecond": null, "httpsOnly": false, "traceparent": false,
        "httpVersion": "1.1", "keepAnswer": true, "maskResponseHeaders": [], "deleteBodyOnSuccess": false});
    for name in names {
        let cleared = change(&server, id, &json!({name: null})).await.ok();
        assert_eq!(cleared[name], plain[name], "{name}");
    }
    change(&server, id, &json!({"maskResponseHeaders": ["x-one"]}))
        .await
        .ok();
    let none = change(&server, id, &json!({"maskResponseHeaders": []}))
        .await
        .ok();
    assert_eq!(none["maskResponseHeaders"], json!([]));
}

#[tokio::test]
async fn https_only_is_asked_of_the_token_server_too() {
    let server = Server::start().await;
    let made = subscribe(&server, "httpsOnly=true").await.ok();
    let id = text(&made["id"]);
    let oauth = |url: &str| json!({"authorization": {"kind": "oauth2", "tokenUrl": url, "clientId": "c", "clientSecret": "s"}});
    let refused = change(&server, id, &oauth("http://example.com/token")).await;
    let problem = refused.problem();
    assert_eq!(problem["code"], "target_refused", "{problem}");
    assert_eq!(problem["rule"], "not_https");
    assert_eq!(problem["errors"][0]["field"], "authorization.tokenUrl");
    change(&server, id, &oauth("https://example.com/token"))
        .await
        .ok();
    change(&server, id, &json!({"httpsOnly": false})).await.ok();
    change(&server, id, &oauth("http://example.com/token"))
        .await
        .ok();
    let refused = change(&server, id, &json!({"httpsOnly": true})).await;
    assert_eq!(refused.problem()["rule"], "not_https");
}

#[tokio::test]
async fn of_two_changes_at_once_each_is_made_whole() {
    let server = Server::start().await;
    let made = subscribe(&server, "").await.ok();
    let id = text(&made["id"]);
    let ours = |name: &str| {
        json!({"targetUrl": format!("https://example.com/{name}"),
            "authorization": {"kind": "basic", "user": name, "password": name}})
    };
    for round in 0..40 {
        let (left, right) = (ours("left"), ours("right"));
        let (one, other) = tokio::join!(change(&server, id, &left), change(&server, id, &right));
        for answered in [one.ok(), other.ok(), get(&server, id).await] {
            let name = text(&answered["authorization"]["user"]).to_owned();
            let target = text(&answered["targetURL"]);
            assert!(target.ends_with(&name), "{round}: {name} at {target}");
        }
    }
}

#[tokio::test]
async fn settings_are_given_when_subscribing_and_shown_ever_after() {
    let server = Server::start().await;
    let plain = subscribe(&server, "").await.ok();
    assert_eq!(
        (
            &plain["ordering"],
            &plain["ratePerSecond"],
            &plain["signing"]
        ),
        (&json!("none"), &Value::Null, &json!("hmac"))
    );
    let body = json!({"source": "other", "eventType": "task_completed", "scope": "team",
        "targetUrl": "https://example.com/hooks", "ordering": "checklist", "ratePerSecond": 25,
        "signing": "hmac"});
    let made = server.post("/api/web-hook/subscribe").json(&body);
    let made = made.answer().await.ok();
    let shown = get(&server, text(&made["id"])).await;
    assert_eq!(
        (
            &shown["ordering"],
            &shown["ratePerSecond"],
            &shown["signing"]
        ),
        (&json!("checklist"), &json!(25), &json!("hmac"))
    );
    // Who asks for the same one again gets it as it is.
    let again = subscribe(&server, "ordering=checklist").await.ok();
    assert_eq!(
        (&again["id"], &again["ordering"]),
        (&plain["id"], &json!("none"))
    );
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let server = Server::start().await;
    let wrong = "ordering=random&ratePerSecond=0&signing=rsa";
    assert_eq!(
        errors(&subscribe(&server, wrong).await.problem()),
        [
            "ratePerSecond must be from 1 to 10000, but is 0",
            "ordering must be none or checklist, but is \"random\"",
            "signing must be hmac, ed25519 or both, but is \"rsa\"",
        ]
    );
}

#[tokio::test]
async fn what_is_kept_is_chosen_shown_and_changed() {
    let server = Server::start().await;
    let kept = |row: &Value| {
        let of = ["keepAnswer", "maskResponseHeaders", "deleteBodyOnSuccess"];
        of.map(|name| row[name].clone())
    };
    let chosen = "keepAnswer=false&maskResponseHeaders=X-Token,x-session&deleteBodyOnSuccess=true";
    let made = subscribe(&server, chosen).await.ok();
    let expected = [json!(false), json!(["x-session", "x-token"]), json!(true)];
    assert_eq!(kept(&made), expected);
    let id = text(&made["id"]);
    assert_eq!(kept(&get(&server, id).await), expected);
    let changed = change(&server, id, &json!({"maskResponseHeaders": "x-other"})).await;
    let expected = [json!(false), json!(["x-other"]), json!(true)];
    assert_eq!(kept(&changed.ok()), expected);
    for nothing in [
        json!({"maskResponseHeaders": null}),
        json!({"maskResponseHeaders": ""}),
    ] {
        let plain = json!({"keepAnswer": true, "deleteBodyOnSuccess": false});
        change(&server, id, &json!({"maskResponseHeaders": "x-a"}))
            .await
            .ok();
        change(&server, id, &plain).await.ok();
        let changed = change(&server, id, &nothing).await.ok();
        assert_eq!(
            kept(&changed),
            [json!(true), json!([]), json!(false)],
            "{nothing}"
        );
    }
    let wrong =
        json!({"keepAnswer": "often", "maskResponseHeaders": "a b", "deleteBodyOnSuccess": 7});
    assert_eq!(
        errors(&change(&server, id, &wrong).await.problem()),
        [
            "keepAnswer must be true or false, but is \"often\"",
            "maskResponseHeaders must be up to 20 names of headers with commas between and without patterns, such as \
             x-session,x-token, but is \"a b\"",
            "deleteBodyOnSuccess must be true or false, but is \"7\"",
        ]
    );
}

#[tokio::test]
async fn what_is_given_changes_and_the_rest_stays() {
    let server = Server::start().await;
    let made = subscribe(&server, "ratePerSecond=5").await.ok();
    let id = text(&made["id"]);
    let changed = change(
        &server,
        id,
        &json!({"source": " renamed ", "targetUrl": "https://example.com/new", "ordering": "checklist"}),
    )
    .await;
    insta::assert_snapshot!("change_subscription", changed.shown());
    assert_eq!(get(&server, id).await, changed.ok());
    // In the query as well; and nothing given takes the limit off, however it is written.
    for nothing in [json!({"ratePerSecond": null}), json!({"RatePerSecond": ""})] {
        let query = format!("/api/web-hook/subscription?subscriptionId={id}&ratePerSecond=7");
        let rate = server.ask("PATCH", &query).answer().await.ok()["ratePerSecond"].clone();
        assert_eq!(rate, 7);
        let off = change(&server, id, &nothing).await.ok();
        assert_eq!(
            (&off["ratePerSecond"], &off["ordering"]),
            (&Value::Null, &json!("checklist")),
            "{nothing}"
        );
    }
    let same = change(&server, id, &json!({})).await.ok();
    assert_eq!(same, get(&server, id).await);
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_and_nothing_is_changed() {
    let server = Server::start().await;
    let made = subscribe(&server, "").await.ok();
    let id = text(&made["id"]);
    let before = get(&server, id).await;
    let wrong = json!({"ordering": "checklist", "eventType": "new_checklist", "orderring": null});
    let problem = change(&server, id, &wrong).await.problem();
    let why =
        "can't be changed, or is unknown; source, targetUrl and the settings can, save payload";
    assert_eq!(
        errors(&problem),
        [format!("orderring {why}; do you mean ordering?")]
    );
    let wrong =
        json!({"eventType": "new_checklist", "state": "paused", "provenAt": null, "teamid": 7});
    let problem = change(&server, id, &wrong).await.problem();
    let said = errors(&problem);
    let names: Vec<_> = said
        .iter()
        .filter_map(|said| said.split(' ').next())
        .collect();
    assert_eq!(names, ["teamID", "eventType", "state"], "{problem}");
    assert!(
        said[1].ends_with("is task_completed: send it back so, or leave it out"),
        "{problem}"
    );
    for (body, code) in [
        (json!({"targetUrl": "https://10.0.0.1/"}), "target_refused"),
        (json!({"targetUrl": "nowhere"}), "target_refused"),
        (json!({"source": "ALL"}), "invalid_request"),
        (json!({"source": "a\nb"}), "invalid_request"),
        (json!({"ratePerSecond": 10_001}), "invalid_request"),
    ] {
        let problem = change(&server, id, &body).await.problem();
        assert_eq!(problem["code"], code, "{body}");
    }
    assert_eq!(get(&server, id).await, before);
}

#[tokio::test]
async fn two_subscriptions_never_become_the_same() {
    let server = Server::start().await;
    let first = subscribe(&server, "").await.ok();
    let body = json!({"source": "other", "eventType": "task_completed", "scope": "team",
        "targetUrl": "https://example.com/hooks"});
    let other = server.post("/api/web-hook/subscribe").json(&body);
    let other = other.answer().await.ok();
    let renamed = json!({"source": "custom"});
    let problem = change(&server, text(&other["id"]), &renamed).await;
    let problem = problem.problem();
    assert_eq!(
        (
            &problem["code"],
            &problem["status"],
            &problem["subscriptionId"]
        ),
        (&json!("subscription_same"), &json!(409), &first["id"])
    );
    // One that has ended is in nobody's way.
    let end = format!(
        "/api/web-hook/unsubscribe?subscriptionId={}",
        text(&first["id"])
    );
    server.ask("DELETE", &end).answer().await.ok();
    let moved = change(&server, text(&other["id"]), &renamed).await;
    assert_eq!(moved.ok()["source"], "custom");
}

#[tokio::test]
async fn pausing_and_resuming_tell_why_and_by_whom_and_twice_is_once() {
    let server = Server::start().await;
    let made = subscribe(&server, "").await.ok();
    let id = text(&made["id"]);
    let untouched = post(&server, "resume", id, "&reason=nothing").await.ok();
    assert_eq!(untouched, get(&server, id).await, "it was not paused");
    assert_eq!(untouched["stateReason"], "subscribed");

    let paused = post(&server, "pause", id, "&reason=we%20move%20house")
        .await
        .ok();
    assert_eq!(
        (
            &paused["state"],
            &paused["stateReason"],
            &paused["stateBy"],
            &paused["isActive"]
        ),
        (
            &json!("paused"),
            &json!("we move house"),
            &json!("script"),
            &json!(false)
        )
    );
    let again = post(&server, "pause", id, "&reason=again").await.ok();
    assert_eq!(again, paused, "with its first reason");
    let resumed = post(&server, "resume", id, "").await.ok();
    assert_eq!(
        (&resumed["state"], &resumed["stateReason"]),
        (&json!("active"), &json!("resumed"))
    );
    let long = format!("&reason={}", "x".repeat(501));
    let refused = post(&server, "pause", id, &long).await.problem();
    assert_eq!(refused["errors"][0]["field"], "reason");
}

#[tokio::test]
async fn one_that_has_ended_is_neither_changed_nor_paused_nor_resumed() {
    let server = Server::start().await;
    let made = subscribe(&server, "").await.ok();
    let id = text(&made["id"]);
    let end = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    server.ask("DELETE", &end).answer().await.ok();
    let gone = get(&server, id).await;
    let answers = [
        change(&server, id, &json!({"source": "x"})).await,
        post(&server, "pause", id, "").await,
        post(&server, "resume", id, "").await,
    ];
    for answer in answers {
        let problem = answer.problem();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&json!("subscription_gone"), &json!(409))
        );
    }
    assert_eq!(get(&server, id).await, gone);
}

#[tokio::test]
async fn another_teams_subscription_is_not_there() {
    let server = Server::start().await;
    let made = subscribe(&server, "").await.ok();
    let id = text(&made["id"]);
    for (method, operation) in [
        ("PATCH", "subscription"),
        ("POST", "pause"),
        ("POST", "resume"),
    ] {
        for (key, id) in [(&server.other_key, id), (&server.key, NOBODY)] {
            let target = format!("/api/web-hook/{operation}?subscriptionId={id}&source=mine");
            let target = if method == "PATCH" {
                target.clone()
            } else {
                target.replace("&source=mine", "")
            };
            let ask = server.ask(method, &target).header("x-api-key", key);
            assert_eq!(
                ask.refusal().await,
                (404, "subscription_missing".to_owned()),
                "{method} {operation}"
            );
        }
    }
    assert_eq!(get(&server, id).await["source"], "custom");
}

#[tokio::test]
async fn a_whole_row_that_was_read_is_sent_back_with_one_place_changed() {
    let server = Server::start().await;
    let wishes = json!({"source": "whole", "signing": "both", "proof": "echo", "maskResponseHeaders": ["x-a", "x-b"],
        "ratePerSecond": 5, "payload": "thin", "headers": {"x-key": "secret"},
        "authorization": {"kind": "basic", "user": "me", "password": "secret"},
        "tls": {"ca": "-----BEGIN CERTIFICATE-----"},
        "proxy": {"url": "http://example.com:3128", "user": "me", "password": "secret"}});
    let made = crate::subscription_requests::subscribe(&server, &wishes)
        .await
        .ok();
    let id = text(&made["id"]);
    let mut row = get(&server, id).await;
    assert_eq!(
        change(&server, id, &row).await.ok(),
        row,
        "nothing is changed"
    );
    row["traceparent"] = json!(true);
    assert_eq!(change(&server, id, &row).await.ok(), row);
    assert_eq!(get(&server, id).await, row);
    // A target in the case in which it is shown is the target.
    row["targetURL"] = json!("https://example.com/elsewhere");
    let moved = change(&server, id, &row).await.ok();
    assert_eq!(moved["targetURL"], row["targetURL"]);
}
