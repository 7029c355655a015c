//! Files in an S3-compatible store that several nodes share.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::{PATIENCE, PostgresDatabase, PostgresServer, S3Fault, S3Server};
use tokio::{
    process::Command,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{Client, Server, checkflow, complaint_of, serve};

/// What all nodes encrypt secrets with.
const KEY: (&str, &str) = (
    "CHECKFLOW_STORE__MASTER_KEY",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
);

/// A database and a bucket, on which nodes are started that share even the folder.
struct Stage {
    database: PostgresDatabase,
    bucket: S3Server,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            database: PostgresServer::of_this_process().database(),
            bucket: S3Server::start(),
            folder: tempdir().unwrap(),
        }
    }

    /// A node whose files are where `prefix` says.
    fn node(&self, prefix: &str) -> Command {
        let mut command = self.node_with_folder(self.folder.path());
        command.args(["--files", &self.bucket.location(prefix)]);
        command.envs(self.bucket.variables());
        command
    }

    fn node_with_folder(&self, folder: &std::path::Path) -> Command {
        let mut command = serve(folder, "127.0.0.0/8");
        let url = self.database.url();
        command.args(["--database", &url]).env(KEY.0, KEY.1);
        command
    }

    /// A client of a new team, with a checklist.
    async fn client(&self, server: &Server) -> (Client, Value) {
        let url = self.database.url();
        let tool = async |args: &[&str]| -> Value {
            let mut command = checkflow(args);
            let data = self.folder.path().to_str().unwrap();
            command.args(["--data", data, "--database", &url, "--json"]);
            let output = command.env(KEY.0, KEY.1).output().await.unwrap();
            assert!(output.status.success(), "{output:?}");
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let team = tool(&["team", "create", "--name", "Finance"]).await;
        let id = team["teamId"].to_string();
        let key = tool(&["key", "create", "--team", &id, "--name", "tests"]).await;
        let client = Client::new(server.address, &key);
        let template = client.template().await;
        let list = client.checklist(&template, "Invoice").await;
        (client, list)
    }
}

/// The control of a checklist that takes files.
fn field(list: &Value) -> &Value {
    &list["tasks"][0]["fields"][0]["taskContentID"]
}

#[tokio::test]
async fn what_one_node_takes_in_another_gives_out() {
    let stage = Stage::new();
    let one = Server::start_by(stage.node("checks")).await;
    let two = Server::start_by(stage.node("checks")).await;
    let (client, list) = stage.client(&one).await;
    // One that is put whole, and one that goes up in parts.
    for text in ["a small file".to_owned(), "0123456789".repeat(600_000)] {
        let uploaded = client.upload(field(&list), &text).await;
        assert_eq!(uploaded.status, 200, "{}", uploaded.body);
        let (head, bytes) = client
            .at(two.address)
            .download(&uploaded.body["fileKey"])
            .await;
        assert_eq!(head.status, 200);
        assert!(
            bytes == text.as_bytes(),
            "it came out as {} bytes",
            bytes.len()
        );
    }
    assert_eq!(stage.bucket.objects().len(), 3, "two files and the id");
    assert_eq!(stage.bucket.parts(), 0);
    assert!(!stage.folder.path().join("files").exists());
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_node_whose_files_are_elsewhere_is_refused() {
    let stage = Stage::new();
    let one = Server::start_by(stage.node("checks")).await;
    let line = complaint_of(&mut stage.node("misspelt")).await;
    let place = stage.bucket.location("misspelt");
    let told = format!("the files of this database are not in {place}: ");
    assert!(line.starts_with(&told), "{line}");
    // Nor may it keep them in a folder of its own.
    let folder = tempdir().unwrap();
    let line = complaint_of(&mut stage.node_with_folder(folder.path())).await;
    assert!(
        line.starts_with("the files of this database are not in "),
        "{line}"
    );
    one.stop().await;
    // And another database does not get these.
    let mut other = serve(folder.path(), "127.0.0.0/8");
    other.args(["--files", &stage.bucket.location("checks")]);
    let line = complaint_of(other.envs(stage.bucket.variables())).await;
    assert!(
        line.contains("holds the files of another database"),
        "{line}"
    );
}

#[tokio::test]
async fn a_file_store_that_is_away_is_a_503_and_everything_else_goes_on() {
    let stage = Stage::new();
    let server = Server::start_by(stage.node("")).await;
    let (client, list) = stage.client(&server).await;
    let uploaded = client.upload(field(&list), "kept").await;
    let key = &uploaded.body["fileKey"];
    stage.bucket.always(Some(S3Fault::Answer(503)));
    let refused = client.upload(field(&list), "lost").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &json!("files_unavailable"))
    );
    let (head, _) = client.download(key).await;
    assert_eq!(head.status, 503);
    assert_eq!(head.headers["retry-after"], "2");
    wait_for_files(&client, "away").await;
    let done = client.complete(&list["tasks"][0]).await;
    assert_eq!(done.status, 200, "{}", done.body);
    // What is known to be in vain is not begun, and whoever has to mend it by now is told.
    let asked = stage.bucket.requests().len();
    stage.bucket.always(Some(S3Fault::Answer(403)));
    let until = Instant::now() + PATIENCE;
    while client.download(key).await.0.headers["retry-after"] != "60" {
        assert!(
            Instant::now() < until,
            "it goes on as if it passed by itself"
        );
        tokio::task::yield_now().await;
    }
    let requests = stage.bucket.requests().split_off(asked);
    let is_look = |line: &String| line.ends_with("/checkflow-files");
    assert!(requests.iter().all(is_look), "{requests:#?}");
    stage.bucket.always(None);
    wait_for_files(&client, "ok").await;
    let (head, bytes) = client.download(key).await;
    assert_eq!((head.status.as_u16(), &bytes[..]), (200, &b"kept"[..]));
    let mut told = told_by(server).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    let mend = told.remove(1);
    assert!(
        mend.contains("ERROR") && mend.contains("the file store can't be used"),
        "{mend}"
    );
    assert!(
        told[0].contains("WARN") && told[0].contains("the file store is away"),
        "{told:#?}"
    );
    assert!(told[0].contains("answered 503"), "it says why: {told:#?}");
    assert!(
        told[1].contains("INFO") && told[1].contains("the file store is back"),
        "{told:#?}"
    );
}

#[tokio::test]
async fn a_file_store_that_lets_nobody_in_is_the_operators_to_mend() {
    let stage = Stage::new();
    let server = Server::start_by(stage.node("")).await;
    let (client, list) = stage.client(&server).await;
    stage.bucket.always(Some(S3Fault::Answer(403)));
    let refused = client.upload(field(&list), "lost").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &json!("files_unavailable"))
    );
    assert!(
        refused.body["detail"].to_string().contains("operator"),
        "{}",
        refused.body
    );
    wait_for_files(&client, "away").await;
    let told = told_by(server).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("ERROR") && told[0].contains("s3:PutObject"),
        "{told:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: the store of the tests takes half a minute for so many bytes"]
async fn sixteen_uploads_at_once_take_no_more_memory_than_is_documented() {
    const UPLOADS: usize = 16;
    /// Of each, in MiB: more than may be on its way and be filled.
    const SIZE: usize = 32;
    /// What `docs/files.md` says, in MiB: a part on its way and one that is filled for each, the server itself, and
    /// what the allocator keeps.
    const MOST: u64 = 240;
    let stage = Stage::new();
    let server = Server::start_by(stage.node("")).await;
    let (client, first) = stage.client(&server).await;
    let template = client.template().await;
    let mut lists = vec![first];
    while lists.len() < UPLOADS {
        lists.push(client.checklist(&template, "Invoice").await);
    }
    let before = server.process.peak_mib();
    let client = Arc::new(client.waiting(PATIENCE * 10));
    let text: Arc<str> = "0123456789abcdef".repeat(SIZE * 1024 * 64).into();
    let uploads = lists.iter().map(|list| {
        let (client, text, field) = (client.clone(), text.clone(), field(list).clone());
        async move { client.try_upload(&field, &text).await.unwrap().status }
    });
    let answered = uploads.collect::<JoinSet<_>>().join_all().await;
    let peak = server.process.peak_mib();
    println!("{UPLOADS} uploads of {SIZE} MiB at once: {peak} MiB at most, {before} before");
    assert!(peak <= MOST, "{peak} MiB");
    // This store is slow, and may have the last ones wait for longer than they do.
    let is_told = |status| [200, 503].contains(status);
    assert!(
        answered.contains(&200) && answered.iter().all(is_told),
        "{answered:?}"
    );
    server.stop().await;
}

/// Waits until a server says so of its files; it is ready all the while.
async fn wait_for_files(client: &Client, word: &str) {
    let waited = timeout(PATIENCE, async {
        loop {
            let ready = client.ask("GET", "/health/ready", &Value::Null).await;
            assert_eq!(ready.status, 200, "{}", ready.body);
            if ready.body["files"] == word {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("its files are never {word}"));
}

/// Stops a server; answers the lines of its log from its start to its stop that tell of its files.
async fn told_by(mut server: Server) -> Vec<String> {
    server.process.terminate();
    let mut told = Vec::new();
    while let Some(line) = server.process.log.next_line().await.unwrap() {
        let is_bad = line.contains(" WARN ") || line.contains(" ERROR ");
        if is_bad || line.contains("file store") {
            told.push(line);
        }
    }
    assert!(server.process.ended().await.success());
    told
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_one_line_that_says_what_to_do() {
    let bucket = S3Server::start();
    let folder = tempdir().unwrap();
    let complaint = async |location: &str, name: &str, value: &str| {
        let mut command = serve(folder.path(), "127.0.0.0/8");
        command.args(["--files", location]).envs(bucket.variables());
        let line = complaint_of(command.env(name, value)).await;
        for (_, secret) in bucket.variables().iter().skip(3) {
            assert!(!line.contains(secret), "{line}");
        }
        line
    };
    let location = bucket.location("");
    for (location, name, value, expected) in [
        ("/mnt/files", "X", "", "files.store: it reads s3://BUCKET"),
        (
            "s3://no-such-bucket",
            "X",
            "",
            "there is no bucket no-such-bucket; make it",
        ),
        (
            &location,
            "AWS_ACCESS_KEY_ID",
            "WRONG",
            "does not know the key",
        ),
        (
            &location,
            "AWS_SECRET_ACCESS_KEY",
            "WRONG",
            "is not the secret",
        ),
        (
            &location,
            "AWS_SECRET_ACCESS_KEY",
            "",
            "AWS_SECRET_ACCESS_KEY is not; set both",
        ),
        (
            &location,
            "AWS_ENDPOINT_URL_S3",
            "http://127.0.0.1:1",
            "check files.endpoint",
        ),
        (
            &location,
            "AWS_ENDPOINT_URL_S3",
            "http://s3.internal",
            "files.allow_http",
        ),
    ] {
        let line = complaint(location, name, value).await;
        assert!(line.contains(expected), "{location} {name}={value}: {line}");
    }
    let mut command = serve(folder.path(), "127.0.0.0/8");
    let line = complaint_of(command.args(["--files", "s3://files"])).await;
    assert!(line.contains("set files.region or AWS_REGION"), "{line}");
}
