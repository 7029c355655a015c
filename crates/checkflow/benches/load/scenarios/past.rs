//! `past`: what a delivery costs with many past ones in the store, against an empty store.

use crate::{
    Bench,
    account::count,
    fill::{self, Subject},
    report::Unit,
    stage::{FULL, Stage},
};

const NAME: &str = "past";
const SUBSCRIPTIONS: u16 = 10;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let past = bench.sizes.past;
    let empty = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
    let full = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
    let subject = Subject::of(&full)?;
    let full = full
        .restarted(async |data| fill::delivered(data, &subject, (past, SUBSCRIPTIONS.into())).await)
        .await?;
    let bytes = full.server.database();
    for stage in [&empty, &full] {
        stage.warm_up(bench, SUBSCRIPTIONS).await?;
    }
    let events = bench.sizes.ten;
    let (mut costs, mut times) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.rounds {
        let all = |_| 0..SUBSCRIPTIONS;
        let without = empty.measure(bench, NAME, (events, FULL), all).await?;
        let with = full.measure(bench, NAME, (events, FULL), all).await?;
        costs.push(with.cpu_per_thousand() / without.cpu_per_thousand());
        times.push(without.account.per_second() / with.account.per_second());
    }
    empty.stop().await?;
    full.stop().await?;
    let report = &mut bench.report;
    let aim = "1.5x / 1.1x";
    report.figure(
        (NAME, aim),
        "processor time for a delivery, with the past / empty",
        Unit::Times,
        &costs,
    );
    report.figure(
        (NAME, aim),
        "time for a delivery, with the past / empty",
        Unit::Times,
        &times,
    );
    report.figure(
        (NAME, ""),
        "database with the past",
        Unit::MB,
        &[count(bytes)],
    );
    let note = format!(
        "{past} past events with {SUBSCRIPTIONS} deliveries each, of the last 30 days, written by the `store` \
         crate; next to nothing is pruned while it is measured, because the log is kept as long"
    );
    report.note(NAME, note);
    Ok(())
}
