//! `checkflow demo`: a server, a receiver and two checklists, with every event verified before your
//! eyes.
//!
//! The server is the one of `serve`, in this process, on a folder of its own. Everything that an
//! integrator would do goes through its HTTP API. What is expected comes from the API's answers and
//! what was received from the receiver's own record; neither knows of the other.

mod account;
mod client;
mod next;
mod receiver;
mod screen;
mod story;
mod template;

use std::{net::Ipv4Addr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use app::KeyWish;
use domain::{AddressPolicy, RetrySchedule, Rights, Source};
use tempfile::TempDir;

use self::{client::Client, receiver::Receiver, screen::Screen};
use crate::{
    cli::DemoArgs,
    config::{self, Settings},
    os,
    serve::{self, Server, Signals},
};

/// Waits before each attempt, short so that retries come while you look.
const SCHEDULE: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// How often the table is looked at; a retry is found no later than this after it is due.
const SCAN_INTERVAL: Duration = Duration::from_millis(50);
/// Only what goes wrong; the screen tells the rest.
const LOG_FILTER: &str = "error";

/// `checkflow demo`
pub(crate) fn command(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    serve::run_to_end(run(args.exit))
}

async fn run(exit: bool) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let folder = TempDir::with_prefix("checkflow-demo-").context("making a folder for the demo")?;
    let settings = settings(&folder)?;
    serve::begin_log(&settings.log)?;
    let screen = Screen::new();
    let source = os::source();
    let receiver = Receiver::start(source.clone(), screen.clone()).await?;
    let server = Server::start(settings, source.clone()).await?;
    screen.opening(&server, &receiver, folder.path(), &SCHEDULE);
    let told = tokio::select! {
        told = tell(&server, &source, &receiver, &screen, exit) => told,
        () = signals.next() => return serve::stop(server, &mut signals).await,
    };
    if !exit && told.is_ok() {
        signals.next().await;
    }
    let stopped = serve::stop(server, &mut signals).await;
    receiver.stop().await;
    let (code, well) = (stopped?, told?);
    Ok(if well { code } else { ExitCode::FAILURE })
}

/// The settings of `serve`, with loopback allowed, a free port and a schedule of short waits.
fn settings(folder: &TempDir) -> anyhow::Result<Settings> {
    // Nothing of this machine's configuration takes part: a demo shows the same everywhere.
    let mut settings = config::defaults()?;
    settings.data = folder.path().join("data");
    settings.listen = (Ipv4Addr::LOCALHOST, 0).into();
    settings.policy = AddressPolicy::new(&["127.0.0.0/8"])?;
    settings.delivery.schedule = RetrySchedule::new(&SCHEDULE)?;
    settings.delivery.scan_interval = SCAN_INTERVAL;
    LOG_FILTER.clone_into(&mut settings.log.filter);
    Ok(settings)
}

/// Goes through the whole of it, and answers whether everything came as it was promised.
async fn tell(
    server: &Server,
    source: &Source,
    receiver: &Receiver,
    screen: &Screen,
    exit: bool,
) -> anyhow::Result<bool> {
    screen.chapter(
        "A team and a key",
        "as `checkflow team create` and `checkflow key create` make them",
    );
    let team = app::create_team(server.store(), source, "Demo").await?;
    let wish = KeyWish {
        name: "demo".to_owned(),
        rights: Rights::USUAL,
        expires_at: None,
    };
    let key = app::create_key(server.store(), source, team.id, &wish).await?;
    screen.note(&format!(
        "team {} {:?}, key {}",
        team.id,
        team.name,
        key.secret.reveal()
    ));
    let client = Client::new(server.address(), key.secret.reveal().to_owned());
    let story = story::tell(client, receiver, screen).await?;
    receiver.wait_for(story.expected()).await;
    let account = receiver.account(story.expected());
    screen.account(&account);
    if !exit {
        screen.stay(&story.next_steps(), &receiver.url());
    }
    Ok(account.is_right())
}
