//! Where the data is, said in the same way to all commands.

use std::path::PathBuf;

use clap::Args;
use store::database_without_password;

use super::option;

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

impl StoreArgs {
    /// The options that say the same again, for a command that somebody pastes: whatever was said by a variable as
    /// well, which the next shell may not have.
    pub(crate) fn again(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let database = self.database.as_deref().filter(|url| !url.is_empty());
        let said = [
            ("--data", path(&self.data)),
            ("--database", database.map(database_without_password)),
            ("--config", path(&self.config)),
        ];
        let said = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        said.map(|(name, value)| option(name, &value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_said_again_but_for_a_password() {
        let nothing = StoreArgs::default();
        assert_eq!(nothing.again(), "");
        let args = StoreArgs {
            data: Some("/srv/my data".into()),
            database: Some(
                "postgres://me:secret@db/x?sslmode=require&connect_timeout=3".to_owned(),
            ),
            config: Some("/etc/checkflow.toml".into()),
        };
        assert_eq!(
            args.again(),
            " --data '/srv/my data' --database \
             'postgres://me:PASSWORD@db/x?sslmode=require&connect_timeout=3' \
             --config /etc/checkflow.toml"
        );
    }
}
