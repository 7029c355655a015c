//! Tests with values made at random: how many, from which seed, and how to see one of them again.
//!
//! Every such test prints its seed. Set for a run, `CHECKFLOW_TEST_SEED` has it try the same values
//! again, and `CHECKFLOW_TEST_CASES` says how many it tries instead of its own number.

use std::{
    env,
    fmt::Debug,
    hash::{BuildHasher as _, RandomState},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngSeed, TestCaseResult, TestError, TestRunner},
};

/// Takes the seed of an earlier run back.
const SEED: &str = "CHECKFLOW_TEST_SEED";
/// How many values to try.
const CASES: &str = "CHECKFLOW_TEST_CASES";
/// Longest that a failure is made smaller; what is then the smallest is told.
const SHRINK_MS_MAX: u32 = 60_000;

/// The seed of a random test: that of the environment or a new one. It is printed.
pub fn seed() -> u64 {
    // A hasher of the standard library is the one source of randomness that needs no crate.
    let seed = read(SEED).unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("{SEED}={seed} has this test try the same values again");
    seed
}

/// So many values from one seed.
#[derive(Debug)]
pub struct Trials {
    seed: u64,
    cases: u32,
    shrinks: bool,
}

impl Trials {
    /// Trials of `cases` values, unless the environment wants more or fewer.
    pub fn new(cases: u32) -> Self {
        Self {
            seed: seed(),
            cases: read(CASES).unwrap_or(cases),
            shrinks: true,
        }
    }

    /// Tells the first failure as it is.
    #[must_use]
    pub fn without_shrinking(mut self) -> Self {
        self.shrinks = false;
        self
    }

    /// Checks every value; fails with the smallest that does not pass.
    pub fn run<S>(&self, values: &S, check: impl Fn(S::Value) -> TestCaseResult)
    where
        S: Strategy<Value: Debug>,
    {
        if let Some(complaint) = self.complaint(values, check) {
            panic!("{complaint}\n{SEED}={} fails again", self.seed);
        }
    }

    /// What the first value that does not pass comes to, if there is one.
    pub fn complaint<S>(
        &self,
        values: &S,
        check: impl Fn(S::Value) -> TestCaseResult,
    ) -> Option<String>
    where
        S: Strategy<Value: Debug>,
    {
        let config = Config {
            cases: self.cases,
            rng_seed: RngSeed::Fixed(self.seed),
            // The seed is what is kept; a file beside the sources would be of one machine.
            failure_persistence: None,
            max_shrink_iters: if self.shrinks { u32::MAX } else { 0 },
            max_shrink_time: SHRINK_MS_MAX,
            ..Config::default()
        };
        match TestRunner::new(config).run(values, check) {
            Ok(()) => None,
            Err(TestError::Fail(why, value)) => Some(format!("{why}\nby {value:#?}")),
            Err(TestError::Abort(why)) => Some(format!("the test ended early: {why}")),
        }
    }
}

/// A number from the environment; fails when it is something else.
fn read<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    let read = text.trim().parse().ok();
    Some(read.unwrap_or_else(|| panic!("{name} must be a whole number, and is {text:?}")))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::{prelude::any, prop_assert};

    use super::*;

    /// Trials that are as many whatever the environment says.
    fn trials(cases: u32) -> Trials {
        Trials {
            cases,
            ..Trials::new(cases)
        }
    }

    fn seen(trials: &Trials) -> Vec<u64> {
        let seen = RefCell::new(Vec::new());
        trials.run(&any::<u64>(), |value| {
            seen.borrow_mut().push(value);
            Ok(())
        });
        seen.into_inner()
    }

    #[test]
    fn the_same_seed_makes_the_same_values() {
        let trials = trials(10);
        assert_eq!(seen(&trials), seen(&trials));
    }

    #[test]
    fn a_failure_is_told_with_the_smallest_value() {
        let complaint = trials(1_000).complaint(&(0..1_000_u32), |value| {
            prop_assert!(value < 100, "it is too large");
            Ok(())
        });
        let complaint = complaint.unwrap();
        assert!(complaint.contains("it is too large"), "{complaint}");
        assert!(complaint.ends_with("by 100"), "{complaint}");
    }
}
