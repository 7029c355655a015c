//! What the command line asks for, and how large everything is then.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;

use super::{scenarios::Scenario, server::Settings};

/// What is known of a real run's command line.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask bench",
    about = "Measures the release binary from outside, as ratios within one run"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own on the command line"
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
    json: Option<PathBuf>,
    /// Has the scenario `flight` measure https as well, by HTTP/1.1 and by HTTP/2
    #[arg(long)]
    pub(crate) secure: bool,
    /// A setting of the server, as a variable without its CHECKFLOW_, such as
    /// `DELIVERY__IN_FLIGHT_PER_SUBSCRIPTION_MAX=1`; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
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
    /// Events while statements and bytes of the write-ahead log are counted: few enough for SQLite's log not to
    /// begin anew.
    pub(crate) counted: usize,
    /// How long a hundred subscriptions are served.
    pub(crate) hanging: Duration,
    /// Events that are in flight at once, two hundred requests each.
    pub(crate) flight: usize,
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
    counted: 1_000,
    hanging: Duration::from_secs(20),
    flight: 50,
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
    counted: 200,
    hanging: Duration::from_secs(2),
    flight: 2,
    kill: 1_000,
    past: 2_000,
    backlog: 5_000,
    long: Duration::from_secs(3),
    starts: 3,
};

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((format!("CHECKFLOW_{name}"), value.to_owned()))
}

pub(crate) fn parse() -> Args {
    Args::parse()
}

impl Args {
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let chosen = |one: &Scenario| self.chosen.is_empty() || self.chosen.contains(one);
        Scenario::ALL.into_iter().filter(chosen).collect()
    }

    pub(crate) fn settings(&self) -> Settings {
        self.set.clone().into()
    }

    /// Cargo starts benchmarks in the folder of their package, people at the root of the workspace.
    pub(crate) fn json_path(&self) -> Option<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        self.json.as_ref().map(|path| root.join(path))
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
