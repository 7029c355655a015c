//! Keeping: removes what is older than it is to be kept, from the oldest on, and holds nothing up by it.
//!
//! What is to go is looked for by reading, which delays no writer. What is found is removed in slices, each a small
//! transaction of its own, and between two of them ten times as long is waited as the first took: a database that
//! has much to do is asked less of. Nothing needs to be remembered of how far it has come, for what has gone is not
//! found again; what only lost its body or its answers is passed over from memory, and looked at again daily.
//!
//! Called by the binary, on one node at a time. What becomes of a delivery that is removed is the store's to say.

use std::{sync::Mutex, time::Duration};

use domain::{DeliveryState, Source, Timestamp};
use store::{
    Ending, EventPlace, Forget, KeptEvent, Read, ReadTx, Slimmed, Store, StoreError, Write, WriteTx,
};
use tokio::time::{Instant, sleep};

/// Events that are looked at in one read.
const LOOKED_AT: u32 = 256;
/// Events that one transaction makes less.
const EVENTS_MAX: usize = 32;
/// Deliveries, or answers, that one transaction removes or changes.
const ROWS_MAX: u32 = 200;
/// How many times as long as a slice took is waited after it.
const PAUSE: u32 = 10;
/// Longest wait between two slices.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long it shows in the log that a delivery expired, if the log is kept no longer than bodies are.
const EXPIRED_SHOWN: Duration = Duration::from_hours(24);
/// How often events are looked at again that lost their body or their answers: there may be new answers to old
/// events.
const LOOK_AGAIN: Duration = Duration::from_hours(24);
/// Why a delivery expires.
const TOO_OLD: &str =
    "it became older than bodies are kept (keeping.bodies) before it could be sent";

/// How long what is kept, from when the event happened; none is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Events, their deliveries and attempts.
    pub log: Option<Duration>,
    /// The bodies of events. Not longer than the log.
    pub bodies: Option<Duration>,
    /// The headers and bodies of answers. Not longer than the log.
    pub answers: Option<Duration>,
}

impl Keeping {
    /// How long everything is kept when nobody says.
    pub const DEFAULT: Duration = Duration::from_hours(30 * 24);
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            log: Some(Self::DEFAULT),
            bodies: Some(Self::DEFAULT),
            answers: Some(Self::DEFAULT),
        }
    }
}

/// What one round has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Events, gone altogether.
    pub events: u64,
    /// Deliveries that went from the log with their attempts.
    pub deliveries: u64,
    /// Deliveries that expired.
    pub expired: u64,
    /// Events that lost their body.
    pub bodies: u64,
    /// Attempts that lost what was answered to them.
    pub answers: u64,
    /// Redelivery jobs that had ended.
    pub jobs: u64,
}

/// Removes what is too old.
pub struct Pruner {
    store: Store,
    source: Source,
    keeping: Keeping,
    passed: Mutex<Passed>,
}

/// Up to where events have nothing left that could go, save themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    place: Option<EventPlace>,
    since: Option<Timestamp>,
}

/// Before when what has happened that goes; none where it stays.
#[derive(Clone, Copy, Debug)]
struct Before {
    all: Option<Timestamp>,
    settled: Option<Timestamp>,
    bodies: Option<Timestamp>,
    answers: Option<Timestamp>,
}

fn is_before(at: Timestamp, limit: Option<Timestamp>) -> bool {
    limit.is_some_and(|limit| at < limit)
}

impl Pruner {
    /// Removes from `store` what `keeping` says.
    pub fn new(store: Store, source: Source, keeping: Keeping) -> Self {
        Self {
            store,
            source,
            keeping,
            passed: Mutex::default(),
        }
    }

    /// Removes all that is too old by now. May be ended at any time.
    ///
    /// # Errors
    /// The store failed; what was removed before stays so, and the next round goes on.
    pub async fn round(&self) -> Result<Removed, StoreError> {
        let now = self.source.now();
        let before = self.before(now);
        let mut removed = Removed::default();
        if let Some(limit) = before.settled {
            removed.jobs = self.forget_jobs(limit).await?;
            self.walk(None, limit, before, &mut removed).await?;
        }
        let Some(limit) = before.bodies.max(before.answers) else {
            return Ok(removed);
        };
        // The same as the log: all that this would look at has just gone.
        if before.settled.is_some_and(|gone| gone >= limit) {
            return Ok(removed);
        }
        let from = self.passed(now);
        let reached = self.walk(from, limit, before, &mut removed).await?;
        self.lock().place = reached.or(from);
        Ok(removed)
    }

    /// Removes redelivery jobs that ended before then.
    async fn forget_jobs(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut sum = 0;
        loop {
            let begun = Instant::now();
            let some = self.store.write(ForgetJobs(before)).await?;
            sum += some;
            if some < u64::from(ROWS_MAX) {
                return Ok(sum);
            }
            pause(begun.elapsed()).await;
        }
    }

    fn before(&self, now: Timestamp) -> Before {
        let Keeping {
            log,
            bodies,
            answers,
        } = self.keeping;
        let ago = |time: Option<Duration>| time.map(|time| now.before(time));
        Before {
            all: ago(log.map(|log| log.saturating_add(EXPIRED_SHOWN))),
            settled: ago(log),
            bodies: ago(bodies),
            answers: ago(answers),
        }
    }

    /// Where to go on; from the beginning once a day.
    fn passed(&self, now: Timestamp) -> Option<EventPlace> {
        let mut passed = self.lock();
        if passed.since.is_none_or(|at| now.since(at) >= LOOK_AGAIN) {
            *passed = Passed {
                place: None,
                since: Some(now),
            };
        }
        passed.place
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Passed> {
        let passed = self.passed.lock();
        passed.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes events less that happened before `limit`, from the place after `place` on; answers the last place of
    /// such an event.
    async fn walk(
        &self,
        mut place: Option<EventPlace>,
        limit: Timestamp,
        before: Before,
        removed: &mut Removed,
    ) -> Result<Option<EventPlace>, StoreError> {
        let mut reached = None;
        loop {
            let looked = Instant::now();
            let found = self.store.read(Look(place)).await?;
            let old: Vec<KeptEvent> = found.iter().copied().filter(|one| one.at < limit).collect();
            // Times are in the order of places but for clocks that were set, so one that is young is not the end.
            if old.is_empty() {
                return Ok(reached);
            }
            for some in old.chunks(EVENTS_MAX) {
                self.slim(some, before, removed).await?;
            }
            place = found.last().map(|last| last.place);
            reached = old.last().map(|last| last.place);
            if found.len() < LOOKED_AT as usize {
                return Ok(reached);
            }
            pause(looked.elapsed() / PAUSE).await;
        }
    }

    /// Removes of some events what is to go.
    async fn slim(
        &self,
        events: &[KeptEvent],
        before: Before,
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        let those = |which: &dyn Fn(&KeptEvent) -> bool| -> Vec<EventPlace> {
            let those = events.iter().filter(|event| which(event));
            those.map(|event| event.place).collect()
        };
        let is_old = |event: &KeptEvent| is_before(event.at, before.settled);
        let oldest = those(&|event| is_before(event.at, before.all));
        let gone = self.all_of(oldest, Less::Forget(Forget::All)).await?;
        removed.events += gone.events;
        removed.deliveries += gone.rows;
        let settled = those(&|event| is_old(event) && !is_before(event.at, before.all));
        let gone = self.all_of(settled, Less::Forget(Forget::Settled)).await?;
        removed.events += gone.events;
        removed.deliveries += gone.rows;
        let bodies =
            those(&|event| event.has_body && (is_old(event) || is_before(event.at, before.bodies)));
        let gone = self.all_of(bodies, Less::Bodies).await?;
        removed.bodies += gone.events;
        removed.expired += gone.rows;
        let answers = those(&|event| {
            event.has_answers && !is_old(event) && is_before(event.at, before.answers)
        });
        removed.answers += self.all_of(answers, Less::Answers).await?.rows;
        Ok(())
    }

    /// Slice for slice, until these events have nothing more of it.
    async fn all_of(&self, places: Vec<EventPlace>, less: Less) -> Result<Slimmed, StoreError> {
        let mut sum = Slimmed::default();
        if places.is_empty() {
            return Ok(sum);
        }
        loop {
            let begun = Instant::now();
            let unit = Slim {
                places: places.clone(),
                less,
            };
            let slice = self.store.write(unit).await?;
            sum.events += slice.events;
            sum.rows += slice.rows;
            if slice != Slimmed::default() {
                pause(begun.elapsed()).await;
            }
            if !slice.more {
                return Ok(sum);
            }
        }
    }
}

/// Leaves the database to others after what took so long.
async fn pause(took: Duration) {
    sleep(took.saturating_mul(PAUSE).min(PAUSE_MAX)).await;
}

struct Look(Option<EventPlace>);

impl Read for Look {
    type Done = Vec<KeptEvent>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<KeptEvent>, StoreError> {
        tx.event_walk(self.0, LOOKED_AT).await
    }
}

struct ForgetJobs(Timestamp);

impl Write for ForgetJobs {
    type Done = u64;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<u64, StoreError> {
        tx.replay_forget(self.0, ROWS_MAX).await
    }
}

/// What goes.
#[derive(Clone, Copy, Debug)]
enum Less {
    Forget(Forget),
    Bodies,
    Answers,
}

struct Slim {
    places: Vec<EventPlace>,
    less: Less,
}

impl Write for Slim {
    type Done = Slimmed;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Slimmed, StoreError> {
        match self.less {
            Less::Forget(which) => tx.event_forget(&self.places, which, ROWS_MAX).await,
            Less::Bodies => {
                let ending = Ending {
                    stopped_by: None,
                    state: DeliveryState::Expired,
                    reason: TOO_OLD.to_owned(),
                };
                tx.event_body_remove(&self.places, &ending, ROWS_MAX).await
            }
            Less::Answers => tx.event_answers_remove(&self.places, ROWS_MAX).await,
        }
    }
}

#[cfg(test)]
mod tests;
