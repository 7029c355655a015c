//! What is printed to be done next can be done by pasting it.

use std::{fs, path::Path, process::Output};

use tempfile::tempdir;
use testkit::S3Server;
use tokio::process::Command;

use super::{database, server};
use crate::support::{Client, Server, checkflow, json, run, team_and_key};

/// The commands of a line that is to be pasted, as a shell finds ours by its name.
fn pasted(line: &str) -> Command {
    let ours = checkflow(&[]);
    let ours = Path::new(ours.as_std().get_program());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().kill_on_drop(true);
    shell.env(
        "PATH",
        format!("{}:/usr/bin:/bin", ours.parent().unwrap().display()),
    );
    shell
}

/// The line behind `next: `.
fn next(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let text = str::from_utf8(&output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("next: "));
    line.unwrap_or_else(|| panic!("nothing is next: {text}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_team_is_done_where_the_team_is() {
    let parent = tempdir().unwrap();
    let data = parent.path().join("it's my data");
    let database = database();
    let url = format!("{}?connect_timeout=3&application_name=x", database.url());
    let place = ["--data", data.to_str().unwrap(), "--database", &url];
    let make = ["team", "create", "--name", "Finance"];
    let line = next(&run(&[&make[..], &place].concat()).await);
    let done = pasted(&line).output().await.unwrap();
    assert!(done.status.success(), "{line}: {done:?}");
    let list = ["key", "list", "--team", "1", "--json"];
    let keys = json(&[&list[..], &place].concat()).await;
    assert_eq!(keys.as_array().unwrap().len(), 1, "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_says_how_it_is_served() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let (database, bucket) = (database(), S3Server::start());
    let (url, files) = (database.url(), bucket.location("checks"));
    let data = folder.path().to_str().unwrap();
    let (_, key) = team_and_key(folder.path()).await;
    let running = server(folder.path(), None).await;
    let client = Client::new(running.address, &key);
    let template = client.template().await;
    let list = client.checklist(&template, "May").await;
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let file = client.upload(field, "\"a scan\"").await.body;
    let path = format!(
        "/api/checklist/file?fileKey={}",
        file["fileKey"].as_str().unwrap()
    );
    running.stop().await;

    let home = other.path().join("data");
    let (home, secret) = (
        home.to_str().unwrap(),
        url.replace("postgres@", "postgres:secret@"),
    );
    for (from, to, more) in [
        (data, &*secret, &["--to-files", &*files][..]),
        (&*url, home, &["--from-files", &*files]),
    ] {
        let mut copy = checkflow(&["copy", "--from", from, "--to", to]);
        let output = copy
            .args(more)
            .envs(bucket.variables())
            .output()
            .await
            .unwrap();
        let line = next(&output);
        assert!(!line.contains("secret"), "{line}");
        if from == url {
            // PostgreSQL has no key to give.
            fs::copy(
                folder.path().join("master.key"),
                Path::new(home).join("master.key"),
            )
            .unwrap();
        }
        let mut command = pasted(&format!("exec {line} --listen 127.0.0.1:0"));
        command.envs(bucket.variables());
        let running = Server::start_by(command).await;
        let client = client.at(running.address);
        let found = client.done("GET", &path, &serde_json::Value::Null).await;
        assert_eq!(found, "a scan", "{line}");
        running.stop().await;
    }
}
