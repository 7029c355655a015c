//! What is known of a file while it comes in.

use std::error::Error;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{FileStoreError, StoredBytes};

/// Counts, bounds and hashes.
pub(super) struct Intake {
    hash: Sha256,
    size: u64,
    max: u64,
}

impl Intake {
    pub(super) fn new(max: u64) -> Self {
        Self {
            hash: Sha256::new(),
            size: 0,
            max,
        }
    }

    /// The next piece, if the file may be so large.
    pub(super) fn take<E: Into<Box<dyn Error + Send + Sync>>>(
        &mut self,
        piece: Result<Bytes, E>,
    ) -> Result<Bytes, FileStoreError> {
        let piece = piece.map_err(|error| FileStoreError::Interrupted(error.into()))?;
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > self.max {
            return Err(FileStoreError::TooLarge { max: self.max });
        }
        self.hash.update(&piece);
        Ok(piece)
    }

    pub(super) fn stored(self) -> StoredBytes {
        StoredBytes {
            size: self.size,
            sha256: self.hash.finalize().into(),
        }
    }
}
