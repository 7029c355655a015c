//! `idle`: one event at a time, twenty a second: how long from the beginning of its request until the
//! webhook has been read.

use crate::{Bench, drive::Load, report::Unit, stage::Stage};

const NAME: &str = "idle";
const ONE_AT_A_TIME: Load = Load {
    connections: 1,
    per_second: Some(20),
};

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let stage = Stage::with_subscriptions(bench, 1).await?;
    stage.warm_up(bench, 1).await?;
    let events = bench.sizes.idle;
    let (mut halves, mut nearly_all, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.sizes.rounds {
        let straight = bench.bare((events, ONE_AT_A_TIME)).await?;
        let measured = stage
            .measure(bench, NAME, (events, ONE_AT_A_TIME), |_| 0..1)
            .await?;
        bare.push(straight.percentile(50));
        halves.push(measured.account.percentile(50));
        nearly_all.push(measured.account.percentile(99));
    }
    stage.stop().await?;
    let report = &mut bench.report;
    let aim = "2.0 ms / 1.2 ms";
    report.figure((NAME, aim), "send to arrival, p50", Unit::Millis, &halves);
    report.figure(
        (NAME, ""),
        "send to arrival, p99",
        Unit::Millis,
        &nearly_all,
    );
    report.figure((NAME, ""), "without a server, p50", Unit::Millis, &bare);
    Ok(())
}
