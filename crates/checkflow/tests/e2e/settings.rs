//! Nodes of one database that were given different settings: nothing is refused for good that one of them may
//! send, and each says so.

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{PATIENCE, PostgresDatabase, PostgresServer, Receiver, Reply, S3Server};
use tokio::{process::Command, time::timeout};

use crate::{
    roles::{KEY, team_and_key_on},
    support::{Client, Process, Server, line_with, serve},
};

const BEGINS: &str = "were given other settings than this one";
const ENDS: &str = "have the same settings again";
/// What receivers on this machine need.
const ALLOWED: &str = "127.0.0.0/8";
/// The receiver is not in it.
const OTHER: &str = "10.0.0.0/8";

/// A database, and a folder for whatever node is started on it.
struct Stage {
    database: PostgresDatabase,
    folder: TempDir,
    receiver: Receiver,
}

impl Stage {
    async fn new() -> Self {
        let receiver = Receiver::start().await;
        receiver.always("/hook", Reply::ok());
        Self {
            database: PostgresServer::of_this_process().database(),
            folder: tempdir().unwrap(),
            receiver,
        }
    }

    /// Starts a node that may send to `allowed` and does so much of the work.
    async fn node(&self, role: &str, allowed: &str) -> Server {
        Server::start_by(self.command(role, allowed)).await
    }

    fn command(&self, role: &str, allowed: &str) -> Command {
        let mut command = serve(self.folder.path(), allowed);
        command
            .args(["--database", &self.database.url(), "--role", role])
            .env(KEY.0, KEY.1)
            .env("CHECKFLOW_DELIVERY__SCHEDULE", r#"["0s","1s","1s"]"#);
        command
    }

    /// Waits until every node has looked at the others and gone on from that. It does so every two seconds.
    async fn all_look(&self) {
        for _ in 0..2 {
            let now = self.database.sql("SELECT clock_timestamp()");
            let seen = format!("SELECT bool_and(seen_at > '{now}') FROM node");
            let looked = timeout(PATIENCE, async {
                while self.database.sql(&seen) != "t" {
                    tokio::task::yield_now().await;
                }
            });
            assert!(looked.await.is_ok(), "a node never looks");
        }
    }

    /// A client of the node that answers, a template, and a subscription to its new checklists.
    async fn client(&self, api: &Server) -> (Client, Value) {
        let key = team_and_key_on(self.folder.path(), &self.database.url()).await;
        let client = Client::new(api.address, &key);
        let template = client.template().await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let url = self.receiver.url("/hook");
        client.subscribe("new_checklist", &scope, &url).await;
        (client, template)
    }
}

/// The newest delivery, once it stands so.
async fn delivery(client: &Client, state: &str, outcome: &str) -> Value {
    let mut newest = Value::Null;
    let found = timeout(PATIENCE * 2, async {
        loop {
            let path = "/api/web-hook/deliveries?limit=1";
            newest = client.done("GET", path, &Value::Null).await["items"][0].take();
            if newest["state"] == state && newest["lastOutcome"] == outcome {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(found.await.is_ok(), "never {state}, {outcome}: {newest}");
    let path = format!(
        "/api/web-hook/delivery?deliveryId={}",
        newest["deliveryId"].as_str().unwrap()
    );
    client.done("GET", &path, &Value::Null).await
}

/// Waits until each of these nodes is ready and shows that so much differs.
async fn shown(client: &Client, nodes: &[&Server], settings: &Value) {
    for node in nodes {
        let (client, mut ready) = (client.at(node.address), Value::Null);
        let shown = timeout(PATIENCE, async {
            while ready["differingSettings"] != *settings {
                // One that has just started is not ready, and shows nothing.
                ready = client.ask("GET", "/health/ready", &Value::Null).await.body;
                tokio::task::yield_now().await;
            }
        });
        assert!(shown.await.is_ok(), "never {settings}: {ready}");
    }
}

/// Waits until a node says that all agree; how often it said before that, once more, that others do not.
async fn told_before_the_end(node: &mut Server) -> usize {
    let mut told = 0;
    loop {
        let line = line_with(&mut node.process.log, "settings").await;
        if line.contains(ENDS) {
            return told;
        }
        told += usize::from(line.contains(BEGINS));
    }
}

/// Stops a node; how many of the lines that it had not been asked for have this in them.
async fn stop_and_count(mut process: Process, wanted: &[&str]) -> Vec<usize> {
    process.terminate();
    let mut lines = Vec::new();
    while let Some(line) = timeout(PATIENCE, process.log.next_line())
        .await
        .expect("its log ends")
        .unwrap()
    {
        lines.push(line);
    }
    assert!(process.ended().await.success());
    let count = |part: &&str| lines.iter().filter(|line| line.contains(part)).count();
    wanted.iter().map(count).collect()
}

#[tokio::test]
async fn what_a_node_with_other_settings_refuses_is_sent_by_one_that_may() {
    const EVENTS: usize = 20;
    let stage = Stage::new().await;
    let mut api = stage.node("api", ALLOWED).await;
    let (client, template) = stage.client(&api).await;
    let mut odd = stage.node("deliver", OTHER).await;
    let differ = json!(["webhook.allow_targets"]);
    for node in [&mut api, &mut odd] {
        let line = line_with(&mut node.process.log, BEGINS).await;
        assert!(line.contains("webhook.allow_targets"), "{line}");
        assert!(line.contains("WARN"), "{line}");
    }
    shown(&client, &[&api, &odd], &differ).await;
    for number in 0..EVENTS {
        client.checklist(&template, &format!("list-{number}")).await;
    }
    // The only one that sends may not, and leaves it to others that may come.
    let first = delivery(&client, "waiting", "address_refused").await;
    assert_eq!(first["attemptLog"], json!([]), "nothing was tried: {first}");
    let error = first["reason"].as_str().unwrap();
    assert!(
        error.contains("webhook.allow_targets = [\"127.0.0.0/8\"]"),
        "{error}"
    );
    assert!(
        error.ends_with("; tried again, because other nodes have another webhook.allow_targets"),
        "{error}"
    );
    assert_eq!(stage.receiver.requests().len(), 0);

    let mut right = stage.node("deliver", ALLOWED).await;
    line_with(&mut right.process.log, BEGINS).await;
    shown(&client, &[&api, &odd, &right], &differ).await;
    // The second node that differs is news to the odd one alone, and nobody says anything twice.
    line_with(&mut odd.process.log, BEGINS).await;
    stage.all_look().await;
    assert_eq!(stop_and_count(odd.process, &[BEGINS, ENDS]).await, [0, 0]);
    let again = stage.node("deliver", ALLOWED).await;
    for node in [&mut api, &mut right] {
        assert_eq!(told_before_the_end(node).await, 0);
    }
    shown(&client, &[&api, &again, &right], &json!([])).await;
    client.wait_settled().await;
    let refused = "SELECT count(*) FROM delivery WHERE state <> 'delivered'";
    assert_eq!(stage.database.sql(refused), "0");
    assert_eq!(stage.receiver.requests().len(), EVENTS);
    for node in [again, right, api] {
        assert_eq!(stop_and_count(node.process, &[BEGINS, ENDS]).await, [0, 0]);
    }
}

#[tokio::test]
async fn another_public_url_is_told_as_well() {
    let (stage, bucket) = (Stage::new().await, S3Server::start());
    let shared = async |url: &str| {
        let mut command = stage.command("all", OTHER);
        command
            .args(["--files", &bucket.location("checks"), "--public-url", url])
            .envs(bucket.variables());
        Server::start_by(command).await
    };
    let mut one = shared("https://one.example.com").await;
    let mut two = shared("https://two.example.com").await;
    for node in [&mut one, &mut two] {
        let line = line_with(&mut node.process.log, BEGINS).await;
        assert!(line.contains(r#"settings="public_url""#), "{line}");
    }
    let key = team_and_key_on(stage.folder.path(), &stage.database.url()).await;
    let client = Client::new(one.address, &key);
    shown(&client, &[&one, &two], &json!(["public_url"])).await;
    two.stop().await;
    assert_eq!(told_before_the_end(&mut one).await, 0);
    let two = shared("https://one.example.com").await;
    shown(&client, &[&one, &two], &json!([])).await;
    for node in [one, two] {
        assert_eq!(stop_and_count(node.process, &[BEGINS, ENDS]).await, [0, 0]);
    }
}

#[tokio::test]
async fn nodes_are_given_a_new_rule_one_after_the_other_and_then_it_holds() {
    let stage = Stage::new().await;
    let api = stage.node("api", ALLOWED).await;
    let (client, template) = stage.client(&api).await;
    let sends = stage.node("deliver", ALLOWED).await;
    client.checklist(&template, "before").await;
    delivery(&client, "delivered", "delivered").await;

    sends.stop().await;
    let mut sends = stage.node("deliver", OTHER).await;
    line_with(&mut sends.process.log, BEGINS).await;
    client.checklist(&template, "between").await;
    let first = delivery(&client, "waiting", "address_refused").await;
    let error = first["reason"].as_str().unwrap();
    assert!(error.contains("; tried again, because"), "{error}");

    api.stop().await;
    let api = stage.node("api", OTHER).await;
    line_with(&mut sends.process.log, ENDS).await;
    let client = client.at(api.address);
    // Refused for now until all nodes were seen to agree for a while, and then for good.
    let refused = delivery(&client, "refused", "address_refused").await;
    let log = refused["attemptLog"].as_array().unwrap();
    assert_eq!(log.len(), 1, "{refused}");
    let error = log[0]["error"].as_str().unwrap();
    assert!(!error.contains("tried again"), "{error}");
    assert_eq!(stage.receiver.requests().len(), 1);
    for node in [sends, api] {
        node.stop().await;
    }
}
