//! How the nodes of a cluster are started.

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::checkflow;

/// What all nodes are given to encrypt secrets with.
pub(super) const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How often a delivery is tried.
const ATTEMPTS: usize = 20;

/// What nodes and tools have in common.
pub(super) fn shared(url: &str) -> [(&'static str, String); 2] {
    [
        ("CHECKFLOW_DATABASE", url.to_owned()),
        ("CHECKFLOW_STORE__MASTER_KEY", MASTER_KEY.to_owned()),
    ]
}

pub(super) fn serve(folder: &TempDir, name: &str, url: &str) -> Command {
    let data = folder.path().join(name);
    let mut command = checkflow(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--public-url",
        "http://checks.example.com",
        "--allow-target",
        "127.0.0.0/8",
    ]);
    let with = if url.contains('?') { '&' } else { '?' };
    command.envs(shared(&format!("{url}{with}application_name={name}")));
    command.envs([
        ("CHECKFLOW_STORE__CONNECTIONS", "8"),
        ("CHECKFLOW_DELIVERY__REQUEST_TIMEOUT", "3s"),
        ("CHECKFLOW_DELIVERY__RESCUE_INTERVAL", "500ms"),
        ("CHECKFLOW_DELIVERY__SCAN_INTERVAL", "200ms"),
    ]);
    // More than what is refused by chance will ever need.
    let steps = [r#""300ms""#; ATTEMPTS - 1].join(", ");
    let schedule = format!(r#"["0s", {steps}]"#);
    command.env("CHECKFLOW_DELIVERY__SCHEDULE", schedule);
    command
}
