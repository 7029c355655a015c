//! `hanging`: a hundred subscriptions, ninety of whose receivers read the webhook and never answer.
//!
//! 500 events a second. Each of the ten tasks of the template has ten subscriptions, so each event is
//! ten deliveries: one to a healthy receiver, whose lateness is measured, and nine to receivers that
//! hang. It is compared with the same hundred while all of them answer.

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

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (mut ratios, mut without, mut with) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.sizes.rounds {
        let healthy = round(bench, false).await?.account.percentile(99);
        let hanging = round(bench, true).await?.account.percentile(99);
        ratios.push(hanging / healthy);
        without.push(healthy);
        with.push(hanging);
    }
    let report = &mut bench.report;
    let aim = "3x / 1.5x";
    report.figure(
        (NAME, aim),
        "healthy p99, 90 of 100 hanging / none",
        Unit::Times,
        &ratios,
    );
    report.figure(
        (NAME, ""),
        "healthy p99, none hanging",
        Unit::Millis,
        &without,
    );
    report.figure(
        (NAME, ""),
        "healthy p99, 90 of 100 hanging",
        Unit::Millis,
        &with,
    );
    Ok(())
}

/// On a store and a server of its own: one that hung has a backlog, which would weigh on the next.
async fn round(bench: &mut Bench, hang: bool) -> anyhow::Result<Measured> {
    let stage = Stage::new().await?;
    let mut api = stage.api().await?;
    let tasks = u16::try_from(TASKS)?;
    for (task, key) in (0..tasks).zip(&stage.template.tasks) {
        let scope = format!("taskKey={key}");
        api.subscribe(&bench.sink.target(task), &scope).await?;
        for beside in 0..BESIDE {
            let number = tasks + task * BESIDE + beside;
            let target = if hang {
                bench.sink.hanging_target(number)
            } else {
                bench.sink.target(number)
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
