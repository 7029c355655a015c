//! `checkflow copy`: everything into another database, and what is said of it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use serde_json::{Value, json};
use store::{CopyPlace, CopyProgress, Copying, FileStore, FilesCopied, KeyCopied, TableCopied};

use crate::{cli::CopyArgs, operator::say, serve};

/// How often somebody who waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// Hexadecimal digits of a sum that people compare; `--json` has all.
const SUM_SHOWN: usize = 16;

/// `checkflow copy`
pub(crate) fn command(args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let place = |option: &str, text: &str| {
        CopyPlace::parse(text).map_err(|error| anyhow!("{option}: {error}"))
    };
    let (from, to) = (place("--from", &args.from)?, place("--to", &args.to)?);
    serve::run_to_end(async {
        let done = copy(args, &from, &to).await?;
        say(args.json, &done.row(&from, &to), &done.text(&to))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What was done.
struct Done {
    tables: Vec<TableCopied>,
    /// None: they stay where they are.
    files: Option<FilesCopied>,
    key: KeyCopied,
}

async fn copy(args: &CopyArgs, from: &CopyPlace, to: &CopyPlace) -> anyhow::Result<Done> {
    let told = Mutex::new(Instant::now());
    let watch = |progress: CopyProgress| tell(&told, progress);
    let mut copying = Copying::begin(from, to).await?;
    // First, because they are what may be found wanting, and what need not be done twice.
    let files = match folders(args, from, to) {
        None => None,
        Some((source, target)) => {
            let source = source.map(|source| FileStore::open(&source)).transpose()?;
            let target = FileStore::open(&target)?;
            Some(copying.files(source.as_ref(), &target, &watch).await?)
        }
    };
    let (tables, key) = copying.database(&watch).await?;
    Ok(Done { tables, files, key })
}

/// Between which folders files are copied. Where only the target is known, they are to be there already.
fn folders(
    args: &CopyArgs,
    from: &CopyPlace,
    to: &CopyPlace,
) -> Option<(Option<PathBuf>, PathBuf)> {
    let target = args.to_files.as_deref().or(to.folder());
    let target = target.filter(|_| !args.no_files)?;
    let source = args.from_files.as_deref().or(from.folder());
    let is_same = |source: &&Path| {
        let (one, other) = (source.canonicalize(), target.canonicalize());
        one.is_ok_and(|one| other.is_ok_and(|other| one == other))
    };
    let source = source.filter(|source| !is_same(source));
    Some((source.map(Path::to_owned), target.to_owned()))
}

/// Says how far it is on standard error, now and then.
fn tell(told: &Mutex<Instant>, progress: CopyProgress) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.elapsed() >= TOLD_EVERY {
        *told = Instant::now();
        let CopyProgress {
            doing,
            table,
            count,
        } = progress;
        // Nobody may be there to read it.
        let _ = writeln!(std::io::stderr(), "{doing} {table}: {count}");
    }
}

impl Done {
    fn row(&self, from: &CopyPlace, to: &CopyPlace) -> Value {
        let table = |table: &TableCopied| json!({ "table": table.name, "rows": table.rows, "sum": domain::hex(&table.sum) });
        let files = self.files.map(
            |files| json!({ "copied": files.copied, "there": files.there, "bytes": files.bytes }),
        );
        json!({
            "from": from.to_string(),
            "to": to.to_string(),
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "files": files,
            "masterKey": match self.key {
                KeyCopied::Copied => "copied",
                KeyCopied::WasThere => "wasThere",
                KeyCopied::NotCopied => "notCopied",
            },
        })
    }

    fn text(&self, to: &CopyPlace) -> String {
        let mut lines = vec![format!("{:<22}{:>12}  sum of the rows", "table", "rows")];
        for table in &self.tables {
            let sum = &domain::hex(&table.sum)[..SUM_SHOWN];
            lines.push(format!("{:<22}{:>12}  {sum}…", table.name, table.rows));
        }
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        lines.push(format!(
            "{rows} rows were copied, read back from {to} and found the same"
        ));
        lines.push(match self.files {
            None => "files: they stay where they are".to_owned(),
            Some(files) => format!(
                "files: {} copied, {} there already, {} bytes in all",
                files.copied, files.there, files.bytes
            ),
        });
        lines.push(key_told(self.key, to.folder()));
        lines.join("\n")
    }
}

/// What became of the master key, and what is left to do.
fn key_told(key: KeyCopied, folder: Option<&Path>) -> String {
    let Some(folder) = folder else {
        return "master key: it is not in the database; serve it with the data folder whose master.key it was \
                made with, or with that key as store.master_key"
            .to_owned();
    };
    let folder = folder.display();
    match key {
        KeyCopied::Copied => format!("master key: copied into {folder}"),
        KeyCopied::WasThere => format!("master key: {folder} has it"),
        KeyCopied::NotCopied => format!(
            "master key: it was not found; put the master.key that the source was made with into {folder}, or \
             give that key as store.master_key"
        ),
    }
}
