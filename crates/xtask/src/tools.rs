//! Programs that the steps need and a bare toolchain lacks, as far as cargo brings them. Those of
//! the system are in `system`.

use std::{env, path::PathBuf, process::Command};

use anyhow::ensure;

use crate::shell::{self, Workspace};

/// One version for everybody: another one may judge the same `deny.toml` differently.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Where cargo-deny is: the one installed here, else one of the same version on the `PATH`; where
/// there is neither, it is built once into `target/tools`.
pub(crate) fn cargo_deny(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let tools = workspace.tools();
    let program = format!("cargo-deny{}", env::consts::EXE_SUFFIX);
    let ours = tools.join("bin").join(&program);
    for found in [ours.clone(), PathBuf::from(program)] {
        if says_version(&mut workspace.command(&found)) {
            return Ok(found);
        }
    }
    println!(
        "cargo-deny {CARGO_DENY_VERSION} is built once, into {}",
        tools.display()
    );
    let version = ["--version", CARGO_DENY_VERSION, "--locked"];
    // By force, since what is there, if anything, did not do. Not optimised: that halves the wait
    // for the build and costs the check a second or two.
    let mut install = workspace.cargo(&["install", "cargo-deny", "--force", "--debug"]);
    let built = shell::succeeds(install.args(version).arg("--root").arg(&tools))?;
    ensure!(built, "cargo-deny could not be installed; see above");
    ensure!(
        says_version(&mut workspace.command(&ours)),
        "{} was installed and does not run",
        ours.display()
    );
    Ok(ours)
}

fn says_version(program: &mut Command) -> bool {
    program
        .arg("--version")
        .output()
        .is_ok_and(|output| is_version(&output.stdout))
}

fn is_version(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).trim() == format!("cargo-deny {CARGO_DENY_VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_asked_for_is_used() {
        assert!(is_version(
            format!("cargo-deny {CARGO_DENY_VERSION}\n").as_bytes()
        ));
        assert!(!is_version(b"cargo-deny 0.1.0\n"));
        assert!(!is_version(b""));
        assert!(!says_version(&mut Command::new("no-such-program")));
    }
}
