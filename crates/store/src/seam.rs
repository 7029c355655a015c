//! The seam: what a transaction of any backend can do, a trait for each kind of data.
//!
//! Lookups answer `Option`. Everything is found within a team, so that other teams' things are not
//! there. Methods are named noun first. A caller that changes a checklist or a template takes its
//! lock first, so that two nodes do not decide on the same state at once.

mod answers;
mod assignments;
mod bodies;
mod chains;
mod checklists;
mod chores;
mod credentials;
mod deliveries;
mod events;
mod feed;
mod health;
mod keeping;
mod lanes;
mod marks;
mod nodes;
mod people;
mod replays;
mod secrets;
mod subscriptions;
mod teams;
mod templates;

pub use answers::*;
pub use assignments::*;
pub use bodies::*;
pub use chains::*;
pub use checklists::*;
pub use chores::*;
pub use credentials::*;
pub use deliveries::*;
pub use events::*;
pub use feed::*;
pub use health::*;
pub use keeping::*;
pub use lanes::*;
pub use marks::*;
pub use nodes::*;
pub use people::*;
pub use replays::*;
pub use secrets::*;
pub use subscriptions::*;
pub use teams::*;
pub use templates::*;

/// A page of a list that CheckFlow numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// Rows on it.
    pub size: u32,
}

impl Page {
    /// How many rows come before it.
    pub const fn offset(self) -> i64 {
        (self.number.saturating_sub(1) as i64).saturating_mul(self.size as i64)
    }
}

/// What a transaction that only reads can do.
pub trait ReadTx:
    ReadTeams
    + ReadPeople
    + ReadAssignments
    + ReadTemplates
    + ReadChecklists
    + ReadSubscriptions
    + ReadSecrets
    + ReadAnswers
    + ReadCredentials
    + ReadDeliveries
    + ReadFeed
    + ReadKeeping
    + ReadChains
    + ReadHealth
    + ReadReplays
    + ReadMarks
{
}

impl<T> ReadTx for T where
    T: ReadTeams
        + ReadPeople
        + ReadAssignments
        + ReadTemplates
        + ReadChecklists
        + ReadSubscriptions
        + ReadSecrets
        + ReadAnswers
        + ReadCredentials
        + ReadDeliveries
        + ReadFeed
        + ReadKeeping
        + ReadChains
        + ReadHealth
        + ReadReplays
        + ReadMarks
        + ?Sized
{
}

/// What a transaction that changes something can do.
pub trait WriteTx:
    ReadTx
    + WriteTeams
    + WritePeople
    + WriteAssignments
    + WriteTemplates
    + WriteChecklists
    + WriteEvents
    + WriteSubscriptions
    + WriteSecrets
    + WriteAnswers
    + WriteCredentials
    + WriteDeliveries
    + WriteKeeping
    + WriteChains
    + WriteBodies
    + WriteHealth
    + WriteReplays
    + WriteChores
    + WriteMarks
{
}

impl<T> WriteTx for T where
    T: ReadTx
        + WriteTeams
        + WritePeople
        + WriteAssignments
        + WriteTemplates
        + WriteChecklists
        + WriteEvents
        + WriteSubscriptions
        + WriteSecrets
        + WriteAnswers
        + WriteCredentials
        + WriteDeliveries
        + WriteKeeping
        + WriteChains
        + WriteBodies
        + WriteHealth
        + WriteReplays
        + WriteChores
        + WriteMarks
        + ?Sized
{
}
