//! `bare`: the same driver posts webhooks straight to the sink. What no server can exceed here.

use crate::{Bench, report::Unit, stage::FULL};

const NAME: &str = "bare";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let account = bench.bare((bench.sizes.bare, FULL)).await?;
        rates.push(account.per_second());
    }
    bench.report.figure(
        (NAME, ""),
        "delivered, without a server",
        Unit::PerSecond,
        &rates,
    );
    Ok(())
}
