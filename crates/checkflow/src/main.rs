//! CheckFlow: one binary that serves, shows itself, and lets the operator in.
//!
//! Here are the subcommands, the configuration, the wiring of the other crates and their life from
//! start to stop. Rules live elsewhere; whatever is decided about a checklist or a delivery is not
//! decided here.

mod cli;
mod config;
mod demo;
mod operator;
mod os;
mod serve;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// What was asked for was not done; the line on standard error says why.
const EXIT_FAILED: u8 = 1;

fn main() -> ExitCode {
    // Clap itself ends the process with status 2 when the command line can't be understood.
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "checkflow: {}", one_line(&error));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::command(&args),
        Command::Demo(args) => demo::command(&args),
        Command::Team(args) => operator::team(&args),
        Command::Key(args) => operator::key(&args),
        Command::Openapi => print(&format!("{:#}\n", serde_json::to_value(api::openapi())?)),
        Command::Config => print(config::DEFAULT_FILE),
    }
}

/// Prints a document whole. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// An error and what led to it, on one line whatever it holds, so that logs and scripts see one.
fn one_line(error: &anyhow::Error) -> String {
    let whole = format!("{error:#}");
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}
