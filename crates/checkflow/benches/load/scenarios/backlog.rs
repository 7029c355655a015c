//! `backlog`: many deliveries wait for a paused subscription; the rate of another one's, against the
//! same without them.
//!
//! In both cases the paused subscription wants every new event too, so that all that differs is what
//! waits for it.

use crate::{
    Bench,
    account::count,
    fill::{self, Subject},
    report::Unit,
    stage::{FULL, Stage},
};

const NAME: &str = "backlog";
/// The number of the paused one; the other is 0.
const PAUSED: u16 = 1;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let backlog = bench.sizes.backlog;
    let without = stage(bench, 0).await?;
    let with = stage(bench, backlog).await?;
    for stage in [&without, &with] {
        stage.warm_up(bench, 1).await?;
    }
    let events = bench.sizes.one;
    let (mut ratios, mut rates, mut costs) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
    for _ in 0..bench.sizes.rounds {
        let alone = without
            .measure(bench, NAME, (events, FULL), |_| 0..PAUSED)
            .await?;
        let beside = with
            .measure(bench, NAME, (events, FULL), |_| 0..PAUSED)
            .await?;
        let pair = [alone.account.per_second(), beside.account.per_second()];
        ratios.push(pair[1] / pair[0]);
        for (rates, rate) in rates.iter_mut().zip(pair) {
            rates.push(rate);
        }
        costs.push(beside.cpu_per_thousand() / alone.cpu_per_thousand());
    }
    without.stop().await?;
    with.stop().await?;
    let report = &mut bench.report;
    report.figure(
        (NAME, "unchanged"),
        "other lane's rate, with the backlog / without",
        Unit::Percent,
        &ratios,
    );
    report.figure(
        (NAME, "unchanged"),
        "processor time for a delivery, with / without",
        Unit::Times,
        &costs,
    );
    for (what, rates) in ["rate without", "rate with the backlog"].iter().zip(&rates) {
        report.figure((NAME, ""), what, Unit::PerSecond, rates);
    }
    let note = format!(
        "{} deliveries waited for a paused subscription, which wants every new event as well",
        count(backlog)
    );
    report.note(NAME, note);
    Ok(())
}

/// A stage whose second subscription, to all of the team, is paused with so many that wait for it.
async fn stage(bench: &Bench, backlog: usize) -> anyhow::Result<Stage> {
    let stage = Stage::with_subscriptions(bench, 1).await?;
    let mut api = stage.api().await?;
    let target = bench.sink.target(PAUSED);
    let paused = api.subscribe(&target, "scope=team").await?;
    let subject = Subject::elsewhere(&stage);
    stage
        .restarted(async |data| fill::held(data, &paused, &subject, backlog).await)
        .await
}
