//! Files in an S3-compatible store, which several nodes share.
//!
//! A file that fits into one part is put by one request. A larger one goes up in parts while it comes in;
//! until the last request it is not there, and given up before that it is taken back.

mod http;
mod moving;
mod open;
mod options;
mod part;
mod trouble;

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, pin_mut};
use object_store::{
    ObjectStoreExt as _,
    aws::AmazonS3,
    multipart::{MultipartStore as _, PartId},
    path::Path as Name,
};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::task::TaskTracker;

pub use self::{
    open::S3Error,
    options::{BadS3Location, S3Credentials, S3Limits, S3Location, S3Options},
};
use self::{open::advice, part::Part};
pub(super) use self::{open::open, trouble::Trouble};
use super::{FileStoreError, StoredBytes, intake::Intake, refused};

/// Bytes of a part: the least that S3 takes. All but the last are of this size, as some stores want; ten
/// thousand, the most there may be, make 48 GiB.
pub(super) const PART_BYTES: usize = 5 * 1024 * 1024;
/// Most parts of one upload that are on their way, beside the one that is filled.
const PARTS_PER_UPLOAD_MAX: usize = 3;
/// Most parts of all uploads that are on their way.
const PARTS_MAX: usize = 16;

/// The bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    s3: Arc<AmazonS3>,
    options: Arc<S3Options>,
    /// The right to have a part on its way.
    ways: Arc<Semaphore>,
    /// What takes uploads back whose sender went away.
    cleaning: TaskTracker,
}

impl Bucket {
    fn new(s3: AmazonS3, options: S3Options) -> Self {
        Self {
            s3: Arc::new(s3),
            options: Arc::new(options),
            ways: Arc::new(Semaphore::new(PARTS_MAX)),
            cleaning: TaskTracker::new(),
        }
    }

    pub(super) fn location(&self) -> &S3Location {
        &self.options.location
    }

    pub(super) fn limits(&self) -> &S3Limits {
        &self.options.limits
    }

    /// Why the store can't be used, and what to do.
    pub(super) fn advice(&self, error: &FileStoreError) -> String {
        advice(&self.options, error)
    }

    pub(super) fn objects(&self) -> Arc<AmazonS3> {
        self.s3.clone()
    }

    /// Over when what was given up has been taken back.
    pub(super) async fn settle(&self) {
        self.cleaning.close();
        self.cleaning.wait().await;
    }

    pub(super) async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        name: Name,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        max: u64,
    ) -> Result<StoredBytes, FileStoreError> {
        pin_mut!(bytes);
        let mut intake = Intake::new(max);
        let mut part = Part::default();
        let mut upload = None;
        let filled = async {
            while let Some(piece) = bytes.next().await {
                let mut piece = intake.take(piece)?;
                while !piece.is_empty() {
                    part.fill(&mut piece);
                    if !part.is_full() {
                        continue;
                    }
                    if upload.is_none() {
                        upload = Some(Upload::begin(self.clone(), name.clone()).await?);
                    }
                    if let Some(upload) = &mut upload {
                        upload.send(&mut part).await?;
                    }
                }
            }
            Ok(())
        };
        let filled: Result<(), FileStoreError> = filled.await;
        let Some(mut upload) = upload else {
            filled?;
            let put = self.s3.put(&name, part.take()).await;
            put.map_err(refused)?;
            return Ok(intake.stored());
        };
        let ended = match filled {
            Ok(()) => upload.finish(part).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => Ok(intake.stored()),
            Err(error) => {
                upload.take_back().await;
                Err(error)
            }
        }
    }
}

/// A file that goes up in parts. Dropped before its end, it is taken back.
struct Upload {
    bucket: Bucket,
    name: Name,
    id: String,
    sending: JoinSet<Result<(usize, PartId), object_store::Error>>,
    sent: Vec<Option<PartId>>,
    is_over: bool,
}

impl Upload {
    async fn begin(bucket: Bucket, name: Name) -> Result<Self, FileStoreError> {
        let id = bucket.s3.create_multipart(&name).await.map_err(refused)?;
        Ok(Self {
            bucket,
            name,
            id,
            sending: JoinSet::new(),
            sent: Vec::new(),
            is_over: false,
        })
    }

    /// Begins to send what is gathered in a part, once there is room for it on the way.
    async fn send(&mut self, part: &mut Part) -> Result<(), FileStoreError> {
        while self.sending.len() >= PARTS_PER_UPLOAD_MAX {
            self.arrive().await?;
        }
        // Those that are on their way arrive or fail without us, so this waits for nobody's sender.
        let way = self.bucket.ways.clone().acquire_owned().await;
        let way = way.map_err(|closed| FileStoreError::Failed(closed.into()))?;
        let number = self.sent.len();
        self.sent.push(None);
        let (s3, name, id) = (self.bucket.s3.clone(), self.name.clone(), self.id.clone());
        let payload = part.take();
        self.sending.spawn(async move {
            let _way = way;
            let sent = s3.put_part(&name, &id, number, payload).await?;
            Ok((number, sent))
        });
        Ok(())
    }

    /// Waits for one of the parts on their way.
    async fn arrive(&mut self) -> Result<(), FileStoreError> {
        let Some(arrived) = self.sending.join_next().await else {
            return Ok(());
        };
        let arrived = arrived.map_err(|error| FileStoreError::Failed(error.into()))?;
        let (number, part) = arrived.map_err(refused)?;
        self.sent[number] = Some(part);
        Ok(())
    }

    /// Sends the last part, and makes a file of all of them.
    async fn finish(&mut self, mut last: Part) -> Result<(), FileStoreError> {
        if !last.is_empty() {
            self.send(&mut last).await?;
        }
        while !self.sending.is_empty() {
            self.arrive().await?;
        }
        let parts = self.sent.iter().flatten().cloned().collect();
        let s3 = &self.bucket.s3;
        let done = s3.complete_multipart(&self.name, &self.id, parts).await;
        done.map_err(refused)?;
        self.is_over = true;
        Ok(())
    }

    /// Takes it back; goes on with that for itself should the store be what keeps it.
    async fn take_back(mut self) {
        let patience = self.bucket.limits().first_byte_time;
        if let Some(taking) = self.give_up() {
            let _ = timeout(patience, taking).await;
        }
    }

    /// Begins to take it back, unless it is a file by now.
    fn give_up(&mut self) -> Option<JoinHandle<()>> {
        let runtime = Handle::try_current().ok()?;
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let mut sending = std::mem::take(&mut self.sending);
        let (s3, name) = (self.bucket.s3.clone(), self.name.clone());
        let id = std::mem::take(&mut self.id);
        let patience = self.bucket.limits().first_byte_time;
        let work = async move {
            // A part cut off on its way may yet be written once the upload is no more, and be left.
            let arrived = async { while sending.join_next().await.is_some() {} };
            if timeout(patience, arrived).await.is_err() {
                sending.shutdown().await;
            }
            take_back(&s3, &name, &id).await;
        };
        Some(self.bucket.cleaning.spawn_on(work, &runtime))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.give_up();
    }
}

async fn take_back(s3: &AmazonS3, name: &Name, id: &String) {
    for last in [false, true] {
        let Err(error) = s3.abort_multipart(name, id).await else {
            return;
        };
        // To ask twice does no harm, which `object_store` does not know of this one request.
        if last || !Trouble::of(&error).is_some_and(Trouble::is_transient) {
            // The bucket's rule for uploads that were never finished removes them.
            tracing::warn!(%error, file.name = %name, "the parts of a broken upload were left");
            return;
        }
    }
}
