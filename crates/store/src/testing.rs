//! What the tests of this crate share: a source that repeats itself, things to store, and a walk
//! through all that can be asked of a store.

pub(crate) mod texts;
pub(crate) mod things;
pub(crate) mod walk;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU8, Ordering},
};

use domain::{Clock, Entropy, Source, Timestamp};

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct Still(Arc<AtomicI64>);

impl Still {
    pub(crate) fn at(millis: i64) -> Self {
        Self(Arc::new(AtomicI64::new(millis)))
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Count(AtomicU8);

impl Entropy for Count {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Randomness that counts, by `clock`.
pub(crate) fn source_of(clock: &Still) -> Source {
    Source::new(clock.clone(), Count::default())
}

/// Randomness that counts from `first`, and time that stands still.
pub(crate) fn source_from(first: u8) -> Source {
    Source::new(Still::at(0), Count(AtomicU8::new(first)))
}

/// Randomness that counts, and time that stands still.
pub(crate) fn source() -> Source {
    source_of(&Still::at(1_795_455_715_120))
}
