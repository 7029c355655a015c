//! Whether the files are those of the database.
//!
//! A file store is known by a random id, in an object of its own and as a mark in the database. Each node
//! compares the two when it starts: one whose files are elsewhere than the others' would give no file of theirs, and
//! one whose store holds the files of another database would sweep them all away. The id is first promised by the
//! database, then written beside the files, then kept by the database, so that several nodes can be first at
//! once, and any of them die on the way.
//!
//! A copy that brings files along gives both a new id: it writes it where the files go, before the first of them, as one
//! of a copy that is at work, then into the database, all or nothing, and then has it be the id. Cut off before the database was kept, it has left
//! what the next copy takes over; cut off after, what the first start puts right. Whoever copies the database alone
//! copies the mark.
//!
//! A database that has files and no mark is none of ours by now, or an old copy. It takes no place for its own in which
//! its files are not.

use bytes::Bytes;
use domain::{FileKey, Source};
use object_store::{GetOptions, ObjectStore as _, ObjectStoreExt as _, path::Path as Name};
use uuid::Uuid;

use super::{FileStore, FileStoreError, FilesElsewhere, refused};
use crate::{Read, ReadTx, Store, StoreError, Write, WriteTx};

/// The name of the object that holds the id.
pub(super) const ID_NAME: &str = "checkflow-files";
/// The name of the mark in the database.
pub(crate) const MARK_NAME: &str = "files";
/// What follows the id while a copy is at work.
const COPYING: &str = "copying";
/// How many of a database's files are looked for, of which one is to be there.
const LOOKED_FOR: u32 = 3;
/// Largest object that is read for an id.
const ID_BYTES_MAX: u64 = 64;

/// What a file store is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) id: Uuid,
    /// Whether a copy has said so that has not come to its end.
    is_copying: bool,
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
        let (known, newest) = store.read(Look).await?;
        // Whatever holds none of them is not their place. Asked before anything is promised, which would be for good.
        if known.is_none_or(|known| !known.is_kept) && !self.has_one_of(&newest).await? {
            return Err(FilesElsewhere::NotHere(self.place.to_string()));
        }
        let known = match known {
            Some(known) => known,
            None => store.write(Promise(source.uuid())).await?,
        };
        let place = || self.place.to_string();
        let there = match self.there().await? {
            // A copy that was cut off once the database was kept.
            Some(there) if there.is_copying && there.id == known.id => {
                self.id_put(known.id).await?
            }
            Some(there) if there.is_copying && !known.is_kept => {
                return Err(FilesElsewhere::Copying(place()));
            }
            Some(there) => there.id,
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

    /// Whether one of these files is here, or there is none.
    async fn has_one_of(&self, keys: &[FileKey]) -> Result<bool, FilesElsewhere> {
        for key in keys {
            match self.objects.head(&self.name(*key)).await.map_err(refused) {
                Ok(_) => return Ok(true),
                Err(FileStoreError::NotThere) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(keys.is_empty())
    }

    /// Refuses a store that some database has begun with: files that are copied into it would be swept away.
    async fn must_be_nobodys(&self) -> Result<(), FilesElsewhere> {
        match self.there().await? {
            None => Ok(()),
            Some(there) if there.is_copying => Ok(()),
            Some(there) => Err(FilesElsewhere::Taken {
                place: self.place.to_string(),
                there: there.id,
            }),
        }
    }

    /// Has the store be known by `id` as one that a copy is at work on.
    pub(crate) async fn copy_begun(&self, id: Uuid) -> Result<(), FilesElsewhere> {
        self.must_be_nobodys().await?;
        self.text_put(format!("{id} {COPYING}\n")).await
    }

    /// Has the store be known by `id`, whose database was kept.
    pub(crate) async fn copy_ended(&self, id: Uuid) -> Result<(), FilesElsewhere> {
        self.id_put(id).await.map(|_| ())
    }

    /// What the store is known by.
    pub(crate) async fn there(&self) -> Result<Option<There>, FilesElsewhere> {
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
        let (id, is_copying) = match text.trim().split_once(' ') {
            Some((id, COPYING)) => (id, true),
            Some(_) => return Err(self.no_id()),
            None => (text.trim(), false),
        };
        let id = Uuid::try_parse(id).map_err(|_| self.no_id())?;
        Ok(Some(There { id, is_copying }))
    }

    /// Has the store be known by `id`; answers what it is known by, should somebody else have been as quick.
    async fn id_put(&self, id: Uuid) -> Result<Uuid, FilesElsewhere> {
        self.text_put(format!("{id}\n")).await?;
        let there = self.there().await?;
        there.map(|there| there.id).ok_or_else(|| self.no_id())
    }

    async fn text_put(&self, text: String) -> Result<(), FilesElsewhere> {
        let name = self.id_name();
        let put = self.objects.put(&name, Bytes::from(text).into()).await;
        put.map_err(|error| self.failed(refused(error)))?;
        Ok(())
    }

    pub(super) fn id_name(&self) -> Name {
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

/// The mark of a database that belongs to the file store known by `id`.
pub(crate) fn mark_of(id: Uuid) -> Vec<u8> {
    let known = Known { id, is_kept: true };
    known.to_mark()
}

/// The id in such a mark, if it is one.
pub(crate) fn id_in(mark: &[u8]) -> Option<Uuid> {
    Known::of_mark(mark).ok().map(|known| known.id)
}

/// What is known of the file store; and where that is nothing certain, the newest files.
pub(super) struct Look;
pub(super) struct Promise(pub(super) Uuid);
pub(super) struct Keep(pub(super) Uuid);

impl Read for Look {
    type Done = (Option<Known>, Vec<FileKey>);
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Self::Done, StoreError> {
        let mark = tx.mark_get(MARK_NAME).await?;
        let known = mark.as_deref().map(Known::of_mark).transpose()?;
        let newest = match known {
            Some(known) if known.is_kept => Vec::new(),
            _ => tx.file_newest(LOOKED_FOR).await?,
        };
        Ok((known, newest))
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
