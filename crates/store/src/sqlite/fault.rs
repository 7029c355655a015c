//! What SQLite's errors mean to the callers of the store.

use rusqlite::{Error, ErrorCode, ffi};

use super::LostSync;
use crate::StoreError;

/// An error while a statement ran or its rows were read.
pub(super) enum Fault {
    /// SQLite's.
    Sql(Error),
    /// Ours, such as a stored value that can't be.
    Store(StoreError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => meaning(error),
            Fault::Store(error) => error,
        }
    }
}

/// What `error` means to the caller.
pub(super) fn meaning(error: Error) -> StoreError {
    let Some(code) = error.sqlite_error().copied() else {
        return StoreError::Failed(error.into());
    };
    match code.code {
        ErrorCode::ReadOnly => StoreError::Full(Some(error.into())),
        _ if is_full(&error) => StoreError::Full(Some(error.into())),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OperationInterrupted
        | ErrorCode::OutOfMemory
        | ErrorCode::CannotOpen => StoreError::Unavailable(Some(error.into())),
        _ => StoreError::Failed(error.into()),
    }
}

/// Whether the disk takes no more.
pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|code| match code.code {
        ErrorCode::DiskFull => true,
        // What writing to a full disk comes to where SQLite has no word of its own for it: quotas,
        // file size limits, and the shared memory of the WAL that can't grow.
        ErrorCode::SystemIoFailure => is_write(code.extended_code),
        _ => false,
    })
}

const fn is_write(extended: i32) -> bool {
    matches!(
        extended,
        ffi::SQLITE_IOERR_WRITE
            | ffi::SQLITE_IOERR_TRUNCATE
            | ffi::SQLITE_IOERR_SHMSIZE
            | ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMMAP
    )
}

/// Whether the disk said that it could not keep what had been written. The kernel may have dropped
/// those pages, so asking again would be answered with a success that is none.
pub(super) fn is_lost_sync(error: &Error) -> bool {
    let extended = error.sqlite_error().map(|code| code.extended_code);
    matches!(
        extended,
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Ends the process by `lost_sync` if `error` says that the disk could not keep what had been written.
pub(super) fn end_if_lost(error: &Error, lost_sync: &LostSync) {
    if is_lost_sync(error) {
        tracing::error!(%error, "the disk failed to keep what was written; the server ends");
        lost_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(extended), None)
    }

    #[test]
    fn errors_are_named_for_what_the_caller_can_do() {
        for full in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_IOERR_WRITE,
        ] {
            assert!(
                matches!(meaning(failure(full)), StoreError::Full(_)),
                "{full}"
            );
        }
        for busy in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_BUSY_SNAPSHOT,
            ffi::SQLITE_INTERRUPT,
        ] {
            assert!(
                matches!(meaning(failure(busy)), StoreError::Unavailable(_)),
                "{busy}"
            );
        }
        for failed in [
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_CONSTRAINT,
            ffi::SQLITE_IOERR_READ,
        ] {
            assert!(
                matches!(meaning(failure(failed)), StoreError::Failed(_)),
                "{failed}"
            );
        }
        assert!(is_lost_sync(&failure(ffi::SQLITE_IOERR_FSYNC)));
        assert!(!is_lost_sync(&failure(ffi::SQLITE_IOERR_WRITE)));
    }

    #[test]
    fn a_lost_sync_ends_the_process_and_nothing_else_does() {
        use std::sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        };
        let ends = Arc::new(AtomicU32::new(0));
        let counted = ends.clone();
        let lost: LostSync = Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        for (code, expected) in [
            (ffi::SQLITE_FULL, 0),
            (ffi::SQLITE_IOERR_FSYNC, 1),
            (ffi::SQLITE_IOERR_WRITE, 1),
            (ffi::SQLITE_IOERR_DIR_FSYNC, 2),
        ] {
            end_if_lost(&failure(code), &lost);
            assert_eq!(ends.load(Ordering::Relaxed), expected, "{code}");
        }
    }
}
