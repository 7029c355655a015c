//! A store whose disk can be full, or whose answers can be lost, for as long as the test says so.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use store::{
    Backend, Lanes, Node, Purpose, ReadJob, Store, StoreError, Verdict, WriteJob, WriteTx,
};

/// What befalls the engine's writes at this moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// They are refused, as on a full disk.
    pub(crate) full: Arc<AtomicBool>,
    /// They are done, and their answer is lost.
    pub(crate) deaf: Arc<AtomicBool>,
}

impl Weather {
    /// `sound`, in this weather.
    pub(crate) fn over(&self, sound: &Store) -> Store {
        let weather = self.clone();
        sound.clone().behind(|sound| Exposed { sound, weather })
    }
}

struct Exposed {
    sound: Arc<dyn Backend>,
    weather: Weather,
}

/// Nobody hears that it was done.
struct Unheard(Box<dyn WriteJob>);

#[async_trait]
impl WriteJob for Unheard {
    fn purpose(&self) -> Purpose {
        self.0.purpose()
    }

    fn about(&self) -> Option<domain::ChecklistId> {
        self.0.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        self.0.run(tx).await
    }

    fn finish(self: Box<Self>, _: Result<(), StoreError>) {
        self.0.finish(Err(StoreError::Unavailable(None)));
    }
}

impl Backend for Exposed {
    fn write(&self, job: Box<dyn WriteJob>) {
        if self.weather.full.load(Ordering::SeqCst) {
            job.finish(Err(StoreError::Full(None)));
        } else if self.weather.deaf.load(Ordering::SeqCst) {
            self.sound.write(Box::new(Unheard(job)));
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
