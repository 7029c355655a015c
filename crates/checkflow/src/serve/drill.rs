//! The crash drill: a server that kills itself at a chosen step, so that anybody can see what a crash
//! costs. `docs/reliability.md` tells how; the test of the kill promises uses it.
//!
//! It stands in front of the store, where each unit of work passes before its commit and before its
//! answer. A server without the drill has nothing there.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use store::{
    Backend, Lanes, Node, Purpose, ReadJob, Store, StoreError, Verdict, WriteJob, WriteTx,
};
use tracing::warn;

use crate::{
    config::{CrashAt, CrashStep},
    os,
};

/// How long the transaction stays open before the kill. Were its answer, or that of another unit in it,
/// let go too early, it would get out in this time and be found out.
const BEFORE_COMMIT: Duration = Duration::from_millis(20);

/// `store`, with the drill in front of it.
pub(super) fn arm(store: Store, at: CrashAt) -> Store {
    warn!(%at, "crash drill: this server will kill itself");
    let fuse = Arc::new(Fuse {
        at,
        reached: AtomicU32::new(0),
    });
    store.behind(|behind| Drill { behind, fuse })
}

/// Counts up to the end.
struct Fuse {
    at: CrashAt,
    reached: AtomicU32,
}

impl Fuse {
    /// Says that a step was reached. At the chosen one, at its time, this does not return.
    fn reach(&self, step: CrashStep) {
        if step != self.at.step {
            return;
        }
        let time = self.reached.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if time == self.at.time.get() {
            warn!(at = %self.at, "crash drill: this server kills itself");
            if step == CrashStep::Commit {
                thread::sleep(BEFORE_COMMIT);
            }
            os::kill_this_process();
        }
    }
}

struct Drill {
    behind: Arc<dyn Backend>,
    fuse: Arc<Fuse>,
}

impl Backend for Drill {
    fn write(&self, job: Box<dyn WriteJob>) {
        self.behind.write(Box::new(Watched {
            job,
            kept: false,
            fuse: self.fuse.clone(),
        }));
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.behind.read(job);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.behind.attach(lanes);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.behind.gives_sign()
    }

    fn join(&self, node: Arc<dyn Node>) {
        self.behind.join(node);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.behind.stop()
    }
}

/// A unit of work that passes by.
struct Watched {
    job: Box<dyn WriteJob>,
    /// Whether it changed something that is to be committed. What is refused passes no step.
    kept: bool,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl WriteJob for Watched {
    fn purpose(&self) -> Purpose {
        self.job.purpose()
    }

    fn about(&self) -> Option<domain::ChecklistId> {
        self.job.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        let verdict = self.job.run(tx).await;
        let kept_before = self.kept;
        self.kept = verdict == Verdict::Keep;
        // A unit may run more than once, and is counted once.
        if self.kept && !kept_before {
            match self.purpose() {
                Purpose::Change => self.fuse.reach(CrashStep::Commit),
                Purpose::Settlement => self.fuse.reach(CrashStep::Settle),
                Purpose::Replay => self.fuse.reach(CrashStep::Replay),
                Purpose::Other => {}
            }
        }
        verdict
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        if self.kept && committed.is_ok() {
            match self.purpose() {
                Purpose::Change => self.fuse.reach(CrashStep::Answer),
                Purpose::Replay => self.fuse.reach(CrashStep::Replayed),
                Purpose::Settlement | Purpose::Other => {}
            }
        }
        self.job.finish(committed);
    }
}
