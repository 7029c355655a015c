//! What is said to the server.

use std::net::SocketAddr;

use clap::Args;

use super::StoreArgs;
use crate::config::Role;

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
