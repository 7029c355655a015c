//! A store whose disk can be full. It stands in front of a sound one and speaks the seam alone.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use store::{
    Backend, Lanes, Read, ReadJob, ReadTx, Store, StoreError, Verdict, Write, WriteJob, WriteTx,
};
use tokio::sync::Mutex;

/// `sound`, except that writes are refused while `full` is set.
pub(crate) fn filling(sound: &Store, full: &Arc<AtomicBool>) -> Store {
    Store::new(Filling {
        sound: sound.clone(),
        full: full.clone(),
    })
}

struct Filling {
    sound: Store,
    full: Arc<AtomicBool>,
}

impl Backend for Filling {
    fn write(&self, job: Box<dyn WriteJob>) {
        if self.full.load(Ordering::SeqCst) {
            job.finish(Err(StoreError::Full(None)));
            return;
        }
        let sound = self.sound.clone();
        tokio::spawn(async move {
            let job = Arc::new(Mutex::new(Some(job)));
            let done = sound.write(Writing(job.clone())).await;
            let job = job.lock().await.take().unwrap();
            job.finish(match done {
                Ok(()) | Err(Ended::Undone) => Ok(()),
                Err(Ended::Store(error)) => Err(error),
            });
        });
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        let sound = self.sound.clone();
        tokio::spawn(async move {
            let job = Arc::new(Mutex::new(Some(job)));
            let done = sound.read(Reading(job.clone())).await;
            job.lock().await.take().unwrap().finish(done);
        });
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.sound.attach(lanes);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.sound.stop())
    }
}

enum Ended {
    /// The job refused; its answer is its own.
    Undone,
    Store(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Writing(Arc<Mutex<Option<Box<dyn WriteJob>>>>);

struct Reading(Arc<Mutex<Option<Box<dyn ReadJob>>>>);

impl Write for Writing {
    type Done = ();
    type Error = Ended;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), Ended> {
        let mut job = self.0.try_lock().unwrap();
        match job.as_mut().unwrap().run(tx).await {
            Verdict::Keep => Ok(()),
            Verdict::Undo => Err(Ended::Undone),
        }
    }
}

impl Read for Reading {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<(), StoreError> {
        let mut job = self.0.try_lock().unwrap();
        job.as_mut().unwrap().run(tx).await;
        Ok(())
    }
}
