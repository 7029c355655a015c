//! Copying files: those that have a row, each checked by the size and the SHA-256 that its row says.

use domain::FileKey;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    Bound, CopyError, CopyProgress, CopyWatch, Copying, Row, SLICES_WAITING, Value, meta, table,
};
use crate::{
    FileStore, FileStoreError, StoredBytes,
    files::{FILES_MARK, id_in},
};

/// What became of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilesCopied {
    /// Those that were copied now.
    pub copied: u64,
    /// Those that were there already, as a copy that was cut off leaves them.
    pub there: u64,
    /// The size of all.
    pub bytes: u64,
}

impl Copying {
    /// Copies every file that has a row from one place to another, but for those that are there as they
    /// should be. The database is copied after it, and goes on with the files in the other place, to which it
    /// belongs then by `id`; unless that is the source's own, which it goes on belonging to. Where there is none to
    /// copy from, all have to be there.
    ///
    /// # Errors
    /// [`CopyError::File`] for the first that is not there, or not what its row says; [`CopyError::Files`] if the
    /// other place is another database's.
    pub async fn files(
        &mut self,
        from: Option<&FileStore>,
        to: &FileStore,
        id: Uuid,
        watch: CopyWatch<'_>,
    ) -> Result<FilesCopied, CopyError> {
        let own = meta(&*self.source, FILES_MARK).await?;
        let own = own.as_deref().and_then(id_in);
        let there = to.there().await?.map(|there| there.id);
        let is_own = from.is_none() && own.is_some() && there == own;
        if !is_own {
            // Before the first file, so that no new database takes a place for its own that is being filled.
            to.copy_begun(id).await?;
        }
        let (send, mut slices) = mpsc::channel::<Vec<Row>>(SLICES_WAITING);
        let copying = async move {
            let mut done = FilesCopied::default();
            while let Some(rows) = slices.recv().await {
                for row in &rows {
                    let (key, stored) = told(row);
                    let copied = copy(from.unwrap_or(to), to, key, stored).await;
                    let copied = copied.map_err(|wrong| CopyError::File {
                        key,
                        size: stored.size,
                        wrong,
                    })?;
                    done.bytes += stored.size;
                    *if copied {
                        &mut done.copied
                    } else {
                        &mut done.there
                    } += 1;
                    watch(CopyProgress {
                        doing: "copying the bytes of",
                        table: "file",
                        count: done.copied + done.there,
                    });
                }
            }
            Ok::<_, CopyError>(done)
        };
        let (done, read) = tokio::join!(copying, self.source.read(table("file"), send));
        let done = done?;
        read?;
        self.bound = (!is_own).then(|| Bound {
            files: to.clone(),
            id,
        });
        Ok(done)
    }
}

/// What its row tells of a file.
fn told(row: &Row) -> (FileKey, StoredBytes) {
    let at = |name| &row[table("file").place(name)];
    match (at("key"), at("size"), at("sha256")) {
        (Value::Guid(key), Value::Int(size), Value::Bytes(hash)) => {
            let stored = StoredBytes {
                size: u64::try_from(*size).unwrap_or_default(),
                // Of another length it is that of no file.
                sha256: hash[..].try_into().unwrap_or_default(),
            };
            (FileKey::new(*key), stored)
        }
        _ => unreachable!("a row has what its columns say, and these may not be absent"),
    }
}

/// Copies one file unless it is there; answers whether it was copied, or what is wrong.
async fn copy(
    from: &FileStore,
    to: &FileStore,
    key: FileKey,
    stored: StoredBytes,
) -> Result<bool, String> {
    match is_there(to, key, stored).await {
        Ok(true) => return Ok(false),
        Ok(false) | Err(FileStoreError::NotThere) => {}
        Err(error) => {
            return Err(format!(
                "can't be looked for in the target: {}",
                said(&error)
            ));
        }
    }
    let found = from.get(key, None).await.map_err(|error| match error {
        FileStoreError::NotThere => "is not where it is copied from".to_owned(),
        error => format!("can't be read: {}", said(&error)),
    })?;
    let put = to.put(key, found.bytes, stored.size).await;
    let differs = "is not what it was when it was uploaded".to_owned();
    match put {
        Ok(put) if put == stored => Ok(true),
        Ok(_) => {
            to.delete(key)
                .await
                .map_err(|error| format!("{differs}, and its copy was left: {}", said(&error)))?;
            Err(differs)
        }
        Err(FileStoreError::TooLarge { .. }) => Err(differs),
        Err(error) => Err(format!("can't be copied: {}", said(&error))),
    }
}

/// Whether the file is there with all its bytes.
async fn is_there(
    store: &FileStore,
    key: FileKey,
    stored: StoredBytes,
) -> Result<bool, FileStoreError> {
    let mut found = store.get(key, None).await?;
    if found.size != stored.size {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    while let Some(piece) = found.bytes.try_next().await? {
        hash.update(&piece);
    }
    Ok(<[u8; 32]>::from(hash.finalize()) == stored.sha256)
}

/// An error, with the reason at the bottom of it.
fn said(error: &FileStoreError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("{error} ({cause})")
}
