//! `checkflow migrate`, and what starting servers do to the schema.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::tempdir;
use testkit::{PostgresDatabase, PostgresServer, S3Server};
use tokio::task::JoinSet;

use crate::support::{Server, complaint, run, serve, team_and_key};

/// Several at once, as many as a rollout starts.
const AT_ONCE: usize = 6;

/// Runs `checkflow migrate --json` with these arguments; answers its exit status and what it prints.
async fn migrate(args: &[&str]) -> (i32, Value) {
    let output = run(&[&["migrate", "--json"], args].concat()).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "", "migrate {args:?}");
    let row = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), row)
}

fn database() -> PostgresDatabase {
    PostgresServer::of_this_process().database()
}

/// Puts the number of steps of the database in `folder`, whose server has stopped, to another one.
fn put_steps(folder: &Path, steps: u32) {
    let file = OpenOptions::new()
        .write(true)
        .open(folder.join("checkflow.db"));
    // Where SQLite has what it calls the user version.
    file.unwrap()
        .write_all_at(&steps.to_be_bytes(), 60)
        .unwrap();
}

#[tokio::test]
async fn of_several_that_migrate_an_empty_database_at_once_one_does() {
    let database = database();
    let url = database.url();
    let at = ["--database", &url];
    let (status, row) = migrate(&[&at[..], &["--check"]].concat()).await;
    assert_eq!((status, &row["steps"]), (3, &json!(0)), "{row}");
    let steps = row["outstanding"].clone();
    assert_ne!(steps, json!([]));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.sql(tables), "0", "looking changes nothing");

    let mut migrating = JoinSet::new();
    for _ in 0..AT_ONCE {
        let url = url.clone();
        migrating.spawn(async move { migrate(&["--database", &url]).await });
    }
    let all = migrating.join_all().await;
    assert!(all.iter().all(|(status, _)| *status == 0), "{all:?}");
    let made: Vec<_> = all.iter().map(|(_, row)| &row["made"]).collect();
    let (one, others): (Vec<_>, Vec<_>) = made.into_iter().partition(|made| **made == steps);
    assert_eq!(one.len(), 1, "{all:?}");
    assert!(others.iter().all(|made| **made == json!([])), "{all:?}");
    let (status, row) = migrate(&[&at[..], &["--check"]].concat()).await;
    assert_eq!((status, &row["outstanding"]), (0, &json!([])));
}

#[tokio::test]
async fn servers_that_start_on_an_empty_database_at_once_are_all_ready() {
    let database = database();
    let url = database.url();
    let folders: Vec<_> = (0..AT_ONCE / 2).map(|_| tempdir().unwrap()).collect();
    let bucket = S3Server::start();
    let mut starting = JoinSet::new();
    for folder in &folders {
        let mut command = serve(folder.path(), "127.0.0.0/8");
        command.args(["--database", &url, "--files", &bucket.location("")]);
        command.envs(bucket.variables());
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        command.env("CHECKFLOW_STORE__MASTER_KEY", key);
        starting.spawn(Server::start_by(command));
    }
    let servers = starting.join_all().await;
    let steps = "SELECT count(*), max(number) FROM schema_step";
    let (status, row) = migrate(&["--check", "--database", &url]).await;
    assert_eq!(status, 0, "{row}");
    let expected = format!("{0}|{0}", row["steps"]);
    assert_eq!(database.sql(steps), expected, "each was done once");
    for server in servers {
        server.stop().await;
    }
}

/// What must be refused where the schema is newer, on a database in `folder` or elsewhere.
async fn newer_is_refused(folder: &Path, database: Option<&str>) {
    let data = folder.to_str().unwrap();
    let mut place = vec!["--data", data];
    place.extend(
        database
            .map(|url| ["--database", url])
            .into_iter()
            .flatten(),
    );
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate"],
        &["migrate", "--check"],
        &["team", "create", "--name", "A"],
    ] {
        let line = complaint(&[command, &place[..]].concat()).await;
        assert!(
            line.contains("was made by a newer version of this program; run that version"),
            "{command:?}: {line}"
        );
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let folder = tempdir().unwrap();
    team_and_key(folder.path()).await;
    put_steps(folder.path(), 1_000);
    newer_is_refused(folder.path(), None).await;

    let database = database();
    let url = database.url();
    let (_, row) = migrate(&["--database", &url]).await;
    assert_eq!(row["stepsBefore"], 0);
    database.sql("INSERT INTO schema_step (number) VALUES (1000)");
    newer_is_refused(folder.path(), Some(&url)).await;
    assert_eq!(database.sql("SELECT max(number) FROM schema_step"), "1000");
}

#[tokio::test]
async fn a_folder_is_migrated_beside_its_server_and_a_misspelt_one_is_not_made() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    for args in [&["--data", data][..], &["--check", "--data", data]] {
        let (status, row) = migrate(args).await;
        assert_eq!((status, &row["made"]), (0, &json!([])), "{row}");
    }
    server.stop().await;
    // As the program finds one in which nothing is yet.
    let empty = tempdir().unwrap();
    std::fs::write(empty.path().join("checkflow.db"), "").unwrap();
    let data = empty.path().to_str().unwrap();
    let (status, before) = migrate(&["--check", "--data", data]).await;
    assert_eq!(status, 3, "{before}");
    let (status, row) = migrate(&["--data", data]).await;
    assert_eq!((status, &row["made"]), (0, &before["outstanding"]));

    let missing: PathBuf = empty.path().join("nowhere");
    for command in [&["migrate"][..], &["migrate", "--check"]] {
        let line = complaint(&[command, &["--data", missing.to_str().unwrap()]].concat()).await;
        assert!(line.starts_with("there is no CheckFlow data in "), "{line}");
    }
    assert!(!missing.exists());
    let line = complaint(&["migrate", "--database", "postgres://127.0.0.1:1/x"]).await;
    assert!(
        line.starts_with("the database at 127.0.0.1:1 can't be reached: "),
        "{line}"
    );
}
