//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! People and the build server call the same ones, so "it passes here" and "it passes there" mean
//! the same thing. Left out: everything that belongs to the product. Nothing of ours is imported,
//! or a crate that does not compile would take the command that says so down with it.

mod args;
mod libraries;
mod report;
mod shell;
mod steps;
mod system;
mod tally;
mod tools;
mod walls;

use std::process::ExitCode;

use args::Command;
use shell::Workspace;

/// The status for a command line that cannot be read, apart from 1, which says that a check failed.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            eprintln!("xtask: {wrong}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `command`; `false` when it found something that must not be.
fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Help => {
            println!("{}", args::HELP);
            Ok(true)
        }
        Command::Test(chosen) => Ok(steps::test(&Workspace::find()?, &chosen)),
        Command::Bench(arguments) => {
            let workspace = Workspace::find()?;
            // Alone, so that the binary has no features that the tests of other crates ask for.
            let bench = [
                "bench",
                "--package",
                "checkflow",
                "--bench",
                "load",
                "--locked",
                "--",
            ];
            shell::succeeds(workspace.cargo(&bench).args(arguments))
        }
        Command::Advisories => {
            let workspace = Workspace::find()?;
            let deny = tools::cargo_deny(&workspace)?;
            shell::succeeds(workspace.command(deny).args(["check", "advisories"]))
        }
    }
}
