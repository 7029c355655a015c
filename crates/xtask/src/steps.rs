//! `cargo xtask test`: the steps, and what each of them runs.

use std::io;

use crate::{
    libraries,
    report::{Outcome, Report},
    shell::{self, Workspace},
    system, tools, walls,
};

/// One thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The code is laid out as rustfmt does it.
    Fmt,
    /// The crates depend on each other only as `walls` allows.
    Walls,
    /// No lint complains.
    Clippy,
    /// The documentation builds, and its links lead somewhere.
    Doc,
    /// `deny.toml` holds: who may use what, licences, where packages come from.
    Deny,
    /// The tests of all crates, those of the binary end to end and in a browser included.
    Unit,
    /// The benchmark runs, small and not optimised: it works, nothing is lost, no figure is looked at.
    Bench,
}

impl Step {
    /// All of them, in the order they run: those that fail fastest come first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Fmt,
        Self::Walls,
        Self::Clippy,
        Self::Doc,
        Self::Deny,
        Self::Unit,
        Self::Bench,
    ];

    /// The word for `--only`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Walls => "walls",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Deny => "deny",
            Self::Unit => "unit",
            Self::Bench => "bench",
        }
    }

    /// What it looks at, for the line above what it prints.
    const fn heading(self) -> &'static str {
        match self {
            Self::Fmt => "layout of the code",
            Self::Walls => "walls between the crates",
            Self::Clippy => "lints",
            Self::Doc => "documentation",
            Self::Deny => "dependencies: bans, licences, sources",
            Self::Unit => "tests",
            Self::Bench => "the benchmark works",
        }
    }

    fn run(self, workspace: &Workspace) -> anyhow::Result<Outcome> {
        let ok = match self {
            Self::Fmt => shell::succeeds(&mut workspace.cargo(&["fmt", "--all", "--check"])),
            Self::Walls => Ok(walls_hold(workspace)),
            Self::Clippy => shell::succeeds(&mut workspace.cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Doc => shell::succeeds(
                workspace
                    .cargo(&[
                        "doc",
                        "--workspace",
                        "--no-deps",
                        "--document-private-items",
                        "--locked",
                    ])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Deny => deny(workspace),
            Self::Unit => return unit(workspace),
            // All crates, because the step before has built them so.
            Self::Bench => shell::succeeds(&mut workspace.cargo(&[
                "bench",
                "--workspace",
                "--bench",
                "load",
                "--profile",
                "dev",
                "--locked",
                "--",
                "--quick",
                "1",
                "kill",
                "nodes",
            ])),
        };
        ok.map(Outcome::of)
    }
}

/// Runs `chosen` one after the other up to the first that fails, then prints how each ended.
/// Whether all of them passed.
pub(crate) fn test(workspace: &Workspace, chosen: &[Step]) -> bool {
    let report = Report::of(chosen, |step| {
        println!("\n==> {}: {}", step.name(), step.heading());
        step.run(workspace)
    });
    print!("{report}");
    report.passed()
}

fn walls_hold(workspace: &Workspace) -> bool {
    let breaches = walls::breaches(&workspace.metadata);
    for breach in &breaches {
        println!("{breach}");
    }
    if breaches.is_empty() {
        println!(
            "{} crates keep to their walls",
            workspace.metadata.workspace_members.len()
        );
    }
    breaches.is_empty()
}

/// Without `advisories`: that check asks a database on the network, and its answer changes from
/// one day to the next while the code stays the same. `cargo xtask advisories` asks it.
fn deny(workspace: &Workspace) -> anyhow::Result<bool> {
    let deny = tools::cargo_deny(workspace)?;
    // A wrapper may be named before its crate is there: that is how a wall is put up in time.
    let options = ["--hide-inclusion-graph", "--allow", "unused-wrapper"];
    let mut check = workspace.command(deny);
    check.args(["--locked", "check"]).args(options);
    shell::succeeds(check.args(["bans", "licenses", "sources"]))
}

/// The tests that start the binary start the one that is shipped: what a kill or a crowd shows of a
/// debug build says little about it.
const BINARY_VARIABLE: &str = "CHECKFLOW_BINARY";

/// Where the tests find what `libraries` has installed.
const TOOLS_VARIABLE: &str = "CHECKFLOW_TOOLS";

fn unit(workspace: &Workspace) -> anyhow::Result<Outcome> {
    system::provide()?;
    libraries::provide(workspace)?;
    let mut build = workspace.cargo(&["build", "--release", "--package", "checkflow", "--locked"]);
    let Some(binary) = shell::built(&mut build)? else {
        return Ok(Outcome::of(false));
    };
    // To the end even when a binary fails, so that one run names all that is broken.
    let mut cargo = workspace.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    cargo.env(BINARY_VARIABLE, binary);
    cargo.env(TOOLS_VARIABLE, workspace.tools());
    let (ok, tally) = shell::tallied(&mut cargo, &mut io::stdout().lock())?;
    if ok && tally.passed == 0 {
        println!("no test was run; that cannot be right");
    }
    Ok(Outcome {
        ok: ok && tally.failed == 0 && tally.passed > 0,
        // Tests that did not compile have no sum: "0 failed" would be no lie, and read like one.
        tally: (tally.passed + tally.failed > 0).then_some(tally),
    })
}
