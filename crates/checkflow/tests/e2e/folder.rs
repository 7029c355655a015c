//! The data folder: who makes it, who may read it, and what is said when it can't be used.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::{TempDir, tempdir};
use testkit::PATIENCE;
use tokio::time::timeout;

use crate::support::{
    Client, Server, checkflow, complaint, complaint_of, form, json, line_with, team_and_key,
};

/// Every file and folder below `root`.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// Uploads whose end has not come.
fn partial(root: &Path) -> Vec<PathBuf> {
    let is_partial = |path: &PathBuf| path.to_string_lossy().contains('#');
    below(root).into_iter().filter(is_partial).collect()
}

#[tokio::test]
async fn a_misspelt_folder_is_not_made_by_what_needs_data_in_it() {
    let parent = tempdir().unwrap();
    let missing = parent.path().join("nowhere");
    let empty = parent.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for folder in [&missing, &empty] {
        let data = folder.to_str().unwrap();
        let key = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";
        for args in [
            &["key", "list", "--team", "1", "--data", data][..],
            &[
                "key", "create", "--team", "1", "--name", "a", "--data", data,
            ],
            &["key", "revoke", "--team", "1", key, "--data", data],
        ] {
            let line = complaint(args).await;
            let expected = format!("there is no CheckFlow data in {data}; ");
            assert!(line.starts_with(&expected), "{line}");
            assert!(
                line.contains("team create") && line.contains("serve"),
                "{line}"
            );
        }
    }
    assert!(!missing.exists());
    assert_eq!(below(&empty), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_folder_that_nobody_can_write_is_one_line() {
    let parent = tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    // Where root can make nothing either.
    for folder in [Path::new("/proc/checkflow-data"), &file.join("data")] {
        let data = folder.to_str().unwrap();
        for args in [
            &["serve", "--listen", "127.0.0.1:0", "--data", data][..],
            &["team", "create", "--name", "A", "--data", data],
            &["key", "list", "--team", "1", "--data", data],
        ] {
            let line = complaint(args).await;
            assert!(line.contains(data), "{line}");
            assert!(line.matches("os error").count() <= 1, "told once: {line}");
        }
    }
}

/// A folder with data in it.
async fn filled() -> TempDir {
    let folder = tempdir().unwrap();
    team_and_key(folder.path()).await;
    folder
}

#[tokio::test]
async fn a_file_of_the_folder_that_cannot_be_used_is_one_line_that_names_it() {
    // A folder stands where the file should be, which stops root as well.
    for name in [
        "master.key",
        "checkflow.lock",
        "checkflow.open.lock",
        "checkflow.db",
    ] {
        let folder = filled().await;
        let path = folder.path().join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let data = folder.path().to_str().unwrap();
        let line = complaint(&["serve", "--listen", "127.0.0.1:0", "--data", data]).await;
        assert!(line.contains(data), "{name}: {line}");
        assert_eq!(line.matches("os error").count(), 1, "{name}: {line}");
    }
    for (name, mode, text, expected) in [
        ("master.key", 0o644, None, "run chmod 600 on it"),
        ("master.key", 0o600, Some("oops"), "holds no master key"),
        (
            "checkflow.db",
            0o600,
            Some("oops, no database at all"),
            "restore it from a backup",
        ),
    ] {
        let folder = filled().await;
        let path = folder.path().join(name);
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let data = folder.path().to_str().unwrap();
        for args in [
            &["serve", "--listen", "127.0.0.1:0", "--data", data][..],
            &["key", "list", "--team", "1", "--data", data],
        ] {
            let line = complaint(args).await;
            let shown = path.to_str().unwrap();
            assert!(line.contains(shown) && line.contains(expected), "{line}");
        }
    }
}

#[tokio::test]
async fn whatever_is_made_is_its_owners_alone() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("data");
    let server = Server::start(&folder).await;
    let (_, key) = team_and_key(&folder).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let list = client.checklist(&template, "March").await;
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let stored = client.upload(field, "a scan").await;
    assert_eq!(stored.status, 200, "{}", stored.body);
    let key = stored.body["fileKey"].as_str().unwrap();
    let made = below(&folder);
    assert!(made.iter().any(|path| path.ends_with(key)), "{made:?}");
    for path in &made {
        let found = fs::metadata(path).unwrap();
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            found.permissions().mode() & 0o777,
            expected,
            "{}",
            path.display()
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn an_upload_that_a_kill_cut_short_is_removed_at_the_next_start() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let list = client.checklist(&template, "March").await;
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let form = form("a scan");
    let mut upload = client.begin_upload(field, form.len()).await;
    upload.send(&form[..form.len() - 20]).await;
    let begun = timeout(PATIENCE, async {
        while partial(folder.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    begun.await.expect("the upload is being written");
    server.process.kill().await;
    assert_eq!(partial(folder.path()).len(), 1);

    let mut server = Server::start(folder.path()).await;
    line_with(&mut server.process.log, "removed uploads").await;
    assert_eq!(partial(folder.path()), Vec::<PathBuf>::new());
    server.stop().await;
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let folder = filled().await;
    let data = folder.path().to_str().unwrap();
    let empty = [
        "CHECKFLOW_LISTEN",
        "CHECKFLOW_CONFIG",
        "CHECKFLOW_DATABASE",
        "CHECKFLOW_PUBLIC_URL",
        "CHECKFLOW_ALLOW_TARGETS",
        "CHECKFLOW_STORE__MASTER_KEY",
        "CHECKFLOW_DELIVERY__REQUEST_TIMEOUT",
        "CHECKFLOW_LOG__FORMAT",
    ];
    let server = Server::start_with(folder.path(), &empty.map(|name| (name, ""))).await;
    server.stop().await;

    // Without a folder it is the one that is there when nobody says: below where it is started.
    let here = tempdir().unwrap();
    let mut command = checkflow(&["key", "list", "--team", "1"]);
    command.env("CHECKFLOW_DATA", "").current_dir(here.path());
    let line = complaint_of(&mut command).await;
    assert!(
        line.starts_with("there is no CheckFlow data in checkflow-data; "),
        "{line}"
    );
    // So is the address: this one of the file is not another's to give.
    let file = here.path().join("checkflow.toml");
    fs::write(&file, "listen = \"192.0.2.1:8080\"").unwrap();
    let mut command = checkflow(&["serve", "--config", file.to_str().unwrap(), "--data", data]);
    let line = complaint_of(command.env("CHECKFLOW_LISTEN", "")).await;
    assert!(line.contains("no address 192.0.2.1"), "{line}");
    // A set one is seen all the same.
    let mut command = checkflow(&["key", "list", "--team", "7"]);
    let line = complaint_of(command.env("CHECKFLOW_DATA", data)).await;
    assert!(line.contains("there is no team 7"), "{line}");
    let keys = json(&["key", "list", "--team", "1", "--json", "--data", data]).await;
    assert_eq!(keys.as_array().unwrap().len(), 1);
}
