//! How many statements a store has run.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many statements a store has run, so that tests can hold use cases to a number.
///
/// Statements of units of work only: beginning, savepoints and committing are not counted.
#[derive(Clone, Debug, Default)]
pub struct StatementCount(Arc<AtomicU64>);

impl StatementCount {
    /// Statements run since the store was opened.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
