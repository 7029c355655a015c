//! Signatures as receivers see them: verified by the libraries of three languages, while secrets are rolled under
//! load, and across a kill.

use std::{path::PathBuf, process::Stdio};

use http::HeaderMap;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::tempdir;
use testkit::{PATIENCE, Received, Receiver};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::support::{Client, Server, team_and_key};

/// What verifies in another language: a program of the documents, as it stands there.
#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    JavaScript,
}

impl Language {
    /// The example, with the libraries that `cargo xtask test` has installed.
    fn command(self) -> Command {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let tools = std::env::var_os("CHECKFLOW_TOOLS");
        let tools = tools.map_or_else(|| root.join("target/tools"), PathBuf::from);
        let (program, example) = match self {
            Self::Python => (tools.join("python/bin/python3"), "verify.py"),
            Self::JavaScript => {
                let node = std::env::var_os("NODE").unwrap_or_else(|| "node".into());
                (node.into(), "verify.js")
            }
        };
        let mut command = Command::new(program);
        command
            .arg(root.join("docs/examples").join(example))
            .env("NODE_PATH", tools.join("node/node_modules"))
            .env("no_proxy", "127.0.0.1");
        command
    }

    /// What the example says of each of these webhooks.
    async fn verdicts(self, variable: (&str, &str), webhooks: &[Value]) -> Vec<String> {
        let mut command = self.command();
        command
            .env(variable.0, variable.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn();
        let mut child = child.expect("`cargo xtask test` installs what this needs");
        let mut stdin = child.stdin.take().unwrap();
        for webhook in webhooks {
            stdin
                .write_all(format!("{webhook}\n").as_bytes())
                .await
                .unwrap();
        }
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.expect("it ends").unwrap();
        assert!(output.status.success(), "{self:?} failed");
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().map(ToOwned::to_owned).collect()
    }

    /// Fails unless the example finds all of these genuine, or none.
    async fn finds(self, variable: (&str, &str), webhooks: &[Value], genuine: bool) {
        let said = self.verdicts(variable, webhooks).await;
        assert_eq!(said.len(), webhooks.len(), "{self:?}: {said:?}");
        for (webhook, said) in webhooks.iter().zip(&said) {
            let id = webhook["headers"]["webhook-id"].as_str().unwrap();
            let expected = if genuine {
                format!("verified {id}")
            } else {
                format!("refused {id}: ")
            };
            assert!(said.starts_with(&expected), "{self:?}: {said}, {webhook}");
        }
    }
}

/// A request as the examples read it.
pub(crate) fn webhook(request: &Received) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
        .collect();
    json!({"headers": headers, "body": String::from_utf8(request.body.to_vec()).unwrap()})
}

/// The same with another body, as if somebody had changed it on its way.
fn forged(webhook: &Value) -> Value {
    let mut forged = webhook.clone();
    forged["body"] = json!(webhook["body"].as_str().unwrap().replace("new_", "old_"));
    forged
}

pub(crate) fn rust_finds(secret: &str, webhook: &Value) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in webhook["headers"].as_object().unwrap() {
        let name: http::HeaderName = name.parse().unwrap();
        headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    let body = webhook["body"].as_str().unwrap().as_bytes();
    let webhook = Webhook::new(secret).unwrap();
    webhook.verify(body, &headers).is_ok()
}

/// A server, a receiver, and a subscription to each new checklist.
struct Stage {
    folder: tempfile::TempDir,
    server: Server,
    client: Client,
    receiver: Receiver,
    template: Value,
    subscription: Value,
    team: String,
}

impl Stage {
    async fn set(signing: &str) -> Self {
        let folder = tempdir().unwrap();
        let server = Server::start(folder.path()).await;
        let (team, key) = team_and_key(folder.path()).await;
        let client = Client::new(server.address, &key);
        let template = client.template().await;
        let receiver = Receiver::start().await;
        let scope = format!(
            "templateKey={}&signing={signing}",
            template["templateKey"].as_str().unwrap()
        );
        let target = receiver.url("/hook");
        let subscription = client.subscribe("new_checklist", &scope, &target).await;
        Self {
            folder,
            server,
            client,
            receiver,
            template,
            subscription,
            team,
        }
    }

    /// Makes a checklist and answers the webhook that tells of it.
    async fn told(&self, name: &str) -> Value {
        self.client.checklist(&self.template, name).await;
        let all = self.receiver.wait_until(name, |requests| {
            requests.iter().any(|request| is_about(request, name))
        });
        let all = all.await;
        webhook(all.iter().find(|request| is_about(request, name)).unwrap())
    }

    async fn post(&self, operation: &str, body: &Value) -> Value {
        self.client.done("POST", &self.path(operation), body).await
    }

    /// Fails unless the log shows the headers of a webhook as they arrived.
    async fn check_logged(&self, webhook: &Value) {
        self.client.wait_settled().await;
        let arrived = &webhook["headers"];
        let id = arrived["checkflow-delivery"].as_str().unwrap();
        let path = format!("/api/web-hook/delivery?deliveryId={id}");
        let found = self.client.done("GET", &path, &Value::Null).await;
        let logged = found["attemptLog"][0]["requestHeaders"].as_array().unwrap();
        for header in logged {
            let name = header["name"].as_str().unwrap();
            assert_eq!(header["value"], arrived[name], "{name}");
        }
        let key = logged
            .iter()
            .any(|header| header["name"] == "checkflow-key");
        assert_eq!(key, arrived.get("checkflow-key").is_some(), "{logged:?}");
    }

    fn path(&self, operation: &str) -> String {
        let id = self.subscription["id"].as_str().unwrap();
        format!("/api/web-hook/{operation}?subscriptionId={id}")
    }

    async fn secrets(&self) -> Vec<Value> {
        let path = self.path("secrets");
        let page = self.client.done("GET", &path, &Value::Null).await;
        page["items"].as_array().unwrap().clone()
    }
}

fn is_about(request: &Received, name: &str) -> bool {
    request.json()["data"]["checklistName"] == name
}

/// The number of the checklist that a webhook tells of.
fn number(webhook: &Value) -> usize {
    let body: Value = serde_json::from_str(webhook["body"].as_str().unwrap()).unwrap();
    let name = body["data"]["checklistName"].as_str().unwrap();
    name.strip_prefix("List").unwrap().parse().unwrap()
}

fn secret(of: &Value) -> &str {
    of["secret"].as_str().unwrap()
}

#[tokio::test]
async fn real_webhooks_are_verified_by_the_libraries_of_three_languages() {
    let stage = Stage::set("hmac").await;
    let one = stage.told("One").await;
    let new = stage.post("roll-secret", &json!({})).await;
    let rolling = stage.told("Rolling").await;
    let change = json!({"signing": "both"});
    let path = stage.path("subscription");
    stage.client.done("PATCH", &path, &change).await;
    let both = stage.told("Both").await;
    let change = json!({"signing": "ed25519"});
    stage.client.done("PATCH", &path, &change).await;
    let key = stage.told("Key").await;
    stage.post("roll-secret", &json!({"kind": "ed25519"})).await;
    let keys = stage.told("Keys").await;

    let by_old = [one.clone(), rolling.clone(), both.clone()];
    let by_new = [rolling.clone(), both.clone()];
    let by_keys = [both.clone(), key.clone(), keys.clone()];
    let old = secret(&stage.subscription).to_owned();
    let new = secret(&new).to_owned();
    let jwks = format!(
        "http://{}/.well-known/checkflow/{}/jwks.json",
        stage.server.address, stage.team
    );
    for language in [Language::Python, Language::JavaScript] {
        for (variable, genuine, not) in [
            (("SECRET", &*old), &by_old[..], vec![key.clone()]),
            (
                ("SECRET", &*new),
                &by_new[..],
                vec![one.clone(), key.clone()],
            ),
            (
                ("JWKS", &*jwks),
                &by_keys[..],
                vec![one.clone(), rolling.clone()],
            ),
        ] {
            language.finds(variable, genuine, true).await;
            let forged = genuine.iter().map(forged);
            let not: Vec<Value> = not.into_iter().chain(forged).collect();
            language.finds(variable, &not, false).await;
        }
    }
    for webhook in [&one, &rolling, &both, &keys] {
        stage.check_logged(webhook).await;
    }
    for webhook in [&one, &rolling, &both] {
        assert!(rust_finds(&old, webhook) && !rust_finds(&old, &forged(webhook)));
    }
    assert!(rust_finds(&new, &rolling) && !rust_finds(&new, &one) && !rust_finds(&new, &key));
    stage.server.stop().await;
}

#[tokio::test]
async fn rolling_under_load_leaves_no_webhook_that_a_receiver_could_not_verify() {
    const BEFORE: usize = 40;
    const DURING: usize = 40;
    const AFTER: usize = 20;
    let stage = Stage::set("hmac").await;
    let old = secret(&stage.subscription).to_owned();
    let make = async |from: usize, count: usize| {
        for number in from..from + count {
            let name = format!("List{number}");
            stage.client.checklist(&stage.template, &name).await;
        }
    };
    // While checklists are made, on four ways at once, three times a new secret comes.
    let making = async { tokio::join!(make(0, 10), make(10, 10), make(20, 10), make(30, 10)) };
    let rolling = async {
        let mut new = Vec::new();
        for arrived in [10, 20, 30] {
            stage.receiver.wait_for(arrived).await;
            let rolled = stage.post("roll-secret", &json!({"keepOldFor": 600})).await;
            new.push(secret(&rolled).to_owned());
        }
        new
    };
    let (_, new) = tokio::join!(making, rolling);
    make(BEFORE, DURING).await;
    let all = stage.receiver.wait_for(BEFORE + DURING).await;
    let (mut early, mut late) = (0, 0);
    for webhook in all.iter().map(webhook) {
        // Who knows only the old one accepts everything, from the first to the last.
        assert!(rust_finds(&old, &webhook), "{webhook}");
        // Who has changed over to any of the new ones accepts what happens from then on.
        if number(&webhook) < BEFORE {
            early += 1;
        } else {
            late += 1;
            assert!(new.iter().all(|new| rust_finds(new, &webhook)), "{webhook}");
        }
    }
    assert_eq!((early, late), (BEFORE, DURING));

    // Once the rest is revoked, nothing that happens is signed with it.
    let last = stage.post("roll-secret", &json!({"keepOldFor": 0})).await;
    make(BEFORE + DURING, AFTER).await;
    let all = stage.receiver.wait_for(BEFORE + DURING + AFTER).await;
    let after = all[BEFORE + DURING..].iter().map(webhook);
    for webhook in after {
        assert!(rust_finds(secret(&last), &webhook), "{webhook}");
        let signature = webhook["headers"]["webhook-signature"].as_str().unwrap();
        assert_eq!(signature.split(' ').count(), 1, "{signature}");
    }
    stage.server.stop().await;
}

#[tokio::test]
async fn a_roll_that_a_kill_cuts_off_is_done_or_is_not() {
    for step in ["before-commit", "before-answer"] {
        let stage = Stage::set("hmac").await;
        stage.told("First").await;
        stage.client.wait_settled().await;
        let old = secret(&stage.subscription).to_owned();
        let (folder, receiver) = (&stage.folder, &stage.receiver);
        let first = stage.secrets().await;
        stage.server.stop().await;

        // The next change, which is the roll, is the last that this server comes to.
        let at = format!("{step}:1");
        let armed = [("CHECKFLOW_CRASH_AT", &*at)];
        let server = Server::start_with(folder.path(), &armed).await;
        let client = stage.client.at(server.address);
        let id = stage.subscription["id"].as_str().unwrap();
        let path = |operation| format!("/api/web-hook/{operation}?subscriptionId={id}");
        let body = json!({"keepOldFor": 600});
        let answer = client.try_ask("POST", &path("roll-secret"), &body).await;
        assert!(answer.is_err(), "{answer:?}");
        server.process.killed().await;

        let server = Server::start(folder.path()).await;
        let client = stage.client.at(server.address);
        let page = client.done("GET", &path("secrets"), &Value::Null).await;
        let held = page["items"].as_array().unwrap().clone();
        let ends: Vec<bool> = held
            .iter()
            .map(|row| row["validUntilDateTime"].is_null())
            .collect();
        if step == "before-commit" {
            assert_eq!(held, first, "nothing of it is there");
        } else {
            assert_eq!(ends, [true, false], "all of it is there: {held:?}");
            assert_eq!(held[1]["id"], first[0]["id"]);
        }
        // Either way the receiver, which knows of nothing, goes on.
        client.checklist(&stage.template, "Second").await;
        let all = receiver.wait_until("Second", |requests| {
            requests.iter().any(|request| is_about(request, "Second"))
        });
        let all = all.await;
        let second = all.iter().find(|request| is_about(request, "Second"));
        assert!(rust_finds(&old, &webhook(second.unwrap())), "{step}");
        server.stop().await;
    }
}
