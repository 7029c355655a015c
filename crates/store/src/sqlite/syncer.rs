//! Bringing commits to the disk beside the writer: while the disk works for one group, the next runs.
//!
//! SQLite writes a commit into the WAL and leaves it there (`synchronous=NORMAL`); the file is synced
//! here, and only then does the group's answer go out. A group stays open for as long as the sync
//! before it takes, so that groups grow with the load. Readers see a commit before it is on the disk,
//! which is why their answers wait here, too.

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    LostSync,
    open::DATABASE_FILE,
    tx::{Core, Ready},
};
use crate::{Lanes, StoreError, WriteJob};

/// A unit of work that has run.
pub(super) struct Member {
    pub(super) job: Box<dyn WriteJob>,
    /// Whether its changes are part of the commit.
    pub(super) kept: bool,
    /// What to tell it once its group is on the disk; it adds its own answer, refusal or not.
    pub(super) told: Result<(), StoreError>,
}

/// What syncs the WAL of the database in `folder`, which a connection must have open.
pub(super) fn wal_sync(folder: &Path) -> io::Result<impl Fn() -> io::Result<()> + Send + use<>> {
    // SQLite's locks are on other files, so that closing this one takes none of them away.
    let wal = File::open(folder.join(format!("{DATABASE_FILE}-wal")))?;
    // A killed server may have left commits there that it had not synced yet, and they are seen from now on.
    wal.sync_data()?;
    Ok(move || wal.sync_data())
}

/// Units that share a commit which SQLite has made, or failed to make.
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    pub(super) ready: Ready,
    pub(super) wake: bool,
    pub(super) lanes: Option<Arc<dyn Lanes>>,
    /// Why nothing of it was kept.
    pub(super) failed: Option<StoreError>,
}

/// How far the commits are.
#[derive(Default)]
pub(super) struct Commits {
    /// The number of the commit that was begun last: one that a reader may see.
    begun: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the last commit that is on the disk, as all before it are.
    durable: u64,
    next: Option<Group>,
    busy: bool,
    ended: bool,
}

impl State {
    const fn is_idle(&self) -> bool {
        !self.busy && self.next.is_none()
    }
}

impl Commits {
    /// Whether a commit would be synced at once.
    pub(super) fn are_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Said before each commit. Its group is then [`put`](Self::put), whatever became of it.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a commit was begun that is not on the disk yet.
    #[cfg(test)]
    pub(super) fn are_under_way(&self) -> bool {
        self.lock().durable < self.begun.load(Ordering::Acquire)
    }

    /// Has `group` synced and let go; waits while another waits for that.
    pub(super) fn put(&self, group: Group) {
        let room = |state: &mut State| state.next.is_some();
        let state = self.changed.wait_while(self.lock(), room);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.next = Some(group);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all that could have been seen before this call is on the disk.
    pub(super) fn settled(&self) {
        let begun = self.begun.load(Ordering::Acquire);
        // A commit that was begun and never put is none; the writer has gone.
        let under_way =
            |state: &mut State| state.durable < begun && !(state.ended && state.is_idle());
        drop(self.changed.wait_while(self.lock(), under_way));
    }

    /// Begins a time in which commits are made; dropping the answer ends it, however that comes about.
    pub(super) fn open(core: &Arc<Core>) -> Open {
        core.commits.lock().ended = false;
        Open(core.clone())
    }

    /// Syncs and lets go what is put, until nothing is any more. `idle` is called whenever there is nothing more to
    /// do for now, and `lost` when the disk failed to keep a commit.
    pub(super) fn serve(
        &self,
        sync: &dyn Fn() -> io::Result<()>,
        lost: &LostSync,
        idle: impl Fn(),
    ) {
        while let Some(mut group) = self.next() {
            if group.failed.is_none()
                && let Err(error) = sync()
            {
                // The kernel may have dropped the pages: syncing again would succeed and mean nothing.
                tracing::error!(%error, "the disk failed to keep a commit; the server ends");
                lost();
                group.failed = Some(StoreError::Unavailable(Some(error.into())));
            }
            self.lock().durable += 1;
            self.changed.notify_all();
            let_go(group);
            let mut state = self.lock();
            state.busy = false;
            let is_idle = state.is_idle();
            drop(state);
            self.changed.notify_all();
            if is_idle {
                idle();
            }
        }
    }

    fn next(&self) -> Option<Group> {
        let nothing = |state: &mut State| state.next.is_none() && !state.ended;
        let state = self.changed.wait_while(self.lock(), nothing);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let group = state.next.take();
        state.busy = group.is_some();
        drop(state);
        self.changed.notify_all();
        group
    }

    // Nothing in here panics while it holds the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Commits::open`].
pub(super) struct Open(Arc<Core>);

impl Drop for Open {
    fn drop(&mut self) {
        let commits = &self.0.commits;
        commits.lock().ended = true;
        commits.changed.notify_all();
    }
}

/// The engine gets the group's deliveries, and the callers their answers.
fn let_go(group: Group) {
    let Group {
        members,
        ready,
        wake,
        lanes,
        failed,
    } = group;
    if let Some(error) = failed {
        drop(ready);
        return tell(members, |_| Err(error.share()));
    }
    if let Some(lanes) = lanes {
        let handed = catch_unwind(AssertUnwindSafe(|| {
            if !ready.is_empty() {
                lanes.hand_over(ready);
            }
            if wake {
                lanes.wake();
            }
        }));
        if handed.is_err() {
            tracing::error!("handing deliveries over panicked; their leases will lapse");
        }
    }
    tell(members, |told| told);
}

/// Lets answers go. That runs code of the callers', which must not take this thread with it.
fn tell(members: Vec<Member>, what: impl Fn(Result<(), StoreError>) -> Result<(), StoreError>) {
    for Member { job, told, .. } in members {
        let told = what(told);
        if catch_unwind(AssertUnwindSafe(|| job.finish(told))).is_err() {
            tracing::error!("letting the answer of a write go panicked");
        }
    }
}

#[cfg(test)]
mod tests;
