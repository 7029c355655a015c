//! Targets that prove that they want webhooks, before a subscription is made.

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{Gate, PATIENCE, Receiver, Reply};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::support::{Answer, Client, Server, line_with, team_and_key};

const ORIGIN: &str = "checks.example.com";
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/proof.py");

/// A server that is reached under a name, with a team that has a template.
struct Stage {
    server: Server,
    client: Client,
    key: String,
    template: Value,
    _folder: TempDir,
}

impl Stage {
    async fn new(more: &[(&str, &str)]) -> Self {
        let folder = tempdir().unwrap();
        let mut variables = vec![(
            "CHECKFLOW_PUBLIC_URL",
            "https://Checks.example.com:8443/flow",
        )];
        variables.extend(more);
        let server = Server::start_with(folder.path(), &variables).await;
        let (_, key) = team_and_key(folder.path()).await;
        let client = Client::new(server.address, &key);
        let template = client.template().await;
        Self {
            server,
            client,
            key: key["key"].as_str().unwrap().to_owned(),
            template,
            _folder: folder,
        }
    }

    async fn subscribe(&self, target: &str, more: &Value) -> Answer {
        let mut body = json!({"source": "test", "eventType": "new_checklist",
            "templateKey": self.template["templateKey"], "targetUrl": target});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.client
            .ask("POST", "/api/web-hook/subscribe", &body)
            .await
    }

    async fn none_is_there(&self) {
        let list = self
            .client
            .ask("GET", "/api/web-hook/subscriptions", &Value::Null);
        assert_eq!(list.await.status, 404, "none was made");
    }
}

#[tokio::test]
async fn a_receiver_that_proves_itself_gets_what_it_has_allowed() {
    let stage = Stage::new(&[]).await;
    let receiver = Receiver::start().await;
    let allowed = Reply::status(204)
        .header("WebHook-Allowed-Origin", ORIGIN)
        .header("WebHook-Allowed-Rate", "600");
    receiver.script("/options", [allowed]);
    receiver.script("/echo", [Reply::ok().echoing("x-hook-secret")]);
    let wished = json!({"proof": "options", "ratePerSecond": 50, "headers": {"X-Tenant": "blue"}});
    let options = stage.subscribe(&receiver.url("/options"), &wished).await;
    let echo = stage
        .subscribe(&receiver.url("/echo"), &json!({"proof": "echo"}))
        .await;
    for made in [&options, &echo] {
        assert_eq!(made.status, 200, "{made:?}");
        let at = |member: &str| made.body[member].as_str().unwrap();
        assert!(at("provenAt") <= at("createdDateTime"), "{made:?}");
    }
    assert_eq!(options.body["ratePerSecond"], 10, "what was allowed");
    let asked = &receiver.requests_to("/options")[0];
    assert_eq!(asked.method, "OPTIONS");
    assert_eq!(asked.header("webhook-request-origin"), Some(ORIGIN));
    assert_eq!(asked.header("webhook-request-rate"), Some("3000"));
    assert_eq!(asked.header("x-tenant"), Some("blue"));
    let asked = &receiver.requests_to("/echo")[0];
    let proof = asked.header("x-hook-secret").unwrap().to_owned();
    assert!(
        !echo.body.to_string().contains(&proof),
        "it is told to nobody"
    );

    stage.client.checklist(&stage.template, "One").await;
    receiver.wait_for(4).await;
    for (path, origin) in [("/options", Some(ORIGIN)), ("/echo", None)] {
        let requests = receiver.requests_to(path);
        assert_eq!(requests.len(), 2, "{path}");
        assert_eq!(requests[1].header("checkflow-event"), Some("new_checklist"));
        assert_eq!(requests[1].header("webhook-request-origin"), origin);
        assert_eq!(requests[1].header("x-hook-secret"), None);
    }
    stage.client.wait_settled().await;
    stage.server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_does_not_is_not_subscribed_and_is_told_why() {
    let stage = Stage::new(&[
        ("CHECKFLOW_DELIVERY__REQUEST_TIMEOUT", "1s"),
        ("CHECKFLOW_DELIVERY__CONNECT_TIMEOUT", "1s"),
    ])
    .await;
    let elsewhere = Receiver::start().await;
    elsewhere.always("/", Reply::ok().echoing("x-hook-secret"));
    let echo = || Reply::ok().echoing("x-hook-secret");
    let never = Gate::closed();
    for (reply, said) in [
        (Reply::ok(), "has no X-Hook-Secret"),
        (Reply::ok().header("x-hook-secret", "a"), "is another one"),
        (echo().header("x-hook-secret", "a"), "more than once"),
        (
            Reply::status(500).echoing("x-hook-secret"),
            "answered POST with 500",
        ),
        (
            Reply::status(307).header("location", &elsewhere.url("/")),
            "redirects are not followed",
        ),
        (
            echo().header("x-long", &"x".repeat(200 * 1024)),
            "larger than is taken",
        ),
        (Reply::close(), "closed the connection"),
        (Reply::raw("SMTP ready\r\n"), "not HTTP"),
        (echo().after(&never), "did not answer within 1s"),
    ] {
        let receiver = Receiver::start().await;
        receiver.always("/hook", reply);
        let refused = stage
            .subscribe(&receiver.url("/hook"), &json!({"proof": "echo"}))
            .await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.body["code"], "target_not_proven");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{detail}");
        assert_eq!(receiver.requests().len(), 1, "asked once");
        receiver.wait_idle().await;
    }
    assert_eq!(elsewhere.requests().len(), 0);
    stage.none_is_there().await;
    stage.server.stop().await;
}

#[tokio::test]
async fn whoever_goes_away_ends_the_handshake() {
    let stage = Stage::new(&[]).await;
    let receiver = Receiver::start().await;
    let never = Gate::closed();
    receiver.always("/hook", Reply::ok().echoing("x-hook-secret").after(&never));
    let body = json!({"source": "test", "eventType": "new_checklist", "proof": "echo",
        "templateKey": stage.template["templateKey"], "targetUrl": receiver.url("/hook")});
    let body = body.to_string();
    let head = format!(
        "POST /api/web-hook/subscribe HTTP/1.1\r\nhost: checkflow\r\nx-api-key: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        stage.key,
        body.len()
    );
    let mut stream = TcpStream::connect(stage.server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    receiver.wait_for(1).await;
    drop(stream);
    receiver.wait_idle().await;
    stage.none_is_there().await;
    stage.server.stop().await;
}

#[tokio::test]
async fn the_example_of_the_documents_proves_itself_both_ways_to_whom_it_knows() {
    let stage = Stage::new(&[]).await;
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut example = Command::new(python)
        .arg(EXAMPLE)
        .envs([("ORIGIN", ORIGIN), ("PATH_SECRET", "s3cr3t"), ("PORT", "0")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is there");
    let mut out = BufReader::new(example.stdout.take().unwrap()).lines();
    let line = line_with(&mut out, "listening on ").await;
    let port = line.trim_start_matches("listening on ");
    let target = |path: &str| format!("http://127.0.0.1:{port}/hook/{path}");
    for (proof, status) in [("options", 403), ("echo", 404)] {
        let refused = stage
            .subscribe(&target("guessed"), &json!({"proof": proof}))
            .await;
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(&format!(" with {status};")), "{detail}");
    }
    for proof in ["options", "echo"] {
        let more = json!({"proof": proof, "source": proof});
        let made = stage.subscribe(&target("s3cr3t"), &more).await;
        assert_eq!(made.status, 200, "{made:?}");
    }
    stage.client.checklist(&stage.template, "One").await;
    for _ in 0..2 {
        let line = timeout(PATIENCE, out.next_line()).await.unwrap();
        assert_eq!(line.unwrap().unwrap(), "received new_checklist True");
    }
    stage.client.wait_settled().await;
    stage.server.stop().await;
}
