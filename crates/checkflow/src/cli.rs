//! The command line: what can be said, and the help that says so.

mod copy;
mod member;
mod pasted;
mod place;
mod serve;

use std::env;

use clap::{
    Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, builder::Resettable,
};
use domain::Rights;

pub(crate) use self::{
    copy::CopyArgs,
    member::{MemberArgs, MemberCommand},
    pasted::option,
    place::StoreArgs,
    serve::ServeArgs,
};

const AFTER_HELP: &str = "\
Examples:
  checkflow demo                                   see it work, on an empty store of its own
  checkflow team create --name Finance             the first team of a new data folder
  checkflow key create --team 1 --name scripts     a key for it, shown once
  checkflow serve --public-url https://checks.example.com
  checkflow config > checkflow.toml                every setting with its default

Exit status: 0 done, 1 failed (one line on standard error says why), 2 wrong command line.";

/// What the command line says. Asked for help, or for what can't be understood, this ends the
/// process, with status 0 or 2.
pub(crate) fn parse() -> Cli {
    let mut command = without_empty_variables(Cli::command());
    let matches = command.get_matches_mut();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// The same, blind to variables that are set to nothing: compose files set such ones for whatever
/// nobody filled in, and mean that it is not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let seeing = |arg: Arg| {
        let value = arg.get_env().and_then(env::var_os);
        if value.is_some_and(|value| value.is_empty()) {
            arg.env(Resettable::Reset)
        } else {
            arg
        }
    };
    command
        .mut_args(seeing)
        .mut_subcommands(without_empty_variables)
}

/// Self-hosted checklists whose webhooks can be trusted.
#[derive(Debug, Parser)]
#[command(name = "checkflow", version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// See it work: a server, a receiver and two checklists, all events verified before your eyes
    Demo(DemoArgs),
    /// Make teams, beside a running server or without one
    Team(TeamArgs),
    /// Make, list and revoke API keys, beside a running server or without one
    Key(KeyArgs),
    /// Add, list and deactivate members of a team, beside a running server or without one
    Member(MemberArgs),
    /// Bring the schema of the database up to date, or see whether it is
    Migrate(MigrateArgs),
    /// Copy everything into another, empty database: from SQLite to PostgreSQL, or back
    Copy(CopyArgs),
    /// Print the `OpenAPI` document
    Openapi,
    /// Print the default configuration file, with every key explained
    Config,
}

const DEMO_HELP: &str = "\
Everything is made new in a folder of its own, which is removed at the end.

Exit status with --exit: 0 when each event that the API said would come was received and its
signature verified, 1 otherwise.";

#[derive(Clone, Debug, Args)]
#[command(after_help = DEMO_HELP)]
pub(crate) struct DemoArgs {
    /// End after the summary instead of staying up
    #[arg(long)]
    pub(crate) exit: bool,
}

const MIGRATE_HELP: &str = "\
`checkflow serve` does this by itself when it starts; of several that start at once, one does. Run
it by hand to have it done before, such as by an account that may change the schema. It needs no
master key, and may run beside servers: those of the version before go on working.

Exit status: 0 done, or nothing to do; 1 failed; 2 wrong command line; 3 with --check: there are
steps to be done.

Examples:
  checkflow migrate --database postgres://owner@db.internal/checkflow
  checkflow migrate --check --data /var/lib/checkflow";

#[derive(Clone, Debug, Args)]
#[command(after_help = MIGRATE_HELP)]
pub(crate) struct MigrateArgs {
    /// Change nothing, and tell by the exit status whether there are steps to be done
    #[arg(long)]
    pub(crate) check: bool,
    /// Print {"stepsBefore", "steps", "made", "outstanding"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TeamArgs {
    #[command(subcommand)]
    pub(crate) command: TeamCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Make a team with nothing in it
    #[command(after_help = "Example:\n  checkflow team create --name Finance --json")]
    Create {
        /// What people will call it
        #[arg(long)]
        name: String,
        /// Print {"teamId", "teamName"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key; it is shown this once and works at once
    #[command(
        after_help = "Examples:\n  checkflow key create --team 1 --name scripts --json\n  checkflow key create --team 1 --name scanner --scopes run --expires-in-days 90\n  checkflow key create --team 1 --name owner --scopes admin"
    )]
    Create {
        /// The team that the key opens
        #[arg(long, value_name = "ID")]
        team: i64,
        /// What people will call it
        #[arg(long)]
        name: String,
        /// What it may do, with commas between: read, run (make checklists and work on them), templates
        /// (write them), webhooks, admin (keys, the audit log, erasing; includes all)
        #[arg(long, value_name = "SCOPES", default_value_t = Rights::USUAL)]
        scopes: Rights,
        /// For how many days it works; without an end when left out
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
        /// Print {"key", "prefix", "keyId", "name", "teamId", "scopes", "createdDateTime",
        /// "expiresDateTime"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List the keys of a team, revoked ones included, by the beginning of each
    #[command(after_help = "Example:\n  checkflow key list --team 1")]
    List {
        /// The team whose keys are meant
        #[arg(long, value_name = "ID")]
        team: i64,
        /// Print an array of {"keyId", "name", "prefix", "teamId", "scopes", "createdDateTime",
        /// "expiresDateTime", "lastUsedDateTime", "revokedDateTime"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// End a key; it opens nothing from then on
    #[command(
        after_help = "Example:\n  checkflow key revoke --team 1 0192f3a4-5b6c-7d8e-9f01-23456789abcd"
    )]
    Revoke {
        /// The team whose key it is
        #[arg(long, value_name = "ID")]
        team: i64,
        /// The key's identifier, as `checkflow key list` shows it
        #[arg(value_name = "KEY-ID")]
        key: String,
        /// Print {"keyId", "revokedNow"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_allowed_target_may_be_given_often_or_with_commas() {
        let said = [
            "checkflow",
            "serve",
            "--allow-target",
            "a.internal,b.internal",
            "--allow-target",
            "::1",
        ];
        let Command::Serve(args) = Cli::parse_from(said).command else {
            panic!("not serve")
        };
        assert_eq!(args.allow_targets, ["a.internal", "b.internal", "::1"]);
    }
}
