use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::stream;
use serde_json::json;

use crate::harness::{Server, text};

#[tokio::test]
async fn a_path_that_is_not_there_is_a_problem() {
    let server = Server::start().await;
    insta::assert_snapshot!(
        "route_missing",
        server.get("/api/nothing").answer().await.shown()
    );
    for target in [
        "/nothing",
        "/api",
        "/api/template/",
        "/API/template",
        "/swagger/nothing",
        "/problems/nothing",
    ] {
        assert_eq!(
            server.get(target).refusal().await,
            (404, "route_missing".to_owned()),
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_a_problem_that_names_those_it_does() {
    let server = Server::start().await;
    for (method, target, allowed) in [
        ("DELETE", "/api/template", &["GET", "HEAD", "PUT"][..]),
        ("GET", "/api/checklist", &["POST"]),
        ("POST", "/api/web-hook/unsubscribe", &["DELETE"]),
        ("OPTIONS", "/api/task/status", &["PUT"]),
        ("POST", "/swagger", &["GET", "HEAD"]),
    ] {
        let answer = server.ask(method, target).answer().await;
        assert_eq!(
            answer.problem()["code"],
            "method_not_allowed",
            "{method} {target}"
        );
        let mut found: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        found.sort_unstable();
        assert_eq!(found, allowed, "{method} {target}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_headers_of_a_careful_server() {
    let server = Server::start().await;
    for target in [
        "/api/authentication/validate",
        "/api/nothing",
        "/swagger/",
        "/health/live",
    ] {
        let answer = server
            .get(target)
            .header("x-request-id", "trace-1")
            .answer()
            .await;
        assert_eq!(answer.header("x-request-id"), "trace-1", "{target}");
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{target}"
        );
        assert_eq!(answer.header("x-frame-options"), "DENY", "{target}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{target}"
        );
        let made = server
            .get(target)
            .header("x-request-id", "not sane!")
            .answer()
            .await;
        assert_eq!(made.header("x-request-id").len(), 36, "{target}");
    }
}

#[tokio::test]
async fn health_needs_no_key_and_tells_why_it_is_not_ready() {
    let server = Server::start().await;
    let health = |target: &'static str| server.get(target).header("x-api-key", "").answer();
    assert_eq!(health("/health/live").await.ok()["status"], "live");
    assert_eq!(health("/health/ready").await.ok()["status"], "ready");
    let stopping = Server::with(|settings| {
        settings.ready = Arc::new(|| Err("the server is stopping".to_owned()));
    })
    .await;
    let problem = stopping.get("/health/ready").answer().await.problem();
    assert_eq!(
        (text(&problem["code"]), text(&problem["detail"])),
        ("not_ready", "the server is stopping")
    );
    stopping.get("/health/live").answer().await.ok();
}

#[tokio::test]
async fn swagger_and_its_document_are_readable_without_a_key() {
    let server = Server::start().await;
    let open = |target: &'static str| server.get(target).header("x-api-key", "").answer();
    for target in ["/", "/swagger"] {
        let answer = open(target).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (307, "/swagger/"),
            "{target}"
        );
    }
    let page = String::from_utf8(open("/swagger/").await.body).unwrap();
    let policy = open("/swagger/")
        .await
        .header("content-security-policy")
        .to_owned();
    assert!(policy.contains("script-src 'self';"), "{policy}");
    // The policy lets no script in the page run, so there must be none.
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script src=\"./").count(),
        "{page}"
    );
    for file in [
        "swagger-ui.css",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-initializer.js",
    ] {
        assert!(page.contains(file), "{file}");
        let answer = server
            .get(&format!("/swagger/{file}"))
            .header("x-api-key", "")
            .answer()
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{file}");
    }
    let start = String::from_utf8(open("/swagger/swagger-initializer.js").await.body).unwrap();
    assert!(
        start.contains("\"/swagger/v2/swagger.json\"")
            && start.contains("\"validatorUrl\": \"none\""),
        "{start}"
    );
    assert!(!start.contains("https://"), "{start}");
    let document = open("/swagger/v2/swagger.json").await.ok();
    assert_eq!(document, api::openapi());
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_what_it_means() {
    let server = Server::start().await;
    let problem = server.get("/api/nothing").answer().await.problem();
    let page = server.get(text(&problem["type"])).answer().await;
    let text = String::from_utf8(page.body).unwrap();
    assert!(
        page.status.is_success() && text.starts_with("route_missing (404"),
        "{text}"
    );
    for code in api::Code::ALL {
        let page = server
            .get(&format!("/problems/{}", code.word()))
            .answer()
            .await;
        assert_eq!(page.status.as_u16(), 200, "{code:?}");
    }
}

#[tokio::test]
async fn every_route_of_the_document_is_served_and_wants_a_key() {
    let server = Server::start().await;
    let document = api::openapi();
    let (mut seen, mut open) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let path = path.replace("{teamId}", &server.team.get().to_string());
            let ask = server
                .ask(&method.to_uppercase(), &path)
                .header("x-api-key", "");
            if described["security"] == json!([]) {
                assert_eq!(ask.answer().await.status.as_u16(), 200, "{method} {path}");
                open += 1;
                continue;
            }
            assert_eq!(
                ask.refusal().await,
                (401, "key_missing".to_owned()),
                "{method} {path}"
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} operations");
    assert_eq!(open, 1, "operations without a key");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let timeout = Duration::from_millis(20);
    let server = Server::with(|settings| settings.limits.request_timeout = timeout).await;
    let standing = stream::pending::<Result<&'static str, std::io::Error>>();
    let ask = server
        .ask("PUT", "/api/task/status")
        .body(Body::from_stream(standing));
    let answer = ask.answer().await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.problem()["code"], "timed_out");
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let idle = Duration::from_millis(20);
    let server = Server::with(|settings| settings.limits.body_idle_timeout = idle).await;
    let standing = stream::pending::<Result<&'static str, std::io::Error>>();
    let ask = server
        .ask("PUT", "/api/task/status")
        .body(Body::from_stream(standing));
    assert_eq!(ask.refusal().await, (408, "request_timeout".to_owned()));
}

#[tokio::test]
async fn a_stopped_store_is_unavailable_and_says_when_to_come_back() {
    let server = Server::start().await;
    server.store.stop().await;
    let answer = server.get("/api/template/templates").answer().await;
    assert_eq!(answer.problem()["code"], "unavailable");
    assert_eq!(answer.header("retry-after"), "2");
}
