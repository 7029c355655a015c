//! `1` and `10`: how much of `bare` is reached with one and with ten subscriptions, and what it costs.

use crate::{
    Bench,
    report::Unit,
    stage::{FULL, Stage},
};

pub(super) async fn one(bench: &mut Bench) -> anyhow::Result<()> {
    let events = bench.sizes.one;
    run(bench, "1", (1, events), ["6 % / 10 %", "0.25 s / 0.10 s"]).await
}

pub(super) async fn ten(bench: &mut Bench) -> anyhow::Result<()> {
    let events = bench.sizes.ten;
    run(
        bench,
        "10",
        (10, events),
        ["15 % / 28 %", "0.12 s / 0.045 s"],
    )
    .await
}

async fn run(
    bench: &mut Bench,
    name: &'static str,
    (subscriptions, events): (u16, usize),
    [share, cost]: [&'static str; 2],
) -> anyhow::Result<()> {
    let stage = Stage::with_subscriptions(bench, subscriptions).await?;
    stage.warm_up(bench, subscriptions).await?;
    let (mut shares, mut rates, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.sizes.rounds {
        // One after the other, so that what else the machine does at the time falls on both.
        let bare = bench.bare((bench.sizes.bare, FULL)).await?;
        let measured = stage
            .measure(bench, name, (events, FULL), |_| 0..subscriptions)
            .await?;
        let rate = measured.account.per_second();
        shares.push(rate / bare.per_second());
        rates.push(rate);
        costs.push(measured.cpu_per_thousand());
    }
    stage.stop().await?;
    let report = &mut bench.report;
    report.figure((name, share), "delivered / bare", Unit::Percent, &shares);
    report.figure((name, ""), "delivered", Unit::PerSecond, &rates);
    report.figure(
        (name, cost),
        "processor time for 1,000 deliveries",
        Unit::Seconds,
        &costs,
    );
    Ok(())
}
