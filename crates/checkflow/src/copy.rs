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
use store::{
    CopyPlace, CopyProgress, Copying, FileStore, FilesCopied, FilesOptions, KeyCopied, TableCopied,
};

use crate::{cli::CopyArgs, config, operator::say, os, serve};

/// What begins a place of files that is no folder.
const BUCKET_MARK: &str = "s3://";
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
    let files = match files(args, from, to)? {
        None => None,
        Some((source, target)) => {
            let source = match &source {
                Some(source) => Some(FileStore::open_at(source).await?),
                None => None,
            };
            let target = FileStore::open_at(&target).await?;
            Some(
                copying
                    .files(source.as_ref(), &target, os::source().uuid(), &watch)
                    .await?,
            )
        }
    };
    let (tables, key) = copying.database(&watch).await?;
    Ok(Done { tables, files, key })
}

/// Between which places files are copied. Where only the target is known, they are to be there already.
fn files(
    args: &CopyArgs,
    from: &CopyPlace,
    to: &CopyPlace,
) -> anyhow::Result<Option<(Option<FilesOptions>, FilesOptions)>> {
    let place = |option: &'static str, said: &Option<PathBuf>, place: &CopyPlace| {
        let said = said.as_deref().or(place.folder());
        said.map(|said| files_at(args, option, said)).transpose()
    };
    let target = place("--to-files", &args.to_files, to)?;
    let Some(target) = target.filter(|_| !args.no_files) else {
        return Ok(None);
    };
    let source = place("--from-files", &args.from_files, from)?;
    let source = source.filter(|source| !is_same(source, &target));
    Ok(Some((source, target)))
}

/// The files in a data folder, or in a bucket.
fn files_at(args: &CopyArgs, option: &'static str, said: &Path) -> anyhow::Result<FilesOptions> {
    let url = said.to_str().filter(|said| said.starts_with(BUCKET_MARK));
    let bucket = url.map(|url| config::bucket(args.config.as_ref(), option, url));
    Ok(FilesOptions {
        folder: said.to_owned(),
        bucket: bucket.transpose()?.flatten(),
    })
}

fn is_same(one: &FilesOptions, other: &FilesOptions) -> bool {
    match (&one.bucket, &other.bucket) {
        (Some(one), Some(other)) => one.location == other.location,
        (None, None) => {
            let (one, other) = (one.folder.canonicalize(), other.folder.canonicalize());
            one.is_ok_and(|one| other.is_ok_and(|other| one == other))
        }
        _ => false,
    }
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
