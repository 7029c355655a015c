//! The configuration: read and checked in full before anything is opened.
//!
//! From, the later winning: defaults, the file, variables `CHECKFLOW_<SECTION>__<KEY>`, the command
//! line (with the short variables of its options). A key that nobody knows is refused, because a
//! misspelt limit that is silently ignored is found out too late. Variables with a single
//! underscore that are not an option's are left alone: `CHECKFLOW_API_KEY` is somebody's script.

mod bounds;
mod check;
mod crash;
mod files;
mod keeping;
mod log;
mod role;
mod sections;
mod shared;
mod span;

use std::{env, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, anyhow};
use delivery::{DeliverySettings, Keeping};
use domain::{AddressPolicy, PublicUrl};
use figment::{
    Figment, Metadata,
    error::Kind,
    providers::{Env, Format as _, Toml},
};
use ipnet::IpNet;

use store::{MasterKey, PostgresAccess, PostgresLimits, S3Options, SqliteLimits};

use crate::cli::{ServeArgs, StoreArgs};

pub(crate) use self::{
    crash::{CrashAt, CrashStep},
    log::{Log, LogFormat},
    role::Role,
    sections::{Config, Http},
};

/// The commented default configuration, as `checkflow config` prints it.
pub(crate) const DEFAULT_FILE: &str = include_str!("../../../config/checkflow.toml");

/// Largest configuration file, in bytes; a larger one is some other file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const VARIABLE_MARK: &str = "CHECKFLOW_";
const LEVEL_MARK: &str = "__";

/// Everything that a server needs to know, checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    /// None: made from the address that is listened on.
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) policy: AddressPolicy,
    pub(crate) delivery: DeliverySettings,
    pub(crate) keeping: Keeping,
    pub(crate) http: Http,
    /// Who is believed for whom it asks.
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) api: api::ApiLimits,
    pub(crate) limits: app::Limits,
    /// None: the one in the data folder.
    pub(crate) database: Option<String>,
    /// None: files are in the data folder.
    pub(crate) bucket: Option<S3Options>,
    pub(crate) sqlite: SqliteLimits,
    pub(crate) postgres: PostgresLimits,
    pub(crate) access: PostgresAccess,
    /// None: the one in the data folder.
    pub(crate) master_key: Option<MasterKey>,
    pub(crate) log: Log,
    /// None, save for a drill.
    pub(crate) crash_at: Option<CrashAt>,
}

/// The settings of `checkflow serve`.
pub(crate) fn load(args: &ServeArgs) -> anyhow::Result<Settings> {
    let (mut config, origin) = read(&args.store)?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(role) = args.role {
        config.role = role;
    }
    let mut origin = Origin {
        figment: origin,
        said: Vec::new(),
    };
    let said = args.public_url.as_ref().filter(|text| !text.is_empty());
    if let Some(url) = said {
        config.public_url.clone_from(url);
        origin
            .said
            .push(("public_url", "--public-url or CHECKFLOW_PUBLIC_URL"));
    }
    let said = args.files.as_ref().filter(|text| !text.is_empty());
    if let Some(store) = said {
        config.files.store.clone_from(store);
        origin
            .said
            .push(("files.store", "--files or CHECKFLOW_FILES"));
    }
    let targets: Vec<_> = args
        .allow_targets
        .iter()
        .filter(|entry| !entry.is_empty())
        .cloned()
        .collect();
    if !targets.is_empty() {
        config.webhook.allow_targets = targets;
        origin.said.push((
            "webhook.allow_targets",
            "--allow-target or CHECKFLOW_ALLOW_TARGETS",
        ));
    }
    let said = args.crash_at.as_deref().filter(|text| !text.is_empty());
    let crash_at = said.map(crash::read).transpose()?;
    Ok(Settings {
        crash_at,
        ..check::check(config, &origin)?
    })
}

/// The settings of the tools beside a server.
pub(crate) fn load_for_tools(args: &StoreArgs) -> anyhow::Result<Settings> {
    load(&ServeArgs {
        store: args.clone(),
        ..ServeArgs::default()
    })
}

/// The settings that hold when nobody sets anything, the environment included.
pub(crate) fn defaults() -> anyhow::Result<Settings> {
    check::check(
        Config::default(),
        &Origin {
            figment: Figment::new(),
            said: Vec::new(),
        },
    )
}

/// The bucket at `url`, which `option` said, got at by what is set of buckets in `file` and in variables.
pub(crate) fn bucket(
    file: Option<&PathBuf>,
    option: &'static str,
    url: &str,
) -> anyhow::Result<Option<S3Options>> {
    let args = StoreArgs {
        config: file.cloned(),
        ..StoreArgs::default()
    };
    let (mut config, figment) = read(&args)?;
    url.clone_into(&mut config.files.store);
    config.files.bucket(&Origin {
        figment,
        said: vec![("files.store", option)],
    })
}

fn read(args: &StoreArgs) -> anyhow::Result<(Config, Figment)> {
    let mut figment = Figment::new();
    if let Some(path) = &args.config {
        readable(path)?;
        figment = figment.merge(Toml::file_exact(path));
    }
    let variables = Env::prefixed(VARIABLE_MARK)
        .filter(|name| name.as_str().contains(LEVEL_MARK) && !is_empty(name.as_str()))
        .split(LEVEL_MARK);
    let figment = figment.merge(variables);
    let mut config: Config = figment.extract().map_err(|error| unreadable(&error))?;
    let is_set = |key: &str| {
        let key = format!("delivery.{key}");
        figment.find_metadata(&key).is_some()
    };
    config.delivery.fit(is_set);
    config.delivery.fit_health(is_set);
    config.keeping.fit(|key| {
        let key = format!("keeping.{key}");
        figment.find_metadata(&key).is_some()
    });
    if let Some(data) = args
        .data
        .as_ref()
        .filter(|path| !path.as_os_str().is_empty())
    {
        config.data.clone_from(data);
    }
    if let Some(database) = &args.database {
        config.database.clone_from(database);
    }
    Ok((config, figment))
}

/// Whether a variable, named without its mark, is set to nothing, which counts as not set.
fn is_empty(name: &str) -> bool {
    let full = format!("{VARIABLE_MARK}{name}");
    env::vars_os().any(|(set, value)| value.is_empty() && set.eq_ignore_ascii_case(&full))
}

/// Tells of a file that is not there in our words, and of one that is no configuration before it
/// fills the memory.
fn readable(path: &PathBuf) -> anyhow::Result<()> {
    let shown = path.display();
    let found = fs::metadata(path)
        .with_context(|| format!("the configuration file {shown} can't be read"))?;
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        anyhow::bail!(
            "{shown} is no configuration file; `checkflow config` prints one to begin with"
        );
    }
    fs::File::open(path)
        .with_context(|| format!("the configuration file {shown} can't be read"))?;
    Ok(())
}

/// Says where the wrong thing stands, which key it is, and what is wrong with it.
fn unreadable(error: &figment::Error) -> anyhow::Error {
    let mut path = error.path.clone();
    let wrong = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            format!(
                "there is no such key; it may be one of {}",
                known.join(", ")
            )
        }
        Kind::Message(message) => message.clone(),
        other => other.to_string(),
    };
    let key = path.join(".");
    let from = error
        .metadata
        .as_ref()
        .map(|from| place(from, &key))
        .unwrap_or_default();
    if key.is_empty() {
        anyhow!("{from}{wrong}")
    } else {
        anyhow!("{from}{key}: {wrong}")
    }
}

/// The file or the variable that a key was read from, as the beginning of an error.
fn place(from: &Metadata, key: &str) -> String {
    match from.source.as_ref().and_then(|source| source.file_path()) {
        Some(path) => format!("{}: ", path.display()),
        None => format!(
            "{VARIABLE_MARK}{}: ",
            key.replace('.', LEVEL_MARK).to_uppercase()
        ),
    }
}

/// Knows who set which key, to name them when the value is wrong.
struct Origin {
    figment: Figment,
    /// Keys that the command line set.
    said: Vec<(&'static str, &'static str)>,
}

impl Origin {
    /// Who set `key`, as the beginning of an error.
    fn of(&self, key: &str) -> String {
        let said = self.said.iter().find(|(name, _)| *name == key);
        if let Some((_, place)) = said {
            return format!("{place}: ");
        }
        let from = self.figment.find_metadata(key);
        from.map(|from| place(from, key)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
