//! `checkflow serve`: the server from its start to its stop.

mod chore;
mod drill;
mod http;
mod log;
mod open;
mod prune;
mod pulse;
mod replay;
mod server;
mod signals;
mod sweep;

use std::{io::Write as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

use crate::{
    cli::ServeArgs,
    config::{self, Settings},
    os,
};

pub(crate) use self::{
    log::{begin as begin_log, colours_wanted},
    open::{must_be_there, open_beside, open_or_make_beside},
    server::Server,
    signals::Signals,
};

/// Threads for what blocks, such as reading and writing files. Each has a stack, so there are no
/// more than disks have use for.
const BLOCKING_THREADS_MAX: usize = 32;
/// How long such a thread waits for more work before it ends.
const BLOCKING_THREAD_IDLE: Duration = Duration::from_secs(5);
/// How long the runtime waits for such threads at the end.
const RUNTIME_STOP: Duration = Duration::from_millis(500);

/// `checkflow serve`
pub(crate) fn command(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let settings = config::load(args)?;
    begin_log(&settings.log)?;
    check_open_files(&settings);
    run_to_end(serve(settings))
}

/// Files that are open beside connections: the database, its log, standard streams, and what comes and goes.
const FILES_BESIDE: u64 = 128;

/// Raises the limit of open files as far as it goes, and warns if what is set may need more.
fn check_open_files(settings: &Settings) {
    let (ingoing, outgoing) = (
        settings.http.connections_max,
        settings.delivery.in_flight_max,
    );
    let needed = u64::from(ingoing) + u64::from(outgoing) + FILES_BESIDE;
    let Some(limit) = os::allow_open_files() else {
        return;
    };
    if limit < needed {
        tracing::warn!(
            limit,
            needed,
            "this process may open fewer files than http.connections_max and delivery.in_flight_max need: \
            raise the limit (`ulimit -n`, LimitNOFILE= of systemd), or lower one of them"
        );
    }
}

/// Runs `work` on a runtime of its own, and ends the runtime after it.
pub(crate) fn run_to_end(
    work: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let ended = runtime.block_on(work);
    // A thread that hangs in the file system must not keep the process.
    runtime.shutdown_timeout(RUNTIME_STOP);
    ended
}

/// As many workers as there are cores, and few threads beside them.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(BLOCKING_THREAD_IDLE)
        .thread_name("checkflow")
        .build()
        .context("starting the threads of the server")
}

async fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    // Before anything is opened, so that a signal during the start stops it in good order too.
    let mut signals = Signals::listen()?;
    let server = Server::start(settings, os::source()).await?;
    let mut out = std::io::stdout();
    // Whoever started us may not be listening; the server works all the same.
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    signals.next().await;
    stop(server, &mut signals).await
}

/// Stops `server` in good order, or at once when another signal comes.
pub(crate) async fn stop(server: Server, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    info!("stopping: nothing new is taken, what runs is finished");
    tokio::select! {
        () = server.stop() => Ok(ExitCode::SUCCESS),
        () = signals.next() => {
            // What was answered is on disk, and what was being sent is sent again after the next
            // start; so ending here loses nothing.
            anyhow::bail!("ended by a second signal, before everything was finished")
        }
    }
}
