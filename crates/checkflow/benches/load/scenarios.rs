//! What can be measured, a file for each.

mod backlog;
mod bare;
mod flight;
mod hanging;
mod idle;
mod kill;
mod long;
mod nodes;
mod past;
mod prune;
mod sides;
mod start;
mod throughput;

use clap::ValueEnum;

use super::Bench;

/// Something to measure. What it is, and which figures it gives, is in the scenario's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// No server: webhooks straight to the sink
    Bare,
    /// One subscription, as fast as it goes
    #[value(name = "1")]
    One,
    /// Ten subscriptions, as fast as it goes
    #[value(name = "10")]
    Ten,
    /// From completion to arrival on an idle server
    Idle,
    /// Ninety of a hundred receivers never answer
    Hanging,
    /// Ten thousand requests wait for their answers
    Flight,
    /// Killed under load, and started again
    Kill,
    /// Many past deliveries in the store
    Past,
    /// A large past is removed beside the deliveries
    Prune,
    /// A million deliveries wait for a paused subscription
    Backlog,
    /// Ten minutes of full load: write-ahead log and memory
    Long,
    /// Start to ready, idle memory, size of the binary
    Start,
    /// SQLite and PostgreSQL side by side
    Sides,
    /// One, two and three servers on one PostgreSQL
    Nodes,
}

impl Scenario {
    /// All of them, in the order they run.
    pub(crate) const ALL: [Self; 14] = [
        Self::Bare,
        Self::One,
        Self::Ten,
        Self::Idle,
        Self::Hanging,
        Self::Flight,
        Self::Kill,
        Self::Past,
        Self::Prune,
        Self::Backlog,
        Self::Long,
        Self::Start,
        Self::Sides,
        Self::Nodes,
    ];

    pub(crate) async fn run(self, bench: &mut Bench) -> anyhow::Result<()> {
        match self {
            Self::Bare => bare::run(bench).await,
            Self::One => throughput::one(bench).await,
            Self::Ten => throughput::ten(bench).await,
            Self::Idle => idle::run(bench).await,
            Self::Hanging => hanging::run(bench).await,
            Self::Flight => flight::run(bench).await,
            Self::Kill => kill::run(bench).await,
            Self::Past => past::run(bench).await,
            Self::Prune => prune::run(bench).await,
            Self::Backlog => backlog::run(bench).await,
            Self::Long => long::run(bench).await,
            Self::Start => start::run(bench).await,
            Self::Sides => sides::run(bench).await,
            Self::Nodes => nodes::run(bench).await,
        }
    }
}
