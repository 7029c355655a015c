//! `prune`: what deliveries notice while nearly all of a large past is removed beside them, against an empty store.
//!
//! The server removes what is older than an hour, which it begins within minutes. A round counts only if something was
//! removed during it and something was left at its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use crate::{
    Bench,
    account::count,
    drive::Load,
    fill::{self, Subject},
    report::Unit,
    stage::{FULL, Stage},
};

const NAME: &str = "prune";
const SUBSCRIPTIONS: u16 = 10;
/// Removes all but the last of it.
const SHORT: (&str, &str) = ("CHECKFLOW_KEEPING__LOG", "1h");
/// Longer than it takes until the server looks again for what is to be removed.
const BEGUN_WITHIN: Duration = Duration::from_mins(7);
/// How often is looked whether it has begun.
const LOOK: Duration = Duration::from_millis(100);
/// Few enough for a delivery to wait for nothing but what else is written.
const PACED: Load = Load {
    connections: 1,
    per_second: Some(50),
};

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (past, events, few) = (bench.sizes.past, bench.sizes.ten, bench.sizes.idle);
    let empty = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
    empty.warm_up(bench, SUBSCRIPTIONS).await?;
    let (mut halves, mut nearly_all) = (Vec::new(), Vec::new());
    let (mut costs, mut times, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let pruning = pruning(bench, past).await?;
    let mut before = begun(&pruning).await?;
    for _ in 0..bench.sizes.rounds {
        let all = |_| 0..SUBSCRIPTIONS;
        let without = empty.measure(bench, NAME, (few, PACED), all).await?;
        let with = pruning.measure(bench, NAME, (few, PACED), all).await?;
        halves.push(with.account.percentile(50) / without.account.percentile(50));
        nearly_all.push(with.account.percentile(99) / without.account.percentile(99));
        let without = empty.measure(bench, NAME, (events, FULL), all).await?;
        let with = pruning.measure(bench, NAME, (events, FULL), all).await?;
        costs.push(with.cpu_per_thousand() / without.cpu_per_thousand());
        times.push(without.account.per_second() / with.account.per_second());
        let gone = gone(&pruning).await?;
        removed.push(count(gone - before));
        if gone == before || gone >= past as u64 {
            let fault = format!("{before} of {past} past events were gone before, {gone} after it");
            bench.report.fault(NAME, fault);
        }
        before = gone;
    }
    empty.stop().await?;
    pruning.stop().await?;
    let report = &mut bench.report;
    let aim = "1.5x / 1.1x";
    for (aim, what, values) in [
        (
            aim,
            "processor time for a delivery, pruning / empty",
            &costs,
        ),
        (aim, "time for a delivery, pruning / empty", &times),
        ("", "send to arrival, p50, pruning / empty", &halves),
        ("", "send to arrival, p99, pruning / empty", &nearly_all),
    ] {
        report.figure((NAME, aim), what, Unit::Times, values);
    }
    report.figure(
        (NAME, ""),
        "past events removed meanwhile",
        Unit::Count,
        &removed,
    );
    Ok(())
}

/// A stage with so many past events, whose server is to remove them.
async fn pruning(bench: &mut Bench, past: usize) -> anyhow::Result<Stage> {
    let stage = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
    let subject = Subject::of(&stage)?;
    let stage = stage.with_settings([SHORT]);
    let past = (past, SUBSCRIPTIONS.into());
    let stage = stage
        .restarted(async |data| fill::delivered(data, &subject, past).await)
        .await?;
    // Only now: removing goes from the oldest on, in the order in which events were stored.
    stage.warm_up(bench, SUBSCRIPTIONS).await?;
    Ok(stage)
}

/// Waits until some are removed, and answers how many.
async fn begun(stage: &Stage) -> anyhow::Result<u64> {
    let begun = Instant::now();
    while begun.elapsed() < BEGUN_WITHIN {
        let gone = gone(stage).await?;
        if gone > 0 {
            return Ok(gone);
        }
        sleep(LOOK).await;
    }
    bail!("nothing was removed within {BEGUN_WITHIN:?}")
}

/// How many of the events from the beginning on are not kept any more.
async fn gone(stage: &Stage) -> anyhow::Result<u64> {
    let mut api = stage.api().await?;
    let listed = api.done("GET", "/api/web-hook/subscriptions?limit=1", "");
    let listed = listed.await?;
    let id = listed[0]["id"].as_str();
    let id = id.context("a subscription")?;
    let path = format!("/api/web-hook/events?subscriptionId={id}&afterSequence=0&limit=1");
    let feed = api.done("GET", &path, "").await?;
    let first = feed["firstSequence"].as_u64().context("firstSequence")?;
    Ok(first.saturating_sub(1))
}
