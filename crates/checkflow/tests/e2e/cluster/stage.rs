//! Three nodes on one database, a receiver with three subscriptions, and clients that complete tasks.

mod looks;
mod nodes;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use domain::TeamId;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{Gate, PATIENCE, PostgresServer, Receiver, Reply, S3Server};
use tokio::{
    sync::watch,
    task::{JoinSet, block_in_place},
    time::sleep,
};

use self::nodes::{serve, shared};
use super::{
    account::{Account, Said},
    files::Files,
    node::Node,
};
use crate::support::{Client, checkflow, json_of};

/// Where the receiver takes webhooks. One of the paths fails now and then.
const PATHS: [&str; 3] = ["/first", "/second", "/shaky"];
const SHAKY: &str = PATHS[2];
/// Where it is told of files.
const FILES: &str = "/files";
/// One request in so many to the shaky path is refused.
const REFUSED_IN: usize = 5;
/// How many requests to the shaky path are scripted.
const SCRIPTED: usize = 10_000;
/// How long the receiver takes for each webhook.
const RECEIVER_TIME: Duration = Duration::from_millis(10);
/// Clients that ask one node at once.
const CLIENTS: usize = 2;
const LISTS: usize = 80;
const TASKS: usize = 60;
/// Least time between two questions of a client, so that the tasks last for as long as a scenario may.
const BREATH: Duration = Duration::from_millis(80);
/// How long a client stays away that was told to come back, or got no answer.
pub(super) const PACE: Duration = Duration::from_millis(200);
/// Longer than the longest lease, and time to rescue and send what was under it.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

pub(super) struct Stage {
    _folder: TempDir,
    pub(super) postgres: Arc<PostgresServer>,
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) receiver: Receiver,
    team: TeamId,
    subscriptions: BTreeMap<&'static str, String>,
    supply: Arc<Mutex<VecDeque<i64>>>,
    /// The fields that take files, one for each checklist.
    fields: Vec<Value>,
    files: Arc<Files>,
    _s3: S3Server,
    pub(super) account: Arc<Account>,
    pub(super) cut: BTreeSet<String>,
    working: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Stage {
    /// A cluster on a server of its own.
    pub(super) async fn set() -> Self {
        let postgres = Arc::new(block_in_place(PostgresServer::start_own));
        let url = postgres.url();
        Self::set_on(postgres, &url).await
    }

    /// A cluster whose nodes reach the database by `url`.
    pub(super) async fn set_on(postgres: Arc<PostgresServer>, url: &str) -> Self {
        let folder = tempdir().unwrap();
        let tool = |args: &[&str]| {
            let mut tool = checkflow(args);
            tool.envs(shared(&postgres.url()))
                .env("CHECKFLOW_DATA", folder.path().join("tools"));
            tool
        };
        let team = json_of(&mut tool(&[
            "team", "create", "--name", "Finance", "--json",
        ]))
        .await;
        let team = team["teamId"].as_i64().unwrap();
        let of = team.to_string();
        let key = ["key", "create", "--team", &of, "--name", "tests", "--json"];
        let key = json_of(&mut tool(&key)).await;
        let s3 = S3Server::start();
        let mut nodes = Vec::new();
        for number in 0..3 {
            let name = format!("node-{number}");
            let mut command = serve(&folder, &name, url);
            command.env("CHECKFLOW_FILES", s3.location(""));
            command.envs(s3.variables());
            nodes.push(Arc::new(Node::start(name, command, &key).await));
        }
        let receiver = Receiver::start().await;
        for path in PATHS {
            receiver.always(path, Reply::ok().taking(RECEIVER_TIME));
        }
        receiver.script(SHAKY, (0..SCRIPTED).map(reply));
        let mut this = Self {
            _folder: folder,
            postgres,
            nodes,
            receiver,
            team: TeamId::new(team),
            subscriptions: BTreeMap::new(),
            supply: Arc::default(),
            fields: Vec::new(),
            files: Arc::default(),
            _s3: s3,
            account: Arc::default(),
            cut: BTreeSet::new(),
            working: watch::Sender::new(false),
            clients: JoinSet::new(),
        };
        this.fill().await;
        this
    }

    /// Makes the tasks, each with a node in turn, and the subscriptions.
    async fn fill(&mut self) {
        let mut tasks = vec![json!({ "name": "Scan", "controls": [
            { "type": "FileUpload", "name": "Scan", "minFiles": 1 }] })];
        tasks.extend((0..TASKS).map(|number| json!({ "name": format!("Task {number}") })));
        let document = json!({ "name": "Invoice review", "tasks": tasks });
        let template = self.client(0).done("PUT", "/api/template", &document).await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        for (number, path) in PATHS.into_iter().enumerate() {
            let target = self.receiver.url(path);
            let made = self
                .client(number)
                .subscribe("task_completed", &scope, &target)
                .await;
            let id = made["id"].as_str().unwrap().to_owned();
            self.subscriptions.insert(path, id);
        }
        let control = &template["tasks"][0]["controls"][0]["key"];
        let scope = format!("taskContentKey={}", control.as_str().unwrap());
        let target = self.receiver.url(FILES);
        self.client(0)
            .subscribe("file_uploaded", &scope, &target)
            .await;
        for number in 0..LISTS {
            let client = self.client(number % self.nodes.len());
            let list = client.checklist(&template, &format!("list-{number}")).await;
            let tasks = list["tasks"].as_array().unwrap();
            self.fields
                .push(tasks[0]["fields"][0]["taskContentID"].clone());
            let ids = tasks[1..]
                .iter()
                .map(|task| task["taskId"].as_i64().unwrap());
            self.supply.lock().unwrap().extend(ids);
        }
    }

    pub(super) fn client(&self, node: usize) -> &Client {
        &self.nodes[node].client
    }

    /// Has clients complete tasks at all nodes, until they are told to stop.
    pub(super) fn work(&mut self) {
        self.working.send_replace(true);
        let (files, fields) = (self.files.clone(), std::mem::take(&mut self.fields));
        let uploading = files.upload(self.nodes.clone(), fields, self.working.subscribe());
        self.clients.spawn(uploading);
        for (number, node) in self.nodes.iter().enumerate() {
            for _ in 0..CLIENTS {
                let (node, working) = (node.clone(), self.working.subscribe());
                let (supply, account) = (self.supply.clone(), self.account.clone());
                self.clients.spawn(async move {
                    let next = || supply.lock().unwrap().pop_front();
                    while *working.borrow() && !node.is_gone() {
                        let task = next().expect("there are tasks enough");
                        let answer = node.client.try_complete(&json!({ "taskId": task })).await;
                        let said = Said::by(answer);
                        account.note(task, number, said);
                        sleep(if said == Said::Done { BREATH } else { PACE }).await;
                    }
                });
            }
        }
    }

    /// Lets the clients finish what they ask, and ends them.
    pub(super) async fn rest(&mut self) {
        self.working.send_replace(false);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
    }

    /// Waits until all nodes have completed some more tasks.
    pub(super) async fn go_on(&self, count: usize) {
        let well = |node: &usize| !self.nodes[*node].is_gone();
        let nodes: Vec<_> = (0..self.nodes.len()).filter(well).collect();
        self.account.wait_for(&nodes, count).await;
    }

    /// Holds what is sent to the first path; returns once a node has sent something and has no answer.
    pub(super) async fn hold(&self, node: usize) -> Gate {
        let gate = Gate::closed();
        self.receiver.always(PATHS[0], Reply::ok().after(&gate));
        // What came before may have its answer by now.
        let before = self.arrived();
        let until = Instant::now() + PATIENCE;
        let held = || {
            let arrived = self.arrived_at(PATHS[0]);
            let leased = self.leased_to(node);
            leased
                .iter()
                .any(|id| arrived.contains(id) && !before.contains(id))
        };
        while !held() {
            assert!(Instant::now() < until, "node {node} sends nothing");
            tokio::task::yield_now().await;
        }
        gate
    }

    /// Lets go on what was held.
    pub(super) fn release(&self, gate: &Gate) {
        let reply = Reply::ok().taking(RECEIVER_TIME);
        self.receiver.always(PATHS[0], reply);
        gate.open();
    }

    /// Writes down what is leased to a node that has just been stopped, once what it has asked the database for
    /// is done: none of its connections is in one of `states`.
    pub(super) async fn note_cut(&mut self, node: usize, states: &str) {
        let name = &self.nodes[node].name;
        let busy = format!(
            "SELECT pid, state FROM pg_stat_activity WHERE application_name = '{name}' AND state {states}"
        );
        self.wait_until("its last statements", &busy, <[_]>::is_empty)
            .await;
        self.cut = self.leased_to(node);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.nodes.iter().for_each(|node| node.show());
        }
    }
}

fn is_refused(number: usize) -> bool {
    number < SCRIPTED && number % REFUSED_IN == REFUSED_IN - 1
}

/// What the so many-th request to the shaky path gets.
fn reply(number: usize) -> Reply {
    if is_refused(number) {
        Reply::status(500)
    } else {
        Reply::ok().taking(RECEIVER_TIME)
    }
}
