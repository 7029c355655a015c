//! `sides`: the same loads on SQLite and on PostgreSQL, in turns: what is reached of `bare`, what it costs, how
//! late a webhook is on an idle server, and how many statements and bytes of write-ahead log a delivery takes.

use crate::{
    Bench,
    account::count,
    drive::Load,
    report::Unit,
    stage::{FULL, Ground, Measured, Stage},
};

const NAME: &str = "sides";
const ONE_AT_A_TIME: Load = Load {
    connections: 1,
    per_second: Some(20),
};

/// One of the two, and what is aimed for there.
struct Side {
    word: &'static str,
    ground: Ground,
    /// Of `bare`, with one and with ten subscriptions.
    shares: [&'static str; 2],
    /// Latest median.
    idle: &'static str,
}

const SIDES: [Side; 2] = [
    Side {
        word: "SQLite",
        ground: Ground::Sqlite,
        shares: ["6 % / 10 %", "15 % / 28 %"],
        idle: "2.0 ms / 1.2 ms",
    },
    Side {
        word: "PostgreSQL",
        ground: Ground::Postgres { nodes: 1 },
        shares: ["- / 3 %", "- / 8 %"],
        idle: "- / 2.5 ms",
    },
];

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for (subscriptions, at) in [(1, 0), (10, 1)] {
        at_full_load(bench, subscriptions, at).await?;
    }
    idle(bench).await?;
    for side in &SIDES {
        for subscriptions in [1, 10] {
            counted(bench, side, subscriptions).await?;
        }
    }
    Ok(())
}

/// What one side did in each round.
#[derive(Default)]
struct Rounds {
    shares: Vec<f64>,
    rates: Vec<f64>,
    costs: Vec<f64>,
    /// The part of the processor time that the database's processes take.
    apart: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, bare: f64, measured: &Measured) {
        let rate = measured.account.per_second();
        self.shares.push(rate / bare);
        self.rates.push(rate);
        self.costs.push(measured.cpu_per_thousand());
        let all = measured.cpu.all().as_secs_f64();
        self.apart.push(measured.cpu.database.as_secs_f64() / all);
    }
}

async fn at_full_load(bench: &mut Bench, subscriptions: u16, at: usize) -> anyhow::Result<()> {
    let events = [bench.sizes.one, bench.sizes.ten][at];
    let mut stages = Vec::new();
    for side in &SIDES {
        let stage = Stage::on(bench, side.ground).await?;
        stage.subscribe(bench, subscriptions).await?;
        stage.warm_up(bench, subscriptions).await?;
        stages.push(stage);
    }
    let mut sides = [Rounds::default(), Rounds::default()];
    for _ in 0..bench.sizes.rounds {
        let bare = bench.bare((bench.sizes.bare, FULL)).await?.per_second();
        for (stage, rounds) in stages.iter().zip(&mut sides) {
            let measured = stage
                .measure(bench, NAME, (events, FULL), |_| 0..subscriptions)
                .await?;
            rounds.add(bare, &measured);
        }
    }
    for stage in stages {
        stage.stop().await?;
    }
    let report = &mut bench.report;
    let lanes = lanes(subscriptions);
    let [sqlite, postgres] = &sides;
    let pairs = postgres.rates.iter().zip(&sqlite.rates);
    let against: Vec<_> = pairs.map(|(one, other)| one / other).collect();
    let what = format!("{lanes}: PostgreSQL's rate / SQLite's");
    report.figure((NAME, ""), &what, Unit::Percent, &against);
    for (side, rounds) in SIDES.iter().zip(&sides) {
        let of = format!("{}, {lanes}", side.word);
        let what = format!("{of}: delivered / bare");
        report.figure(
            (NAME, side.shares[at]),
            &what,
            Unit::Percent,
            &rounds.shares,
        );
        let what = format!("{of}: delivered");
        report.figure((NAME, ""), &what, Unit::PerSecond, &rounds.rates);
        let what = format!("{of}: processor time for 1,000");
        report.figure((NAME, ""), &what, Unit::Seconds, &rounds.costs);
    }
    let what = format!("PostgreSQL, {lanes}: its processes' part of that");
    report.figure((NAME, ""), &what, Unit::Percent, &postgres.apart);
    Ok(())
}

async fn idle(bench: &mut Bench) -> anyhow::Result<()> {
    for side in &SIDES {
        let stage = Stage::on(bench, side.ground).await?;
        stage.subscribe(bench, 1).await?;
        stage.warm_up(bench, 1).await?;
        let load = (bench.sizes.idle, ONE_AT_A_TIME);
        let (mut halves, mut nearly_all) = (Vec::new(), Vec::new());
        for _ in 0..bench.sizes.rounds {
            let measured = stage.measure(bench, NAME, load, |_| 0..1).await?;
            halves.push(measured.account.percentile(50));
            nearly_all.push(measured.account.percentile(99));
        }
        stage.stop().await?;
        let report = &mut bench.report;
        let what = format!("{}, idle: send to arrival, p50", side.word);
        report.figure((NAME, side.idle), &what, Unit::Millis, &halves);
        let what = format!("{}, idle: send to arrival, p99", side.word);
        report.figure((NAME, ""), &what, Unit::Millis, &nearly_all);
    }
    Ok(())
}

/// Counts in a life of the server that does nothing else, except what servers do by the clock.
async fn counted(bench: &mut Bench, side: &Side, subscriptions: u16) -> anyhow::Result<()> {
    let mut stage = Stage::on(bench, side.ground).await?;
    stage.subscribe(bench, subscriptions).await?;
    stage.warm_up(bench, subscriptions).await?;
    let (mut statements, mut logged) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.rounds {
        let tasks = stage.tasks(bench.sizes.counted).await?;
        stage.restart().await?;
        let before = stage.wal()?;
        let measured = stage
            .complete(bench, NAME, (tasks, FULL), |_| 0..subscriptions)
            .await?;
        let delivered = count(measured.account.delivered.max(1));
        logged.push(count(stage.wal()?.saturating_sub(before)) / delivered);
        statements.push(count(stage.restart().await?) / delivered);
    }
    stage.stop().await?;
    let of = format!("{}, {}", side.word, lanes(subscriptions));
    let what = format!("{of}: statements for a delivery");
    let report = &mut bench.report;
    report.figure((NAME, ""), &what, Unit::Few, &statements);
    let what = format!("{of}: bytes of write-ahead log for a delivery");
    report.figure((NAME, ""), &what, Unit::Count, &logged);
    Ok(())
}

fn lanes(subscriptions: u16) -> String {
    let plural = if subscriptions == 1 { "" } else { "s" };
    format!("{subscriptions} subscription{plural}")
}
