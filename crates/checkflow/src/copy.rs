//! `checkflow copy`: everything into another database, and what is said of it.

mod told;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use store::{
    CopyError, CopyPlace, CopyProgress, Copying, FileStore, FilesOptions, is_address_like,
};

use self::told::Done;
use crate::{cli::CopyArgs, config, operator::say, os, serve};

/// What begins a place of files that is no folder.
const BUCKET_MARK: &str = "s3://";
/// How often somebody who waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// `checkflow copy`
pub(crate) fn command(args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let place = |option: &str, text: &str| {
        CopyPlace::parse(text).map_err(|error| anyhow!("{option}: {error}"))
    };
    let (from, to) = (place("--from", &args.from)?, place("--to", &args.to)?);
    serve::run_to_end(async {
        let done = copy(args, &from, &to).await?;
        say(
            args.json,
            &done.row(&from, &to),
            &done.text(args, &from, &to),
        )?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn copy(args: &CopyArgs, from: &CopyPlace, to: &CopyPlace) -> anyhow::Result<Done> {
    let told = Mutex::new(Instant::now());
    let watch = |progress: CopyProgress| tell(&told, progress);
    // Before anything is opened: they may be misspelt.
    let files = files(args, from, to)?;
    let begun = Copying::begin(from, to).await;
    let mut copying = begun.map_err(|error| behind(error, args, from, to))?;
    let place = files.as_ref().map(|(_, target)| target.clone());
    // First, because they are what may be found wanting, and what need not be done twice.
    let files = match files {
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
    Ok(Done {
        tables,
        files,
        place,
        key,
    })
}

/// Names the command that brings a schema up to date, with which of the two it is to be run on.
fn behind(error: CopyError, args: &CopyArgs, from: &CopyPlace, to: &CopyPlace) -> anyhow::Error {
    let CopyError::Behind { place, steps } = error else {
        return error.into();
    };
    let again = if place == from.to_string() {
        told::named(from, &args.from)
    } else {
        told::named(to, &args.to)
    };
    anyhow!("the schema of {place} is {steps} steps behind; run `checkflow migrate{again}` first")
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
    if let Some(folder) = to.folder().filter(|_| target.are_in_the_folder())
        && folder != target.folder
        && !is_same_folder(folder, &target.folder)
    {
        bail!(
            "--to-files: a database that lies in a folder has its files in the same folder, or in a bucket; leave it \
             out, or name s3://BUCKET/PREFIX"
        );
    }
    let source = place("--from-files", &args.from_files, from)?;
    let source = source.filter(|source| !is_same(source, &target));
    Ok(Some((source, target)))
}

/// The files in a data folder, or in a bucket.
fn files_at(args: &CopyArgs, option: &'static str, said: &Path) -> anyhow::Result<FilesOptions> {
    let text = said.to_str();
    let url = text.filter(|said| said.starts_with(BUCKET_MARK));
    if url.is_none() && text.is_some_and(is_address_like) {
        bail!(
            "{option}: it names no place for files; write the path of a data folder (./it if its name has a colon), \
             or s3://BUCKET/PREFIX"
        );
    }
    let bucket = url.map(|url| config::bucket(args.config.as_ref(), option, url));
    Ok(FilesOptions {
        folder: said.to_owned(),
        bucket: bucket.transpose()?.flatten(),
    })
}

fn is_same(one: &FilesOptions, other: &FilesOptions) -> bool {
    match (&one.bucket, &other.bucket) {
        (Some(one), Some(other)) => one.location == other.location,
        (None, None) => is_same_folder(&one.folder, &other.folder),
        _ => false,
    }
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    let (one, other) = (one.canonicalize(), other.canonicalize());
    one.is_ok_and(|one| other.is_ok_and(|other| one == other))
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
