//! The master key of nodes that share a database.

use std::fs;

use tempfile::tempdir;
use testkit::PostgresServer;
use tokio::task::JoinSet;

use crate::support::{checkflow, complaint, complaint_of, json, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_key_makes_neither_one_nor_a_folder() {
    let database = PostgresServer::of_this_process().database();
    let url = database.url();
    let (first, parent) = (tempdir().unwrap(), tempdir().unwrap());
    let first = first.path().to_str().unwrap();
    let place = ["--data", first, "--database", &url];
    let make = ["team", "create", "--name", "A", "--json"];
    assert_eq!(json(&[&make[..], &place].concat()).await["teamId"], 1);

    let second = parent.path().join("data");
    let data = second.to_str().unwrap();
    let commands = [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["team", "create", "--name", "B"],
        &["key", "create", "--team", "1", "--name", "b"],
    ];
    for command in commands {
        let place = ["--data", data, "--database", &url];
        let line = complaint(&[command, &place[..]].concat()).await;
        let there = format!("with a master key, and {data}/master.key is not there; copy the file");
        assert!(line.contains(&there), "{line}");
        let mut here = checkflow(&[command, &["--database", &url]].concat());
        let line = complaint_of(here.current_dir(parent.path())).await;
        assert!(
            line.contains("checkflow-data/master.key is not there"),
            "{line}"
        );
        let mut other = checkflow(&[command, &place[..]].concat());
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let line = complaint_of(other.env("CHECKFLOW_STORE__MASTER_KEY", key)).await;
        assert!(
            line.contains("made with another master key; copy the file"),
            "{line}"
        );
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            0,
            "{command:?}"
        );
    }
    fs::create_dir(&second).unwrap();
    fs::copy(format!("{first}/master.key"), second.join("master.key")).unwrap();
    let place = ["--data", data, "--database", &url];
    assert_eq!(json(&[&make[..], &place].concat()).await["teamId"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_first_nodes_one_makes_the_key() {
    let database = PostgresServer::of_this_process().database();
    let folders: Vec<_> = (0..4).map(|_| tempdir().unwrap()).collect();
    let mut making = JoinSet::new();
    for folder in &folders {
        let (data, url) = (folder.path().to_str().unwrap().to_owned(), database.url());
        making.spawn(async move {
            let make = [
                "team",
                "create",
                "--name",
                "A",
                "--data",
                &data,
                "--database",
                &url,
            ];
            (
                run(&make).await.status.success(),
                fs::exists(format!("{data}/master.key")).unwrap(),
            )
        });
    }
    let mut made = making.join_all().await;
    made.sort_unstable();
    let none = (false, false);
    assert_eq!(
        made,
        [none, none, none, (true, true)],
        "who made no team has no key"
    );
}
