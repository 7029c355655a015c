//! Files: bytes that people upload, in a local folder or in an S3-compatible store.
//!
//! Bytes go to a fresh, immutable name first and their row follows, so a row never lacks its bytes.
//! What has no row is removed by a sweeper, a day later. Nothing here holds a whole file in memory.

mod elsewhere;
mod error;
mod identity;
mod intake;
mod local;
mod s3;
mod standing;

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::Duration,
};

use bytes::Bytes;
use domain::{FileKey, Timestamp};
use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _, future,
    stream::{self, BoxStream},
};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, path::Path as Name,
};
use tokio::time::timeout;

pub(crate) use self::identity::{MARK_NAME as FILES_MARK, id_in, mark_of};
pub use self::s3::{BadS3Location, S3Credentials, S3Error, S3Limits, S3Location, S3Options};
pub use self::{
    elsewhere::FilesElsewhere,
    error::{FileStoreError, OpenFilesError},
    standing::FilesTrouble,
};
use self::{
    error::{io_refused, refused},
    local::Folder,
    s3::Bucket,
    standing::silent,
};
use crate::slot::Slot;

/// How long it may take until a file that is read begins, all tries counted. Whoever asked is told then, while it
/// still listens: the doors give a request half a minute.
pub(crate) const FIRST_BYTE_TIME: Duration = Duration::from_secs(10);
/// A name below which nothing is.
const NOTHING: &str = "nothing";

/// Where files are to be.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// The data folder, which they are in unless a bucket is named.
    pub folder: PathBuf,
    /// A bucket, which several servers share.
    pub bucket: Option<S3Options>,
}

impl FilesOptions {
    /// Whether they are in the folder, which then has one server.
    pub const fn are_in_the_folder(&self) -> bool {
        self.bucket.is_none()
    }
}

/// What was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBytes {
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// The bytes of a file, or of a range of it.
pub struct FileBytes {
    /// The size of the whole file.
    pub size: u64,
    /// Which of its bytes follow.
    pub range: Range<u64>,
    /// The bytes, piece by piece.
    pub bytes: BoxStream<'static, Result<Bytes, FileStoreError>>,
}

/// Where files are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    objects: Arc<dyn ObjectStore>,
    /// What the names of all files begin with.
    prefix: Name,
    place: Place,
    /// What the first request met that found the store away.
    met: Arc<Slot<FilesTrouble>>,
    /// What the last look has found to be wrong.
    last: Arc<RwLock<Option<FilesTrouble>>>,
}

#[derive(Clone, Debug)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.path().display().fmt(f),
            Self::Bucket(bucket) => bucket.location().fmt(f),
        }
    }
}

impl FileStore {
    /// The files where `options` say; makes the folder when it is not there.
    pub async fn open_at(options: &FilesOptions) -> Result<Self, OpenFilesError> {
        match &options.bucket {
            None => Ok(Self::open(&options.folder)?),
            Some(bucket) => Ok(Self::open_s3(bucket).await?),
        }
    }

    /// The files of a data folder; makes what is not there, for its owner alone.
    pub fn open(data: &Path) -> Result<Self, FileStoreError> {
        let (folder, objects) = Folder::open(data)?;
        Ok(Self {
            objects,
            prefix: Name::default(),
            place: Place::Folder(folder),
            met: Arc::default(),
            last: Arc::default(),
        })
    }

    /// The files in a bucket, which must be there.
    pub async fn open_s3(options: &S3Options) -> Result<Self, S3Error> {
        let prefix = options.location.prefix();
        let bucket = s3::open(options, &prefix.clone().join(NOTHING)).await?;
        Ok(Self {
            objects: bucket.objects(),
            prefix: prefix.clone(),
            place: Place::Bucket(bucket),
            met: Arc::default(),
            last: Arc::default(),
        })
    }

    /// Stores what `bytes` brings, at most `max_bytes`, under a name that is not in use. When this
    /// answers, the bytes are where they are kept for good; when it fails or is dropped, nothing of
    /// them is there.
    pub async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        key: FileKey,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        max_bytes: u64,
    ) -> Result<StoredBytes, FileStoreError> {
        self.check_there()?;
        let name = self.name(key);
        self.noted(match &self.place {
            Place::Folder(_) => local::put(&*self.objects, &name, bytes, max_bytes).await,
            Place::Bucket(bucket) => bucket.put(name, bytes, max_bytes).await,
        })
    }

    /// The bytes of a file, or those of `range`, whose end may lie beyond the end of the file. They begin within
    /// [`S3Limits::first_byte_time`], or the store is away.
    pub async fn get(
        &self,
        key: FileKey,
        range: Option<Range<u64>>,
    ) -> Result<FileBytes, FileStoreError> {
        self.check_there()?;
        let found = self.in_time(self.find(key, range)).await?;
        let files = self.clone();
        let bytes = found.bytes.map(move |piece| files.noted(piece)).boxed();
        Ok(FileBytes { bytes, ..found })
    }

    async fn find(
        &self,
        key: FileKey,
        range: Option<Range<u64>>,
    ) -> Result<FileBytes, FileStoreError> {
        let name = self.name(key);
        // A range without bytes is in a file without bytes; the store itself has no word for it.
        let wanted = range.clone().filter(|range| range.start < range.end);
        if range.is_some() && wanted.is_none() {
            let size = self.objects.head(&name).await.map_err(refused)?.size;
            return if size == 0 {
                Ok(FileBytes::none())
            } else {
                Err(FileStoreError::OutOfRange)
            };
        }
        let options = GetOptions::new().with_range(wanted.map(GetRange::Bounded));
        let found = match self.objects.get_opts(&name, options).await {
            Ok(found) => found,
            Err(error) => return self.not_got(&name, range, error).await,
        };
        Ok(FileBytes {
            size: found.meta.size,
            range: found.range.clone(),
            bytes: found.into_stream().map_err(refused).boxed(),
        })
    }

    /// A range that can't be is told from a store that can't be read.
    async fn not_got(
        &self,
        name: &Name,
        range: Option<Range<u64>>,
        error: object_store::Error,
    ) -> Result<FileBytes, FileStoreError> {
        let error = refused(error);
        let (Some(range), FileStoreError::Failed(_)) = (range, &error) else {
            return Err(error);
        };
        match self.objects.head(name).await.map_err(refused)?.size {
            0 => Ok(FileBytes::none()),
            size if range.start >= size => Err(FileStoreError::OutOfRange),
            _ => Err(error),
        }
    }

    /// Removes the bytes of a file. One that is not there is no error: the sweeper may come twice.
    pub async fn delete(&self, key: FileKey) -> Result<(), FileStoreError> {
        let name = self.name(key);
        let deleting = async { self.objects.delete(&name).await.map_err(refused) };
        match self.in_time(deleting).await {
            Err(FileStoreError::NotThere) => Ok(()),
            result => result,
        }
    }

    /// What a request for a few bytes comes to, which is not waited for longer than for the first byte of a file.
    async fn in_time<T>(
        &self,
        request: impl Future<Output = Result<T, FileStoreError>>,
    ) -> Result<T, FileStoreError> {
        let patience = match &self.place {
            Place::Folder(_) => FIRST_BYTE_TIME,
            Place::Bucket(bucket) => bucket.limits().first_byte_time,
        };
        let came = timeout(patience, request).await;
        self.noted(came.unwrap_or_else(|_| Err(silent(patience))))
    }

    /// The files that were stored before `before`, piece by piece and in no order, for whoever
    /// looks for those without a row.
    pub fn list_older_than(
        &self,
        before: Timestamp,
    ) -> BoxStream<'static, Result<FileKey, FileStoreError>> {
        let old = move |stored: &ObjectMeta| {
            let at = Timestamp::from_millis(stored.last_modified.timestamp_millis());
            future::ready(at < before)
        };
        let below = Some(&self.prefix).filter(|prefix| !prefix.is_root());
        let listed = self.objects.list(below).map_err(refused);
        let files = self.clone();
        let keys = listed.try_filter(old).try_filter_map(move |stored| {
            // What is not named like a file of ours is not ours to sweep.
            let key = stored.location.filename();
            let key = key.and_then(|name| name.parse().ok());
            future::ready(Ok(key.filter(|key| files.name(*key) == stored.location)))
        });
        keys.boxed()
    }

    /// Removes what uploads left that were cut off, by the end of their process, before `before`.
    /// Answers how many there were. In a bucket they are not to be seen, and its own rule removes them.
    pub async fn sweep_partial(&self, before: Timestamp) -> Result<u64, FileStoreError> {
        match &self.place {
            Place::Folder(folder) => folder.sweep_partial(before).await,
            Place::Bucket(_) => Ok(0),
        }
    }

    /// Over when nothing is done any more for uploads that were given up.
    pub async fn settle(&self) {
        match &self.place {
            Place::Folder(_) => {}
            Place::Bucket(bucket) => bucket.settle().await,
        }
    }

    /// The name of a file's bytes. Its folder is the end of the key, which is random where the beginning
    /// is the time.
    fn name(&self, key: FileKey) -> Name {
        let last = key.uuid().as_bytes()[15];
        let folder = self.prefix.clone().join(format!("{last:02x}"));
        folder.join(key.to_string())
    }
}

impl FileBytes {
    fn none() -> Self {
        Self {
            size: 0,
            range: 0..0,
            bytes: stream::empty().boxed(),
        }
    }
}
