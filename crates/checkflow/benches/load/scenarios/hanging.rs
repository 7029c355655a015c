//! `hanging`: a hundred subscriptions, ninety of whose receivers read the webhook and never answer.
//!
//! 500 events a second. Each of the ten tasks of the template has ten subscriptions, so each event is
//! ten deliveries: one to a healthy receiver, whose lateness is measured, and nine beside it. These
//! hang; or they answer, which is the comparison; or are not there at all, which shows how much of the
//! lateness comes from storing and sending ten deliveries instead of one.

use std::ops::Range;

use crate::{
    Bench,
    account::count,
    api::TASKS,
    drive::Load,
    report::Unit,
    stage::{CONNECTIONS, Measured, Stage},
};

const NAME: &str = "hanging";
const PER_SECOND: u32 = 500;
const LOAD: Load = Load {
    connections: CONNECTIONS,
    per_second: Some(PER_SECOND),
};
/// Subscriptions of each task beside the healthy one.
const BESIDE: u16 = 9;

/// What the ninety are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Missing,
    Healthy,
    Hanging,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    const ALL: [(Beside, &str); 3] = [
        (Beside::Missing, "healthy p99, without the ninety"),
        (Beside::Healthy, "healthy p99, none of 100 hanging"),
        (Beside::Hanging, "healthy p99, 90 of 100 hanging"),
    ];
    let (mut ratios, mut late) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for _ in 0..bench.sizes.rounds {
        let mut of_round = Vec::new();
        for ((beside, _), late) in ALL.into_iter().zip(&mut late) {
            let p99 = round(bench, beside).await?.account.percentile(99);
            late.push(p99);
            of_round.push(p99);
        }
        ratios.push(of_round[2] / of_round[1]);
    }
    let report = &mut bench.report;
    report.figure(
        (NAME, "3x / 1.5x"),
        "healthy p99, 90 of 100 hanging / none",
        Unit::Times,
        &ratios,
    );
    for ((_, what), late) in ALL.into_iter().zip(&late) {
        report.figure((NAME, ""), what, Unit::Millis, late);
    }
    Ok(())
}

/// On a store and a server of its own: one that hung has a backlog, which would weigh on the next.
async fn round(bench: &mut Bench, beside: Beside) -> anyhow::Result<Measured> {
    let stage = Stage::new(bench).await?;
    let mut api = stage.api().await?;
    let tasks = u16::try_from(TASKS)?;
    for (task, key) in (0..tasks).zip(&stage.template.tasks) {
        let scope = format!("taskKey={key}");
        api.subscribe(&bench.sink.target(task), &scope).await?;
        for one in (0..BESIDE).filter(|_| beside != Beside::Missing) {
            let number = tasks + task * BESIDE + one;
            let target = match beside {
                Beside::Hanging => bench.sink.hanging_target(number),
                Beside::Missing | Beside::Healthy => bench.sink.target(number),
            };
            api.subscribe(&target, &scope).await?;
        }
    }
    let seconds = bench.sizes.hanging.as_secs();
    let events = usize::try_from(seconds * u64::from(PER_SECOND))?;
    let measured = stage.measure(bench, NAME, (events, LOAD), healthy).await?;
    stage.stop().await?;
    let lasted = measured.account.span.as_secs_f64();
    // A server that does not keep up makes both figures queues, and their ratio nothing.
    if lasted > count(seconds) * 1.1 {
        let note =
            format!("the load of {seconds} s took {lasted:.1} s: this machine is too slow for it");
        bench.report.note(NAME, note);
    }
    Ok(measured)
}

/// The healthy subscription of the event's task: tasks are in line checklist by checklist.
fn healthy(number: usize) -> Range<u16> {
    let task = u16::try_from(number % TASKS).unwrap_or(0);
    task..task + 1
}
