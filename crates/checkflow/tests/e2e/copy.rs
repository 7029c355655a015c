//! `checkflow copy`: a server's data on another database, with nothing lost and nothing told twice that was
//! settled.

mod pasted;
mod refused;

use std::{fs, path::Path};

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::tempdir;
use testkit::{Gate, PostgresDatabase, PostgresServer, Received, Receiver, Reply, S3Server};
use tokio::process::Command;

use crate::support::{
    Client, Process, Server, checkflow, complaint, complaint_of, json, serve, team_and_key,
};

/// Short waits before each attempt, and many attempts.
const SCHEDULE: (&str, &str) = (
    "CHECKFLOW_DELIVERY__SCHEDULE",
    r#"["0s", "300ms", "300ms", "300ms", "300ms", "1h"]"#,
);
const SCAN: (&str, &str) = ("CHECKFLOW_DELIVERY__SCAN_INTERVAL", "50ms");

fn database() -> PostgresDatabase {
    PostgresServer::of_this_process().database()
}

/// A server on the folder, with its database there or elsewhere.
async fn server(folder: &Path, database: Option<&str>) -> Server {
    let mut command: Command = serve(folder, "127.0.0.0/8");
    command.envs([SCHEDULE, SCAN]);
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    Server::start_by(command).await
}

/// Copies, and answers what is said of it.
async fn copy(from: &str, to: &str, more: &[&str]) -> Value {
    json(&[&["copy", "--json", "--from", from, "--to", to], more].concat()).await
}

/// How many rows of `table` a copy was about.
fn rows(copied: &Value, table: &str) -> u64 {
    let tables = copied["tables"].as_array().unwrap();
    let found = tables.iter().find(|found| found["table"] == table).unwrap();
    found["rows"].as_u64().unwrap()
}

/// What is on its way when the server is killed, and who is to hear of it.
struct Scene {
    template: Value,
    receiver: Receiver,
    /// A path, and the subscription that sends there.
    lanes: Vec<(&'static str, Value)>,
    file: Value,
    key: Value,
}

impl Scene {
    /// Makes three checklists, told to a receiver that takes them, one that is broken, one that never
    /// answers and one that is gone, and uploads a file.
    async fn begin(folder: &Path, server: &Server) -> Self {
        let (_, key) = team_and_key(folder).await;
        let client = Client::new(server.address, &key);
        let receiver = Receiver::start().await;
        let never = Gate::closed();
        receiver.always("/broken", Reply::status(503));
        receiver.always("/hung", Reply::ok().after(&never));
        receiver.always("/gone", Reply::status(410));
        let template = client.template().await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let mut lanes = Vec::new();
        for path in ["/taken", "/broken", "/hung", "/gone"] {
            let subscription = client
                .subscribe("new_checklist", &scope, &receiver.url(path))
                .await;
            lanes.push((path, subscription));
        }
        let mut scene = Self {
            template,
            receiver,
            lanes,
            file: Value::Null,
            key,
        };
        let list = client.checklist(&scene.template, "January").await;
        let field = &list["tasks"][0]["fields"][0]["taskContentID"];
        let stored = client.upload(field, "\"a scan\"").await;
        assert_eq!(stored.status, 200, "{}", stored.body);
        scene.file = stored.body;
        // Of four; what happened before its end would still be stored for it.
        client.wait_subscriptions(3).await;
        for name in ["February", "March"] {
            client.checklist(&scene.template, name).await;
        }
        let told = |path: &str, all: &[Received]| all.iter().filter(|it| it.path() == path).count();
        let underway = |all: &[Received]| {
            told("/taken", all) == 3 && told("/broken", all) > 0 && told("/hung", all) == 3
        };
        scene
            .receiver
            .wait_until("all is under way", underway)
            .await;
        scene
    }

    /// Makes a checklist, and waits until it is told to the receiver that never answers.
    async fn hang(&self, client: &Client, name: &str) {
        let told = self.receiver.requests_to("/hung").len();
        let never = Reply::ok().after(&Gate::closed());
        self.receiver.always("/hung", never);
        client.checklist(&self.template, name).await;
        let hangs = |all: &[Received]| all.iter().filter(|it| it.path() == "/hung").count() > told;
        self.receiver.wait_until("it hangs again", hangs).await;
    }

    /// Fails unless the file can be had, byte for byte.
    async fn download(&self, client: &Client) {
        let key = self.file["fileKey"].as_str().unwrap();
        let path = format!("/api/checklist/file?fileKey={key}");
        assert_eq!(client.done("GET", &path, &Value::Null).await, "a scan");
    }

    /// Fails unless the receiver at `path` was told of `count` checklists, each verified with the secret that
    /// the subscription began with and numbered without a gap.
    fn account(&self, path: &str, count: usize) {
        let (_, subscription) = self.lanes.iter().find(|(of, _)| *of == path).unwrap();
        let secret = Webhook::new(subscription["secret"].as_str().unwrap()).unwrap();
        let all = self.receiver.requests_to(path);
        let mut told: Vec<(u64, Value)> = Vec::new();
        for webhook in &all {
            secret.verify(&webhook.body, &webhook.headers).unwrap();
            let sequence = webhook.header("checkflow-sequence").unwrap();
            told.push((
                sequence.parse().unwrap(),
                webhook.json()["data"]["checklistName"].clone(),
            ));
        }
        told.sort_by_key(|(sequence, _)| *sequence);
        told.dedup();
        let numbers: Vec<u64> = told.iter().map(|(sequence, _)| *sequence).collect();
        let expected: Vec<u64> = (1..=count as u64).collect();
        assert_eq!(numbers, expected, "{path}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_the_way_to_postgresql_and_back() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let before = server(folder.path(), None).await;
    let scene = Scene::begin(folder.path(), &before).await;
    before.process.kill().await;
    let database = database();
    let url = database.url();
    let there = copy(data, &url, &[]).await;
    assert_eq!(
        (rows(&there, "delivery"), rows(&there, "file")),
        (10, 1),
        "{there}"
    );
    assert_eq!(there["files"], Value::Null, "they stay where they are");

    // On PostgreSQL: what waited is sent, and what was cut short is sent again.
    for path in ["/broken", "/hung"] {
        scene.receiver.always(path, Reply::ok());
    }
    let on_postgres = server(folder.path(), Some(&url)).await;
    let client = Client::new(on_postgres.address, &scene.key);
    scene.download(&client).await;
    client.checklist(&scene.template, "April").await;
    client.wait_settled().await;
    for path in ["/taken", "/broken", "/hung"] {
        scene.account(path, 4);
    }
    assert_eq!(
        scene.receiver.requests_to("/gone").len(),
        1,
        "it is over for good"
    );
    let again = scene.receiver.requests_to("/hung");
    let second = |webhook: &Received| webhook.header("checkflow-attempt") == Some("2");
    assert!(
        again.iter().any(second),
        "what was cut short counts: {again:?}"
    );
    assert_eq!(second_team(folder.path(), &url).await, 2, "numbers go on");
    let log = "/api/web-hook/deliveries?limit=100";
    let known = client.done("GET", log, &Value::Null).await;
    // Cut short again, on the way back.
    scene.hang(&client, "May").await;
    on_postgres.process.kill().await;

    // And back, into a folder of its own, which gets the files; PostgreSQL has no key to give.
    let other = tempdir().unwrap();
    let back = other.path().join("data");
    let target = format!("sqlite://{}", back.display());
    let files = ["--from-files", data];
    let line = complaint(&[&["copy", "--from", &url, "--to", &target], &files[..]].concat()).await;
    assert!(line.starts_with("a server works on "), "it may: {line}");
    database.sql("UPDATE node SET seen_at = now() - interval '11 s'");
    let home = copy(&url, &target, &files).await;
    assert_eq!(home["files"]["copied"], 1, "{home}");
    assert_eq!(home["masterKey"], "notCopied");
    fs::copy(folder.path().join("master.key"), back.join("master.key")).unwrap();
    scene.receiver.always("/hung", Reply::ok());
    let at_home = server(&back, None).await;
    let client = client.at(at_home.address);
    scene.download(&client).await;
    client.checklist(&scene.template, "June").await;
    client.wait_settled().await;
    for path in ["/taken", "/broken", "/hung"] {
        scene.account(path, 6);
    }
    let now = client.done("GET", log, &Value::Null).await;
    let listed = |log: &Value| log["items"].as_array().unwrap().clone();
    for delivery in listed(&known) {
        assert!(
            listed(&now).contains(&delivery),
            "{delivery} is not in {now}"
        );
    }
    at_home.stop().await;
}

/// The number of another team, made in a database elsewhere.
async fn second_team(folder: &Path, url: &str) -> i64 {
    let data = folder.to_str().unwrap();
    let place = ["--data", data, "--database", url, "--json"];
    let make = ["team", "create", "--name", "Legal"];
    let team = json(&[&make[..], &place].concat()).await;
    team["teamId"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_along_into_a_bucket_and_out_of_it() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let back = other.path().join("data");
    let (database, bucket) = (database(), S3Server::start());
    let (url, place) = (database.url(), bucket.location("checks"));
    let before = server(folder.path(), None).await;
    let scene = Scene::begin(folder.path(), &before).await;
    before.stop().await;
    let copying = |from: &str, to: &str, files: &str| {
        let mut copying = checkflow(&["copy", "--json", "--from", from, "--to", to]);
        copying.args([files, &place]).envs(bucket.variables());
        copying
    };
    let copied = async |from: &str, to: &str, files: &str| {
        let mut copying = copying(from, to, files);
        let output = copying.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["files"]["copied"], 1, "{said}");
    };
    copied(data, &url, "--to-files").await;

    // Its files are there, whoever is the first to start, and with whatever folder.
    let known = format!("the files of this database are not in {data}/files: it holds those");
    let empty = other.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::copy(folder.path().join("master.key"), empty.join("master.key")).unwrap();
    let missing = format!(
        "the files of this database are not in {}/files: nothing",
        empty.display()
    );
    for (folder, expected) in [(folder.path(), known), (&*empty, missing)] {
        let mut command = serve(folder, "127.0.0.0/8");
        let line = complaint_of(command.args(["--database", &url])).await;
        assert!(
            line.contains(&expected) && line.contains("--files"),
            "{line}"
        );
    }
    let mut command = serve(folder.path(), "127.0.0.0/8");
    command.args(["--database", &url, "--files", &place]);
    command.envs(bucket.variables());
    let running = Server::start_by(command).await;
    let client = Client::new(running.address, &scene.key);
    scene.download(&client).await;
    running.stop().await;

    // They have become another database's.
    let third = other.path().join("third");
    let line = complaint_of(&mut copying(data, third.to_str().unwrap(), "--to-files")).await;
    let taken = format!("{place} holds the files of another database");
    assert!(line.starts_with(&taken), "{line}");
    copied(&url, back.to_str().unwrap(), "--from-files").await;
    fs::copy(folder.path().join("master.key"), back.join("master.key")).unwrap();
    let running = server(&back, None).await;
    scene.download(&client.at(running.address)).await;
    running.stop().await;
}

/// Fills a database with so many events that copying them takes a while.
fn fill(database: &PostgresDatabase) {
    database.sql(
        "INSERT INTO team (name, created_at) VALUES ('Finance', now());
        INSERT INTO event SELECT gen_random_uuid(), 1, 'new_checklist', now(), n, gen_random_uuid(),
            gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
            decode(repeat(md5(n::text), 60), 'hex') FROM generate_series(1, 8000) n",
    );
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A copy on its way.
fn begun(from: &str, to: &str) -> Process {
    Process::start(checkflow(&["copy", "--from", from, "--to", to]))
}

/// Waits until `there` is, of a copy that is to be killed before its end.
async fn amid(copying: &mut Process, there: impl Fn() -> bool) {
    let until = tokio::time::Instant::now() + testkit::PATIENCE;
    while !there() {
        assert!(copying.is_running(), "it ended before it could be killed");
        assert!(tokio::time::Instant::now() < until, "it never came so far");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_leaves_nothing_and_is_made_again() {
    let (one, two) = (database(), database());
    let migrated = json(&["migrate", "--json", "--database", &one.url()]).await;
    assert_eq!(migrated["outstanding"], json!([]));
    fill(&one);
    let parent = tempdir().unwrap();
    let folder = parent.path().join("data");
    let data = folder.to_str().unwrap();

    let mut copying = begun(&one.url(), data);
    let draft = folder.join("checkflow.db.copying");
    let large = || fs::metadata(&draft).is_ok_and(|found| found.len() > 2 << 20);
    amid(&mut copying, large).await;
    copying.kill().await;
    assert!(draft.exists() && !folder.join("checkflow.db").exists());
    let before = names(&folder);
    for args in [
        &["serve", "--listen", "127.0.0.1:0", "--data", data][..],
        &["team", "create", "--name", "A", "--data", data],
        &["key", "list", "--team", "1", "--data", data],
        &["migrate", "--data", data],
        &["copy", "--from", data, "--to", &two.url()],
    ] {
        let line = complaint(args).await;
        let left = format!("{} was left by a `checkflow copy` that", draft.display());
        assert!(
            line.contains(&left) && line.contains("run it again"),
            "{args:?}: {line}"
        );
    }
    assert_eq!(names(&folder), before, "no key was made");
    let into_folder = copy(&one.url(), data, &[]).await;
    assert_eq!(rows(&into_folder, "event"), 8_000);
    assert!(
        !draft.exists(),
        "nothing is left of the one that was killed"
    );

    let mut copying = begun(data, &two.url());
    let writing = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY event %'";
    amid(&mut copying, || two.sql(writing) == "1").await;
    copying.kill().await;
    // A server would find it empty, and so does the next copy, once the killed one is gone.
    let into_server = copy(data, &two.url(), &[]).await;
    assert_eq!(into_server["tables"], into_folder["tables"]);
    assert_eq!(two.sql("SELECT count(*) FROM event"), "8000");
}
