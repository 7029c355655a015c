//! Redelivery jobs: works off those that run, a slice at a time, each at its own rate.
//!
//! What a job wants is looked for by reading. A slice makes it due and moves the job on in one commit, so a server that ends
//! in between has done all of it or nothing. The jobs take turns. Sending is the engine's.
//!
//! Called by the binary, on one node at a time; two that worked on one job would not make anything due twice.

use std::time::Duration;

use domain::{Actor, AuditEntry, Door, Person, ReplayJob, ReplayState, Source, TeamId, Timestamp};
use store::{
    Purpose, Read, ReadTx, ReplayFound, ReplayStep, ReplayWork, Store, StoreError, Write, WriteTx,
};
use tokio::time::sleep;

/// Deliveries or events that are looked at in one read.
const LOOKED_AT: u32 = 1_000;
/// Deliveries that are made due in one transaction.
const SLICE_MAX: u32 = 100;
/// Jobs that take turns; those that were made later wait for one of them to end.
const AT_ONCE: u32 = 256;
/// Longest wait for a job that may not go on yet, so that one that was resumed or made meanwhile is seen.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// Least wait between two rounds.
const WAIT_MIN: Duration = Duration::from_millis(5);

/// Works redelivery jobs off.
#[derive(Clone)]
pub struct Replayer {
    store: Store,
    source: Source,
}

impl Replayer {
    /// Works off those of `store`.
    pub fn new(store: Store, source: Source) -> Self {
        Self { store, source }
    }

    /// Whether any job runs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn has_work(&self) -> Result<bool, StoreError> {
        let running = self.store.read(Running(1)).await?;
        Ok(!running.is_empty())
    }

    /// Works until no job runs any more. May be ended at any time.
    ///
    /// # Errors
    /// The store failed; what was done before is counted, and whoever goes on does so from there.
    pub async fn round(&self) -> Result<(), StoreError> {
        loop {
            let running = self.store.read(Running(AT_ONCE)).await?;
            if running.is_empty() {
                return Ok(());
            }
            let now = self.source.now();
            let mut wait = WAIT_MAX;
            for work in running {
                if work.next_at > now {
                    wait = wait.min(work.next_at.since(now));
                } else {
                    self.step(work).await?;
                    wait = WAIT_MIN;
                }
            }
            sleep(wait.max(WAIT_MIN)).await;
        }
    }

    /// One slice of a job.
    async fn step(&self, work: ReplayWork) -> Result<(), StoreError> {
        let found = self.store.read(Look(work.clone())).await?;
        let step = ReplayStep {
            job: work.job.job_id,
            from: work.reached.map(|reached| reached.place),
            matches: found.matches.iter().map(|one| one.place).collect(),
            reached: found.reached,
            ended: found.ended,
            now: self.source.now(),
        };
        let team = work.look.team;
        let ended = self.store.write(Step { step, team }).await?;
        if let Some(job) = ended {
            tracing::info!(
                job.id = %job.job_id, job.state = job.state.word(), job.done = job.done,
                job.skipped = job.skipped.sum(), "a redelivery job has ended"
            );
        }
        Ok(())
    }
}

struct Running(u32);

impl Read for Running {
    type Done = Vec<ReplayWork>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<ReplayWork>, StoreError> {
        tx.replay_running(self.0).await
    }
}

struct Look(ReplayWork);

impl Read for Look {
    type Done = ReplayFound;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<ReplayFound, StoreError> {
        let work = &self.0;
        let from = work.reached.map(|reached| reached.place);
        // No more than a second's worth.
        let wanted = work.job.rate_per_second.min(SLICE_MAX);
        tx.replay_look(&work.look, from, LOOKED_AT, wanted).await
    }
}

struct Step {
    step: ReplayStep,
    team: TeamId,
}

impl Write for Step {
    const PURPOSE: Purpose = Purpose::Replay;

    /// The job, if it has ended by this.
    type Done = Option<ReplayJob>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Option<ReplayJob>, StoreError> {
        let job = tx.replay_step(&self.step).await?;
        let ended = job.filter(|job| job.state.is_ended());
        if let Some(job) = &ended {
            tx.audit_append(&trace(job, self.team, self.step.now))
                .await?;
        }
        Ok(ended)
    }
}

fn trace(job: &ReplayJob, team: TeamId, at: Timestamp) -> AuditEntry {
    let action = match job.state {
        ReplayState::Cancelled => "redelivery_job.cancel",
        _ => "redelivery_job.done",
    };
    let person = Person {
        name: job.created_by.clone(),
        email: None,
    };
    let mut detail = format!("{} made due, {} passed over", job.done, job.skipped.sum());
    if !job.reason.is_empty() {
        detail = format!("{detail}; {}", job.reason);
    }
    AuditEntry {
        at,
        actor: Actor {
            team,
            key: None,
            member: None,
            person,
            door: Door::System,
            rights: domain::Rights::ALL,
        },
        action,
        subject: job.job_id.to_string(),
        detail,
    }
}
