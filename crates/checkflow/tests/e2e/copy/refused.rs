//! What is not copied, and what is said of it.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use super::{copy, database, rows, server};
use crate::support::{Client, checkflow, complaint, complaint_of, json, team_and_key};

/// What a copy that must fail says.
async fn refusal(from: &str, to: &str, more: &[&str]) -> String {
    complaint(&[&["copy", "--from", from, "--to", to], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_works_on_is_neither_copied_nor_copied_into() {
    let (folder, free) = (tempdir().unwrap(), tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let other = free.path().join("data");
    let other = other.to_str().unwrap();
    let database = database();
    let url = database.url();
    team_and_key(folder.path()).await;

    let running = server(folder.path(), None).await;
    let in_use = "; stop it first, and wait ten seconds after one that was killed";
    let line = refusal(data, other, &[]).await;
    assert!(
        line.starts_with(&format!("a server works on {data}{in_use}")),
        "{line}"
    );
    running.stop().await;
    let running = server(free.path(), None).await;
    let line = refusal(data, free.path().to_str().unwrap(), &[]).await;
    assert!(line.contains(in_use), "{line}");
    running.stop().await;

    let node = tempdir().unwrap();
    let running = server(node.path(), Some(&url)).await;
    for (from, to) in [(&*url, other), (data, &*url)] {
        let line = refusal(from, to, &[]).await;
        assert!(
            line.starts_with("a server works on postgres://127.0.0.1:"),
            "{line}"
        );
        assert!(line.contains(in_use), "{line}");
    }
    running.stop().await;
    // It has said goodbye, and left nothing.
    copy(data, &url, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_something_is_refused_with_what_it_holds() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let (from, to) = (one.path().to_str().unwrap(), two.path().to_str().unwrap());
    team_and_key(one.path()).await;
    team_and_key(two.path()).await;
    let line = refusal(from, to, &[]).await;
    let there = "is not empty, it holds team (1), api_key (1), audit (2)";
    assert!(line.contains(there), "{line}");
    fs::remove_file(two.path().join("checkflow.db")).unwrap();
    let line = refusal(from, to, &[]).await;
    let key = format!("{to} has another master key than the one that {from} was made with");
    assert!(line.starts_with(&key), "{line}");

    let database = database();
    let url = database.url();
    copy(from, &url, &[]).await;
    let line = refusal(from, &url, &[]).await;
    assert!(line.contains(there), "{line}");
    assert!(!line.contains("postgres@"), "no user is shown: {line}");

    let same = "the source and the target are the same database";
    assert_eq!(
        refusal(from, &format!("sqlite://{from}/../{}/", last(from)), &[]).await,
        same
    );
    let otherwise = url.replace("127.0.0.1", "localhost");
    assert_ne!(url, otherwise);
    assert_eq!(refusal(&url, &otherwise, &[]).await, same);
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_data_or_of_another_time_is_refused() {
    let (folder, target) = (tempdir().unwrap(), tempdir().unwrap());
    team_and_key(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    let to = target.path().join("data");
    let to = to.to_str().unwrap();
    let missing = target.path().join("nowhere");
    let line = refusal(missing.to_str().unwrap(), to, &[]).await;
    assert!(line.starts_with("there is no CheckFlow data in "), "{line}");
    let database = database();
    let line = refusal(&database.url(), to, &[]).await;
    assert!(
        line.starts_with("there is no CheckFlow data in postgres://"),
        "{line}"
    );
    let line = refusal(data, to, &["--to-files", "s3://x"]).await;
    let bad = "--to-files: files.store: it reads s3://BUCKET";
    assert!(line.starts_with(bad), "{line}");
    let elsewhere = target.path().join("files");
    let line = refusal(data, to, &["--to-files", elsewhere.to_str().unwrap()]).await;
    let same = "--to-files: a database that lies in a folder has its files in the same folder";
    assert!(line.starts_with(same), "{line}");
    let line = refusal(data, "mysql://me:secret@db/x", &[]).await;
    assert!(
        line.starts_with("--to: it names no database; write"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    let line = refusal(data, "postgres://127.0.0.1:1/x", &[]).await;
    assert!(
        line.starts_with("the database at 127.0.0.1:1 can't be reached"),
        "{line}"
    );

    let url = database.url();
    json(&["migrate", "--json", "--database", &url]).await;
    database.sql("INSERT INTO schema_step (number) VALUES (1000)");
    for (from, to) in [(&*url, to), (data, &*url)] {
        let line = refusal(from, to, &[]).await;
        assert!(
            line.contains("was made by a newer version of this program"),
            "{line}"
        );
    }
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_mistyped_address_is_no_folder() {
    let (folder, target) = (tempdir().unwrap(), tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let to = target.path().join("data");
    let to = to.to_str().unwrap();
    for mistyped in [
        "postgres:/me:secret@db/x",
        "postgre://me:secret@db/x",
        "me:secret@db/x",
    ] {
        for args in [
            &["copy", "--from", mistyped, "--to", to][..],
            &["copy", "--from", data, "--to", mistyped],
            &["copy", "--from", data, "--to", to, "--to-files", mistyped],
            &["copy", "--from", data, "--to", to, "--from-files", mistyped],
            &["serve", "--data", mistyped],
            &["serve", "--data", to, "--database", mistyped],
            &["serve", "--data", to, "--files", mistyped],
        ] {
            let mut command = checkflow(args);
            let line = complaint_of(command.current_dir(target.path())).await;
            assert!(
                line.contains("postgres://") || line.contains("s3://"),
                "{args:?}: {line}"
            );
            assert!(!line.contains("secret"), "{line}");
        }
    }
    assert_eq!(
        fs::read_dir(target.path()).unwrap().count(),
        0,
        "nothing was made"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_or_damaged_stops_the_copy() {
    let (folder, target) = (tempdir().unwrap(), tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let running = server(folder.path(), None).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(running.address, &key);
    let template = client.template().await;
    let list = client.checklist(&template, "March").await;
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let mut files = Vec::new();
    for text in ["\"one\"", "\"two\""] {
        let stored = client.upload(field, text).await;
        assert_eq!(stored.status, 200, "{}", stored.body);
        files.push(stored.body["fileKey"].as_str().unwrap().to_owned());
    }
    running.stop().await;
    let path = |root: &std::path::Path, key: &str| {
        root.join("files").join(&key[key.len() - 2..]).join(key)
    };
    let to = target.path().join("data");
    let shown = to.to_str().unwrap();

    let second = path(folder.path(), &files[1]);
    let bytes = fs::read(&second).unwrap();
    fs::write(&second, "\"tow\"").unwrap();
    let line = refusal(data, shown, &[]).await;
    let named = format!("the file {} of 5 bytes", files[1]);
    assert!(
        line.starts_with(&format!("{named} is not what it was when it was uploaded")),
        "{line}"
    );
    fs::remove_file(&second).unwrap();
    let line = refusal(data, shown, &[]).await;
    assert!(
        line.starts_with(&format!("{named} is not where it is copied from")),
        "{line}"
    );
    assert!(!to.join("checkflow.db").exists() && !path(&to, &files[1]).exists());
    // What was copied is found, and what is damaged there is copied anew.
    fs::write(&second, &bytes).unwrap();
    let there = path(&to, &files[1]);
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    fs::write(there, "\"tow\"").unwrap();
    let copied = copy(data, shown, &[]).await;
    let files_told = |copied: &Value| {
        (
            copied["files"]["copied"].clone(),
            copied["files"]["there"].clone(),
        )
    };
    assert_eq!(files_told(&copied), (1.into(), 1.into()), "{copied}");
    assert_eq!(fs::read(path(&to, &files[1])).unwrap(), bytes);
    assert_eq!(copied["masterKey"], "copied");

    // The database alone, whatever is with the files.
    fs::remove_file(&second).unwrap();
    let alone = target.path().join("alone");
    let copied = copy(data, alone.to_str().unwrap(), &["--no-files"]).await;
    assert_eq!((rows(&copied, "file"), &copied["files"]), (2, &Value::Null));
}
