//! Patterns that values must match.

use regex::Regex;

/// Longest pattern, in characters.
pub const PATTERN_CHARS_MAX: usize = 1_000;
/// Most memory that one compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Least that a compiled pattern counts, in bytes.
const PATTERN_BYTES_MIN: usize = 1024;
/// Most memory that all patterns of one template may take, in bytes. Compiling them takes some 30 ms
/// then, which is the longest that completing a task can be held up by them.
pub const PATTERNS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A pattern that the whole of a value must match, in the syntax of Rust's `regex`.
///
/// Compiled when it is used and not kept: a simple one takes microseconds, and a thousand kept ones
/// that are not would take more memory than everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern that [`Pattern::check`] has passed, or will.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// How many bytes it takes when it is compiled, rounded up to a power of two. The error says in
    /// one line what is wrong with it.
    pub fn check(&self) -> Result<usize, String> {
        if self.0.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!(
                "must be at most {PATTERN_CHARS_MAX} characters long"
            ));
        }
        let mut bytes = PATTERN_BYTES_MIN;
        loop {
            // On its own first: `a)|(b` would be a valid pattern inside the added brackets.
            match compile(&self.0, bytes).and_then(|_| self.compile(bytes)) {
                Ok(_) => return Ok(bytes),
                Err(regex::Error::CompiledTooBig(_)) if bytes < PATTERN_BYTES_MAX => bytes *= 2,
                Err(regex::Error::CompiledTooBig(_)) => {
                    let message = "stands for too many texts; write it with fewer repetitions, or \
                        with [0-9] for \\d and [A-Za-z0-9_] for \\w";
                    return Err(message.to_owned());
                }
                Err(error) => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    let reason = last.trim_start_matches("error: ");
                    return Err(format!("is not a pattern: {reason}"));
                }
            }
        }
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.compile(PATTERN_BYTES_MAX)
            .is_ok_and(|regex| regex.is_match(value))
    }

    fn compile(&self, bytes: usize) -> Result<Regex, regex::Error> {
        // `\z` and not `$`: no flag in the pattern can make it match before a line's end.
        compile(&format!(r"\A(?:{})\z", self.0), bytes)
    }
}

fn compile(pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(bytes).build()
}
