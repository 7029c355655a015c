use serde_json::{Value, json};

use crate::harness::{Answer, NOBODY, Server, ZERO, errors, text};

/// Subscribes with these parameters of a query, to a source and target that are good.
async fn subscribe(server: &Server, query: &str) -> Answer {
    let target = format!(
        "/api/web-hook/subscribe?source=custom&targetUrl=https%3A%2F%2Fexample.com%2Fhooks&{query}"
    );
    server.post(&target).answer().await
}

fn keys(template: &Value) -> (&str, &str, &str) {
    let task = &template["tasks"][0];
    (
        text(&template["templateKey"]),
        text(&task["key"]),
        text(&task["controls"][1]["key"]),
    )
}

#[tokio::test]
async fn a_subscription_is_made_once_and_its_secret_shown_once() {
    let server = Server::start().await;
    let template = server.template().await;
    let (key, ..) = keys(&template);
    let query =
        format!("eventType=new_checklist&templateKey={key}&taskKey={ZERO}&taskContentKey={ZERO}");
    let made = subscribe(&server, &query).await;
    insta::assert_snapshot!("subscribe", made.shown());
    let made = made.ok();
    let again = subscribe(&server, &query).await.ok();
    assert_eq!(
        (&again["id"], &again["isNew"], &again["secret"]),
        (&made["id"], &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn every_scope_can_be_said_in_a_query_or_in_a_body() {
    let server = Server::start().await;
    let template = server.template().await;
    let (key, task, control) = keys(&template);
    for (given, scope) in [
        (
            json!({"eventType": "new_checklist", "templateKey": key}),
            "template",
        ),
        (
            json!({"eventType": "task_completed", "templateKey": key}),
            "template",
        ),
        (
            json!({"eventType": "task_completed", "taskKey": task, "templateKey": key}),
            "task",
        ),
        (
            json!({"eventType": "task_completed", "scope": "team"}),
            "team",
        ),
        (
            json!({"eventType": "file_uploaded", "taskContentKey": control}),
            "control",
        ),
    ] {
        let mut body = given.clone();
        body["source"] = json!("custom");
        body["targetUrl"] = json!("https://example.com/hooks");
        let made = server
            .post("/api/web-hook/subscribe")
            .json(&body)
            .answer()
            .await
            .ok();
        assert_eq!(made["scope"], scope, "{given}");
        let pairs: Vec<String> = given
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        let same = subscribe(&server, &pairs.join("&")).await.ok();
        assert_eq!(same["id"], made["id"], "{given}");
    }
}

#[tokio::test]
async fn a_scope_that_does_not_fit_says_why_and_what_would() {
    let server = Server::start().await;
    let template = server.template().await;
    let (key, task, control) = keys(&template);
    insta::assert_snapshot!(
        "scope_missing",
        subscribe(&server, "eventType=task_completed").await.shown()
    );
    let wrong = format!("eventType=file_uploaded&taskContentKey={NOBODY}");
    insta::assert_snapshot!(
        "scope_unknown_control",
        subscribe(&server, &wrong).await.shown()
    );
    let text_control = text(&template["tasks"][0]["controls"][0]["key"]);
    let heading = text(&template["tasks"][1]["key"]);
    for (query, field) in [
        ("eventType=new_checklist".to_owned(), "templateKey"),
        (
            format!("eventType=new_checklist&templateKey={ZERO}"),
            "templateKey",
        ),
        (
            format!("eventType=new_checklist&templateKey={key}&taskKey={task}"),
            "taskKey",
        ),
        (
            format!("eventType=file_uploaded&taskContentKey={text_control}"),
            "taskContentKey",
        ),
        (
            format!("eventType=task_completed&taskKey={heading}"),
            "taskKey",
        ),
        (
            format!("eventType=task_completed&taskContentKey={control}"),
            "taskContentKey",
        ),
        (
            format!("eventType=task_completed&scope=team&taskKey={task}"),
            "scope",
        ),
        (
            format!("eventType=new_checklist&scope=team&templateKey={key}"),
            "scope",
        ),
    ] {
        let problem = subscribe(&server, &query).await.problem();
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["field"]),
            (&json!("scope_invalid"), &json!(field)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_subscription_is_said_at_once() {
    let server = Server::start().await;
    let problem = server
        .post("/api/web-hook/subscribe?eventType=lunch&scope=world&taskKey=7")
        .answer()
        .await
        .problem();
    assert_eq!(
        errors(&problem),
        [
            "source must be given",
            "eventType must be new_checklist, task_completed, file_uploaded, subscription_failing, subscription_paused or subscription_recovered, but is \"lunch\"",
            "targetUrl must be given",
            "taskKey \"7\" is not a GUID such as 0192f3a4-5b6c-7d8e-9f01-23456789abcd; GET /api/template/tasks lists them",
            "scope must be team, or be left out; a template, task or control is said by its key",
        ]
    );
    for name in ["ALL", "all"] {
        let target = format!(
            "/api/web-hook/subscribe?source={name}&eventType=ALL&targetUrl=https://example.com&scope=team"
        );
        let problem = server.post(&target).answer().await.problem();
        assert_eq!(errors(&problem).len(), 2, "{problem}");
    }
}

#[tokio::test]
async fn targets_that_webhooks_may_not_have_are_refused_with_rule_and_setting() {
    let server = Server::start().await;
    let ask = async |target: &str| {
        let body = json!({"source": "custom", "eventType": "task_completed", "scope": "team", "targetUrl": target});
        server
            .post("/api/web-hook/subscribe")
            .json(&body)
            .answer()
            .await
    };
    insta::assert_snapshot!(
        "target_private",
        ask("http://intranet.example.com/hooks").await.shown()
    );
    for (target, rule) in [
        ("/hooks", "not_absolute"),
        ("ftp://example.com/", "not_http"),
        ("https://user:pass@example.com/", "credentials"),
        ("https://example.com/#here", "fragment"),
        ("https://nowhere.example.com/", "unresolvable"),
        ("http://127.0.0.1/", "loopback"),
    ] {
        let problem = ask(target).await.problem();
        assert_eq!(
            (&problem["code"], &problem["rule"]),
            (&json!("target_refused"), &json!(rule)),
            "{target}: {problem}"
        );
    }
}

#[tokio::test]
async fn subscriptions_are_listed_got_and_ended() {
    let server = Server::start().await;
    let list = "/api/web-hook/subscriptions";
    assert_eq!(
        server.get(list).refusal().await,
        (404, "nothing_found".to_owned())
    );
    let made = subscribe(&server, "eventType=task_completed&scope=team")
        .await
        .ok();
    let id = text(&made["id"]);
    insta::assert_snapshot!("subscriptions", server.get(list).answer().await.shown());
    for (query, status) in [
        ("source=ALL&eventType=ALL", 200),
        ("source=custom", 200),
        ("source=zapier", 404),
        ("eventType=new_checklist", 404),
        ("eventType=lunch", 400),
    ] {
        let answer = server.get(&format!("{list}?{query}")).answer().await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
    }
    let one = format!("/api/web-hook/subscription?subscriptionId={id}");
    assert_eq!(server.get(&one).answer().await.ok()["state"], "active");
    let other = server.get(&one).header("x-api-key", &server.other_key);
    assert_eq!(
        other.refusal().await,
        (404, "subscription_missing".to_owned())
    );
    let end = format!("/api/web-hook/unsubscribe?subscriptionId={id}");
    let ended = server.ask("DELETE", &end).answer().await;
    insta::assert_snapshot!("unsubscribe", ended.shown());
    assert_eq!(server.ask("DELETE", &end).answer().await.ok(), ended.ok());
    assert_eq!(
        server.get(list).refusal().await,
        (404, "nothing_found".to_owned())
    );
    assert_eq!(server.get(&one).answer().await.ok()["state"], "gone");
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page_and_an_empty_list_is_empty() {
    let server = Server::start().await;
    let path = "/api/web-hook/deliveries";
    assert_eq!(
        server.get(path).answer().await.ok(),
        json!({"items": [], "nextCursor": null})
    );
    let template = server.template().await;
    let (key, ..) = keys(&template);
    let query = format!("eventType=new_checklist&templateKey={key}");
    subscribe(&server, &query).await.ok();
    for _ in 0..3 {
        server.checklist(&template).await;
    }
    let first = server.get(&format!("{path}?limit=2")).answer().await.ok();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let cursor = text(&first["nextCursor"]);
    let last = server
        .get(&format!("{path}?limit=2&cursor={cursor}"))
        .answer()
        .await
        .ok();
    assert_eq!(
        (last["items"].as_array().map(Vec::len), &last["nextCursor"]),
        (Some(1), &Value::Null)
    );
    let sequences: Vec<&Value> = [&first, &last]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|row| &row["sequence"])
        .collect();
    assert_eq!(sequences, [&json!(3), &json!(2), &json!(1)]);
}

#[tokio::test]
async fn deliveries_are_filtered() {
    let server = Server::start().await;
    let path = "/api/web-hook/deliveries";
    let template = server.template().await;
    let (key, ..) = keys(&template);
    let query = format!("eventType=new_checklist&templateKey={key}");
    let subscription = subscribe(&server, &query).await.ok();
    let list = server.checklist(&template).await;
    server.checklist(&template).await;
    let rows = async |query: String| {
        server.get(&format!("{path}?{query}")).answer().await.ok()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        rows(format!("subscriptionId={}", text(&subscription["id"]))).await,
        2
    );
    assert_eq!(rows(format!("subscriptionId={NOBODY}")).await, 0);
    assert_eq!(rows("state=waiting&eventType=ALL".to_owned()).await, 2);
    assert_eq!(rows("state=delivered".to_owned()).await, 0);
    assert_eq!(rows("statusClass=5xx".to_owned()).await, 0);
    assert_eq!(
        rows(format!("checklistId={}", list["checklistId"])).await,
        1
    );
    assert_eq!(rows("since=2030-01-01T00:00:00Z".to_owned()).await, 0);
    assert_eq!(rows("until=2030-01-01T00:00:00Z".to_owned()).await, 2);

    let problem = server
        .get(&format!(
            "{path}?limit=101&state=lost&since=today&statusClass=9xx"
        ))
        .answer()
        .await
        .problem();
    assert_eq!(
        errors(&problem),
        [
            "state must be undelivered, waiting, leased, held, delivered, exhausted, cancelled, refused or expired, or ALL; but is \"lost\"",
            "statusClass must be 2xx, 3xx, 4xx or 5xx, but is \"9xx\"",
            "since \"today\" is not a date and time such as 2026-11-23T17:41:55Z",
            "limit must be from 1 to 100, but is 101",
        ]
    );
}

#[tokio::test]
async fn a_delivery_shows_the_body_that_the_list_shows() {
    let server = Server::start().await;
    let template = server.template().await;
    let (key, ..) = keys(&template);
    subscribe(
        &server,
        &format!("eventType=new_checklist&templateKey={key}"),
    )
    .await
    .ok();
    let list = server.checklist(&template).await;
    let found = server.get("/api/web-hook/deliveries").answer().await.ok();
    let id = text(&found["items"][0]["deliveryId"]);
    let detail = server
        .get(&format!("/api/web-hook/delivery?deliveryId={id}"))
        .answer()
        .await
        .ok();
    let body: Value = serde_json::from_str(text(&detail["requestBody"])).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]),
        (&json!("new_checklist"), &list)
    );
    assert_eq!(detail["attemptLog"], json!([]));
    let again = server
        .post(&format!("/api/web-hook/redeliver?deliveryId={id}"))
        .answer()
        .await
        .ok();
    assert_eq!(again["deliveryId"], found["items"][0]["deliveryId"]);
    for target in [
        format!("/api/web-hook/delivery?deliveryId={NOBODY}"),
        format!("/api/web-hook/delivery?deliveryId={id}"),
    ] {
        let refused = server
            .get(&target)
            .header("x-api-key", &server.other_key)
            .refusal()
            .await;
        assert_eq!(refused, (404, "delivery_missing".to_owned()));
    }
    let nobody = server.post(&format!("/api/web-hook/redeliver?deliveryId={NOBODY}"));
    assert_eq!(nobody.refusal().await, (404, "delivery_missing".to_owned()));
}
