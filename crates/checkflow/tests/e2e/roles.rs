//! Nodes that do a part of the work each: one answers requests, another sends webhooks.

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use testkit::{
    PATIENCE, PostgresDatabase, PostgresPooler, PostgresServer, PostgresSetup, Received, Receiver,
    Reply,
};
use tokio::time::timeout;

use crate::support::{Client, Server, complaint, complaint_of, line_with, serve, team_and_key};

/// What all nodes encrypt secrets with.
pub(crate) const KEY: (&str, &str) = (
    "CHECKFLOW_STORE__MASTER_KEY",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
);

/// A database on which nodes are started, each with a folder of its own.
struct Stage {
    database: PostgresDatabase,
    folders: [TempDir; 2],
}

impl Stage {
    fn new() -> Self {
        Self {
            database: PostgresServer::of_this_process().database(),
            folders: [tempdir().unwrap(), tempdir().unwrap()],
        }
    }

    fn command(&self, folder: usize, role: &str) -> tokio::process::Command {
        let mut command = serve(self.folders[folder].path(), "127.0.0.0/8");
        command
            .args(["--database", &self.database.url(), "--role", role])
            .env(KEY.0, KEY.1);
        command
    }

    /// A node that answers requests, with a team, a template and a subscription to its new checklists.
    async fn api(&self, receiver: &Receiver) -> (Server, Client, Value) {
        let server = Server::start_by(self.command(0, "api")).await;
        let url = self.database.url();
        let key = team_and_key_on(self.folders[0].path(), &url).await;
        let client = Client::new(server.address, &key);
        let template = client.template().await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        client
            .subscribe("new_checklist", &scope, &receiver.url("/hook"))
            .await;
        (server, client, template)
    }

    async fn deliver(&self) -> Server {
        let server = Server::start_by(self.command(1, "deliver")).await;
        Client::new(server.address, &no_key())
            .ask_until("/health/ready", 200)
            .await;
        server
    }

    /// How many deliveries stand so.
    fn deliveries(&self, condition: &str) -> String {
        let sql = format!("SELECT count(*) FROM delivery WHERE {condition}");
        self.database.sql(&sql)
    }

    /// How many nodes say that they send.
    fn nodes(&self) -> String {
        self.database.sql("SELECT count(*) FROM node WHERE sends")
    }
}

fn no_key() -> Value {
    serde_json::json!({ "key": "" })
}

/// A team made at the command line on a database, and a key of it.
pub(crate) async fn team_and_key_on(folder: &std::path::Path, url: &str) -> Value {
    let data = folder.to_str().unwrap();
    let place = ["--data", data, "--database", url, "--json"];
    let team = ["team", "create", "--name", "Finance"];
    let team = tool(&[&team[..], &place].concat()).await;
    let id = team["teamId"].to_string();
    let key = ["key", "create", "--team", &id, "--name", "tests"];
    tool(&[&key[..], &place].concat()).await
}

async fn tool(args: &[&str]) -> Value {
    let mut command = crate::support::checkflow(args);
    let output = timeout(PATIENCE, command.env(KEY.0, KEY.1).output()).await;
    let output = output.expect("it ends").unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn one_node_stores_and_another_sends() {
    const BEFORE: usize = 5;
    const AFTER: usize = 3;
    let (stage, receiver) = (Stage::new(), Receiver::start().await);
    receiver.always("/hook", Reply::ok());
    let (api, client, template) = stage.api(&receiver).await;
    client.ask_until("/health/ready", 200).await;
    for number in 0..BEFORE {
        client
            .checklist(&template, &format!("early-{number}"))
            .await;
    }
    // Nobody sends: this node is not among those that do, and has taken nothing.
    assert_eq!(stage.nodes(), "0");
    let untouched = "state = 'waiting' AND attempts = 0 AND lease_node IS NULL";
    assert_eq!(stage.deliveries(untouched), BEFORE.to_string());
    assert_eq!(receiver.requests().len(), 0);

    let deliver = stage.deliver().await;
    receiver.wait_for(BEFORE).await;
    assert_eq!(
        stage.nodes(),
        "1",
        "the bound of a subscription is one node's"
    );
    for number in 0..AFTER {
        client.checklist(&template, &format!("late-{number}")).await;
    }
    let requests = receiver.wait_for(BEFORE + AFTER).await;
    client.wait_settled().await;
    for request in &requests {
        assert_eq!(request.header("checkflow-attempt"), Some("1"), "{request}");
    }
    assert_eq!(
        stage.deliveries("state = 'delivered'"),
        (BEFORE + AFTER).to_string()
    );

    // The node that sends goes, and what is stored from then on waits again.
    deliver.stop().await;
    client.checklist(&template, "last").await;
    assert_eq!(stage.nodes(), "0");
    assert_eq!(stage.deliveries(untouched), "1");
    assert_eq!(receiver.requests().len(), BEFORE + AFTER);
    api.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_send_has_targets_prove_themselves() {
    let (stage, receiver) = (Stage::new(), Receiver::start().await);
    receiver.always("/proven", Reply::ok().echoing("x-hook-secret"));
    let (api, client, template) = stage.api(&receiver).await;
    let scope = template["templateKey"].as_str().unwrap();
    let scope = format!("templateKey={scope}&proof=echo");
    let target = receiver.url("/proven");
    let made = client.subscribe("new_checklist", &scope, &target).await;
    assert_eq!(made["proof"], "echo");
    let id = made["id"].as_str().unwrap();
    let again = format!("/api/web-hook/prove?subscriptionId={id}");
    let proven = client.done("POST", &again, &Value::Null).await;
    assert!(proven["provenAt"].as_str() >= made["provenAt"].as_str());
    assert_eq!(receiver.requests_to("/proven").len(), 2);
    let deliver = stage.deliver().await;
    client.checklist(&template, "one").await;
    let sent = |all: &[Received]| all.iter().filter(|one| one.path() == "/proven").count() == 3;
    receiver.wait_until("its delivery", sent).await;
    client.wait_settled().await;
    for server in [deliver, api] {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_node_that_sends_answers_for_its_health_alone() {
    let (stage, receiver) = (Stage::new(), Receiver::start().await);
    let (api, client, _) = stage.api(&receiver).await;
    let deliver = stage.deliver().await;
    let there = client.at(deliver.address);
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(
            there.ask("GET", path, &Value::Null).await.status,
            200,
            "{path}"
        );
    }
    for (method, path) in [
        ("GET", "/api/validate"),
        ("POST", "/api/checklist"),
        ("GET", "/"),
        ("GET", "/swagger/v2/swagger.json"),
        ("GET", "/health"),
    ] {
        let answer = there.ask(method, path, &Value::Null).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.body["code"], "not_served_here", "{method} {path}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("role deliver"), "{detail}");
    }
    // It keeps no files.
    assert!(!stage.folders[1].path().join("files").exists());
    assert!(!stage.folders[1].path().join("checkflow.lock").exists());
    for server in [deliver, api] {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_part_of_the_work_on_a_database_for_one_server_is_refused_and_nothing_is_made() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let text = data.to_str().unwrap();
    for role in ["api", "deliver"] {
        let line = complaint(&["serve", "--data", text, "--role", role]).await;
        assert!(
            line.contains("leave the role at all") && line.contains("--database postgres://"),
            "{line}"
        );
        assert!(!data.exists());
    }
    let mut command = serve(&data, "127.0.0.0/8");
    let line = complaint_of(command.env("CHECKFLOW_ROLE", "api")).await;
    assert!(line.contains("leave the role at all"), "{line}");
    // The one role that there is says nothing new.
    let mut command = serve(&data, "127.0.0.0/8");
    command.args(["--role", "all"]);
    Server::start_by(command).await.stop().await;
    team_and_key(&data).await;
}

#[tokio::test]
async fn nodes_behind_a_pooler_do_not_hear_each_other_and_send_all_the_same() {
    const EVENTS: usize = 5;
    let pooler = PostgresPooler::before(PostgresServer::of_this_process().database());
    let (url, receiver) = (pooler.url(), Receiver::start().await);
    receiver.always("/hook", Reply::ok());
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let command = |at: usize, role: &str| {
        let mut command = serve(folders[at].path(), "127.0.0.0/8");
        command.args(["--database", &url, "--role", role]);
        command
            .env(KEY.0, KEY.1)
            .env("CHECKFLOW_STORE__POOLER", "true");
        command
    };
    let api = Server::start_by(command(0, "api")).await;
    let deliver = Server::start_by(command(1, "deliver")).await;
    let direct = pooler.database().url();
    let key = team_and_key_on(folders[0].path(), &direct).await;
    let client = Client::new(api.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    client
        .subscribe("new_checklist", &scope, &receiver.url("/hook"))
        .await;
    // One after the other, so that each waits for a look of its own.
    for number in 1..=EVENTS {
        client.checklist(&template, &format!("list-{number}")).await;
        receiver.wait_for(number).await;
    }
    client.wait_settled().await;
    assert_eq!(receiver.requests().len(), EVENTS);
    for server in [deliver, api] {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_database_that_a_power_cut_would_damage_is_warned_of() {
    let server = PostgresServer::start_with(&PostgresSetup {
        settings: vec!["fsync=off", "full_page_writes=off"],
        files: Vec::new(),
    });
    let (database, folder) = (server.database(), tempdir().unwrap());
    let mut command = serve(folder.path(), "127.0.0.0/8");
    command.args(["--database", &database.url()]);
    let mut server = Server::start_by(command).await;
    for expected in ["fsync=off", "full_page_writes=off"] {
        line_with(&mut server.process.log, expected).await;
    }
    server.stop().await;
}
