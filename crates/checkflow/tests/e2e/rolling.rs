//! A secret that is rolled while two nodes send: what arrives is signed with secrets that were good while it was sent,
//! and nothing is lost.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{PostgresServer, Received, Receiver, S3Server};
use tokio::time::Instant;

use crate::{
    roles::{KEY, team_and_key_on},
    signing::{rust_finds, webhook},
    support::{Client, Server, serve},
};

/// Checklists that each of the four clients makes.
const LISTS: usize = 40;
const CLIENTS: usize = 4;
/// After how many arrivals a new secret comes, and for how long the ones before it go on.
const ROLLS: [(usize, u64); 4] = [(20, 600), (50, 0), (80, 600), (110, 0)];

/// A secret, and the longest time that it may have been good for.
struct Good {
    secret: String,
    from: Instant,
    until: Option<Instant>,
}

/// Rolls at one node and the other in turn.
async fn roll(clients: &[Client; 2], id: &str, receiver: &Receiver, secrets: &mut Vec<Good>) {
    for (number, (arrived, keep)) in ROLLS.into_iter().enumerate() {
        receiver.wait_for(arrived).await;
        let from = Instant::now();
        let path = format!("/api/web-hook/roll-secret?subscriptionId={id}");
        let body = json!({"keepOldFor": keep});
        let rolled = clients[number % 2].done("POST", &path, &body).await;
        if keep == 0 {
            let now = Instant::now();
            for good in &mut *secrets {
                good.until.get_or_insert(now);
            }
        }
        secrets.push(Good {
            secret: rolled["secret"].as_str().unwrap().to_owned(),
            from,
            until: None,
        });
    }
}

/// Makes checklists and notes when each was asked for.
async fn make(
    client: &Client,
    template: &Value,
    one: usize,
    asked: &RefCell<BTreeMap<String, Instant>>,
) {
    for number in 0..LISTS {
        let name = format!("list-{one}-{number}");
        asked.borrow_mut().insert(name.clone(), Instant::now());
        client.checklist(template, &name).await;
    }
}

/// Fails unless a request is signed with a secret that was good between the moment at which its checklist was asked for and
/// that at which it arrived, and with no other.
fn check(request: &Received, asked: Instant, secrets: &[Good]) {
    let webhook = webhook(request);
    let mut by_good = false;
    for (number, good) in secrets.iter().enumerate() {
        let was_good =
            good.from <= request.arrived && good.until.is_none_or(|until| until >= asked);
        let signs = rust_finds(&good.secret, &webhook);
        assert!(
            was_good || !signs,
            "secret {number} was not good: {request}"
        );
        by_good |= signs;
    }
    assert!(by_good, "no secret that was good verifies {request}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_rolled_under_load_on_two_nodes_leaves_nothing_unsigned_and_loses_nothing()
{
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    // Nodes share their files.
    let s3 = S3Server::start();
    let database = PostgresServer::of_this_process().database();
    let url = database.url();
    let start = |number: usize| {
        let mut command = serve(folders[number].path(), "127.0.0.0/8");
        command.args(["--database", &url]).env(KEY.0, KEY.1);
        command.env("CHECKFLOW_FILES", s3.location(""));
        command.envs(s3.variables());
        Server::start_by(command)
    };
    let servers = [start(0).await, start(1).await];
    let key = team_and_key_on(folders[0].path(), &url).await;
    let clients = [0, 1].map(|number: usize| Client::new(servers[number].address, &key));
    let receiver = Receiver::start().await;
    let template = clients[0].template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let from = Instant::now();
    let target = receiver.url("/hook");
    let made = clients[0].subscribe("new_checklist", &scope, &target).await;
    let id = made["id"].as_str().unwrap();
    let mut secrets = vec![Good {
        secret: made["secret"].as_str().unwrap().to_owned(),
        from,
        until: None,
    }];

    let asked = RefCell::default();
    let [first, second] = &clients;
    tokio::join!(
        make(first, &template, 0, &asked),
        make(second, &template, 1, &asked),
        make(first, &template, 2, &asked),
        make(second, &template, 3, &asked),
        roll(&clients, id, &receiver, &mut secrets),
    );
    receiver.wait_for(CLIENTS * LISTS).await;
    first.wait_settled().await;

    let asked = asked.into_inner();
    let mut arrived = BTreeMap::<_, usize>::new();
    for request in &receiver.requests() {
        assert_eq!(request.header("checkflow-attempt"), Some("1"), "{request}");
        let body = request.json();
        let name = body["data"]["checklistName"].as_str().unwrap();
        check(request, asked[name], &secrets);
        *arrived.entry(name.to_owned()).or_default() += 1;
    }
    let all = asked.keys().map(|name| (name.clone(), 1)).collect();
    assert_eq!(arrived, all, "each came, and once");
    for server in servers {
        server.stop().await;
    }
}
