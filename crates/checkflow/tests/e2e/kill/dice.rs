//! Chance that can be repeated.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
};

/// Takes the seed that a failed run has printed.
const VARIABLE: &str = "CHECKFLOW_TEST_SEED";

/// Numbers that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice with the seed of the environment or a new one, which is printed.
    pub(crate) fn new() -> Self {
        let given = env::var(VARIABLE).ok();
        let seed = match given.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => text
                .parse()
                .unwrap_or_else(|_| panic!("{VARIABLE} is no number: {text}")),
            // Each is keyed by what the system gives at random.
            None => RandomState::new().hash_one(()),
        };
        println!("seed {seed}: run again with {VARIABLE}={seed}");
        Self(seed)
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        // Additive steps, scrambled: every seed gives a sequence of its own (SplitMix64).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] {
            mixed = (mixed ^ (mixed >> shift)).wrapping_mul(factor);
        }
        mixed ^= mixed >> 31;
        let span = u64::try_from(most - least).unwrap() + 1;
        least + usize::try_from(mixed % span).unwrap()
    }

    /// Puts `things` into some order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.between(0, last));
        }
    }
}
