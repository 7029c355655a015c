//! `start`: from the start of the process until it can answer, its memory while nothing happens, and the
//! size of the binary.

use std::time::Duration;

use tokio::time::sleep;

use crate::{Bench, account::count, machine::binary_bytes, report::Unit, stage::Stage};

const NAME: &str = "start";
/// How long a server has been ready when its memory is looked at.
const IDLE_FOR: Duration = Duration::from_secs(1);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut stage = Stage::with_subscriptions(bench, 1).await?;
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.starts {
        stage = stage.restarted(async |_| Ok(())).await?;
        ready.push(stage.server.ready_after.as_secs_f64() * 1_000.0);
        sleep(IDLE_FOR).await;
        memory.push(count(stage.server.resident()?));
    }
    let (built, stripped) = binary_bytes(&stage.data())?;
    stage.stop().await?;
    let report = &mut bench.report;
    report.figure(
        (NAME, "150 ms / 50 ms"),
        "start to ready",
        Unit::Millis,
        &ready,
    );
    report.figure((NAME, "30 MiB / 15 MiB"), "idle memory", Unit::MiB, &memory);
    report.figure((NAME, ""), "binary as built", Unit::MB, &[count(built)]);
    match stripped {
        Some(bytes) => {
            let aim = (NAME, "40 MB / 30 MB");
            report.figure(aim, "binary, stripped", Unit::MB, &[count(bytes)]);
        }
        None => report.note(
            NAME,
            "there is no `strip` here, so the binary is as built".to_owned(),
        ),
    }
    Ok(())
}
