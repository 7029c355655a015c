//! Files: bytes that people upload, in a local folder.
//!
//! Bytes go to a fresh, immutable name first and their row follows, so a row never lacks its bytes.
//! What has no row is removed by a sweeper, a day later. Nothing here holds a whole file in memory.

mod partial;

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use domain::{FileKey, Timestamp};
use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _, future, pin_mut,
    stream::{self, BoxStream},
};
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    local::LocalFileSystem, path::Path as Name,
};
use sha2::{Digest as _, Sha256};

use crate::sqlite::folder_make;

/// The folder of files, in the data folder.
const FILES_FOLDER: &str = "files";
/// Bytes that are gathered before they are written.
const PART_BYTES: usize = 1024 * 1024;

/// Why a file was not stored, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum FileStoreError {
    /// It is larger than it may be; nothing of it was kept.
    #[error("the file is larger than {max} bytes")]
    TooLarge {
        /// The most there may be.
        max: u64,
    },
    /// Its sender went away; nothing of it was kept.
    #[error("the upload was interrupted")]
    Interrupted(#[source] Box<dyn Error + Send + Sync>),
    /// The disk is full or read-only.
    #[error("the disk is full or read-only")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// There is no such file.
    #[error("there is no such file")]
    NotThere,
    /// The range is not within the file.
    #[error("the range is not within the file")]
    OutOfRange,
    /// Anything else that the disk says.
    #[error("the file store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
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
    folder: Arc<PathBuf>,
    objects: Arc<dyn ObjectStore>,
}

impl FileStore {
    /// The files of a data folder; makes what is not there, for its owner alone.
    pub fn open(data: &Path) -> Result<Self, FileStoreError> {
        let folder = data.join(FILES_FOLDER);
        folder_make(&folder).map_err(|error| FileStoreError::Failed(error.into()))?;
        // Without this a file could be gone after a power cut that its row survives.
        let objects = LocalFileSystem::new_with_prefix(&folder)
            .map_err(refused)?
            .with_fsync(true);
        Ok(Self {
            folder: Arc::new(folder),
            objects: Arc::new(objects),
        })
    }

    /// Stores what `bytes` brings, at most `max_bytes`, under a name that is not in use. When this
    /// answers, the bytes are on disk; when it fails or is dropped, nothing of them is.
    pub async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        key: FileKey,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        max_bytes: u64,
    ) -> Result<StoredBytes, FileStoreError> {
        // Dropped before its end, an upload removes what it has written.
        let mut upload = self
            .objects
            .put_multipart(&name(key))
            .await
            .map_err(refused)?;
        match fill(&mut *upload, bytes, max_bytes).await {
            Ok(stored) => {
                upload.complete().await.map_err(refused)?;
                Ok(stored)
            }
            Err(error) => {
                if let Err(left) = upload.abort().await {
                    tracing::warn!(error = %left, file.key = %key, "part of an upload was left");
                }
                Err(error)
            }
        }
    }

    /// The bytes of a file, or those of `range`, whose end may lie beyond the end of the file.
    pub async fn get(
        &self,
        key: FileKey,
        range: Option<Range<u64>>,
    ) -> Result<FileBytes, FileStoreError> {
        let name = name(key);
        // Asked for first, so that a range that can't be is told from a disk that can't be read.
        let size = self.objects.head(&name).await.map_err(refused)?.size;
        let range = range.unwrap_or(0..size);
        let range = range.start..range.end.min(size);
        if range.start >= range.end && size > 0 {
            return Err(FileStoreError::OutOfRange);
        }
        if range.is_empty() {
            return Ok(FileBytes {
                size,
                range,
                bytes: stream::empty().boxed(),
            });
        }
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        let found = self
            .objects
            .get_opts(&name, options)
            .await
            .map_err(refused)?;
        Ok(FileBytes {
            size,
            range,
            bytes: found.into_stream().map_err(refused).boxed(),
        })
    }

    /// Removes the bytes of a file. One that is not there is no error: the sweeper may come twice.
    pub async fn delete(&self, key: FileKey) -> Result<(), FileStoreError> {
        match self.objects.delete(&name(key)).await.map_err(refused) {
            Err(FileStoreError::NotThere) => Ok(()),
            result => result,
        }
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
        let listed = self.objects.list(None).map_err(refused);
        let keys = listed.try_filter(old).try_filter_map(|stored| {
            // What is not named like a file of ours is not ours to sweep.
            let key = stored
                .location
                .filename()
                .and_then(|name| name.parse().ok());
            future::ready(Ok(key))
        });
        keys.boxed()
    }

    /// Removes what uploads left that were cut off, by the end of their process, before `before`.
    /// Answers how many there were.
    pub async fn sweep_partial(&self, before: Timestamp) -> Result<u64, FileStoreError> {
        let folder = self.folder.clone();
        let swept = tokio::task::spawn_blocking(move || partial::sweep(&folder, before)).await;
        swept
            .map_err(|error| FileStoreError::Failed(error.into()))?
            .map_err(io_refused)
    }
}

/// Writes what `bytes` brings to `upload`, part by part.
async fn fill<E: Into<Box<dyn Error + Send + Sync>>>(
    upload: &mut dyn MultipartUpload,
    bytes: impl Stream<Item = Result<Bytes, E>>,
    max: u64,
) -> Result<StoredBytes, FileStoreError> {
    pin_mut!(bytes);
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut part = BytesMut::new();
    while let Some(piece) = bytes.next().await {
        let piece = piece.map_err(|error| FileStoreError::Interrupted(error.into()))?;
        size = size.saturating_add(piece.len() as u64);
        if size > max {
            return Err(FileStoreError::TooLarge { max });
        }
        hash.update(&piece);
        part.extend_from_slice(&piece);
        if part.len() >= PART_BYTES {
            // One at a time: the disk is the bound, and a slow one must not pile parts up.
            upload
                .put_part(part.split().freeze().into())
                .await
                .map_err(refused)?;
        }
    }
    if !part.is_empty() {
        upload
            .put_part(part.freeze().into())
            .await
            .map_err(refused)?;
    }
    Ok(StoredBytes {
        size,
        sha256: hash.finalize().into(),
    })
}

/// The name of a file's bytes. Its folder is the end of the key, which is random where the beginning
/// is the time.
fn name(key: FileKey) -> Name {
    let last = key.uuid().as_bytes()[15];
    Name::from(format!("{last:02x}/{key}"))
}

fn refused(error: object_store::Error) -> FileStoreError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return FileStoreError::NotThere;
    }
    let mut source: Option<&(dyn Error + 'static)> = Some(&error);
    let mut full = false;
    while let Some(cause) = source {
        full |= cause.downcast_ref::<io::Error>().is_some_and(is_full);
        source = cause.source();
    }
    if full {
        FileStoreError::Full(error.into())
    } else {
        FileStoreError::Failed(error.into())
    }
}

fn io_refused(error: io::Error) -> FileStoreError {
    if is_full(&error) {
        FileStoreError::Full(error.into())
    } else {
        FileStoreError::Failed(error.into())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | ReadOnlyFilesystem | FileTooLarge
    )
}
