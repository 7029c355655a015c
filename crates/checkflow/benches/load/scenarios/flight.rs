//! `flight`: ten thousand requests that wait for their answers at once, and the memory that each of them takes.
//!
//! Two hundred subscriptions want every event. The same number of deliveries is sent and answered first, so that
//! what is measured is the requests and not the store. Then the receiver holds its answers back until all are
//! there, and lets them go: nothing may be lost. With `--secure` over https too, by HTTP/1.1 and by HTTP/2, where
//! each subscription has one connection.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    Bench, account::count, drive::Load, drive::drive, report::Unit, sink::Way, stage::Stage,
};

const NAME: &str = "flight";
/// Each a request of each event.
const SUBSCRIPTIONS: u16 = 200;
/// Few enough at a time for the sink's queue of connections that are not taken yet.
const LOAD: Load = Load {
    connections: 1,
    per_second: Some(5),
};
/// How long is waited for all to be in flight. Shorter than the timeout of a request.
const ALOFT_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let before = bench.settings.clone();
    let events = bench.sizes.flight;
    let added = [
        // A quarter is kept for lanes that have none.
        ("CHECKFLOW_DELIVERY__IN_FLIGHT_MAX", "16384".to_owned()),
        (
            "CHECKFLOW_DELIVERY__IN_FLIGHT_PER_SUBSCRIPTION_MAX",
            events.to_string(),
        ),
        ("CHECKFLOW_DELIVERY__REQUEST_TIMEOUT", "30s".to_owned()),
    ];
    let added = added.map(|(name, value)| (name.to_owned(), value));
    // In place of the authorities of the machine, which nothing here needs.
    let roots = bench.sink.roots().to_string_lossy().into_owned();
    let roots = [("SSL_CERT_FILE".to_owned(), roots)];
    let added = added.into_iter().chain(roots);
    bench.settings = before.iter().cloned().chain(added).collect();
    let ways = [
        (Way::Plain, ""),
        (Way::Https, ", https"),
        (Way::Http2, ", HTTP/2"),
    ];
    let mut measured = Ok(());
    for (way, name) in ways {
        if measured.is_ok() && (way == Way::Plain || bench.secure) {
            bench.way = way;
            measured = rounds(bench, events, name).await;
        }
    }
    (bench.settings, bench.way) = (before, Way::Plain);
    measured
}

async fn rounds(bench: &mut Bench, events: usize, way: &str) -> anyhow::Result<()> {
    let (mut each, mut rest, mut most, mut aloft) = (vec![], vec![], vec![], vec![]);
    for _ in 0..bench.sizes.rounds {
        let stage = Stage::with_subscriptions(bench, SUBSCRIPTIONS).await?;
        stage
            .measure(bench, NAME, (events, LOAD), |_| 0..SUBSCRIPTIONS)
            .await?;
        let tasks = stage.tasks(events).await?;
        stage.quiet().await?;
        let idle = stage.server.resident()?;
        bench.sink.forget();
        bench.sink.hold(true);
        let sends = drive(vec![stage.asking()], tasks, LOAD).await?;
        let (all, began) = (events * usize::from(SUBSCRIPTIONS), Instant::now());
        while bench.sink.held() < all && began.elapsed() < ALOFT_WITHIN {
            sleep(LOOK).await;
        }
        let (held, full) = (bench.sink.held(), stage.server.resident()?);
        bench.sink.hold(false);
        let account = bench.arrived(&sends, &|_| 0..SUBSCRIPTIONS).await;
        bench.judge(NAME, &sends, &account);
        if held < all {
            let fault = format!("only {held} of {all} requests were in flight at once");
            bench.report.fault(NAME, fault);
        }
        stage.stop().await?;
        each.push(count(full.saturating_sub(idle)) / count(held.max(1)));
        rest.push(count(idle));
        most.push(count(full));
        aloft.push(count(held));
    }
    let report = &mut bench.report;
    let aim = "16 KiB / 16 KiB";
    for (aim, what, unit, values) in [
        (aim, "memory of a request in flight", Unit::KiB, &each),
        ("", "requests in flight at once", Unit::Count, &aloft),
        ("", "memory before them", Unit::MiB, &rest),
        ("", "memory with them", Unit::MiB, &most),
    ] {
        report.figure((NAME, aim), &format!("{what}{way}"), unit, values);
    }
    Ok(())
}
