use serde_json::json;

use crate::harness::{Ask, NOBODY, Server, errors, text};

/// The same request with a key that nobody has.
fn wrong_key(ask: Ask<'_>) -> Ask<'_> {
    ask.header("x-api-key", "ck_wrong")
}

#[tokio::test]
async fn a_missing_a_wrong_and_a_revoked_key_are_told_apart() {
    let server = Server::start().await;
    let target = "/api/authentication/validate";
    let without = server.get(target).header("x-api-key", "").answer().await;
    insta::assert_snapshot!("key_missing", without.shown());
    let wrong = server
        .get(target)
        .header("x-api-key", "ck_wrong")
        .answer()
        .await;
    insta::assert_snapshot!("key_unknown", wrong.shown());
    let keys = app::list_keys(&server.store, server.team).await.unwrap();
    app::revoke_key(&server.store, &server.source, server.team, keys[0].id)
        .await
        .unwrap();
    assert_eq!(
        server.get(target).refusal().await,
        (401, "key_revoked".to_owned())
    );
}

#[tokio::test]
async fn whoever_has_no_key_hears_of_that_and_of_nothing_else() {
    let server = Server::start().await;
    let unknown = (401, "key_unknown".to_owned());
    assert_eq!(
        wrong_key(server.get("/api/template?templateKey=7"))
            .refusal()
            .await,
        unknown
    );
    assert_eq!(
        wrong_key(server.get("/api/template?a=%FF")).refusal().await,
        unknown
    );
    assert_eq!(
        wrong_key(
            server
                .post("/api/checklist")
                .body("{")
                .header("content-type", "application/json")
        )
        .refusal()
        .await,
        unknown
    );
    assert_eq!(
        wrong_key(
            server
                .post("/api/checklist")
                .body("a=b")
                .header("content-type", "text/plain")
        )
        .refusal()
        .await,
        unknown
    );
    assert_eq!(
        wrong_key(server.upload(&json!(1), "a", b"x"))
            .refusal()
            .await,
        unknown
    );
    assert_eq!(
        wrong_key(server.post("/api/task/upload-file?taskContentID=1"))
            .refusal()
            .await,
        unknown
    );
    assert_eq!(
        wrong_key(server.get("/api/template").header("x-api-version", "9"))
            .refusal()
            .await,
        unknown
    );
    let without = server
        .get("/api/template?templateKey=7")
        .header("x-api-key", "");
    assert_eq!(without.refusal().await, (401, "key_missing".to_owned()));
}

#[tokio::test]
async fn a_bad_guid_is_named_with_where_good_ones_come_from() {
    let server = Server::start().await;
    insta::assert_snapshot!(
        "bad_guid",
        server
            .get("/api/template?templateKey=4711")
            .answer()
            .await
            .shown()
    );
    for target in [
        "/api/template/tasks?templateKey=x",
        "/api/template/task-content?taskKey=x",
        "/api/checklist/find?templateKey=x",
        "/api/checklist/details?templateKey=x",
        "/api/checklist/tasks?taskKey=x",
        "/api/checklist/uploaded-files?taskContentKey=x",
        "/api/checklist/file?fileKey=x",
        "/api/task/details?checklistId=1&taskKey=x",
        "/api/web-hook/subscription?subscriptionId=x",
        "/api/web-hook/delivery?deliveryId=x",
        "/api/web-hook/deliveries?cursor=x",
    ] {
        let problem = server.get(target).answer().await.problem();
        assert_eq!(problem["code"], "invalid_request", "{target}");
        assert!(
            errors(&problem)[0].contains("\"x\" is not a GUID"),
            "{target}: {problem}"
        );
    }
}

#[tokio::test]
async fn every_operation_names_what_is_missing() {
    let server = Server::start().await;
    for (method, target, missing) in [
        ("GET", "/api/template", &["templateKey"][..]),
        ("GET", "/api/template/tasks", &["templateKey"]),
        ("GET", "/api/template/task-content", &["taskKey"]),
        ("POST", "/api/checklist", &["templateKey", "checklistName"]),
        ("GET", "/api/checklist/find", &["templateKey"]),
        ("GET", "/api/checklist/details", &["templateKey"]),
        ("GET", "/api/checklist/uploaded-files", &["taskContentKey"]),
        ("GET", "/api/checklist/file", &["fileKey"]),
        ("GET", "/api/task/details", &["checklistId", "taskKey"]),
        (
            "PUT",
            "/api/task/status",
            &["taskId", "status", "modifiedByUserID"],
        ),
        (
            "PUT",
            "/api/task/update-task-content",
            &["taskContentID", "value"],
        ),
        ("POST", "/api/task/upload-file", &["taskContentID"]),
        (
            "POST",
            "/api/web-hook/subscribe",
            &["source", "eventType", "targetUrl"],
        ),
        ("GET", "/api/web-hook/subscription", &["subscriptionId"]),
        ("DELETE", "/api/web-hook/unsubscribe", &["subscriptionId"]),
        ("PATCH", "/api/web-hook/subscription", &["subscriptionId"]),
        ("POST", "/api/web-hook/pause", &["subscriptionId"]),
        ("POST", "/api/web-hook/resume", &["subscriptionId"]),
        ("GET", "/api/web-hook/delivery", &["deliveryId"]),
        ("POST", "/api/web-hook/redeliver", &["deliveryId"]),
    ] {
        let problem = server.ask(method, target).answer().await.problem();
        let named: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| text(&error["field"]))
            .collect();
        assert_eq!(named, missing, "{method} {target}");
    }
}

#[tokio::test]
async fn a_key_that_nothing_has_is_a_404_with_a_code_of_its_own() {
    let server = Server::start().await;
    for (method, target, code) in [
        ("GET", "/api/template?templateKey=", "template_missing"),
        (
            "GET",
            "/api/template/tasks?templateKey=",
            "template_missing",
        ),
        ("GET", "/api/template/task-content?taskKey=", "task_missing"),
        (
            "POST",
            "/api/checklist?checklistName=x&templateKey=",
            "template_missing",
        ),
        (
            "GET",
            "/api/checklist/find?createIfNotExists=true&checklistName=x&templateKey=",
            "template_missing",
        ),
        ("GET", "/api/checklist/file?fileKey=", "file_missing"),
        (
            "GET",
            "/api/web-hook/subscription?subscriptionId=",
            "subscription_missing",
        ),
        (
            "DELETE",
            "/api/web-hook/unsubscribe?subscriptionId=",
            "subscription_missing",
        ),
        (
            "GET",
            "/api/web-hook/delivery?deliveryId=",
            "delivery_missing",
        ),
    ] {
        let refused = server
            .ask(method, &format!("{target}{NOBODY}"))
            .refusal()
            .await;
        assert_eq!(refused, (404, code.to_owned()), "{method} {target}");
    }
}

#[tokio::test]
async fn a_body_must_be_json_of_a_bounded_size() {
    let server = Server::start().await;
    let put = |kind: &str, body: String| {
        server
            .ask("PUT", "/api/task/status")
            .header("content-type", kind)
            .body(body)
    };
    let json = "application/json";
    insta::assert_snapshot!(
        "malformed_json",
        put(json, "{\n \"taskId\": 1,,\n}".to_owned())
            .answer()
            .await
            .shown()
    );
    assert_eq!(
        put(json, "[1]".to_owned()).refusal().await,
        (400, "invalid_request".to_owned())
    );
    assert_eq!(
        put("text/plain", "{}".to_owned()).refusal().await,
        (415, "media_type_unsupported".to_owned())
    );
    let form = put("application/x-www-form-urlencoded", "taskId=1".to_owned());
    assert_eq!(
        form.refusal().await,
        (415, "media_type_unsupported".to_owned())
    );
    let large = put(json, format!("{{\"taskId\":\"{}\"}}", "x".repeat(100_000)));
    assert_eq!(large.refusal().await, (413, "body_too_large".to_owned()));
    let deep = put(json, format!("{{\"a\":{}", "[".repeat(50_000)));
    assert_eq!(deep.refusal().await, (400, "malformed_json".to_owned()));
    let twice = put(
        json,
        r#"{"taskId":1,"taskID":2,"status":"Complete","modifiedByUserID":0}"#.to_owned(),
    );
    let problem = twice.answer().await.problem();
    assert_eq!(
        errors(&problem),
        ["taskID is given twice with different values; give it once"]
    );
}

#[tokio::test]
async fn a_query_must_be_utf8_of_a_bounded_length() {
    let server = Server::start().await;
    assert_eq!(
        server.get("/api/template?templateKey=%FF").refusal().await,
        (400, "malformed_query".to_owned())
    );
    assert_eq!(
        server.get("/api/template?templateKey=%zz").refusal().await,
        (400, "malformed_query".to_owned())
    );
    let long = format!("/api/template?a={}", "x".repeat(2_000));
    assert_eq!(
        server.get(&long).refusal().await,
        (414, "query_too_long".to_owned())
    );
    let twice = format!("/api/template?templateKey={NOBODY}&TemplateKey=7");
    assert_eq!(
        server.get(&twice).refusal().await,
        (400, "invalid_request".to_owned())
    );
    let same = format!("/api/template?templateKey={NOBODY}&TemplateKey={NOBODY}&colour=red");
    assert_eq!(
        server.get(&same).refusal().await,
        (404, "template_missing".to_owned())
    );
}

#[tokio::test]
async fn versions_are_one_two_or_none() {
    let server = Server::start().await;
    for version in ["", "1.0", "2.0"] {
        server
            .get("/api/authentication/validate")
            .header("x-api-version", version)
            .answer()
            .await
            .ok();
    }
    let other = server
        .get("/api/authentication/validate")
        .header("x-api-version", "3.0");
    assert_eq!(other.refusal().await, (400, "version_unknown".to_owned()));
}

/// What is wrong with a request that is refused, as `field message`.
async fn wrong(ask: Ask<'_>) -> Vec<String> {
    let problem = ask.answer().await.problem();
    assert_eq!(problem["code"], "invalid_request", "{problem}");
    errors(&problem)
}

#[tokio::test]
async fn a_misspelt_name_makes_no_wider_key_and_no_longer_list() {
    let server = Server::start().await;
    let key = json!({"name": "narrow", "scope": "read", "expires": "2027-01-01T00:00:00Z"});
    let said = wrong(server.post("/api/key").json(&key)).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("expires is unknown") && said[0].ends_with("do you mean expiresAt?")
    );
    assert!(said[1].starts_with("scope is unknown") && said[1].ends_with("do you mean scopes?"));
    for name in ["scopes", "expiresAt"] {
        let said = wrong(server.post(&format!("/api/key?name=x&{name}="))).await;
        assert!(
            said[0].starts_with(&format!("{name} can't be empty")),
            "{said:?}"
        );
    }
    for target in [
        "/api/audit/log?acton=task",
        "/api/key/keys?limits=5",
        "/api/audit/log?whatever=1",
    ] {
        assert!(
            wrong(server.get(target)).await[0].contains("is unknown"),
            "{target}"
        );
    }
    let keys = server.get("/api/key/keys").answer().await.ok();
    let names: Vec<_> = keys["items"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 1, "no key was made");
}

#[tokio::test]
async fn a_slip_in_subscribing_is_refused_and_what_scripts_send_beside_is_not() {
    let server = Server::start().await;
    let subscribe = "/api/web-hook/subscribe?source=a&eventType=task_completed&scope=team\
        &targetUrl=https%3A%2F%2Fexample.com%2Fhooks";
    let said = wrong(server.post(&format!("{subscribe}&prooof=echo"))).await;
    assert_eq!(said, ["prooof is unknown; do you mean proof?"]);
    let body = json!({"deleteBody": true, "signin": null});
    let said = wrong(server.post(subscribe).json(&body)).await;
    assert!(
        said[0].starts_with("deletebody is unknown; there are source, eventType"),
        "{said:?}"
    );
    assert_eq!(said[1], "signin is unknown; do you mean signing?");
    let beside =
        format!("{subscribe}&userId=7&apiVersion=2&TARGETurl=https%3A%2F%2Fexample.com%2Fhooks");
    server.post(&beside).answer().await.ok();
}

#[tokio::test]
async fn names_within_a_member_have_no_case_and_are_given_once() {
    let server = Server::start().await;
    let subscribe = "/api/web-hook/subscribe?source=a&eventType=task_completed&scope=team\
        &targetUrl=https%3A%2F%2Fexample.com%2Fhooks";
    for (body, expected) in [
        (
            r#"{"authorization": {"kind": "basic", "user": "a", "USER": "b", "password": "p"}}"#,
            "authorization.USER is given twice with different values; give it once",
        ),
        (
            r#"{"headers": {"x-key": "one", "x-key": "two"}}"#,
            "headers.x-key is given twice with different values; give it once",
        ),
        (
            r#"{"authorization": {"KIND": "basic", "user": "a", "passwort": "p", "password": "p"}}"#,
            "authorization.passwort is unknown; there are kind, user, password",
        ),
    ] {
        let ask = server
            .post(subscribe)
            .header("content-type", "application/json");
        assert_eq!(wrong(ask.body(body)).await, [expected], "{body}");
    }
    let body = r#"{"authorization": {"KIND": "basic", "USER": null, "User": "a", "user": "a", "PassWord": "p"},
        "Proxy": {"URL": "http://example.com:3128"}}"#;
    let ask = server
        .post(subscribe)
        .header("content-type", "application/json");
    let made = ask.body(body).answer().await.ok();
    assert_eq!(
        made["authorization"],
        json!({"kind": "basic", "user": "a", "password": "********"})
    );
    assert_eq!(made["proxy"]["url"], "http://example.com:3128/");
}
