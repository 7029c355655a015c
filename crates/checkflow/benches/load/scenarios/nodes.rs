//! `nodes`: one, two and three servers on one PostgreSQL, in turns, the driver's connections spread over them: what
//! each further one brings, and what it costs.

use crate::{
    Bench,
    report::Unit,
    stage::{FULL, Ground, Stage},
};

const NAME: &str = "nodes";
const MOST: usize = 3;

#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    /// Against one node in the same round.
    times: Vec<f64>,
    costs: Vec<f64>,
    /// The part of the processor time that the database's processes take.
    apart: Vec<f64>,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for (subscriptions, events) in [(1, bench.sizes.one), (10, bench.sizes.ten)] {
        with(bench, subscriptions, events).await?;
    }
    Ok(())
}

async fn with(bench: &mut Bench, subscriptions: u16, events: usize) -> anyhow::Result<()> {
    let mut counts: [Rounds; MOST] = Default::default();
    for _ in 0..bench.sizes.rounds {
        for (before, rounds) in counts.iter_mut().enumerate() {
            // Nodes that only wait cost something too, so no more are there than are counted.
            let nodes = before + 1;
            let stage = Stage::on(bench, Ground::Postgres { nodes }).await?;
            stage.subscribe(bench, subscriptions).await?;
            stage.warm_up(bench, subscriptions).await?;
            let measured = stage
                .measure(bench, NAME, (events, FULL), |_| 0..subscriptions)
                .await?;
            stage.stop().await?;
            rounds.rates.push(measured.account.per_second());
            rounds.costs.push(measured.cpu_per_thousand());
            let all = measured.cpu.all().as_secs_f64();
            rounds.apart.push(measured.cpu.database.as_secs_f64() / all);
        }
        let one = counts[0].rates.last().copied().unwrap_or(f64::NAN);
        for rounds in &mut counts {
            let rate = rounds.rates.last().copied().unwrap_or(f64::NAN);
            rounds.times.push(rate / one);
        }
    }
    let report = &mut bench.report;
    for (before, rounds) in counts.iter().enumerate() {
        let nodes = before + 1;
        let of = format!("{nodes} of them, subscriptions {subscriptions}");
        if nodes > 1 {
            let what = format!("{of}: delivered / with one");
            report.figure((NAME, ""), &what, Unit::Times, &rounds.times);
        }
        let what = format!("{of}: delivered");
        report.figure((NAME, ""), &what, Unit::PerSecond, &rounds.rates);
        let what = format!("{of}: processor time for 1,000");
        report.figure((NAME, ""), &what, Unit::Seconds, &rounds.costs);
        let what = format!("{of}: the database's part of that");
        report.figure((NAME, ""), &what, Unit::Percent, &rounds.apart);
    }
    Ok(())
}
