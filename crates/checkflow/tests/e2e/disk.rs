//! A disk that is full: what was answered stays, what can't be kept is refused, reading goes on, and
//! all else comes by itself once there is room.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{Gate, PATIENCE, Received, Receiver, Reply};
use tokio::{process::Command, task::JoinSet, time::timeout};

use crate::support::{
    Answer, Client, Namespace, Server, checkflow, complaint_of, line_with, serve, team_and_key,
};

/// A small disk with the data of another folder on it.
const MOUNT: &str = r#"mount -t tmpfs -o size="$3",mode=700 tmpfs "$1"; cp -a "$2/." "$1""#;
/// How small it is where it is filled by hand.
const SIZE: &str = "8m";

/// What is completed on a disk that has room for it, but not for its log as well: so many checklists of so
/// many tasks, by so many clients at once.
const LISTS: usize = 25;
const TASKS: usize = 60;
const CLIENTS: usize = 16;

/// More writes than the disk has room for.
const WRITES_MAX: usize = 2_000;

/// Waits of half a second before each attempt, as many as there may be.
const SCHEDULE: &str = "CHECKFLOW_DELIVERY__SCHEDULE";
const SCAN: (&str, &str) = ("CHECKFLOW_DELIVERY__SCAN_INTERVAL", "50ms");

fn schedule() -> String {
    let waits = [r#""500ms""#; 29].join(", ");
    format!(r#"["0s", {waits}]"#)
}

/// A file system with room for little, which only what runs on it can see.
struct Disk {
    namespace: Namespace,
    place: TempDir,
}

impl Disk {
    /// One of this size (as `mount` takes it) with what is in `data` on it.
    async fn with(data: &Path, size: &str) -> Self {
        let place = tempdir().unwrap();
        let args = [place.path(), data, Path::new(size)];
        let namespace = Namespace::new(MOUNT, &args).await;
        Self { namespace, place }
    }

    /// Where it is, to those who see it: the data folder.
    fn folder(&self) -> &Path {
        self.place.path()
    }

    fn outside(&self) -> PathBuf {
        self.namespace.outside(self.folder())
    }

    /// Starts a server on it.
    async fn start(&self) -> Server {
        let mut command = serve(self.folder(), "127.0.0.0/8");
        command.env(SCHEDULE, schedule()).env(SCAN.0, SCAN.1);
        Server::start_by(self.namespace.enter(&command)).await
    }

    /// The one line that a command which must fail says on it.
    async fn complaint(&self, command: &Command) -> String {
        complaint_of(&mut self.namespace.enter(command)).await
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let page = [0; 4_096];
        loop {
            match filler.write_all(&page) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("the disk can't be filled: {error}"),
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.outside().join("filler")
    }

    /// Its files and how large they are, for who wonders what took the room.
    fn listing(&self) -> String {
        let files = fs::read_dir(self.outside()).unwrap().map(|file| {
            let file = file.unwrap();
            let bytes = file.metadata().unwrap().len();
            format!("{} ({bytes} bytes)", file.file_name().display())
        });
        files.collect::<Vec<_>>().join(", ")
    }

    /// Files of uploads, their beginnings included.
    fn uploads(&self) -> usize {
        let folders = fs::read_dir(self.outside().join("files")).unwrap();
        // Beside them is the id of the files.
        let folders = folders
            .map(|folder| folder.unwrap().path())
            .filter(|path| path.is_dir());
        folders
            .map(|folder| fs::read_dir(folder).unwrap().count())
            .sum()
    }
}

/// A server on a small disk, its one template, and who is told of new checklists.
struct Scene {
    disk: Disk,
    server: Server,
    client: Client,
    template: Value,
    receiver: Receiver,
    /// Numbers of the checklists whose making was answered with 200.
    kept: BTreeSet<i64>,
}

impl Scene {
    /// With deliveries that wait, because the receiver refuses them.
    async fn start() -> Self {
        let data = tempdir().unwrap();
        let (_, key) = team_and_key(data.path()).await;
        let disk = Disk::with(data.path(), SIZE).await;
        let server = disk.start().await;
        let client = Client::new(server.address, &key);
        let template = client.template().await;
        let receiver = Receiver::start().await;
        receiver.always("/hook", Reply::status(503));
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let hook = receiver.url("/hook");
        client.subscribe("new_checklist", &scope, &hook).await;
        let mut scene = Self {
            disk,
            server,
            client,
            template,
            receiver,
            kept: BTreeSet::new(),
        };
        for _ in 0..3 {
            assert!(scene.checklist().await, "there is room still");
        }
        scene.receiver.wait_for(3).await;
        scene
    }

    /// Asks for a checklist; whether it was made. The only other answer is that the disk is full.
    async fn checklist(&mut self) -> bool {
        let template = self.template["templateKey"].as_str().unwrap();
        let path = format!("/api/checklist?templateKey={template}&checklistName=March");
        let answer = self.client.ask("POST", &path, &Value::Null).await;
        if answer.status == 200 {
            self.kept
                .insert(answer.body["checklistId"].as_i64().unwrap());
            return true;
        }
        assert_full(answer.status, &answer.body);
        false
    }

    /// Fills the disk, and then makes checklists until one is refused.
    async fn fill(&mut self) {
        self.disk.fill();
        for _ in 0..WRITES_MAX {
            if !self.checklist().await {
                return;
            }
        }
        panic!("{WRITES_MAX} checklists were made on a full disk");
    }

    /// Makes checklists until one is made.
    async fn wait_for_a_write(&mut self) {
        let made = timeout(PATIENCE, async {
            while !self.checklist().await {
                tokio::task::yield_now().await;
            }
        });
        made.await.expect("the server takes writes again by itself");
    }

    /// Numbers of the checklists that are there.
    async fn listed(&self) -> BTreeSet<i64> {
        let template = self.template["templateKey"].as_str().unwrap();
        let mut listed = BTreeSet::new();
        for page in 1.. {
            let path =
                format!("/api/checklist/find?templateKey={template}&pageSize=10&pageNumber={page}");
            let answer = self.client.ask("GET", &path, &Value::Null).await;
            if answer.status == 404 {
                break;
            }
            assert_eq!(answer.status, 200, "{}", answer.body);
            let rows = answer.body.as_array().unwrap();
            listed.extend(rows.iter().map(|row| row["checklistId"].as_i64().unwrap()));
        }
        listed
    }

    /// Every delivery there is, by the log.
    async fn log(&self) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/web-hook/deliveries?limit=100{cursor}");
            let page = self.client.done("GET", &path, &Value::Null).await;
            rows.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else {
                return rows;
            };
            cursor = format!("&cursor={next}");
        }
    }

    /// Waits until each checklist that was answered for, and no other, has been told of, by the
    /// receiver's record and by the log.
    async fn all_arrive(&self) {
        self.receiver
            .wait_until("every checklist that was answered for", |requests| {
                let told = requests.iter().map(checklist_of);
                self.kept.is_subset(&told.collect())
            })
            .await;
        let settled = timeout(PATIENCE, async {
            loop {
                let log = self.log().await;
                if log.iter().all(|row| row["state"] == "delivered") {
                    return log;
                }
                tokio::task::yield_now().await;
            }
        });
        let log = settled.await.expect("every outcome is stored");
        assert_eq!(log.len(), self.kept.len(), "one delivery each");
        let told = log.iter().map(|row| row["checklistId"].as_i64().unwrap());
        assert_eq!(told.collect::<BTreeSet<_>>(), self.kept);
    }
}

fn checklist_of(webhook: &Received) -> i64 {
    webhook.json()["data"]["checklistId"].as_i64().unwrap()
}

fn task_of(row: &Value) -> i64 {
    row["taskId"].as_i64().unwrap()
}

fn assert_full(status: u16, body: &Value) {
    let told = (status, &body["status"], &body["code"], &body["type"]);
    let (type_, code) = (json!("/problems/storage_full"), json!("storage_full"));
    assert_eq!(told, (507, &json!(507), &code, &type_), "{body}");
}

#[tokio::test]
async fn on_a_full_disk_writes_are_refused_reads_are_answered_and_room_brings_all_back() {
    let mut scene = Scene::start().await;
    let answered = Gate::closed();
    scene.receiver.always("/hook", Reply::ok().after(&answered));
    let list = scene.client.checklist(&scene.template, "April").await;
    let april = list["checklistId"].as_i64().unwrap();
    scene.kept.insert(april);
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    scene
        .receiver
        .wait_until("April", |requests| {
            requests
                .iter()
                .any(|request| checklist_of(request) == april)
        })
        .await;
    scene.fill().await;

    // The receiver has taken it, which can't be stored, and must not be forgotten either.
    answered.open();
    let log = &mut scene.server.process.log;
    line_with(log, "the outcomes of attempts can't be stored").await;

    // Of every kind of write, none is taken that does not fit, and nothing of it is left.
    let upload = scene.client.upload(field, &"a scan".repeat(4_096)).await;
    assert_full(upload.status, &upload.body);
    assert_eq!(scene.disk.uploads(), 0);
    assert_eq!(scene.listed().await, scene.kept);
    for path in ["/health/live", "/api/template/templates", "/swagger"] {
        let answer = scene.client.ask("GET", path, &Value::Null).await;
        assert!(answer.status < 400, "{path}: {}", answer.status);
    }

    scene.disk.make_room();
    scene.wait_for_a_write().await;
    let upload = scene.client.upload(field, "a scan").await;
    assert_eq!(upload.status, 200, "{}", upload.body);
    scene.all_arrive().await;
    let told = scene.receiver.requests();
    let told = told.iter().filter(|request| checklist_of(request) == april);
    assert_eq!(told.count(), 1, "what was taken is not sent again");
    assert_eq!(scene.listed().await, scene.kept);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_kill_on_a_full_disk_loses_nothing_that_was_answered() {
    let mut scene = Scene::start().await;
    scene.fill().await;
    scene.server.process.kill().await;
    // Nothing that a start needs takes room: it is there from before.
    scene.server = scene.disk.start().await;
    scene.client = scene.client.at(scene.server.address);
    assert_eq!(scene.listed().await, scene.kept);
    scene.receiver.always("/hook", Reply::ok());
    scene.disk.make_room();
    scene.all_arrive().await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_full_disk_at_the_start_is_one_line_and_room_mends_it() {
    let data = tempdir().unwrap();
    let (team, key) = team_and_key(data.path()).await;
    let disk = Disk::with(data.path(), SIZE).await;
    disk.fill();
    // Beside the data that is there, and where there is none yet.
    let fresh = disk.folder().join("fresh");
    for folder in [disk.folder(), &fresh] {
        let data = folder.to_str().unwrap();
        for command in [
            serve(folder, "127.0.0.0/8"),
            checkflow(&["team", "create", "--name", "A", "--data", data]),
        ] {
            let line = disk.complaint(&command).await;
            assert!(
                line.contains("the disk of the data folder")
                    && line.contains(data)
                    && line.contains("make room on it"),
                "{line}"
            );
            assert!(line.matches("os error").count() <= 1, "told once: {line}");
        }
    }
    disk.make_room();
    let server = disk.start().await;
    let client = Client::new(server.address, &key);
    let whose = client
        .done("GET", "/api/authentication/validate", &Value::Null)
        .await;
    assert_eq!(whose["teamId"].to_string(), team);
    server.stop().await;
}

/// Completes all of `tasks` from as many clients as there are at once; each ends at a refusal.
async fn complete_all(client: &Client, address: SocketAddr, tasks: Vec<Value>) -> Vec<Answer> {
    let tasks = Arc::new(Mutex::new(tasks));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, tasks) = (client.at(address), tasks.clone());
        clients.spawn(async move {
            let next = || tasks.lock().unwrap().pop();
            while let Some(task) = next() {
                let answer = client.complete(&task).await;
                if answer.status != 200 {
                    // Going on would fill the pipe of the server's log, which nobody reads meanwhile.
                    return Some(answer);
                }
            }
            None
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_disk_is_not_eaten_by_the_log() {
    let data = tempdir().unwrap();
    let (_, key) = team_and_key(data.path()).await;
    let disk = Disk::with(data.path(), "12m").await;
    let server = disk.start().await;
    let client = Client::new(server.address, &key);
    let tasks: Vec<Value> = (0..TASKS)
        .map(|number| json!({ "name": format!("Task {number}") }))
        .collect();
    let document = json!({ "name": "Invoice review", "tasks": tasks });
    let template = client.done("PUT", "/api/template", &document).await;
    let receiver = Receiver::start().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let hook = receiver.url("/hook");
    client.subscribe("task_completed", &scope, &hook).await;
    let mut tasks = Vec::new();
    for number in 0..LISTS {
        let list = client.checklist(&template, &format!("list-{number}")).await;
        tasks.extend(list["tasks"].as_array().unwrap().iter().cloned());
    }
    let all: BTreeSet<i64> = tasks.iter().map(task_of).collect();
    assert_eq!(all.len(), LISTS * TASKS);

    let refused = complete_all(&client, server.address, tasks).await;
    assert!(
        refused.is_empty(),
        "{} clients were refused, the first with {:?}; on the disk are {}",
        refused.len(),
        refused[0],
        disk.listing()
    );
    client.wait_settled().await;
    let told = receiver.requests();
    let told: BTreeSet<i64> = told
        .iter()
        .map(|hook| task_of(&hook.json()["data"]))
        .collect();
    assert_eq!(told, all);
    server.stop().await;
}
