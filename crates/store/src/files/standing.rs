//! Whether the file store is there: looked at now and then by whoever tells of it, and told by requests that
//! met trouble.

use std::{sync::PoisonError, time::Duration};

use object_store::ObjectStoreExt as _;
use tokio::time::timeout;

use super::{FileStore, FileStoreError, Place, refused};
use crate::error::reason;

/// How long a look may take, all tries counted. Longer than a store that is there needs for a few bytes while it
/// takes in large files.
const LOOK_TIME: Duration = Duration::from_secs(5);

/// Why files can't be stored or read at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesTrouble {
    /// Why, and what to do if somebody has to do something, on one line.
    pub why: String,
    /// Whether somebody has to: it does not pass by itself.
    pub is_for_the_operator: bool,
}

impl FileStore {
    /// Looks whether the store is there and lets us in, by reading the object that holds its id: a few bytes, whose
    /// refusal says why, which that of a HEAD does not.
    pub async fn look(&self) -> Result<(), FilesTrouble> {
        let looking = async {
            let found = self.objects.get(&self.id_name()).await.map_err(refused)?;
            found.bytes().await.map_err(refused)
        };
        let looked = timeout(LOOK_TIME, looking).await;
        let looked = looked.unwrap_or_else(|_| Err(silent(LOOK_TIME)));
        let found = looked.map(|_| ()).map_err(|error| self.trouble(&error));
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = found.as_ref().err().cloned();
        found
    }

    /// Refuses at once what the last look has found to be in vain, before anything of a file is taken in. A store that
    /// has lost its id might be another's, or be wiped, so nothing is put there either.
    pub(super) fn check_there(&self) -> Result<(), FileStoreError> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            None => Ok(()),
            Some(trouble) if trouble.is_for_the_operator => {
                Err(FileStoreError::Denied(trouble.why.clone().into()))
            }
            Some(trouble) => Err(FileStoreError::Away(trouble.why.clone().into())),
        }
    }

    /// Resolves once a request has met a store that is away or does not let us in, also when that was before the
    /// call.
    pub async fn troubled(&self) -> FilesTrouble {
        self.met.taken().await
    }

    /// Passes an outcome on, and has whoever looks after the store look at it if it is of the store itself.
    pub(super) fn noted<T>(&self, outcome: Result<T, FileStoreError>) -> Result<T, FileStoreError> {
        outcome.inspect_err(|error| {
            if matches!(error, FileStoreError::Away(_) | FileStoreError::Denied(_)) {
                self.met.put(|| self.trouble(error));
            }
        })
    }

    fn trouble(&self, error: &FileStoreError) -> FilesTrouble {
        let why = match (error, &self.place) {
            (FileStoreError::NotThere, place) => format!(
                "nothing in {place} has the id of these files any more; restore the object {}, and whatever was \
                 lost with it",
                self.id_name()
            ),
            // It passes by itself, so there is nothing to be done.
            (FileStoreError::Away(_), _) => reason(error),
            (error, Place::Bucket(bucket)) => bucket.advice(error),
            (error, Place::Folder(_)) => reason(error),
        };
        FilesTrouble {
            why,
            is_for_the_operator: !matches!(error, FileStoreError::Away(_)),
        }
    }
}

/// Nothing was heard of the store for `time`.
pub(super) fn silent(time: Duration) -> FileStoreError {
    FileStoreError::Away(format!("it gave no answer for {time:?}").into())
}
