//! How a subscription's requests are made: given, shown without secrets, changed, refused.

use domain::{MASK, TeamId};
use serde_json::{Value, json};
use store::{AuditLine, StoreError};

use crate::harness::{Answer, Server, errors, text};

const PEM: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "-----BEGIN PRIVATE KEY----- key-secret";

/// The members that hold wishes.
const MEMBERS: [&str; 8] = [
    "httpsOnly",
    "payload",
    "traceparent",
    "httpVersion",
    "headers",
    "authorization",
    "tls",
    "proxy",
];

/// All there is to wish for.
fn all() -> Value {
    json!({
        "httpsOnly": true,
        "payload": "thin",
        "traceparent": true,
        "httpVersion": "2",
        "headers": {"X-Api-Key": "header-secret", "x-tenant": "blue-secret"},
        "authorization": {"kind": "oauth2", "tokenUrl": "https://example.com/token", "clientId": "checkflow",
            "clientSecret": "client-secret", "scopes": ["hooks"], "clientAuth": "body"},
        "tls": {"ca": PEM, "certificate": PEM, "key": KEY},
        "proxy": {"url": "http://example.com:3128", "user": "me", "password": "proxy-secret"},
    })
}

/// Subscribes to all tasks of the team, with these further members.
pub(crate) async fn subscribe(server: &Server, wishes: &Value) -> Answer {
    let mut body = json!({"source": "custom", "eventType": "task_completed", "scope": "team",
        "targetUrl": "https://example.com/hooks"});
    for (name, value) in wishes.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = server.post("/api/web-hook/subscribe").json(&body);
    request.answer().await
}

pub(crate) async fn change(server: &Server, id: &str, body: &Value) -> Answer {
    let target = format!("/api/web-hook/subscription?subscriptionId={id}");
    server.ask("PATCH", &target).json(body).answer().await
}

async fn get(server: &Server, id: &str) -> Value {
    let target = format!("/api/web-hook/subscription?subscriptionId={id}");
    server.get(&target).answer().await.ok()
}

/// The members of `row` that hold wishes.
fn wishes(row: &Value) -> Value {
    let of = |name: &str| (name.to_owned(), row[name].clone());
    Value::Object(MEMBERS.into_iter().map(of).collect())
}

struct Audit(TeamId);

impl store::Read for Audit {
    type Done = Vec<AuditLine>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn store::ReadTx) -> Result<Vec<AuditLine>, StoreError> {
        tx.audit_list(self.0, None, 100).await
    }
}

async fn audit(server: &Server) -> Vec<AuditLine> {
    server.store.read(Audit(server.team)).await.unwrap()
}

#[tokio::test]
async fn wishes_are_shown_by_their_names_and_never_with_a_secret() {
    let server = Server::start().await;
    let made = subscribe(&server, &all()).await.ok();
    let shown = serde_json::to_string_pretty(&wishes(&made)).unwrap();
    insta::assert_snapshot!("wishes_shown", shown);
    let id = text(&made["id"]);
    let rotated = json!({"headers": {"x-api-key": "other-secret"}});
    change(&server, id, &rotated).await.ok();
    let again = json!({"headers": {"x-api-key": "another-secret"}, "proxy": null});
    change(&server, id, &again).await.ok();
    let plain = subscribe(&server, &all()).await.ok();
    assert_eq!(plain["isNew"], false, "what is there is not changed");
    let lists = "/api/web-hook/subscriptions";
    let lists = server.get(lists).answer().await.ok();
    let lines = audit(&server).await;
    let details: Vec<&str> = lines.iter().map(|line| line.detail.as_str()).collect();
    assert!(
        details.contains(&"headers [x-api-key], credentials"),
        "{details:?}"
    );
    assert!(details.contains(&"proxy none, credentials"), "{details:?}");
    let seen = format!(
        "{made} {plain} {lists} {lines:?} {}",
        get(&server, id).await
    );
    assert!(!seen.contains("-secret"), "{seen}");
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let server = Server::start().await;
    let made = subscribe(&server, &all()).await.ok();
    let id = text(&made["id"]);
    let (before, lines) = (get(&server, id).await, audit(&server).await.len());
    let same = change(&server, id, &wishes(&before)).await.ok();
    assert_eq!(same, before);
    assert_eq!(audit(&server).await.len(), lines, "nothing was done");
    // One of two headers kept, one taken away, one added.
    let headers = json!({"headers": {"x-tenant": MASK, "x-new": "1"}});
    let changed = change(&server, id, &headers).await.ok();
    assert_eq!(changed["headers"], json!({"x-new": MASK, "x-tenant": MASK}));
    assert_eq!(changed["authorization"], before["authorization"]);
}

#[tokio::test]
async fn each_wish_is_taken_away_by_null() {
    let server = Server::start().await;
    let plain = wishes(&subscribe(&server, &json!({"source": "plain"})).await.ok());
    let made = subscribe(&server, &all()).await.ok();
    let nothing = json!({"httpsOnly": false, "traceparent": false, "httpVersion": "1.1", "headers": null,
        "authorization": null, "tls": null, "proxy": null});
    let left = wishes(&change(&server, text(&made["id"]), &nothing).await.ok());
    let mut expected = plain;
    expected["payload"] = json!("thin");
    assert_eq!(left, expected);
}

/// Authorizations that are refused, and why.
fn authorizations() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"authorization": []}),
            "authorization must be an object",
        ),
        (
            json!({"authorization": {}}),
            "authorization.kind must be given",
        ),
        (
            json!({"authorization": {"kind": "digest"}}),
            "authorization.kind must be basic, bearer or oauth2",
        ),
        (
            json!({"authorization": {"kind": "basic", "user": "a"}}),
            "authorization.password must be given",
        ),
        (
            json!({"authorization": {"kind": "bearer", "token": "t", "user": "a"}}),
            "authorization.user is unknown",
        ),
        (
            json!({"authorization": {"kind": "bearer", "token": "a b"}}),
            "authorization.token must have",
        ),
        (
            json!({"authorization": {"kind": "basic", "user": "a", "password": MASK}}),
            "authorization.password is ***",
        ),
        (
            json!({"headers": {"authorization": "x"}, "authorization": {"kind": "bearer", "token": "t"}}),
            "headers.authorization is set by the member authorization",
        ),
        (
            json!({"authorization": {"kind": "oauth2", "tokenUrl": "x", "clientId": "a", "clientSecret": "b"}}),
            "authorization.tokenUrl the token URL is not absolute: write the whole of it, such as https://id.example.com/token",
        ),
        (
            json!({"authorization": {"kind": "oauth2", "tokenUrl": "https://example.com", "clientId": "a",
                "clientSecret": "b", "scopes": "a"}}),
            "authorization.scopes must be an array",
        ),
        (
            json!({"authorization": {"kind": "oauth2", "tokenUrl": "https://example.com", "clientId": "a",
                "clientSecret": "b", "clientAuth": "x"}}),
            "authorization.clientAuth must be basic or body",
        ),
    ]
}

/// What else is refused, and why.
fn others() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"headers": "x: y"}), "headers must be an object"),
        (json!({"headers": {"x": 1}}), "headers.x must be a string"),
        (
            json!({"headers": {"Webhook-Id": "x"}}),
            "headers.Webhook-Id is set by CheckFlow",
        ),
        (json!({"headers": {"x y": "x"}}), "headers.x y is no name"),
        (
            json!({"headers": {"x": "a\nb"}}),
            "headers.x may hold printable",
        ),
        (
            json!({"headers": {"x": MASK}}),
            "headers.x is ********, which keeps what is stored",
        ),
        (
            json!({"tls": {}}),
            "tls must hold ca, or certificate and key",
        ),
        (json!({"tls": {"ca": "x"}}), "tls.ca is not PEM"),
        (
            json!({"tls": {"certificate": PEM}}),
            "tls.key must be given",
        ),
        (
            json!({"tls": {"certificate": PEM, "key": "key-secret"}}),
            "tls.key is not PEM",
        ),
        (json!({"tls": {"pin": "x"}}), "tls.pin is unknown"),
        (
            json!({"proxy": {"url": "socks5://example.com"}}),
            "proxy.url the URL of the proxy begins with socks5, and proxies are spoken to by http only",
        ),
        (
            json!({"proxy": {"url": "https://example.com"}}),
            "proxy.url begins with https, and proxies are spoken to by http only",
        ),
        (
            json!({"proxy": {"url": "http://me:proxy-secret@example.com"}}),
            "proxy.url the URL of the proxy holds a user name or password",
        ),
        (
            json!({"proxy": {"url": "http://example.com/x"}}),
            "proxy.url must be http://",
        ),
        (
            json!({"proxy": {"url": "http://example.com", "user": "a"}}),
            "proxy.password must be given",
        ),
        (
            json!({"httpsOnly": "maybe"}),
            "httpsOnly must be true or false",
        ),
        (json!({"payload": "tiny"}), "payload must be full or thin"),
        (
            json!({"httpVersion": "3"}),
            "httpVersion must be 1.1 or 2, but is",
        ),
        (
            json!({"httpVersion": "2", "targetUrl": "http://example.com/hooks"}),
            "httpVersion can't be 2 for a targetUrl with http",
        ),
    ]
}

#[tokio::test]
async fn what_can_not_be_wished_for_is_refused_with_its_path() {
    let server = Server::start().await;
    for (wish, expected) in authorizations().into_iter().chain(others()) {
        let problem = subscribe(&server, &wish).await.problem();
        assert_eq!(problem["code"], "invalid_request", "{wish}");
        let said = errors(&problem);
        assert!(said[0].starts_with(expected), "{wish}: {said:?}");
        assert!(!problem.to_string().contains("-secret"), "{problem}");
    }
    let lists = server.get("/api/web-hook/subscriptions").answer().await;
    assert_eq!(lists.problem()["code"], "nothing_found");
}

#[tokio::test]
async fn where_requests_go_by_must_be_allowed_as_well() {
    let server = Server::start().await;
    let token = |url: &str| json!({"authorization": {"kind": "oauth2", "tokenUrl": url, "clientId": "a", "clientSecret": "b"}});
    let proxy = |url: &str| json!({"proxy": {"url": url}});
    let of_proxy = ("proxy.url", "the URL of the proxy");
    let of_token = ("authorization.tokenUrl", "the token URL");
    for (wish, (member, subject)) in [
        (proxy("http://10.0.0.1:3128"), of_proxy),
        (proxy("http://intranet.example.com"), of_proxy),
        (token("http://127.0.0.1/token"), of_token),
        (token("https://nowhere.example.com/token"), of_token),
    ] {
        let problem = subscribe(&server, &wish).await.problem();
        assert_eq!(problem["code"], "target_refused", "{wish}");
        assert_eq!(problem["errors"][0]["field"], member);
        let detail = text(&problem["detail"]);
        assert!(
            detail.contains(subject) && !detail.contains("webhooks"),
            "{detail}"
        );
    }
    let made = subscribe(&server, &json!({})).await.ok();
    let refused = change(&server, text(&made["id"]), &proxy("http://10.0.0.1")).await;
    let problem = refused.problem();
    assert_eq!(
        problem["setting"],
        "webhook.allow_targets = [\"10.0.0.1/32\"]"
    );
}

#[tokio::test]
async fn a_subscription_by_https_only_takes_no_other_target() {
    let server = Server::start().await;
    let http = json!({"httpsOnly": true, "targetUrl": "http://example.com/hooks"});
    let problem = subscribe(&server, &http).await.problem();
    assert_eq!(
        (&problem["code"], &problem["rule"]),
        (&json!("target_refused"), &json!("not_https"))
    );
    let made = subscribe(&server, &json!({"httpsOnly": true})).await.ok();
    let id = text(&made["id"]);
    let moved = json!({"targetUrl": "http://example.com/hooks"});
    let problem = change(&server, id, &moved).await.problem();
    assert_eq!(problem["rule"], "not_https");
    let both = json!({"targetUrl": "http://example.com/hooks", "httpsOnly": false});
    change(&server, id, &both).await.ok();
    let back = json!({"httpsOnly": true});
    assert_eq!(
        change(&server, id, &back).await.problem()["rule"],
        "not_https"
    );
}

#[tokio::test]
async fn a_subscription_by_http_2_takes_no_target_without_tls() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({"httpVersion": "2"})).await.ok();
    assert_eq!(made["httpVersion"], "2");
    let id = text(&made["id"]);
    let moved = json!({"targetUrl": "http://example.com/hooks"});
    let problem = change(&server, id, &moved).await.problem();
    assert_eq!(problem["code"], "invalid_request");
    assert!(
        errors(&problem)[0].starts_with("httpVersion can't be 2"),
        "{problem}"
    );
    let both = json!({"targetUrl": "http://example.com/hooks", "httpVersion": "1.1"});
    change(&server, id, &both).await.ok();
    let back = change(&server, id, &json!({"httpVersion": "2"})).await;
    assert_eq!(back.problem()["code"], "invalid_request");
    let secure = json!({"targetUrl": "https://example.com/hooks", "httpVersion": "2"});
    let row = change(&server, id, &secure).await.ok();
    assert_eq!(row["httpVersion"], "2");
}

#[tokio::test]
async fn the_payload_stays_what_it_was_when_subscribing() {
    let server = Server::start().await;
    let made = subscribe(&server, &json!({})).await.ok();
    let refused = change(&server, text(&made["id"]), &json!({"payload": "thin"})).await;
    let said = errors(&refused.problem());
    assert!(said[0].contains("subscribe anew"), "{said:?}");
    change(&server, text(&made["id"]), &json!({"payload": "full"}))
        .await
        .ok();
}

#[tokio::test]
async fn a_thin_subscription_is_shown_what_it_is_sent() {
    let server = Server::start().await;
    let template = server.template().await;
    let thin = subscribe(&server, &json!({"payload": "thin"})).await.ok();
    let full = subscribe(&server, &json!({"source": "full"})).await.ok();
    let list = server.checklist(&template).await;
    let task = &list["tasks"][2]["taskId"];
    server.status(task, "Complete").answer().await.ok();
    let mut bodies = Vec::new();
    for made in [&thin, &full] {
        let id = text(&made["id"]);
        let feed = format!("/api/web-hook/events?subscriptionId={id}");
        let feed = server.get(&feed).answer().await.ok();
        let item = &feed["items"][0];
        let shown = format!(
            "/api/web-hook/delivery?deliveryId={}",
            text(&item["deliveryId"])
        );
        let shown = server.get(&shown).answer().await.ok();
        assert_eq!(shown["requestBody"], item["body"]);
        let secret: domain::SigningSecret = text(&made["secret"]).parse().unwrap();
        let headers = &item["headers"];
        let at = text(&headers["webhook-timestamp"]).parse().unwrap();
        let id = text(&headers["webhook-id"]);
        let body = text(&item["body"]);
        let expected = domain::sign(&[secret], id, at, body.as_bytes());
        assert_eq!(headers["webhook-signature"], expected);
        bodies.push(body.to_owned());
    }
    let data = |body: &str| serde_json::from_str::<Value>(body).unwrap()["data"].clone();
    let (thin, full) = (data(&bodies[0]), data(&bodies[1]));
    assert_eq!(thin["taskId"], full["taskId"]);
    assert_eq!(
        thin["checklist"]["checklistId"],
        full["checklist"]["checklistId"]
    );
    assert_eq!(
        (&thin["taskName"], &thin["fields"]),
        (&Value::Null, &Value::Null)
    );
    assert_ne!(full["taskName"], Value::Null);
}

#[tokio::test]
async fn a_subscription_is_explained_with_all_that_it_reaches() {
    let server = Server::start().await;
    let made = subscribe(&server, &all()).await.ok();
    let id = text(&made["id"]);
    let asked = format!("/api/web-hook/explain?subscriptionId={id}");
    let found = server.get(&asked).answer().await.ok();
    assert_eq!(found["targetURL"], "https://example.com/hooks");
    let reaches = found["reaches"].as_array().unwrap();
    let members: Vec<&str> = reaches.iter().map(|one| text(&one["member"])).collect();
    assert_eq!(members, ["authorization.tokenUrl", "proxy.url"]);
    assert_eq!(
        (&reaches[1]["port"], &reaches[1]["allowed"]),
        (&json!(3128), &json!(true))
    );
    let plain = format!("{asked}&targetUrl=http%3A%2F%2Fexample.com%2F");
    let plain = server.get(&plain).answer().await.ok();
    assert_eq!(
        (&plain["allowed"], &plain["rule"]),
        (&json!(false), &json!("not_https"))
    );
    let other = server.get(&asked).header("x-api-key", &server.other_key);
    assert_eq!(
        other.refusal().await,
        (404, "subscription_missing".to_owned())
    );
}
