//! One folder, one receiver and a supply of tasks, for as many lives of the server as there are.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{DeliveryId, DeliveryState, TeamId};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{Gate, Receiver, Reply};
use tokio::task::JoinSet;

use super::account::{Account, Said, Task};
use crate::support::{Client, Left, Server, look, team_and_key};

/// How long the receiver takes for each webhook.
const RECEIVER_TIME: Duration = Duration::from_millis(20);
/// Clients that complete tasks at once.
const CLIENTS: usize = 8;
const LISTS: usize = 80;
const TASKS: usize = 40;
/// One task in so many can't be completed.
const REFUSED_IN: usize = 5;

/// How a life of the server ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Killed from outside, after so many answers.
    Answers(usize),
    /// The same while the receiver holds every webhook.
    Sending(usize),
    /// By its own hand, when it comes to this step for the so many-th time.
    Step(&'static str, usize),
}

pub(super) struct Stage {
    folder: TempDir,
    pub(super) receiver: Receiver,
    pub(super) subscription: Value,
    client: Client,
    team: TeamId,
    supply: Arc<Mutex<VecDeque<Task>>>,
    pub(super) account: Arc<Account>,
    /// At how many kills each delivery was on its way.
    pub(super) cut: BTreeMap<DeliveryId, u32>,
}

impl Stage {
    /// Makes everything that the lives need, with a server that is stopped in good order.
    pub(super) async fn set() -> Self {
        let folder = tempdir().unwrap();
        let receiver = Receiver::start().await;
        receiver.always("/hook", Reply::ok().taking(RECEIVER_TIME));
        let server = Server::start(folder.path()).await;
        let (team, key) = team_and_key(folder.path()).await;
        let client = Client::new(server.address, &key);
        let template = client.done("PUT", "/api/template", &document()).await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let target = receiver.url("/hook");
        let subscription = client.subscribe("task_completed", &scope, &target).await;
        let mut supply = VecDeque::new();
        for number in 0..LISTS {
            let list = client.checklist(&template, &format!("list-{number}")).await;
            supply.extend(Task::all_of(&list));
        }
        server.stop().await;
        Self {
            folder,
            receiver,
            subscription,
            client,
            team: TeamId::new(team.parse().unwrap()),
            supply: Arc::new(Mutex::new(supply)),
            account: Arc::default(),
            cut: BTreeMap::new(),
        }
    }

    /// Starts the server, has tasks completed, and sees to its end.
    pub(super) async fn live_until(&mut self, end: End) {
        let armed;
        let mut variables = Vec::new();
        if let End::Step(step, time) = end {
            armed = format!("{step}:{time}");
            variables.push(("CHECKFLOW_CRASH_AT", &*armed));
        }
        let gate = Gate::closed();
        if let End::Sending(_) = end {
            self.receiver.always("/hook", Reply::ok().after(&gate));
        }
        let before = self.account.answers();
        let server = Server::start_with(self.folder.path(), &variables).await;
        let clients = self.work(&server);
        match end {
            End::Answers(count) => {
                self.account.wait_for(before + count).await;
                server.process.kill().await;
            }
            End::Sending(count) => {
                self.account.wait_for(before + count).await;
                let holds = |_: &[_]| self.receiver.in_flight() > 0;
                self.receiver.wait_until("a webhook to hold", holds).await;
                server.process.kill().await;
                assert!(!gate.is_open());
            }
            End::Step(..) => server.process.killed().await,
        }
        clients.join_all().await;
        let left = look(self.folder.path(), self.team).await;
        let answers = self.account.answers() - before;
        self.note(end, answers, &left);
        // Whoever was held answers a server that is gone.
        gate.open();
        self.receiver.wait_idle().await;
        self.receiver
            .always("/hook", Reply::ok().taking(RECEIVER_TIME));
    }

    /// Writes down what a kill has cut short; fails if that is nothing.
    fn note(&mut self, end: End, answers: usize, left: &Left) {
        let count = |state| {
            let is = |delivery: &&domain::Delivery| delivery.state == state;
            left.deliveries.iter().filter(is).count()
        };
        let (waiting, leased) = (count(DeliveryState::Waiting), count(DeliveryState::Leased));
        println!("{end:?}: {answers} answers, {leased} webhooks on their way, {waiting} waiting");
        assert!(waiting + leased > 0, "{end:?} left nothing unsettled");
        for delivery in &left.deliveries {
            if delivery.state == DeliveryState::Leased {
                *self.cut.entry(delivery.delivery_id).or_default() += 1;
            }
        }
    }

    /// Lets a last server finish everything, with `count` more tasks, and stops it in good order.
    pub(super) async fn finish(&self, count: usize) -> Left {
        self.supply.lock().unwrap().truncate(count);
        let before = self.account.answers();
        let server = Server::start(self.folder.path()).await;
        self.work(&server).join_all().await;
        let answers = self.account.answers() - before;
        assert_eq!(answers, count, "it answers all that it is asked");
        self.client.at(server.address).wait_settled().await;
        server.stop().await;
        look(self.folder.path(), self.team).await
    }

    /// Clients that complete tasks until there are none or there is no server.
    fn work(&self, server: &Server) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let client = self.client.at(server.address);
            let (supply, account) = (self.supply.clone(), self.account.clone());
            clients.spawn(async move {
                let next = || supply.lock().unwrap().pop_front();
                while let Some(task) = next() {
                    let answer = client.try_complete(&task.row).await;
                    let gone = answer.is_err();
                    account.note(task, Said::by(answer));
                    if gone {
                        break;
                    }
                }
            });
        }
        clients
    }
}

/// A template of which some tasks can't be completed, because a value is missing.
fn document() -> Value {
    let tasks = (0..TASKS).map(|number| {
        let mut task = json!({ "name": format!("Task {number}") });
        if number % REFUSED_IN == REFUSED_IN - 1 {
            task["controls"] = json!([{ "type": "ShortText", "name": "Number", "required": true }]);
        }
        task
    });
    json!({ "name": "Invoice review", "tasks": tasks.collect::<Vec<_>>() })
}
