//! When the crash drill ends the server: `--crash-at STEP[:N]`.
//!
//! Of the command line alone: in a file it would be forgotten, and the server would kill itself after
//! each start.

use std::{fmt, num::NonZeroU32};

use anyhow::anyhow;

/// A step of the server. The drill ends it just before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashStep {
    /// A change is made, and its transaction is to be committed.
    Commit,
    /// A change is on disk, and whoever asked for it is to hear so.
    Answer,
    /// What came of attempts is written, and its transaction is to be committed.
    Settle,
    /// A redelivery job has made deliveries due, and its transaction is to be committed.
    Replay,
    /// That is on disk.
    Replayed,
}

impl CrashStep {
    const ALL: [Self; 5] = [
        Self::Commit,
        Self::Answer,
        Self::Settle,
        Self::Replay,
        Self::Replayed,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Commit => "before-commit",
            Self::Answer => "before-answer",
            Self::Settle => "before-settle",
            Self::Replay => "before-replay",
            Self::Replayed => "after-replay",
        }
    }
}

/// Before which step, and the how many-th time that it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrashAt {
    pub(crate) step: CrashStep,
    pub(crate) time: NonZeroU32,
}

impl fmt::Display for CrashAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.step.word(), self.time)
    }
}

/// Takes what the command line says.
pub(super) fn read(text: &str) -> anyhow::Result<CrashAt> {
    let (word, time) = text.split_once(':').unwrap_or((text, "1"));
    let step = CrashStep::ALL.into_iter().find(|step| step.word() == word);
    let at = step.and_then(|step| {
        let time = time.parse().ok()?;
        Some(CrashAt { step, time })
    });
    at.ok_or_else(|| {
        let words = CrashStep::ALL.map(CrashStep::word).join(", ");
        anyhow!(
            "--crash-at or CHECKFLOW_CRASH_AT: {text:?} is no step: write one of {words}, and with \
             :N behind it, N from 1, for the N-th time"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_meant_the_first_time_unless_another_is_said() {
        for (text, expected) in [
            ("before-commit", "before-commit:1"),
            ("before-answer:1", "before-answer:1"),
            ("before-settle:250", "before-settle:250"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_step_is_told_with_what_would_be_one() {
        for text in [
            "commit",
            "Before-Commit",
            "before-commit:",
            "before-commit:0",
            "before-commit:-1",
            "before-commit:1:2",
            "before-commit:5000000000",
            ":1",
        ] {
            let error = read(text).unwrap_err().to_string();
            let expected = format!(
                "--crash-at or CHECKFLOW_CRASH_AT: {text:?} is no step: write one of before-commit, \
                 before-answer, before-settle, before-replay, after-replay, and"
            );
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
