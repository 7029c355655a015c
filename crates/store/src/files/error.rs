//! What can go wrong with files, named for what the caller can do about it.

use std::{error::Error, io};

use super::s3::{S3Error, Trouble};

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
    /// The store can't be reached, or has too much to do: the same may go well in a moment.
    #[error("the file store is not available at the moment")]
    Away(#[source] Box<dyn Error + Send + Sync>),
    /// The store does not let us in, or is not where it was said to be: whoever runs the server has to mend that.
    #[error("the file store does not let this server in")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// There is no such file.
    #[error("there is no such file")]
    NotThere,
    /// The range is not within the file.
    #[error("the range is not within the file")]
    OutOfRange,
    /// Anything else that the store says.
    #[error("the file store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// Why the files are not to be got at. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenFilesError {
    /// Those in the folder.
    #[error(transparent)]
    Folder(#[from] FileStoreError),
    /// Those in a bucket.
    #[error(transparent)]
    Bucket(#[from] S3Error),
}

pub(super) fn refused(error: object_store::Error) -> FileStoreError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return FileStoreError::NotThere;
    }
    match Trouble::of(&error) {
        Some(trouble) if trouble.is_transient() => return FileStoreError::Away(error.into()),
        Some(trouble) if trouble.is_denial() => return FileStoreError::Denied(error.into()),
        Some(_) => return FileStoreError::Failed(error.into()),
        None => {}
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

pub(super) fn io_refused(error: io::Error) -> FileStoreError {
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
