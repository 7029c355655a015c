//! How the steps of a run ended: a table with their times, and the sum of the tests.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{steps::Step, tally::Tally};

/// What a step came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether all of it held.
    pub(crate) ok: bool,
    /// The tests in it, when it ran any.
    pub(crate) tally: Option<Tally>,
}

impl Outcome {
    /// A step without tests.
    pub(crate) fn of(ok: bool) -> Self {
        Self { ok, tally: None }
    }
}

/// The steps of one run.
pub(crate) struct Report {
    rows: Vec<Row>,
    tally: Option<Tally>,
}

struct Row {
    step: Step,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

impl Report {
    /// Calls `run` for each of `steps` in turn. After the first that fails the others are not run:
    /// they would bury its output under their own.
    pub(crate) fn of(steps: &[Step], mut run: impl FnMut(Step) -> anyhow::Result<Outcome>) -> Self {
        let mut report = Self {
            rows: Vec::with_capacity(steps.len()),
            tally: None,
        };
        let mut going = true;
        for &step in steps {
            let mut end = End::NotRun;
            if going {
                let begun = Instant::now();
                let outcome = run(step).unwrap_or_else(|error| {
                    println!("{}: {error:#}", step.name());
                    Outcome::of(false)
                });
                going = outcome.ok;
                report.tally = outcome.tally.or(report.tally);
                let took = begun.elapsed();
                end = if going {
                    End::Passed(took)
                } else {
                    End::Failed(took)
                };
            }
            report.rows.push(Row { step, end });
        }
        report
    }

    /// Whether every step ran and held.
    pub(crate) fn passed(&self) -> bool {
        self.rows
            .iter()
            .all(|row| matches!(row.end, End::Passed(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<8}{:<9}{:>9}", "step", "result", "time")?;
        let mut total = Duration::ZERO;
        for Row { step, end } in &self.rows {
            let (result, took) = match *end {
                End::Passed(took) => ("passed", took),
                End::Failed(took) => ("FAILED", took),
                End::NotRun => {
                    writeln!(f, "{:<8}not run", step.name())?;
                    continue;
                }
            };
            total += took;
            writeln!(
                f,
                "{:<8}{result:<9}{:>7.1} s",
                step.name(),
                took.as_secs_f64()
            )?;
        }
        writeln!(f, "{:<8}{:<9}{:>7.1} s", "total", "", total.as_secs_f64())?;
        match &self.tally {
            // Alone on the last line, where scripts look for it.
            Some(tally) => writeln!(f, "\n{tally}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(line: &str) -> Tally {
        Tally::of_stream(line.as_bytes(), &mut Vec::new()).unwrap()
    }

    #[test]
    fn nothing_runs_after_the_first_step_that_fails() {
        let mut ran = Vec::new();
        let report = Report::of(&[Step::Fmt, Step::Clippy, Step::Unit], |step| {
            ran.push(step);
            Ok(Outcome::of(step != Step::Clippy))
        });
        assert_eq!(ran, [Step::Fmt, Step::Clippy]);
        assert!(!report.passed());
        let table = report.to_string();
        for said in ["fmt     passed", "clippy  FAILED", "unit    not run"] {
            assert!(table.contains(said), "{table}");
        }
    }

    #[test]
    fn a_step_that_cannot_start_has_failed() {
        let report = Report::of(&[Step::Deny], |_| anyhow::bail!("no such program"));
        assert!(!report.passed());
        assert!(report.to_string().contains("deny    FAILED"), "{report}");
    }

    #[test]
    fn the_sum_of_the_tests_stands_alone_on_the_last_line() {
        let tally = sum_of("test result: ok. 41 passed; 0 failed; 0 ignored\n");
        let report = Report::of(&[Step::Fmt, Step::Unit], |step| {
            Ok(Outcome {
                ok: true,
                tally: (step == Step::Unit).then_some(tally),
            })
        });
        assert!(report.passed());
        assert_eq!(
            report.to_string().lines().last(),
            Some("41 passed, 0 failed")
        );
    }

    #[test]
    fn the_sum_is_shown_when_tests_failed_and_left_out_when_none_were_asked_for() {
        let tally = sum_of("test result: FAILED. 40 passed; 1 failed; 0 ignored\n");
        let failed = Report::of(&[Step::Unit], |_| {
            Ok(Outcome {
                ok: false,
                tally: Some(tally),
            })
        });
        assert!(!failed.passed());
        assert!(
            failed.to_string().ends_with("\n40 passed, 1 failed\n"),
            "{failed}"
        );
        let without = Report::of(&[Step::Fmt], |_| Ok(Outcome::of(true)));
        assert!(!without.to_string().contains("passed,"), "{without}");
    }
}
