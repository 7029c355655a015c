//! What is said of a copy.

use std::path::PathBuf;

use clap::Args;

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
