//! Where the workspace is, and how its commands are started.

use std::{
    env,
    ffi::OsStr,
    io::{BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use cargo_metadata::{Message, Metadata, MetadataCommand};

use crate::tally::Tally;

/// The workspace that this program was started in.
pub(crate) struct Workspace {
    /// The crates as their manifests declare them; nothing is resolved.
    pub(crate) metadata: Metadata,
    /// The cargo that runs us, so that steps and their caller share one toolchain.
    cargo: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cargo metadata failed; run this inside the repository")?;
        let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        Ok(Self { metadata, cargo })
    }

    /// Where `cargo xtask` keeps programs that it installs. Under the target folder, so that
    /// nothing outside the repository changes.
    pub(crate) fn tools(&self) -> PathBuf {
        self.metadata.target_directory.join("tools").into()
    }

    /// Where the workspace is.
    pub(crate) fn root(&self) -> &Path {
        Path::new(&self.metadata.workspace_root)
    }

    /// `cargo ARGS`, to be run at the root.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(args);
        command
    }

    /// `program`, to be run at the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(Path::new(&self.metadata.workspace_root));
        // `cargo run` tells us about our own package. Build scripts that watch these names (ring's
        // does) would see them change between a step of ours and a cargo called by hand, and build
        // themselves and all that stands on them again, each time.
        for (name, _) in env::vars_os() {
            if names_our_package(&name) {
                command.env_remove(name);
            }
        }
        command
    }
}

fn names_our_package(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

/// Runs `command` with our own output; whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    let status = command.status().with_context(|| cannot_start(command))?;
    Ok(status.success())
}

/// Runs `command`, passes its standard output on to `to` and sums up the tests in it; also whether
/// it succeeded.
pub(crate) fn tallied(command: &mut Command, to: &mut impl Write) -> anyhow::Result<(bool, Tally)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let output = child.stdout.take().context("the output was piped")?;
    let tally = Tally::of_stream(output, to);
    // The child is awaited even when its output could not be passed on, so that none is left over;
    // the closed pipe ends it.
    let status = child.wait().context("waiting for cargo test")?;
    let tally = tally.context("passing on what the tests print")?;
    Ok((status.success(), tally))
}

/// Runs `cargo build …` of one program and answers where that is; `None` when it could not be built.
///
/// Cargo is asked instead of guessed at: the folder depends on its configuration.
pub(crate) fn built(command: &mut Command) -> anyhow::Result<Option<PathBuf>> {
    let mut child = command
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let output = child.stdout.take().context("the output was piped")?;
    let mut program = None;
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(made) = message.context("reading what cargo says")? {
            program = made.executable.or(program);
        }
    }
    let built = child.wait().context("waiting for cargo build")?.success();
    let program = program.map(PathBuf::from);
    if built && program.is_none() {
        bail!("cargo built no program");
    }
    Ok(program.filter(|_| built))
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_status_of_a_command_is_its_verdict() {
        assert!(succeeds(&mut shell("exit 0")).unwrap());
        assert!(!succeeds(&mut shell("exit 3")).unwrap());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = succeeds(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program");
    }

    #[test]
    fn results_are_summed_up_and_passed_on_whatever_the_status() {
        let line = "test result: FAILED. 4 passed; 2 failed; 0 ignored";
        let mut shown = Vec::new();
        let (ok, tally) =
            tallied(&mut shell(&format!("echo '{line}'; exit 101")), &mut shown).unwrap();
        assert!(!ok);
        assert_eq!((tally.passed, tally.failed), (4, 2));
        assert_eq!(shown, format!("{line}\n").into_bytes());
    }

    #[test]
    fn cargo_says_where_a_program_is() {
        let library = r#"{"reason":"compiler-artifact","package_id":"a","manifest_path":"/a","target":{"name":"a",
            "kind":["lib"],"crate_types":["lib"],"src_path":"/a","edition":"2024","doctest":true,"test":true},"profile":
            {"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false},"features":[],
            "filenames":["/a.rlib"],"executable":null,"fresh":true}"#.replace('\n', "");
        let program = library.replace("null", r#""/t/release/a""#);
        let said = |lines: &[&str], status: u8| {
            let lines = lines.join("\n");
            built(&mut shell(&format!("echo '{lines}'; exit {status}")))
        };
        let found = said(&[&library, &program, &library], 0).unwrap();
        assert_eq!(found, Some(PathBuf::from("/t/release/a")));
        assert_eq!(said(&[&program], 101).unwrap(), None);
        let error = said(&[&library], 0).unwrap_err();
        assert_eq!(error.to_string(), "cargo built no program");
    }

    #[test]
    fn what_cargo_run_says_of_our_package_is_not_passed_on() {
        for name in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR"] {
            assert!(names_our_package(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "PATH"] {
            assert!(!names_our_package(OsStr::new(name)), "{name}");
        }
    }
}
