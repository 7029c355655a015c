//! The command line: what can be said, and the help that says so.

use std::{env, net::SocketAddr, path::PathBuf};

use clap::{
    Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, builder::Resettable,
};

use crate::config::Role;

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
    /// Bring the schema of the database up to date, or see whether it is
    Migrate(MigrateArgs),
    /// Copy everything into another, empty database: from SQLite to PostgreSQL, or back
    Copy(CopyArgs),
    /// Print the `OpenAPI` document
    Openapi,
    /// Print the default configuration file, with every key explained
    Config,
}

/// Where the data is; the same for the server and for the tools beside it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoreArgs {
    /// Folder of the database, the files and the key that secrets are encrypted with; `serve` and
    /// `team create` make it when it is missing [default: ./checkflow-data]
    #[arg(long, value_name = "DIR", env = "CHECKFLOW_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Another database than the one in the data folder: postgres://user:password@host:port/name
    #[arg(
        long,
        value_name = "URL",
        env = "CHECKFLOW_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
    /// Configuration file (TOML); `checkflow config` prints one
    #[arg(long, value_name = "FILE", env = "CHECKFLOW_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

const SERVE_HELP: &str = "\
Settings are taken from, the later winning: defaults, the configuration file, variables
CHECKFLOW_<SECTION>__<KEY> (such as CHECKFLOW_DELIVERY__REQUEST_TIMEOUT=20s), the options above.
A variable that is empty counts as not set.

Prints `listening on http://ADDRESS:PORT` on standard output once it can answer, and its log on
standard error. SIGTERM or SIGINT stops it: nothing new is taken and what runs is finished, within
ten seconds. A second signal ends it at once.

Examples:
  checkflow serve --data /var/lib/checkflow --listen 0.0.0.0:8080 \\
      --public-url https://checks.example.com
  checkflow serve --allow-target hooks.internal --allow-target 10.20.0.0/16
  checkflow serve --files s3://checks --database postgres://checkflow:secret@db.example.com/checkflow
  checkflow serve --role deliver --database postgres://checkflow:secret@db.example.com/checkflow";

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// What this node does of the work; others than `all` need PostgreSQL, and others beside it [default: all]
    #[arg(long, value_enum, env = "CHECKFLOW_ROLE")]
    pub(crate) role: Option<Role>,
    /// A bucket that uploaded files are kept in, in place of the data folder: `s3://BUCKET` or
    /// `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL", env = "CHECKFLOW_FILES")]
    pub(crate) files: Option<String>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT", env = "CHECKFLOW_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// A private host or CIDR that webhooks may be sent to; repeatable, in place of those of the
    /// configuration
    #[arg(
        long = "allow-target",
        value_name = "HOST-or-CIDR",
        env = "CHECKFLOW_ALLOW_TARGETS",
        value_delimiter = ','
    )]
    pub(crate) allow_targets: Vec<String>,
    /// Where people reach this server; links in answers and webhooks begin with it [default: made
    /// from the address it listens on]
    #[arg(long, value_name = "URL", env = "CHECKFLOW_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Drill: this server kills itself (SIGKILL) at a step, which is before-commit, before-answer or
    /// before-settle, when it comes to it for the first time, or for the N-th
    #[arg(long, value_name = "STEP[:N]", env = "CHECKFLOW_CRASH_AT")]
    pub(crate) crash_at: Option<String>,
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

const COPY_HELP: &str = "\
A database is named by its data folder (/var/lib/checkflow, or sqlite:///var/lib/checkflow), or by
its address (postgres://user:password@host:port/name).

Stop the server first: a source or a target that one works on is refused, as is a target that
holds anything, or a schema that is not up to date. The source is not changed. All rows are read
back from the target and compared before it is kept; until then it is as it was, so a copy that
ends early, however that comes to be, can simply be begun again.

Files are copied from folder to folder where both databases lie in one; with --from-files and
--to-files, wherever they lie. Where a target on PostgreSQL is given no place for them, they stay
where they are. How a bucket is got at is said by the settings of section [files], and by the
variables that programs which use S3 look for. The master key goes along from folder to folder;
PostgreSQL never has it.

Exit status: 0 copied, 1 failed (nothing was kept), 2 wrong command line.

Examples:
  checkflow copy --from /var/lib/checkflow --to postgres://checkflow@db.internal/checkflow
  checkflow copy --from /var/lib/checkflow --to postgres://checkflow@db.internal/checkflow \\
      --to-files s3://checks
  checkflow copy --from postgres://checkflow@db.internal/checkflow --to /srv/checkflow \\
      --from-files /var/lib/checkflow";

#[derive(Clone, Debug, Args)]
#[command(after_help = COPY_HELP)]
pub(crate) struct CopyArgs {
    /// The database that is copied
    #[arg(
        long,
        value_name = "PLACE",
        env = "CHECKFLOW_FROM",
        hide_env_values = true
    )]
    pub(crate) from: String,
    /// The empty database that it is copied into; a folder is made
    #[arg(
        long,
        value_name = "PLACE",
        env = "CHECKFLOW_TO",
        hide_env_values = true
    )]
    pub(crate) to: String,
    /// Data folder or bucket (`s3://BUCKET/PREFIX`) in which the files lie [default: that of the source,
    /// else that of the target]
    #[arg(long, value_name = "PLACE", conflicts_with = "no_files")]
    pub(crate) from_files: Option<PathBuf>,
    /// Data folder or bucket that the files are copied into [default: the folder of the target, if it
    /// lies in one]
    #[arg(long, value_name = "PLACE", conflicts_with = "no_files")]
    pub(crate) to_files: Option<PathBuf>,
    /// Copy the database alone, whatever is with the files
    #[arg(long)]
    pub(crate) no_files: bool,
    /// Print {"from", "to", "tables", "files", "masterKey"}
    #[arg(long)]
    pub(crate) json: bool,
    /// Configuration file (TOML), for what is said of buckets in it
    #[arg(long, value_name = "FILE", env = "CHECKFLOW_CONFIG")]
    pub(crate) config: Option<PathBuf>,
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
    #[command(after_help = "Example:\n  checkflow key create --team 1 --name scripts --json")]
    Create {
        /// The team that the key opens
        #[arg(long, value_name = "ID")]
        team: i64,
        /// What people will call it
        #[arg(long)]
        name: String,
        /// Print {"key", "prefix", "keyId", "name", "teamId", "createdDateTime"}
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
        /// Print an array of {"keyId", "name", "prefix", "teamId", "createdDateTime",
        /// "revokedDateTime"}
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
