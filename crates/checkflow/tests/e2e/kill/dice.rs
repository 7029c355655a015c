//! Chance that can be repeated.

/// Numbers that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice with the seed of the environment or a new one, which is printed.
    pub(crate) fn new() -> Self {
        Self(testkit::seed())
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
