//! When an answer may go out.

use std::{
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::*;
use crate::{
    ReadJob, ReadTx,
    sqlite::{
        queue::Queue,
        readers::{ReadLimits, read_loop},
        tests::Bench,
    },
};

fn empty() -> Group {
    Group {
        members: Vec::new(),
        ready: Vec::new(),
        wake: false,
        lanes: None,
        failed: None,
    }
}

/// A read that tells whether the disk was done when its answer was let go.
struct Looks {
    synced: Arc<AtomicBool>,
    found: Arc<Mutex<Option<bool>>>,
}

#[async_trait]
impl ReadJob for Looks {
    async fn run(&mut self, _: &mut dyn ReadTx) {}

    fn finish(self: Box<Self>, _: Result<(), StoreError>) {
        *self.found.lock().unwrap() = Some(self.synced.load(Ordering::Acquire));
    }
}

#[test]
fn a_read_that_may_have_seen_a_commit_is_answered_once_that_is_on_the_disk() {
    let bench = Bench::new();
    let core = &bench.core;
    let synced = Arc::new(AtomicBool::new(false));
    let found = Arc::new(Mutex::new(None));
    let queue: Queue<Box<dyn ReadJob>> = Queue::new(1);
    let looks = Looks {
        synced: synced.clone(),
        found: found.clone(),
    };
    assert!(queue.push(Box::new(looks)).is_ok());
    queue.close();
    let open = Commits::open(core);
    core.commits.begin();
    let lost: LostSync = Arc::new(|| panic!("no sync was lost"));
    thread::scope(|scope| {
        let limits = Arc::new(ReadLimits::new(Duration::from_mins(1)));
        let conn = bench.look();
        let reader = scope.spawn(move || read_loop(conn, &queue, &limits, core));
        let sync = || {
            // Gives a read that does not wait every chance to answer first.
            let deadline = Instant::now() + Duration::from_millis(50);
            while Instant::now() < deadline && !reader.is_finished() {
                thread::yield_now();
            }
            synced.store(true, Ordering::Release);
            Ok(())
        };
        core.commits.put(empty());
        drop(open);
        core.commits.serve(&sync, &lost, || {});
    });
    assert_eq!(*found.lock().unwrap(), Some(true));
}

#[test]
fn a_wait_ends_with_the_commits_whatever_became_of_them() {
    let bench = Bench::new();
    let open = Commits::open(&bench.core);
    bench.core.commits.begin();
    assert!(bench.core.commits.are_idle());
    drop(open);
    bench.core.commits.settled();
}
