//! CheckFlow: one binary that serves, shows itself, and lets the operator in.
//!
//! Here are the subcommands, the configuration, the wiring of the other crates and their life from
//! start to stop. Rules live elsewhere; whatever is decided about a checklist or a delivery is not
//! decided here.

mod cli;
mod config;
mod copy;
mod demo;
mod migrate;
mod operator;
mod os;
mod reason;
mod serve;

use std::{io::Write as _, process::ExitCode};

use crate::cli::Command;

/// What was asked for was not done; the line on standard error says why.
const EXIT_FAILED: u8 = 1;

// Pages and bodies of some KiB come and go with every delivery, which the C library's own allocator is
// slow at; SQLite's memory comes from here as well. Without huge pages, which would double what an idle
// server holds.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before there is a second thread, since it holds for all of them.
    os::keep_files_private();
    match run(cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "checkflow: {}", reason::one_line(&error));
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
        Command::Member(args) => operator::member(&args),
        Command::Migrate(args) => migrate::command(&args),
        Command::Copy(args) => copy::command(&args),
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
