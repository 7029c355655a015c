//! `kill`: SIGKILL under full load, while a backlog goes out; then a start on the same folder. How
//! long from the start of the process until the first webhook arrives, and whether everything that was
//! promised does.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    Bench,
    account::{Account, count},
    drive::Sends,
    report::Unit,
    stage::Stage,
    steady::steady,
};

const NAME: &str = "kill";
/// How long the receiver answers nothing before the kill, so that a backlog comes to be.
const HELD_BACK: Duration = Duration::from_secs(1);
/// Arrivals after that and before the kill. The outcomes of some of them are not stored yet.
const UNDER_WAY: usize = 100;
/// How long after the kill the sink may still find requests that were sent before.
const ON_THEIR_WAY: Duration = Duration::from_millis(100);
/// Longest wait for any of this.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Default)]
struct Kills {
    /// Of all rounds: what is repeated after one kill may still come after the next.
    sends: Sends,
    /// Arrivals beyond the first that were counted in a round before.
    repeated_before: usize,
    first: Vec<f64>,
    undelivered: Vec<f64>,
    repeated: Vec<f64>,
    lost: Vec<f64>,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut stage = Stage::with_subscriptions(bench, 1).await?;
    let mut kills = Kills::default();
    bench.sink.forget();
    for _ in 0..bench.sizes.rounds {
        round(bench, &mut stage, &mut kills).await?;
    }
    stage.stop().await?;
    let report = &mut bench.report;
    let aim = "3 s / 1 s";
    report.figure(
        (NAME, aim),
        "start to first delivery, after SIGKILL",
        Unit::Seconds,
        &kills.first,
    );
    let counts = [
        ("undelivered when killed", kills.undelivered),
        ("repeated after the start", kills.repeated),
        ("lost", kills.lost),
    ];
    for (what, rounds) in counts {
        report.figure((NAME, ""), what, Unit::Count, &rounds);
    }
    Ok(())
}

async fn round(bench: &mut Bench, stage: &mut Stage, kills: &mut Kills) -> anyhow::Result<()> {
    let load = steady(stage, CancellationToken::new());
    tokio::pin!(load);
    tokio::select! {
        biased;
        ready = backlog(bench) => ready?,
        ended = &mut load => {
            let broken = ended?.broken;
            bail!("the load ended before the kill: {broken:?}");
        }
    }
    stage.server.kill().await?;
    kills.sends.add(load.await?);
    // That is what a kill does to whoever is connected; what was promised before still counts.
    kills.sends.broken.clear();
    // What had left the server may still be read.
    sleep(ON_THEIR_WAY).await;
    let arrived = bench.sink.arrivals();
    let reached = arrived.len();
    let undelivered = Account::of(&kills.sends.sent, arrived, |_| 0..1).lost;
    stage.start_again().await?;
    until("a first delivery", || bench.sink.count() > reached).await?;
    let first = bench.sink.arrivals()[reached].at;
    let account = bench.arrived(&kills.sends, &|_| 0..1).await;
    bench.judge(NAME, &kills.sends, &account);
    let took = first.duration_since(stage.server.started);
    kills.first.push(took.as_secs_f64());
    kills.undelivered.push(count(undelivered));
    let repeated = account.repeated - kills.repeated_before;
    kills.repeated_before = account.repeated;
    kills.repeated.push(count(repeated));
    kills.lost.push(count(account.lost));
    Ok(())
}

/// Waits until the load has come, many deliveries wait, and some of these are on their way.
async fn backlog(bench: &Bench) -> anyhow::Result<()> {
    let sink = &bench.sink;
    let loaded = sink.count() + bench.sizes.kill;
    until("the load to come", || sink.count() >= loaded).await?;
    sink.hold(true);
    sleep(HELD_BACK).await;
    let arrived = sink.count();
    sink.hold(false);
    until("the backlog to go out", || {
        sink.count() > arrived + UNDER_WAY
    })
    .await
}

async fn until(what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let since = Instant::now();
    while !holds() {
        ensure!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
