//! The product's benchmark: the real binary under load, judged from outside.
//!
//! Run by `cargo xtask bench`; `docs/performance.md` tells what is measured and how to read it. A
//! driver completes tasks over HTTP, a sink in the same process receives the webhooks, and the account
//! of both must add up: the status is 1 if a delivery was lost or an answer wrong, however fast it all
//! was. No figure is asserted, because none would hold on every machine.

mod account;
mod api;
mod args;
mod body;
mod database;
mod drive;
mod fill;
mod machine;
mod report;
mod scenarios;
mod secure;
mod server;
mod sink;
mod stage;
mod steady;
mod wire;

use std::process::ExitCode;

use args::{Args, Sizes};
use report::Report;
use rustix::process::{Resource, getrlimit, setrlimit};
use server::Settings;
use sink::{Sink, Way};

/// What all scenarios share.
struct Bench {
    sink: Sink,
    /// How the sink is sent to.
    way: Way,
    /// Whether `flight` is measured in every way there is.
    secure: bool,
    sizes: Sizes,
    settings: Settings,
    report: Report,
}

fn main() -> ExitCode {
    begin(&args::parse()).unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}

fn begin(args: &Args) -> anyhow::Result<ExitCode> {
    // One thread for the driver and one for the sink, so that the server finds the machine as it
    // would with callers and receivers elsewhere that are not busy.
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let bench = Bench {
        sink: Sink::start()?,
        way: Way::Plain,
        secure: args.secure,
        sizes: args.sizes(),
        settings: args.settings(),
        report: Report::new(machine::head()),
    };
    runtime.block_on(run(args, bench))
}

/// Has this process, and the servers that it starts, open as many files as they may: each connection is one.
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, what needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

async fn run(args: &Args, mut bench: Bench) -> anyhow::Result<ExitCode> {
    for scenario in args.scenarios() {
        scenario.run(&mut bench).await?;
    }
    if args.markdown {
        print!("{}", bench.report.markdown());
    } else {
        print!("{}", bench.report);
    }
    if let Some(path) = args.json_path() {
        bench.report.write_json(&path)?;
    }
    Ok(if bench.report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
