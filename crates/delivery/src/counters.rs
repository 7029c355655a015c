//! What the engine has done since its start, counted for readiness and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that only matter by themselves, so no order between them is kept.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) delivered: Counter,
    pub(crate) failed: Counter,
    pub(crate) settled: Counter,
    pub(crate) lease_lost: Counter,
    pub(crate) given_back: Counter,
    pub(crate) rescued: Counter,
    pub(crate) dropped: Counter,
    /// Outcomes that are not on disk yet.
    pub(crate) unsettled: Counter,
}

impl Counters {
    /// Outcomes that were stored, refused or given up.
    pub(crate) fn ended(&self) -> u64 {
        self.settled.get() + self.lease_lost.get() + self.dropped.get()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn take_off(&self, count: usize) {
        self.0.fetch_sub(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How the engine stands. Counts are since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Whether anything is begun: not while leases of an earlier life are being ended, while
    /// outcomes can't be stored, or when stopping.
    pub is_open: bool,
    /// Permits that are out: requests, and what is about to be one.
    pub in_flight: u32,
    /// Subscriptions that are remembered: with requests, a backlog, or slow.
    pub lanes: usize,
    /// Subscriptions whose turn it is not yet.
    pub lanes_waiting: usize,
    /// Subscriptions whose receiver asked to be left alone.
    pub lanes_closed: usize,
    /// Outcomes that are not on disk yet.
    pub unsettled: u64,
    /// Attempts that a receiver took.
    pub delivered: u64,
    /// Attempts that came to anything else.
    pub failed: u64,
    /// Outcomes stored.
    pub settled: u64,
    /// Outcomes that came after their lease.
    pub lease_lost: u64,
    /// Outcomes that could not be stored, and so will count as unknown.
    pub dropped: u64,
    /// Deliveries given back unsent.
    pub given_back: u64,
    /// Deliveries whose sender was gone.
    pub rescued: u64,
}
