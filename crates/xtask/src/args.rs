//! What the command line asks for. By hand: there are few commands and one option of our own.

use std::fmt;

use crate::steps::Step;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
The project's own commands.

cargo xtask test                   everything that must pass; installs what the tests need
cargo xtask test --only STEP,...   only these steps of: fmt, walls, clippy, doc, deny, unit, bench
cargo xtask bench [ARGUMENT]...    the benchmark (docs/performance.md); --help lists its arguments
cargo xtask advisories             known vulnerabilities of what we depend on (needs a network)

The status is 0 when all is well, 1 when a step failed, 2 when the arguments cannot be read.";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Run these steps, in their own order.
    Test(Vec<Step>),
    /// Build the release binary and run the benchmark with these arguments, which are its own.
    Bench(Vec<String>),
    /// Ask the advisory database about the lock file.
    Advisories,
}

/// Why a command line cannot be read; one line, with what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing was asked for.
    CommandMissing,
    /// No command has this name.
    CommandUnknown(String),
    /// The command does not take this argument.
    ArgumentUnknown {
        command: &'static str,
        argument: String,
    },
    /// `--only` stood at the end, or before an empty text.
    StepsMissing,
    /// No step has this name.
    StepUnknown(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandMissing => {
                write!(f, "say what to do: test, bench, advisories or --help")
            }
            Self::CommandUnknown(name) => {
                write!(
                    f,
                    "unknown command '{name}'; there are test, bench, advisories and --help"
                )
            }
            Self::ArgumentUnknown { command, argument } => {
                write!(
                    f,
                    "{command} does not take '{argument}'; see cargo xtask --help"
                )
            }
            Self::StepsMissing => write!(f, "--only needs steps: {}", step_names()),
            Self::StepUnknown(name) => {
                write!(f, "unknown step '{name}'; the steps are {}", step_names())
            }
        }
    }
}

fn step_names() -> String {
    Step::ALL.map(Step::name).join(",")
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, Unreadable> {
    let command = args.next().ok_or(Unreadable::CommandMissing)?;
    match command.as_str() {
        "--help" | "-h" | "help" => Ok(Command::Help),
        "test" => test(args),
        "bench" => Ok(Command::Bench(args.collect())),
        "advisories" => match args.next() {
            None => Ok(Command::Advisories),
            Some(argument) if is_help(&argument) => Ok(Command::Help),
            Some(argument) => Err(Unreadable::ArgumentUnknown {
                command: "advisories",
                argument,
            }),
        },
        _ => Err(Unreadable::CommandUnknown(command)),
    }
}

fn test(mut args: impl Iterator<Item = String>) -> Result<Command, Unreadable> {
    let mut chosen = Vec::new();
    while let Some(argument) = args.next() {
        if is_help(&argument) {
            return Ok(Command::Help);
        } else if argument == "--only" {
            choose(&args.next().unwrap_or_default(), &mut chosen)?;
        } else if let Some(names) = argument.strip_prefix("--only=") {
            choose(names, &mut chosen)?;
        } else {
            return Err(Unreadable::ArgumentUnknown {
                command: "test",
                argument,
            });
        }
    }
    // The order is that of the steps, cheap ones first, whatever order they were named in.
    let wanted = |step: &Step| chosen.is_empty() || chosen.contains(step);
    Ok(Command::Test(
        Step::ALL.into_iter().filter(wanted).collect(),
    ))
}

fn choose(names: &str, chosen: &mut Vec<Step>) -> Result<(), Unreadable> {
    if names.is_empty() {
        return Err(Unreadable::StepsMissing);
    }
    for name in names.split(',') {
        let step = Step::ALL.into_iter().find(|step| step.name() == name);
        chosen.push(step.ok_or_else(|| Unreadable::StepUnknown(name.to_owned()))?);
    }
    Ok(())
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Unreadable> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_a_choice_every_step_runs() {
        assert_eq!(parsed("test"), Ok(Command::Test(Step::ALL.to_vec())));
    }

    #[test]
    fn chosen_steps_run_once_each_in_their_own_order() {
        let two = Ok(Command::Test(vec![Step::Clippy, Step::Unit]));
        assert_eq!(parsed("test --only unit,clippy"), two);
        assert_eq!(parsed("test --only=unit --only clippy,unit"), two);
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        for line in ["--help", "-h", "help", "test --help", "advisories -h"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
    }

    #[test]
    fn the_benchmark_reads_its_own_arguments() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(parsed("bench"), Ok(Command::Bench(Vec::new())));
        assert_eq!(
            parsed("bench 1 idle --rounds 5 --help"),
            Ok(Command::Bench(words(&[
                "1", "idle", "--rounds", "5", "--help"
            ])))
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_in_one_line() {
        let check = |line: &str, said: &str| {
            let wrong = parsed(line).expect_err(line).to_string();
            assert!(wrong.contains(said), "{line}: {wrong}");
            assert!(!wrong.contains('\n'), "{line}: {wrong}");
        };
        check("", "say what to do");
        check("tset", "unknown command 'tset'");
        check("test --fast", "test does not take '--fast'");
        check("test clippy", "test does not take 'clippy'");
        check("advisories now", "advisories does not take 'now'");
        check(
            "test --only",
            "--only needs steps: fmt,walls,clippy,doc,deny,unit,bench",
        );
        check("test --only=", "--only needs steps");
        check("test --only clippy,lint", "unknown step 'lint'");
        check("test --only clippy,", "unknown step ''");
    }

    #[test]
    fn the_help_names_every_step() {
        for step in Step::ALL {
            assert!(HELP.contains(step.name()), "{}", step.name());
        }
    }
}
