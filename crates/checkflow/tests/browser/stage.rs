//! A server with one team, and its API.

use std::{net::SocketAddr, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::binary;

use crate::{http, process::Process};

/// The first line of a server that can answer, up to its address.
const LISTENING: &str = "listening on http://";

/// A running `checkflow serve` on a folder of its own.
pub(crate) struct Stage {
    // First, so that the server is gone before its folder is.
    _server: Process,
    _folder: TempDir,
    address: SocketAddr,
    /// The key of the one team there is.
    pub(crate) key: String,
}

impl Stage {
    /// Starts the server on a free port and makes a team with a key beside it.
    pub(crate) fn set() -> Self {
        let folder = tempdir().unwrap();
        let serve = "serve --listen 127.0.0.1:0 --allow-target 127.0.0.0/8";
        let mut command = checkflow(serve, folder.path());
        let (server, address) = Process::start(&mut command, LISTENING, "checkflow is not there");
        let team = done("team create --json --name Finance", folder.path());
        let create = format!("key create --json --name browser --team {}", team["teamId"]);
        let key = done(&create, folder.path());
        Self {
            _server: server,
            _folder: folder,
            address: address.parse().unwrap(),
            key: key["key"].as_str().unwrap().to_owned(),
        }
    }

    /// Where this path is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks the API for what must be granted.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let key = format!("x-api-key: {}\r\n", self.key);
        let answer = http::ask(self.address, &format!("{method} {path}"), &key, body).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.body
    }

    /// Makes a template and answers its key.
    pub(crate) fn template(&self) -> String {
        let document = json!({ "name": "Invoice review", "tasks": [{ "name": "Pay" }] });
        let made = self.ask("PUT", "/api/template", &document);
        made["templateKey"].as_str().unwrap().to_owned()
    }
}

/// The binary with these arguments, and nothing of the environment of whoever runs the tests.
fn checkflow(args: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary(env!("CARGO_BIN_EXE_checkflow")));
    command
        .args(args.split(' '))
        .arg("--data")
        .arg(folder)
        .env_clear();
    command
}

/// Runs the binary to its end and answers what it says.
fn done(args: &str, folder: &Path) -> Value {
    let output = checkflow(args, folder).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "checkflow {args}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}
