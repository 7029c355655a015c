//! The log: lines on standard error, as text for people or JSON for machines.

use std::io::IsTerminal as _;

use anyhow::{Context as _, anyhow};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// Begins to write the log. Called once, before anything that logs.
pub(crate) fn begin(settings: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.filter).context("log.filter")?;
    let colours = std::io::stderr().is_terminal() && colours_wanted();
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    let begun = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| anyhow!("the log could not be set up: {error}"))
}

/// Whether the person at the terminal has not asked for plain text (<https://no-color.org>).
pub(crate) fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
