//! Chains: of a subscription that wants its deliveries in order, those of one checklist that are not through.
//! The first of a chain may be sent, and the rest waits behind it.
//!
//! Whoever sees a chain's first through lets the next go: on SQLite in the same commit, on PostgreSQL right
//! after it. What is here is for a chain that nobody let go, because a node ended in between.

use async_trait::async_trait;
use domain::{ChecklistId, SubscriptionId, Timestamp};

use crate::StoreError;

/// When one is due that waits behind another of its chain: at the end of time, so that who looks for what is due
/// passes it over. It is due in truth from its event on, once it is let go.
pub(crate) const NOT_YET: Timestamp = Timestamp::from_millis(253_402_300_799_999);
/// Why one waits that has another of its chain before it.
pub(crate) const BEHIND_ANOTHER: &str =
    "an earlier delivery of the same checklist has to come to its end first";

/// What is in order among itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// About which checklist.
    pub checklist: ChecklistId,
}

/// Looking at chains.
#[async_trait]
pub trait ReadChains: Send {
    /// Chains whose first waits although nothing is before it; at most `limit`. Reads an entry of an index for
    /// each delivery that is not through.
    async fn chain_stuck(&mut self, limit: u32) -> Result<Vec<Chain>, StoreError>;
}

/// Changing chains.
#[async_trait]
pub trait WriteChains: Send {
    /// Lets the first of each chain go, where it waits although nothing is before it.
    async fn chain_let_go(&mut self, chains: &[Chain]) -> Result<(), StoreError>;
}
