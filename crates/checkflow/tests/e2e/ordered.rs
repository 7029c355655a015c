//! Order per checklist, with a receiver that fails by chance: of each checklist a webhook arrives only after the one
//! before it was taken, and none is left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{PostgresServer, Received, Receiver, Reply, S3Server};
use tokio::{process::Command, task::JoinSet};

use crate::{
    kill::Dice,
    roles::{KEY, team_and_key_on},
    support::{Client, Server, serve, team_and_key},
};

const LISTS: usize = 8;
const TASKS: usize = 14;
/// Clients that complete the tasks of one checklist at once.
const CLIENTS: usize = 2;
/// One request in so many is refused.
const REFUSED_IN: usize = 4;
/// How many requests the dice decide about; what comes after is taken.
const SCRIPTED: usize = 4_000;
const PATH: &str = "/ordered";
/// More attempts than will be refused by chance.
const SCHEDULE: &str = r#"["0s", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms", "20ms"]"#;

/// What the receiver does with each request, in their order.
fn refused() -> Vec<bool> {
    let mut dice = Dice::new();
    (0..SCRIPTED)
        .map(|_| dice.between(1, REFUSED_IN) == 1)
        .collect()
}

fn reply(refused: bool) -> Reply {
    let reply = if refused {
        Reply::status(500)
    } else {
        Reply::ok()
    };
    reply.taking(Duration::from_millis(3))
}

/// Completes all tasks of some checklists, each by several clients at once, at all nodes in turn; answers how many.
async fn complete(clients: &[Arc<Client>], receiver: &Receiver) -> usize {
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| json!({ "name": format!("Task {number}") }))
        .collect();
    let document = json!({ "name": "Invoice review", "tasks": tasks });
    let template = clients[0].done("PUT", "/api/template", &document).await;
    let scope = format!(
        "templateKey={}&ordering=checklist",
        template["templateKey"].as_str().unwrap()
    );
    clients[0]
        .subscribe("task_completed", &scope, &receiver.url(PATH))
        .await;
    let mut working = JoinSet::new();
    for list in 0..LISTS {
        let list = clients[0]
            .checklist(&template, &format!("list-{list}"))
            .await;
        let tasks: Arc<Vec<Value>> = Arc::new(list["tasks"].as_array().unwrap().clone());
        for part in 0..CLIENTS {
            let (tasks, clients) = (tasks.clone(), clients.to_vec());
            working.spawn(async move {
                for (number, task) in tasks.iter().enumerate().skip(part).step_by(CLIENTS) {
                    let answer = clients[(number / CLIENTS + part) % clients.len()]
                        .complete(task)
                        .await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                }
            });
        }
    }
    while let Some(done) = working.join_next().await {
        done.unwrap();
    }
    LISTS * TASKS
}

/// Each request, and whether it was taken.
fn answered<'a>(
    arrived: &'a [Received],
    refused: &'a [bool],
) -> impl Iterator<Item = (&'a Received, bool)> {
    let refused = refused.iter().chain(std::iter::repeat(&false));
    arrived.iter().zip(refused.map(|refused| !refused))
}

/// Fails unless what arrived is in order, with what was refused tried again before its successors.
fn check(arrived: &[Received], refused: &[bool], expected: usize) {
    let mut lists = BTreeMap::<i64, Vec<(i64, String, bool)>>::new();
    for (webhook, was_taken) in answered(arrived, refused) {
        let list = webhook.json()["data"]["checklist"]["checklistId"]
            .as_i64()
            .unwrap();
        let sequence = webhook.header("checkflow-sequence").unwrap();
        let id = webhook.header("webhook-id").unwrap().to_owned();
        let entry = (sequence.parse().unwrap(), id, was_taken);
        lists.entry(list).or_default().push(entry);
    }
    let mut taken = BTreeSet::new();
    for (list, arrived) in &lists {
        for pair in arrived.windows(2) {
            let [(before, first, was_taken), (after, second, _)] = pair else {
                unreachable!("windows are of two");
            };
            if first == second {
                assert!(
                    !was_taken,
                    "checklist {list}: {first} was taken and came again"
                );
            } else {
                assert!(
                    was_taken,
                    "checklist {list}: {second} came before {first} was taken"
                );
                assert!(
                    before < after,
                    "checklist {list}: {after} came after {before}"
                );
            }
        }
        taken.extend(arrived.iter().filter(|one| one.2).map(|one| &one.1));
    }
    assert_eq!(taken.len(), expected, "each was taken");
    let again = arrived.len() - taken.len();
    assert!(again > 0, "the dice refused none");
    println!("{} requests, {again} of them refused", arrived.len());
}

async fn run(clients: Vec<Arc<Client>>) {
    let receiver = Receiver::start().await;
    let refused = refused();
    receiver.script(PATH, refused.iter().copied().map(reply));
    receiver.always(PATH, reply(false));
    let expected = complete(&clients, &receiver).await;
    // The receiver says when the last one is taken: between two attempts a delivery can be missed by who asks for one
    // state after the other.
    let all_taken = |arrived: &[Received]| {
        answered(arrived, &refused)
            .filter(|(_, was_taken)| *was_taken)
            .count()
            >= expected
    };
    receiver.wait_until("all are taken", all_taken).await;
    clients[0].wait_settled().await;
    check(&receiver.requests_to(PATH), &refused, expected);
}

fn impatient(command: &mut Command) {
    command.env("CHECKFLOW_DELIVERY__SCHEDULE", SCHEDULE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_each_checklist_one_arrives_after_the_other_whatever_fails() {
    let folder = tempdir().unwrap();
    let mut command = serve(folder.path(), "127.0.0.0/8");
    impatient(&mut command);
    let server = Server::start_by(command).await;
    let (_, key) = team_and_key(folder.path()).await;
    run(vec![Arc::new(Client::new(server.address, &key))]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_each_checklist_one_arrives_after_the_other_whichever_node_sends_it() {
    let database = PostgresServer::of_this_process().database();
    let s3 = S3Server::start();
    let folders: Vec<TempDir> = (0..3).map(|_| tempdir().unwrap()).collect();
    let key = team_and_key_on(folders[0].path(), &database.url()).await;
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for folder in &folders {
        let mut command = serve(folder.path(), "127.0.0.0/8");
        impatient(&mut command);
        command
            .args(["--database", &database.url()])
            .env(KEY.0, KEY.1);
        command
            .env("CHECKFLOW_FILES", s3.location(""))
            .envs(s3.variables());
        let server = Server::start_by(command).await;
        clients.push(Arc::new(Client::new(server.address, &key)));
        servers.push(server);
    }
    run(clients).await;
    let nodes = database.sql("SELECT count(*) FROM node WHERE sends");
    assert_eq!(nodes, "3", "all of them send");
    for server in servers {
        server.stop().await;
    }
}
