//! A store whose disk can be full, for as long as the test says so.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use store::{Backend, Lanes, Node, ReadJob, Store, StoreError, WriteJob};

/// `sound`, except that writes are refused while `full` is set.
pub(crate) fn filling(sound: &Store, full: &Arc<AtomicBool>) -> Store {
    let full = full.clone();
    sound.clone().behind(|sound| Filling { sound, full })
}

struct Filling {
    sound: Arc<dyn Backend>,
    full: Arc<AtomicBool>,
}

impl Backend for Filling {
    fn write(&self, job: Box<dyn WriteJob>) {
        if self.full.load(Ordering::SeqCst) {
            job.finish(Err(StoreError::Full(None)));
        } else {
            self.sound.write(job);
        }
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.sound.read(job);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.sound.attach(lanes);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.sound.gives_sign()
    }

    fn join(&self, node: Arc<dyn Node>) {
        self.sound.join(node);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sound.stop()
    }
}
