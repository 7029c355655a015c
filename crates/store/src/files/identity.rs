//! Whether the files are those of the database.
//!
//! A file store is known by a random id, in an object of its own and as a mark in the database. Each node
//! compares the two when it starts: one whose files are elsewhere than the others' would give no file of theirs, and
//! one whose store holds the files of another database would sweep them all away. The id is first promised by the
//! database, then written beside the files, then kept by the database, so that several nodes can be first at
//! once, and any of them die on the way.
//!
//! Whoever moves files to another store leaves the object behind, and lets the first start on the copied database
//! make one there: without the mark, it is a new database. Whoever copies the database alone copies the mark.

use bytes::Bytes;
use domain::Source;
use object_store::{GetOptions, ObjectStore as _, ObjectStoreExt as _, path::Path as Name};
use uuid::Uuid;

use super::{FileStore, FileStoreError, refused};
use crate::{Read, ReadTx, Store, StoreError, Write, WriteTx};

/// The name of the object that holds the id.
const ID_NAME: &str = "checkflow-files";
/// The name of the mark in the database.
pub(crate) const MARK_NAME: &str = "files";
/// Largest object that is read for an id.
const ID_BYTES_MAX: u64 = 64;

/// Why these files are not used with this database. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FilesElsewhere {
    /// The database has begun with other files.
    #[error(
        "the files of this database are not in {place}: it holds those with the id {there}, and this database has the \
         id {known}; name where its files are, with --files or in the data folder"
    )]
    Others {
        /// Where they were looked for.
        place: String,
        /// What the store is known by.
        there: Uuid,
        /// What the database knows.
        known: Uuid,
    },
    /// The database has begun with files, which are not here.
    #[error(
        "the files of this database are not in {place}: nothing there has their id, {known}; name where they are, with \
         --files or in the data folder, or restore them, the object {ID_NAME} included"
    )]
    Missing {
        /// Where they were looked for.
        place: String,
        /// What the database knows.
        known: Uuid,
    },
    /// The database is new, and the files are another's.
    #[error(
        "{place} holds the files of another database, which has the id {there}; choose another place for those of this \
         one, or, if that database is gone for good, remove the object {ID_NAME} there"
    )]
    Taken {
        /// Where files were to be put.
        place: String,
        /// What the store is known by.
        there: Uuid,
    },
    /// What should hold the id holds something else.
    #[error("the object {ID_NAME} in {0} holds no id; restore it, or name another place for files")]
    NoId(String),
    /// The file store did not answer.
    #[error("the files in {place} can't be used")]
    Files {
        /// Where they are.
        place: String,
        /// Why.
        #[source]
        source: FileStoreError,
    },
    /// The database did not answer.
    #[error("the database did not say which files are its own")]
    Database(#[from] StoreError),
}

/// What the database knows of its file store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    id: Uuid,
    /// Whether the store has been seen to have the id; until then it is only promised.
    pub(super) is_kept: bool,
}

impl FileStore {
    /// Makes sure that the files are those of the database in `store`; files and database that are both new belong to
    /// each other from now on.
    pub async fn belong_to(&self, store: &Store, source: &Source) -> Result<(), FilesElsewhere> {
        let known = match store.read(Look).await? {
            Some(known) => known,
            None => store.write(Promise(source.uuid())).await?,
        };
        let place = || self.place.to_string();
        let there = match self.id().await? {
            Some(there) => there,
            None if known.is_kept => {
                return Err(FilesElsewhere::Missing {
                    place: place(),
                    known: known.id,
                });
            }
            None => self.id_put(known.id).await?,
        };
        match (there == known.id, known.is_kept) {
            (true, true) => Ok(()),
            (true, false) => Ok(store.write(Keep(known.id)).await?),
            (false, true) => Err(FilesElsewhere::Others {
                place: place(),
                there,
                known: known.id,
            }),
            (false, false) => Err(FilesElsewhere::Taken {
                place: place(),
                there,
            }),
        }
    }

    /// Refuses a store that some database has begun with: files that are copied into it would be swept away.
    pub(crate) async fn must_be_nobodys(&self) -> Result<(), FilesElsewhere> {
        match self.id().await? {
            None => Ok(()),
            Some(there) => Err(FilesElsewhere::Taken {
                place: self.place.to_string(),
                there,
            }),
        }
    }

    /// What the store is known by.
    async fn id(&self) -> Result<Option<Uuid>, FilesElsewhere> {
        let found = self
            .objects
            .get_opts(&self.id_name(), GetOptions::new())
            .await;
        let found = match found.map_err(refused) {
            Ok(found) if found.meta.size > ID_BYTES_MAX => return Err(self.no_id()),
            Ok(found) => found,
            Err(FileStoreError::NotThere) => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let bytes = found
            .bytes()
            .await
            .map_err(|error| self.failed(refused(error)))?;
        let text = String::from_utf8_lossy(&bytes);
        let id = Uuid::try_parse(text.trim());
        id.map(Some).map_err(|_| self.no_id())
    }

    /// Has the store be known by `id`; answers what it is known by, should somebody else have been as quick.
    async fn id_put(&self, id: Uuid) -> Result<Uuid, FilesElsewhere> {
        let bytes = Bytes::from(format!("{id}\n"));
        let put = self.objects.put(&self.id_name(), bytes.into()).await;
        put.map_err(|error| self.failed(refused(error)))?;
        self.id().await?.ok_or_else(|| self.no_id())
    }

    fn id_name(&self) -> Name {
        self.prefix.clone().join(ID_NAME)
    }

    fn no_id(&self) -> FilesElsewhere {
        FilesElsewhere::NoId(self.place.to_string())
    }

    fn failed(&self, source: FileStoreError) -> FilesElsewhere {
        FilesElsewhere::Files {
            place: self.place.to_string(),
            source,
        }
    }
}

impl Known {
    fn to_mark(self) -> Vec<u8> {
        [&[u8::from(self.is_kept)], &self.id.as_bytes()[..]].concat()
    }

    fn of_mark(mark: &[u8]) -> Result<Self, StoreError> {
        let read = mark.split_first().and_then(|(kept, id)| {
            let id = Uuid::from_slice(id).ok()?;
            let is_kept = [false, true].get(usize::from(*kept)).copied()?;
            Some(Self { id, is_kept })
        });
        read.ok_or_else(|| StoreError::Corrupt {
            table: "meta",
            column: "value",
            row: MARK_NAME.to_owned(),
        })
    }
}

struct Look;
pub(super) struct Promise(pub(super) Uuid);
pub(super) struct Keep(pub(super) Uuid);

impl Read for Look {
    type Done = Option<Known>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Option<Known>, StoreError> {
        let mark = tx.mark_get(MARK_NAME).await?;
        mark.as_deref().map(Known::of_mark).transpose()
    }
}

impl Write for Promise {
    type Done = Known;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Known, StoreError> {
        let fresh = Known {
            id: self.0,
            is_kept: false,
        };
        Known::of_mark(&tx.mark_make(MARK_NAME, &fresh.to_mark()).await?)
    }
}

impl Write for Keep {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let kept = Known {
            id: self.0,
            is_kept: true,
        };
        tx.mark_replace(MARK_NAME, &kept.to_mark()).await
    }
}
