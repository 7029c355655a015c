//! What can't be is refused with one line that says what to do, and a status that scripts see.

use std::{fs, net::TcpListener};

use tempfile::tempdir;

use crate::support::{Server, checkflow, complaint, complaint_of, run};

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_a_way_out() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().to_str().unwrap();
    let line = complaint(&["serve", "--data", data, "--listen", &address]).await;
    assert!(
        line.starts_with(&format!("{address} is taken by another program")),
        "{line}"
    );
    assert!(line.contains("--listen"), "{line}");
    // What had been opened by then was put in order again.
    Server::start(folder.path()).await.stop().await;
}

#[tokio::test]
async fn a_file_in_the_place_of_the_data_folder_is_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "not a folder").unwrap();
    for data in [file.clone(), file.join("below")] {
        let data = data.to_str().unwrap();
        for args in [
            &["serve", "--data", data][..],
            &["team", "create", "--name", "A", "--data", data],
        ] {
            let line = complaint(args).await;
            assert!(
                line.contains(file.to_str().unwrap()) && line.contains("another"),
                "{line}"
            );
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = tempdir().unwrap();
    let first = Server::start(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    let line = complaint(&["serve", "--data", data, "--listen", "127.0.0.1:0"]).await;
    assert!(
        line.contains("is in use by another server") && line.contains(data),
        "{line}"
    );
    first.stop().await;
    // Nothing that outlives a server keeps the next one out.
    Server::start(folder.path()).await.stop().await;
}

#[tokio::test]
async fn a_wrong_configuration_is_named_by_file_and_key() {
    let folder = tempdir().unwrap();
    let (data, file) = (
        folder.path().join("data"),
        folder.path().join("checkflow.toml"),
    );
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    for (text, expected) in [
        (
            "[delivery]\nrequest_timeout = \"1h\"",
            "delivery.request_timeout is",
        ),
        (
            "[delivery]\nrequest_timeouts = \"1s\"",
            "delivery.request_timeouts: there is no such key",
        ),
        (
            "public_url = \"checks\"",
            "public_url must be an absolute http or https address",
        ),
        ("not toml", ""),
    ] {
        fs::write(file, text).unwrap();
        let line = complaint(&["serve", "--config", file, "--data", data]).await;
        assert!(
            line.starts_with(&format!("{file}: {expected}")),
            "{text:?}: {line}"
        );
    }
    let line = complaint(&[
        "serve",
        "--config",
        &format!("{file}.missing"),
        "--data",
        data,
    ])
    .await;
    assert!(line.contains(&format!("{file}.missing")), "{line}");
    assert!(
        !folder.path().join("data").exists(),
        "nothing is opened before everything is checked"
    );
}

#[tokio::test]
async fn a_wrong_variable_is_named() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for (name, value, expected) in [
        (
            "CHECKFLOW_DELIVERY__REQUEST_TIMEOUT",
            "1h",
            "delivery.request_timeout is",
        ),
        (
            "CHECKFLOW_DELIVERY__REQUEST_TIMEOUT",
            "soon",
            "delivery.request_timeout: \"soon\" is no length of time",
        ),
        (
            "CHECKFLOW_DELIVERY__REQUEST_TIMOUT",
            "1s",
            "delivery.request_timout: there is no such key",
        ),
        (
            "CHECKFLOW_STORE__MASTER_KEY",
            "c2hvcnQ=",
            "store.master_key: the master key must be",
        ),
    ] {
        let mut command = checkflow(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
        let line = complaint_of(command.env(name, value)).await;
        assert!(line.starts_with(&format!("{name}: {expected}")), "{line}");
        assert!(!line.contains("c2hvcnQ"), "a secret is never shown");
    }
}

#[tokio::test]
async fn what_cannot_be_done_and_what_makes_no_sense_is_said() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for (option, value, expected) in [
        (
            "--database",
            "mysql://localhost/checks",
            "it reads postgres://user:password@host:port/name",
        ),
        (
            "--database",
            "postgres://u:secret@127.0.0.1:1/checks",
            "the database at 127.0.0.1:1 can't be reached: Connection refused",
        ),
        (
            "--public-url",
            "checks.example.com",
            "--public-url or CHECKFLOW_PUBLIC_URL: public_url must be",
        ),
        (
            "--allow-target",
            "http://hooks.internal/",
            "write only its host",
        ),
        (
            "--listen",
            "192.0.2.1:8080",
            "this machine has no address 192.0.2.1",
        ),
    ] {
        let line = complaint(&["serve", "--data", data, option, value]).await;
        assert!(line.contains(expected), "{option} {value}: {line}");
        assert!(
            !line.contains("secret"),
            "a password is never shown: {line}"
        );
    }
    let line = complaint(&[
        "key", "create", "--team", "7", "--name", "a", "--data", data,
    ])
    .await;
    assert!(
        line.contains("there is no team 7") && line.contains("team create"),
        "{line}"
    );
    let line = complaint(&["team", "create", "--name", "", "--data", data]).await;
    assert_eq!(line.matches("must not be empty").count(), 1, "{line}");
    let line = complaint(&["key", "revoke", "--team", "7", "nonsense", "--data", data]).await;
    assert!(
        line.contains("\"nonsense\" is no identifier of a key"),
        "{line}"
    );
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_status_2() {
    for args in [
        &["serv"][..],
        &["serve", "--listen", "localhost"],
        &["key", "create"],
        &[],
    ] {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn documents_are_printed_whole() {
    let output = run(&["config"]).await;
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("#request_timeout = \"15s\"")
    );
    let output = run(&["openapi"]).await;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let told = document["webhooks"].as_object().unwrap();
    assert_eq!(told.len(), domain::EventType::ALL.len());
}

#[tokio::test]
async fn a_crash_that_is_no_step_is_refused_before_anything_is_opened() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let text = data.to_str().unwrap();
    let line = complaint(&["serve", "--data", text, "--crash-at", "now"]).await;
    assert!(
        line.starts_with("--crash-at or CHECKFLOW_CRASH_AT: \"now\" is no step"),
        "{line}"
    );
    assert!(
        line.contains("before-commit, before-answer, before-settle"),
        "{line}"
    );
    assert!(!data.exists());
}
