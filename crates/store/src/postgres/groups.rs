//! Units about one checklist that wait for each other: who comes first runs those that come meanwhile.
//!
//! Each holds the lock of its checklist until its commit is on disk. One after the other, each on a connection
//! of its own, they would take as many turns of the disk, and most connections would be lost in waiting.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::ChecklistId;
use tokio::sync::OwnedSemaphorePermit;

use crate::WriteJob;

/// Units that share a commit. The first of them waits for the last.
const GROUP_MAX: usize = 16;

/// A unit that was let in.
pub(super) struct Unit {
    pub(super) job: Box<dyn WriteJob>,
    /// Its place among those that may wait or run, until it is done.
    pub(super) admitted: OwnedSemaphorePermit,
}

/// The units that wait, for each checklist that somebody has the turn of.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<ChecklistId, VecDeque<Unit>>>);

impl Groups {
    /// Puts `unit` behind the others about `list`. Answers the turn, if nobody has it.
    pub(super) fn join(&self, list: ChecklistId, unit: Unit) -> Option<Turn<'_>> {
        match self.waiting().entry(list) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(unit);
                None
            }
            Entry::Vacant(nobody) => {
                nobody.insert(VecDeque::from([unit]));
                Some(Turn {
                    groups: self,
                    list,
                    over: false,
                })
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ChecklistId, VecDeque<Unit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right, and the duty, to run the units about a checklist. Those that are left where it ends too early were
/// never run, and are told so.
pub(super) struct Turn<'g> {
    groups: &'g Groups,
    list: ChecklistId,
    over: bool,
}

impl Turn<'_> {
    /// Those to run next, in the order in which they came. Where there are none, the turn is over.
    pub(super) fn next(&mut self) -> Vec<Unit> {
        let mut all = self.groups.waiting();
        let Some(waiting) = all.get_mut(&self.list).filter(|_| !self.over) else {
            return Vec::new();
        };
        let count = waiting.len().min(GROUP_MAX);
        let next: Vec<Unit> = waiting.drain(..count).collect();
        if next.is_empty() {
            all.remove(&self.list);
            self.over = true;
        }
        next
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.groups.waiting().remove(&self.list);
        }
    }
}
