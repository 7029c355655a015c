//! Files are stored whole or not at all, wherever they are kept.

mod belonging;
mod cases;
mod faults;
mod opening;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use futures_util::{Stream, TryStreamExt as _, stream};
use tempfile::TempDir;
use testkit::S3Server;
use uuid::Uuid;

use super::*;

const KEY: FileKey = FileKey::new(Uuid::from_u128(0x0192_f3a4_5b6c_7d8e_9f01_2345_6789_abcd));
const OTHER: FileKey = FileKey::new(Uuid::from_u128(0x0192_f3a4_5b6c_7d8e_9f01_2345_6789_abce));
/// What the names in the bucket begin with.
const PREFIX: &str = "checks/eu";
/// The largest part that either keeper takes.
const PART: usize = s3::PART_BYTES;

/// Who keeps the files.
enum Keeper {
    Folder(TempDir),
    Bucket(S3Server),
}

impl Keeper {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    fn bucket() -> Self {
        Self::Bucket(S3Server::start())
    }

    async fn files(&self) -> FileStore {
        match self {
            Self::Folder(data) => FileStore::open(data.path()).unwrap(),
            Self::Bucket(server) => {
                let options = options(server, PREFIX);
                FileStore::open_s3(&options).await.unwrap()
            }
        }
    }

    /// Everything that is kept, half files included, by its name in the store.
    fn names(&self) -> Vec<String> {
        match self {
            Self::Folder(data) => below(&data.path().join("files")),
            Self::Bucket(server) => {
                let left = (0..server.parts()).map(|_| "a part".to_owned());
                let below = format!("{PREFIX}/");
                let objects = server.objects().into_iter();
                let named = objects.map(|name| name.trim_start_matches(&below).to_owned());
                left.chain(named).collect()
            }
        }
    }

    /// Puts an object beside the files.
    fn put(&self, name: &str, text: &str) {
        let folder = match self {
            Self::Folder(data) => data.path().join("files"),
            Self::Bucket(server) => server.folder().join(PREFIX),
        };
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }

    /// Puts something beside the files that is none of theirs.
    fn add_stranger(&self) {
        match self {
            Self::Folder(data) => {
                fs::write(data.path().join("files/notes.txt"), "not ours").unwrap();
            }
            Self::Bucket(server) => {
                let folder = server.folder().join(PREFIX);
                fs::write(folder.join("notes.txt"), "not ours").unwrap();
                // A file of another installation's, whose prefix goes on where ours ends.
                let theirs = folder.join("other/cd");
                fs::create_dir_all(&theirs).unwrap();
                fs::write(theirs.join(OTHER.to_string()), "not ours").unwrap();
            }
        }
    }
}

fn options(server: &S3Server, prefix: &str) -> S3Options {
    let variables = server.variables();
    let credentials = S3Credentials::from_variables(|name| {
        let set = variables.iter().find(|(set, _)| *set == name);
        set.map(|(_, value)| value.clone())
    });
    S3Options {
        endpoint: Some(server.endpoint()),
        ..S3Options::new(server.location(prefix).parse().unwrap(), credentials)
    }
}

/// The names of all files below `folder`.
fn below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                names.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}

/// Bytes of which no two places look the same.
fn content(size: usize) -> Vec<u8> {
    let words = (0_u32..).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes());
    words.flatten().take(size).collect()
}

/// `bytes` in the pieces that a connection brings.
fn pieces(bytes: Vec<u8>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    let bytes = Bytes::from(bytes);
    let starts = (0..bytes.len()).step_by(100_000);
    stream::iter(starts.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + 100_000)))))
}

async fn put(
    files: &FileStore,
    key: FileKey,
    bytes: Vec<u8>,
) -> Result<StoredBytes, FileStoreError> {
    files.put(key, pieces(bytes), u64::MAX).await
}

async fn read(files: &FileStore, key: FileKey, range: Option<Range<u64>>) -> Vec<u8> {
    let found = files.get(key, range).await.unwrap();
    let pieces: Vec<Bytes> = found.bytes.try_collect().await.unwrap();
    pieces.concat()
}

/// What must come to an end, long before which nothing but a failing test waits.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(testkit::PATIENCE * 6, work).await;
    within.expect("it ends in time")
}
