//! Files in the data folder.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use domain::Timestamp;
use futures_util::{Stream, StreamExt as _, pin_mut};
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt as _, local::LocalFileSystem, path::Path as Name,
};

use super::{FileStoreError, StoredBytes, intake::Intake, io_refused, refused};
use crate::sqlite::folder_make;

mod partial;

/// The folder of files, in the data folder.
const FILES_FOLDER: &str = "files";
/// Bytes that are gathered before they are written.
pub(super) const PART_BYTES: usize = 1024 * 1024;

/// The folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<PathBuf>);

impl Folder {
    /// Makes what is not there, for its owner alone.
    pub(super) fn open(data: &Path) -> Result<(Self, Arc<dyn ObjectStore>), FileStoreError> {
        let folder = data.join(FILES_FOLDER);
        folder_make(&folder).map_err(|error| FileStoreError::Failed(error.into()))?;
        // Without this a file could be gone after a power cut that its row survives.
        let objects = LocalFileSystem::new_with_prefix(&folder)
            .map_err(refused)?
            .with_fsync(true);
        Ok((Self(Arc::new(folder)), Arc::new(objects)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) async fn sweep_partial(&self, before: Timestamp) -> Result<u64, FileStoreError> {
        let folder = self.0.clone();
        let swept = tokio::task::spawn_blocking(move || partial::sweep(&folder, before)).await;
        swept
            .map_err(|error| FileStoreError::Failed(error.into()))?
            .map_err(io_refused)
    }
}

pub(super) async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
    objects: &dyn ObjectStore,
    name: &Name,
    bytes: impl Stream<Item = Result<Bytes, E>>,
    max: u64,
) -> Result<StoredBytes, FileStoreError> {
    // Dropped before its end, an upload removes what it has written.
    let mut upload = objects.put_multipart(name).await.map_err(refused)?;
    match fill(&mut *upload, bytes, max).await {
        Ok(stored) => {
            upload.complete().await.map_err(refused)?;
            Ok(stored)
        }
        Err(error) => {
            if let Err(left) = upload.abort().await {
                tracing::warn!(error = %left, file.name = %name, "part of an upload was left");
            }
            Err(error)
        }
    }
}

/// Writes what `bytes` brings to `upload`, part by part.
async fn fill<E: Into<Box<dyn Error + Send + Sync>>>(
    upload: &mut dyn MultipartUpload,
    bytes: impl Stream<Item = Result<Bytes, E>>,
    max: u64,
) -> Result<StoredBytes, FileStoreError> {
    pin_mut!(bytes);
    let mut intake = Intake::new(max);
    let mut part = BytesMut::new();
    while let Some(piece) = bytes.next().await {
        part.extend_from_slice(&intake.take(piece)?);
        if part.len() >= PART_BYTES {
            // One at a time: the disk is the bound, and a slow one must not pile parts up.
            let full = part.split().freeze();
            upload.put_part(full.into()).await.map_err(refused)?;
        }
    }
    if !part.is_empty() {
        let last = part.freeze();
        upload.put_part(last.into()).await.map_err(refused)?;
    }
    Ok(intake.stored())
}
