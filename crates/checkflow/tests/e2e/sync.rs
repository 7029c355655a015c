//! The log is synced before anybody hears of what is in it: not who asked for it, not the receiver,
//! not who reads. Where the disk fails at that, the server ends.
//!
//! A library that is loaded into the server holds its syncs up, and notes that they were asked for.

mod shim;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::Receiver;
use tokio::{task::JoinHandle, time::timeout};

use self::shim::{Held, Shim};
use crate::support::{Answer, Broken, Client, Server, line_with, team_and_key};

/// What a server that does not wait is given to show it. One that waits can't fail by it.
const BETRAYAL: Duration = Duration::from_millis(100);

/// A server with a shim, a checklist of two tasks, and who is told when one is completed.
struct Scene {
    data: TempDir,
    shim: Shim,
    server: Server,
    client: Client,
    list: Value,
    receiver: Receiver,
}

impl Scene {
    async fn start() -> Self {
        let (data, shim) = (tempdir().unwrap(), Shim::build().await);
        let (_, key) = team_and_key(data.path()).await;
        let server = shim.serve(data.path()).await;
        let client = Client::new(server.address, &key);
        let document =
            json!({ "name": "Invoice review", "tasks": [{ "name": "Check" }, { "name": "Pay" }] });
        let template = client.done("PUT", "/api/template", &document).await;
        let receiver = Receiver::start().await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let hook = receiver.url("/hook");
        client.subscribe("task_completed", &scope, &hook).await;
        let list = client.checklist(&template, "March").await;
        Self {
            data,
            shim,
            server,
            client,
            list,
            receiver,
        }
    }

    fn task(&self, number: usize) -> &Value {
        &self.list["tasks"][number]
    }

    /// Asks for the first task to be completed, and waits until that is being synced, which does not end.
    async fn complete_and_hold(&self) -> (Asked, Held<'_>) {
        let held = self.shim.hold();
        let (client, task) = (self.client.at(self.server.address), self.task(0).clone());
        let mut answer = tokio::spawn(async move { client.try_complete(&task).await });
        tokio::select! {
            biased;
            answer = &mut answer => panic!("nothing was synced before {answer:?}"),
            () = held.begun() => {}
        }
        (answer, held)
    }

    /// Reads a task.
    fn read(&self, number: usize) -> Asked {
        let client = self.client.at(self.server.address);
        let (list, task) = (&self.list["checklistId"], &self.task(number)["taskKey"]);
        let task = task.as_str().unwrap();
        let path = format!("/api/task/details?checklistId={list}&taskKey={task}");
        tokio::spawn(async move { client.try_ask("GET", &path, &Value::Null).await })
    }

    async fn is_complete(&self, number: usize) -> bool {
        let answer = answered(self.read(number)).await;
        let complete = answer.body["taskIsComplete"].as_bool();
        complete.unwrap_or_else(|| panic!("not a task: {}", answer.body))
    }

    /// Tasks that the receiver was told of.
    fn told(&self) -> BTreeSet<i64> {
        let requests = self.receiver.requests();
        let told = requests.iter().map(|request| id(&request.json()["data"]));
        told.collect()
    }
}

/// What was asked, and is answered or not.
type Asked = JoinHandle<Result<Answer, Broken>>;

/// Fails if the server answers though what it would tell of is not on the disk yet.
async fn assert_waits(asked: &mut Asked) {
    if let Ok(answer) = timeout(BETRAYAL, asked).await {
        panic!("what it tells of is not on the disk yet: {answer:?}");
    }
}

async fn answered(asked: Asked) -> Answer {
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

fn id(task: &Value) -> i64 {
    task["taskId"].as_i64().unwrap()
}

#[tokio::test]
async fn an_answer_and_its_webhook_wait_for_the_sync() {
    let scene = Scene::start().await;
    let (mut answer, held) = scene.complete_and_hold().await;
    assert_waits(&mut answer).await;
    assert_eq!(scene.told(), [].into(), "it is not on the disk yet");

    held.release();
    answered(answer).await;
    scene.receiver.wait_for(1).await;
    assert_eq!(scene.told(), [id(scene.task(0))].into());
    scene.client.wait_settled().await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_read_waits_for_the_sync_of_what_it_may_have_seen() {
    let scene = Scene::start().await;
    assert!(!scene.is_complete(0).await);
    let (answer, held) = scene.complete_and_hold().await;
    let mut read = scene.read(0);
    assert_waits(&mut read).await;

    held.release();
    answered(read).await;
    answered(answer).await;
    assert!(scene.is_complete(0).await);
    scene.client.wait_settled().await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_sync_that_fails_ends_the_server_and_answers_nobody() {
    let mut scene = Scene::start().await;
    let (answer, held) = scene.complete_and_hold().await;
    let mut read = scene.read(0);
    assert_waits(&mut read).await;

    scene.shim.fail();
    held.release();
    for asked in [answer, read] {
        let answer = asked.await.unwrap();
        assert!(
            !answer.as_ref().is_ok_and(|answer| answer.status < 400),
            "what it tells of was not kept: {answer:?}"
        );
    }
    let status = scene.server.process.ended().await;
    assert_eq!(status.code(), Some(1), "{status}");
    line_with(&mut scene.server.process.log, "the server ends").await;
    assert_eq!(scene.told(), [].into(), "it was not kept");

    // Whether it is there now is the disk's to say; it is there with its webhook, or not at all.
    scene.server = Server::start(scene.data.path()).await;
    scene.client = scene.client.at(scene.server.address);
    let mut complete = BTreeSet::from([id(scene.task(1))]);
    if scene.is_complete(0).await {
        complete.insert(id(scene.task(0)));
    }
    let answer = scene.client.complete(scene.task(1)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    scene.receiver.wait_for(complete.len()).await;
    scene.client.wait_settled().await;
    assert_eq!(scene.told(), complete);
    assert!(scene.is_complete(1).await);
    scene.server.stop().await;
}
