//! Time that is moved by hand, and randomness that repeats itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Clock, Entropy, Source, Timestamp};

/// The moment at which every test begins: 2026-11-23T17:41:55.120Z.
const BEGINNING: i64 = 1_795_455_715_120;

/// A clock that stands still until somebody moves it. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(BEGINNING)))
    }
}

impl TestClock {
    /// Moves on by `duration`, whole milliseconds, and answers the moment it is then.
    pub fn advance(&self, duration: Duration) -> Timestamp {
        let now = self.now().after(duration);
        self.set(now);
        now
    }

    /// Moves to `moment`, be it later or earlier.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_millis(), Ordering::SeqCst);
    }

    /// The moment it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// Counts instead of rolling dice, so that identifiers made in the same millisecond sort in the
/// order they were made in, and a test that runs again makes the same ones.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        bytes.fill(0);
        // The end of the bytes is the end of the number, which is where a UUID keeps the part that
        // varies least; shorter askers get the lowest bytes.
        for (byte, digit) in bytes.iter_mut().rev().zip(count.iter().rev()) {
            *byte = *digit;
        }
    }
}

/// A source of time and randomness for one test, and the clock in it.
pub fn test_source() -> (Source, TestClock) {
    let clock = TestClock::default();
    (
        Source::new(clock.clone(), CountingEntropy::default()),
        clock,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_made_in_one_millisecond_sort_in_the_order_they_were_made_in() {
        let (source, _) = test_source();
        let made: Vec<_> = (0..1_000).map(|_| source.uuid()).collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn a_clone_is_the_same_clock() {
        let (source, clock) = test_source();
        let before = source.now();
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(source.now().since(before), Duration::from_secs(5));
    }
}
