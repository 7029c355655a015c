//! Files: taking them, giving them back, and clearing away bytes that nobody has a row for.

use std::time::Duration;

use bytes::Bytes;
use domain::{
    Actor, Checklist, ChecklistId, ControlKey, Done, FieldId, FileKey, FileRow, Right, StoredFile,
    file_name,
};
use futures_util::{Stream, StreamExt};
use store::{Doing, Fields, FileStoreError, Page, Read, ReadTx, StoreError, StoredBytes, WriteTx};

use crate::{
    App, AppError, Caller, Change, FileWork, Missing, Query,
    acting::{Work, may_work},
    emit::{Happened, audit, emit},
};

/// How long bytes without a row are kept, so that an upload under way is never taken for one that
/// was given up.
const ORPHAN_AGE: Duration = Duration::from_hours(24);
/// How long an upload may take. Its bytes may be as old as its beginning when their row is written, and must not be taken
/// for ones that nobody has a row for.
const UPLOAD_TIME_MAX: Duration = Duration::from_hours(12);
/// Objects looked at in one step of the sweep.
const SWEEP_BATCH: usize = 500;
/// Longest media type that is kept; a longer one is not one.
const MEDIA_TYPE_CHARS_MAX: usize = 127;

/// `POST task/upload-file`: a file for a File Upload control.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Which control of which checklist.
    pub field: FieldId,
    /// The file's name, as its owner has it.
    pub file_name: String,
    /// Its media type, as its owner has it.
    pub media_type: String,
}

impl App {
    /// Stores a file: its bytes first, then the row that tells of them.
    ///
    /// Whether it may be stored is asked before the first byte is taken and again with the row,
    /// for the task may have been completed meanwhile.
    pub async fn upload<S, E>(
        &self,
        caller: &Caller,
        upload: Upload,
        bytes: S,
    ) -> Result<FileRow, AppError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        if caller.once().is_some() {
            // It may be there already, which only the bytes tell; the control may be full by it.
            self.authorize(caller, Right::Run).await?;
        } else {
            self.query(caller, MayUpload(upload.field)).await?;
        }
        let begun = self.source().now();
        let key = FileKey::new(self.source().uuid());
        let max = self.limits().file_bytes_max;
        let stored = self.files().put(key, bytes, max).await;
        let stored = stored.map_err(|error| files_failed(FileWork::Storing, error))?;
        if self.source().now().since(begun) > UPLOAD_TIME_MAX {
            let _ = self.files().delete(key).await;
            return Err(AppError::UploadInterrupted);
        }
        let row = self
            .change(
                caller,
                RecordUpload {
                    fingerprint: [&stored.sha256[..], upload.file_name.as_bytes()].concat(),
                    upload,
                    key,
                    stored,
                },
            )
            .await;
        if row.as_ref().is_err_and(|error| !error.is_unsure()) {
            // No row, no file. Should this fail as well, the sweep finds it tomorrow.
            let _ = self.files().delete(key).await;
        }
        row
    }

    /// Opens a file for reading.
    pub async fn open_file(&self, caller: &Caller, open: OpenFile) -> Result<Opened, AppError> {
        let file = self.query(caller, FindFile(open.key)).await?;
        let range = match open.range {
            Some(range) => range
                .within(file.size)
                .ok_or(AppError::RangeNotThere { size: file.size })?,
            None => 0..file.size,
        };
        let bytes = self.files().get(open.key, Some(range.clone())).await;
        let bytes = bytes.map_err(|error| files_failed(FileWork::Reading, error))?;
        Ok(Opened {
            file,
            range,
            bytes: bytes.bytes,
        })
    }

    /// Removes bytes that have had no row for a day, and what uploads left that were cut off.
    /// Answers how many objects went.
    pub async fn sweep_files(&self) -> Result<u64, AppError> {
        const DOING: &str = "sweeping files";
        let before = self.source().now().before(ORPHAN_AGE);
        let mut old = self.files().list_older_than(before).chunks(SWEEP_BATCH);
        let mut removed = 0;
        while let Some(keys) = old.next().await {
            let keys: Result<Vec<FileKey>, _> = keys.into_iter().collect();
            let keys = keys.map_err(|error| files_failed(FileWork::Sweeping, error))?;
            let orphans = self.parts().store.read(Orphans(keys)).await;
            for key in orphans.doing::<AppError>(DOING)? {
                let gone = self.files().delete(key).await;
                gone.map_err(|error| files_failed(FileWork::Sweeping, error))?;
                removed += 1;
            }
        }
        let partial = self.files().sweep_partial(before).await;
        removed += partial.map_err(|error| files_failed(FileWork::Sweeping, error))?;
        Ok(removed)
    }
}

fn files_failed(doing: FileWork, source: FileStoreError) -> AppError {
    match source {
        FileStoreError::TooLarge { max } => AppError::FileTooLarge { max },
        FileStoreError::Interrupted(_) => AppError::UploadInterrupted,
        source => AppError::Files { doing, source },
    }
}

struct Orphans(Vec<FileKey>);

impl Read for Orphans {
    type Done = Vec<FileKey>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<FileKey>, StoreError> {
        tx.file_orphans(&self.0).await
    }
}

/// The checklist of a File Upload control that takes one more file from whoever asks, with what lies in it, and the
/// control's key.
async fn uploadable<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    list: Option<Checklist>,
    field: FieldId,
) -> Result<(Checklist, ControlKey), AppError> {
    let list = list.ok_or(Missing::Field(field))?;
    let place = field.index();
    let template = list.template.clone();
    let (task, control) = template.control_at(place).ok_or(Missing::Field(field))?;
    may_work(tx, actor, (&list, task), Work::Content).await?;
    list.may_upload(task, place, control)?;
    Ok((list, control.key))
}

struct MayUpload(FieldId);

impl Query for MayUpload {
    const NEEDS: Right = Right::Run;

    type Answer = ();

    async fn run(&self, _: &App, actor: &Actor, tx: &mut dyn ReadTx) -> Result<(), AppError> {
        let (id, fields) = (self.0.checklist(), Fields::At(self.0.index()));
        let list = tx.checklist_get(actor.team, id, fields).await;
        let list = list.doing::<AppError>("loading a checklist")?;
        uploadable(tx, actor, list, self.0).await.map(|_| ())
    }
}

struct RecordUpload {
    upload: Upload,
    key: FileKey,
    stored: StoredBytes,
    /// The hash of the bytes, and what the file is called.
    fingerprint: Vec<u8>,
}

impl Change for RecordUpload {
    const NEEDS: Right = Right::Run;

    type Answer = FileRow;

    fn fingerprint(&self) -> Option<&[u8]> {
        Some(&self.fingerprint)
    }

    fn about(&self) -> Option<ChecklistId> {
        Some(self.upload.field.checklist())
    }

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<FileRow, AppError> {
        const DOING: &str = "storing a file's row";
        let field = self.upload.field;
        let (id, fields) = (field.checklist(), Fields::At(field.index()));
        let list = tx.checklist_hold(actor.team, id, fields).await;
        let list = list.doing::<AppError>(DOING)?;
        let (mut list, control) = uploadable(tx, actor, list, field).await?;
        let now = app.source().now();
        let file = StoredFile {
            key: self.key,
            field,
            name: file_name(&self.upload.file_name),
            size: self.stored.size,
            media_type: media_type(&self.upload.media_type),
            sha256: self.stored.sha256,
            uploaded: Done {
                at: now,
                by: actor.person.clone(),
            },
        };
        tx.file_insert(actor.team, control, &file)
            .await
            .doing::<AppError>(DOING)?;
        let row = FileRow::of(&list, &file, app.public_url()).ok_or(Missing::Field(field))?;
        list.fields
            .entry(field.index())
            .or_default()
            .files
            .push(file);
        emit(app, tx, &list, now, Happened::FileUploaded(&row)).await?;
        let subject = ("file.upload", self.key.to_string());
        audit(tx, actor, now, subject, format!("field {field}")).await?;
        Ok(row)
    }
}

/// The media type as it was given, or that of unknown bytes when it is none.
fn media_type(given: &str) -> String {
    let given = given.trim();
    let token = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
        !part.is_empty() && part.chars().all(allowed)
    };
    let plain = given.split(';').next().unwrap_or_default().trim();
    let is_one = plain
        .split_once('/')
        .is_some_and(|(kind, sub)| token(kind) && token(sub));
    if is_one && plain.len() <= MEDIA_TYPE_CHARS_MAX {
        plain.to_ascii_lowercase()
    } else {
        "application/octet-stream".to_owned()
    }
}

/// `GET checklist/file`: a file, or part of it.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// Which file.
    pub key: FileKey,
    /// Which of its bytes; none means all.
    pub range: Option<ByteRange>,
}

/// Which bytes of a file are wanted, as `Range` says it (RFC 9110, section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first up to and with the last, or to the end of the file.
    From {
        /// The first byte, from 0.
        first: u64,
        /// The last byte; none means to the end.
        last: Option<u64>,
    },
    /// So many at the end.
    Last(u64),
}

impl ByteRange {
    /// The bytes meant in a file of `size` bytes, the end not included; none when they are not there.
    fn within(self, size: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            Self::From { first, last } => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                first..end
            }
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// A file that is open for reading.
pub struct Opened {
    /// The file.
    pub file: StoredFile,
    /// Which of its bytes are read, the end not included.
    pub range: std::ops::Range<u64>,
    /// The bytes.
    pub bytes: futures_util::stream::BoxStream<'static, Result<Bytes, FileStoreError>>,
}

struct FindFile(FileKey);

impl Query for FindFile {
    const NEEDS: Right = Right::Read;

    type Answer = StoredFile;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<StoredFile, AppError> {
        let file = tx
            .file_get(actor.team, self.0)
            .await
            .doing::<AppError>("finding a file")?;
        Ok(file.ok_or(Missing::File(self.0))?)
    }
}

/// `GET checklist/uploaded-files`: the files in one control, in whichever checklist, newest first.
pub struct ListFiles {
    /// Which control.
    pub control: ControlKey,
    /// Which part of the list.
    pub page: Page,
}

impl Query for ListFiles {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<FileRow>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<FileRow>, AppError> {
        const DOING: &str = "listing files";
        let files = tx
            .file_page(actor.team, self.control, self.page)
            .await
            .doing::<AppError>(DOING)?;
        let mut rows = Vec::with_capacity(files.len());
        for file in files {
            let id = file.field.checklist();
            let list = tx
                .checklist_get(actor.team, id, Fields::None)
                .await
                .doing::<AppError>(DOING)?;
            let list = list.ok_or(Missing::Checklist(id))?;
            rows.extend(FileRow::of(&list, &file, app.public_url()));
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteRange, media_type};

    #[test]
    fn ranges_are_cut_to_the_file() {
        let from = |first, last| ByteRange::From { first, last };
        let cases = [
            (from(0, None), Some(0..10)),
            (from(2, Some(4)), Some(2..5)),
            (from(9, Some(u64::MAX)), Some(9..10)),
            (from(10, None), None),
            (from(5, Some(4)), None),
            (ByteRange::Last(3), Some(7..10)),
            (ByteRange::Last(30), Some(0..10)),
            (ByteRange::Last(0), None),
        ];
        for (range, expected) in cases {
            assert_eq!(range.within(10), expected, "{range:?}");
        }
        assert_eq!(ByteRange::Last(5).within(0), None);
    }

    #[test]
    fn what_is_no_media_type_becomes_unknown_bytes() {
        let cases = [
            ("image/PNG", "image/png"),
            ("text/plain; charset=utf-8", "text/plain"),
            ("", "application/octet-stream"),
            ("text/html\r\nx: y", "application/octet-stream"),
            ("image", "application/octet-stream"),
        ];
        for (given, expected) in cases {
            assert_eq!(media_type(given), expected, "{given:?}");
        }
    }
}
