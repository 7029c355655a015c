//! The example receiver of the documents: it notices what it lacks, and fetches it from the feed.

use std::{collections::BTreeSet, net::TcpListener, path::Path, process::Stdio};

use serde_json::Value;
use tempfile::tempdir;
use testkit::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Instant, timeout},
};

use crate::support::{Client, Server, line_with, team_and_key};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/examples/receiver.py"
);
/// One attempt, and none that comes while the test runs.
const SCHEDULE: (&str, &str) = ("CHECKFLOW_DELIVERY__SCHEDULE", r#"["0s", "1h"]"#);

/// The example at work.
struct Example {
    _child: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Example {
    async fn start(folder: &Path, port: u16, variables: &[(&str, String)]) -> Self {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        command
            .arg(EXAMPLE)
            .env("STATE", folder.join("receiver.db"))
            .env("PORT", port.to_string())
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("python3 is there");
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut example = Self { _child: child, out };
        line_with(&mut example.out, "listening on ").await;
        example
    }

    async fn lines(&mut self, count: usize) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for _ in 0..count {
            let line = timeout(PATIENCE, self.out.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no other line after {lines:?}"));
            lines.insert(line.unwrap().expect("it runs on"));
        }
        lines
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The deliveries, once `count` of them have had an attempt.
async fn attempted(client: &Client, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = client
            .done("GET", "/api/web-hook/deliveries", &Value::Null)
            .await;
        let items = page["items"].as_array().unwrap();
        let tried = items.iter().filter(|one| !one["lastOutcome"].is_null());
        if tried.count() == count {
            return items.clone();
        }
        assert!(Instant::now() < deadline, "not all were tried: {page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_example_receiver_notices_a_gap_and_fills_it_from_the_feed() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[SCHEDULE]).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let port = free_port();
    let target = format!("http://127.0.0.1:{port}/hook");
    let made = client.subscribe("new_checklist", &scope, &target).await;

    for name in ["One", "Two", "Three"] {
        client.checklist(&template, name).await;
    }
    attempted(&client, 3).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let variables = [
        ("CHECKFLOW", format!("http://{}", server.address)),
        ("KEY", text(&key["key"])),
        ("SUBSCRIPTION", text(&made["id"])),
        ("SECRET", text(&made["secret"])),
    ];
    let mut example = Example::start(folder.path(), port, &variables).await;
    client.checklist(&template, "Four").await;
    let expected = ["received 4", "filled 1", "filled 2", "filled 3"];
    assert_eq!(example.lines(4).await, expected.map(String::from).into());

    // What comes by both ways is kept once.
    let listed = attempted(&client, 4).await;
    let second = listed.iter().find(|one| one["sequence"] == 2).unwrap();
    let again = format!(
        "/api/web-hook/redeliver?deliveryId={}",
        text(&second["deliveryId"])
    );
    client.done("POST", &again, &Value::Null).await;
    client.checklist(&template, "Five").await;
    assert_eq!(example.lines(1).await, ["received 5".to_owned()].into());
    server.stop().await;
}
