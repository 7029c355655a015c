//! What the command line asks for, and how large everything is then.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use super::scenarios::Scenario;

/// What is known of a real run's command line.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    about = "Measures the release binary from outside, as ratios within one run"
)]
pub(crate) struct Args {
    /// What to measure; everything, when nothing is named
    #[arg(value_enum, value_name = "SCENARIO")]
    chosen: Vec<Scenario>,
    /// A short run of everything that is asked for, to see that it works; its figures say little
    #[arg(long)]
    quick: bool,
    /// How often each measurement is made; the median is reported
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: Option<u16>,
    /// How long the scenario `long` lasts
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..=1440))]
    minutes: Option<u16>,
    /// Past events in the store of the scenario `past`, ten deliveries each; 1000000 takes long
    #[arg(long, value_name = "EVENTS")]
    past: Option<usize>,
    /// Also writes the report, the value of each round included, to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Prints the report as docs/performance.md has it
    #[arg(long)]
    pub(crate) markdown: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is sent, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    /// Webhooks straight to the sink.
    pub(crate) bare: usize,
    /// Events, of which each is one delivery.
    pub(crate) one: usize,
    /// Events, of which each is ten deliveries.
    pub(crate) ten: usize,
    /// Events one at a time.
    pub(crate) idle: usize,
    /// How long a hundred subscriptions are served.
    pub(crate) hanging: Duration,
    /// Events that are sent before a kill, at least.
    pub(crate) kill: usize,
    /// Past events, ten deliveries each.
    pub(crate) past: usize,
    /// Deliveries on a paused lane.
    pub(crate) backlog: usize,
    pub(crate) long: Duration,
    pub(crate) starts: usize,
}

const NORMAL: Sizes = Sizes {
    rounds: 3,
    bare: 100_000,
    one: 30_000,
    ten: 8_000,
    idle: 400,
    hanging: Duration::from_secs(20),
    kill: 10_000,
    past: 100_000,
    backlog: 1_000_000,
    long: Duration::from_mins(10),
    starts: 9,
};

const QUICK: Sizes = Sizes {
    rounds: 1,
    bare: 10_000,
    one: 2_000,
    ten: 500,
    idle: 40,
    hanging: Duration::from_secs(2),
    kill: 1_000,
    past: 2_000,
    backlog: 5_000,
    long: Duration::from_secs(3),
    starts: 3,
};

pub(crate) fn parse() -> Args {
    Args::parse()
}

impl Args {
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let chosen = |one: &Scenario| self.chosen.is_empty() || self.chosen.contains(one);
        Scenario::ALL.into_iter().filter(chosen).collect()
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let sizes = if self.quick { QUICK } else { NORMAL };
        let minutes = self.minutes.map(u64::from).map(Duration::from_mins);
        Sizes {
            rounds: self.rounds.map_or(sizes.rounds, usize::from),
            long: minutes.unwrap_or(sizes.long),
            past: self.past.unwrap_or(sizes.past),
            ..sizes
        }
    }
}
