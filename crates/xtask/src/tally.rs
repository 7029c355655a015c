//! Adds up what the test binaries say, while their words pass through unchanged.
//!
//! `cargo test` closes each binary by itself and nothing at the end; one line that sums them up is
//! what a reader, or a script that reads the log, looks for.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
};

/// The longest line that is looked at whole; a longer one passes through in pieces.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How the tests of all binaries ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that held.
    pub(crate) passed: u64,
    /// Tests that did not, and one for each binary that died before it said how its tests ended.
    pub(crate) failed: u64,
    /// Between `running N tests` and its `test result:`.
    open: bool,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// Copies all of `from` to `to`, line by line, and adds up the results in it.
    pub(crate) fn of_stream(from: impl Read, to: &mut impl Write) -> io::Result<Self> {
        let mut from = BufReader::new(from);
        let mut tally = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            // Bytes, not text: what a failed test printed need not be UTF-8.
            let read = from
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                tally.end();
                return Ok(tally);
            }
            to.write_all(&line)?;
            to.flush()?;
            tally.add_line(&String::from_utf8_lossy(&line));
        }
    }

    fn add_line(&mut self, line: &str) {
        let line = line.trim_end();
        if is_opening(line) {
            self.end();
            self.open = true;
        } else if let Some((passed, failed)) = closing(line) {
            self.passed += passed;
            self.failed += failed;
            self.open = false;
        }
    }

    /// A binary that announced its tests and never closed them was killed or aborted. Without this
    /// the sum would say that nothing failed.
    fn end(&mut self) {
        self.failed += u64::from(self.open);
        self.open = false;
    }
}

/// `running 12 tests`, as a test binary begins.
fn is_opening(line: &str) -> bool {
    let count = line.strip_prefix("running ").and_then(|rest| {
        rest.strip_suffix(" tests")
            .or_else(|| rest.strip_suffix(" test"))
    });
    count.is_some_and(|count| count.parse::<u64>().is_ok())
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`, as a test binary ends.
fn closing(line: &str) -> Option<(u64, u64)> {
    let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| {
        let mut counts = counts.split("; ").filter_map(|part| part.split_once(' '));
        counts.find(|(_, word)| *word == name)?.0.parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers passed and failed in `output`, which must have passed through unchanged.
    fn check(output: &[u8], passed: u64, failed: u64) {
        let mut copied = Vec::new();
        let tally = Tally::of_stream(output, &mut copied).expect("memory does not fail");
        assert_eq!((tally.passed, tally.failed), (passed, failed));
        assert_eq!(copied, output);
    }

    #[test]
    fn the_results_of_all_binaries_are_added_up() {
        let output = b"
running 2 tests
test one ... ok
test two ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 1 test
test three ... FAILED

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

running 0 tests

test result: ok. 0 passed; 0 failed; 3 ignored; 0 measured; 4 filtered out; finished in 0.00s
";
        check(output, 2, 1);
    }

    #[test]
    fn a_binary_that_dies_before_its_result_counts_as_a_failure() {
        let in_the_middle = b"running 9 tests\nrunning 1 test\n\
            test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        check(in_the_middle, 1, 1);
        check(b"running 9 tests\ntest one ... ok\n", 0, 1);
    }

    #[test]
    fn what_only_looks_like_a_result_is_not_counted() {
        check(
            b"the test result: ok. 7 passed; 0 failed; 0 ignored\n",
            0,
            0,
        );
        check(
            b"test result: unclear\nrunning late\nrunning few tests\n",
            0,
            0,
        );
    }

    #[test]
    fn bytes_that_are_no_text_and_a_last_line_without_an_end_pass_through() {
        check(
            b"\xff\xfe\ntest result: ok. 3 passed; 0 failed; 0 ignored",
            3,
            0,
        );
    }

    #[test]
    fn a_line_without_end_passes_through_in_pieces() {
        let mut output = vec![b'x'; 3 * usize::try_from(LINE_BYTES_MAX).expect("it is small")];
        output.extend_from_slice(b"\ntest result: ok. 1 passed; 0 failed; 0 ignored\n");
        check(&output, 1, 0);
    }

    #[test]
    fn the_sum_is_one_plain_line() {
        let tally = Tally {
            passed: 37,
            failed: 2,
            open: false,
        };
        assert_eq!(tally.to_string(), "37 passed, 2 failed");
    }
}
