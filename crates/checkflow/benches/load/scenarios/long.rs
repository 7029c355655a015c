//! `long`: ten minutes of full load with ten subscriptions. How large the write-ahead log and the
//! memory of the server become, and whether they go on growing.

use std::time::Instant;

use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Bench,
    account::count,
    report::{Unit, say},
    stage::{Measured, Stage},
    steady::steady,
};

const NAME: &str = "long";
const SUBSCRIPTIONS: u16 = 10;
const LOOK: Duration = Duration::from_millis(50);

/// What was seen of the server.
#[derive(Default)]
struct Seen {
    /// Of the log, in bytes.
    wal_max: u64,
    /// Resident memory in bytes, one look after the other.
    memory: Vec<u64>,
    /// Deliveries that had arrived by then.
    arrived: Vec<usize>,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let stage = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
    let stop = CancellationToken::new();
    bench.sink.forget();
    let before = stage.cpu()?;
    let (sends, seen) = tokio::join!(
        steady(&stage, stop.clone()),
        watch(bench, &stage, stop.clone())
    );
    let (sends, seen) = (sends?, seen?);
    let account = bench.arrived(&sends, &|_| 0..SUBSCRIPTIONS).await;
    bench.judge(NAME, &sends, &account);
    stage.quiet().await?;
    let cpu = stage.cpu()?.since(before);
    let database = stage.server.database();
    stage.stop().await?;
    tell_of_server(bench, &seen, database);
    let measured = Measured { account, cpu };
    let figures = [
        ("delivered", Unit::PerSecond, measured.account.per_second()),
        (
            "delivered in the last tenth / in the second",
            Unit::Times,
            seen.slowing(),
        ),
        (
            "processor time for 1,000 deliveries, checklists included",
            Unit::Seconds,
            measured.cpu_per_thousand(),
        ),
        ("deliveries", Unit::Count, count(measured.account.delivered)),
    ];
    for (what, unit, value) in figures {
        bench.report.figure((NAME, ""), what, unit, &[value]);
    }
    let seconds = bench.sizes.long.as_secs();
    let note = format!(
        "{seconds} s of full load with {SUBSCRIPTIONS} subscriptions; checklists are made as part of the load"
    );
    bench.report.note(NAME, note);
    Ok(())
}

fn tell_of_server(bench: &mut Bench, seen: &Seen, database: u64) {
    let memory = |at: usize| seen.memory.get(at).copied().unwrap_or(0);
    let looks = seen.memory.len();
    let most = seen.memory.iter().max().copied().unwrap_or(0);
    let figures = [
        ("write-ahead log, largest", seen.wal_max, "bounded"),
        ("memory after a tenth of the time", memory(looks / 10), ""),
        (
            "memory at the end",
            memory(looks.saturating_sub(1)),
            "bounded",
        ),
        ("memory, largest", most, "bounded"),
    ];
    for (what, bytes, aim) in figures {
        bench
            .report
            .figure((NAME, aim), what, Unit::MiB, &[count(bytes)]);
    }
    let end = [count(database)];
    bench
        .report
        .figure((NAME, ""), "database at the end", Unit::MB, &end);
}

/// Looks at the server until the time is over, then ends the load.
async fn watch(bench: &Bench, stage: &Stage, stop: CancellationToken) -> anyhow::Result<Seen> {
    let stop = stop.drop_guard();
    let (began, mut seen) = (Instant::now(), Seen::default());
    let mut said = 0;
    while began.elapsed() < bench.sizes.long {
        sleep(LOOK).await;
        seen.wal_max = seen.wal_max.max(stage.server.wal());
        seen.memory.push(stage.server.resident()?);
        seen.arrived.push(bench.sink.count());
        let minutes = began.elapsed().as_secs() / 60;
        if minutes > said {
            said = minutes;
            say(NAME, &format!("minute {minutes}"));
        }
    }
    drop(stop);
    Ok(seen)
}

impl Seen {
    /// How the rate at the end compares with that at the beginning, warming up left out.
    fn slowing(&self) -> f64 {
        let tenth = self.arrived.len() / 10;
        let of = |from: usize| {
            let at = |place: usize| self.arrived.get(place).copied().unwrap_or(0);
            count(at(from + tenth - 1).saturating_sub(at(from)))
        };
        if tenth < 2 {
            return f64::NAN;
        }
        of(self.arrived.len() - tenth) / of(tenth)
    }
}
