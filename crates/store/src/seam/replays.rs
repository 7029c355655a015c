//! Redelivery jobs: many deliveries made due again, a slice at a time.
//!
//! A job walks the team's deliveries in the order of their identifiers; or, where events go to another subscription,
//! events in the order of their age. What a slice makes due and how far the job is then are one commit, and it counts only from
//! where the job stood: so whatever ends a server, nothing is made due twice, and nothing is passed over.

use async_trait::async_trait;
use domain::{
    DeliveryState, ReplayFilter, ReplayJob, ReplayJobId, ReplaySample, ReplaySkipped, ReplayState,
    SubscriptionId, SubscriptionState, TeamId, Timestamp,
};
use uuid::Uuid;

use super::Redeliverable;
use crate::StoreError;

/// Why a job is cancelled whose events go to a subscription that ended.
pub(crate) const TARGET_ENDED: &str = "the subscription that it sends to has ended";

/// Where a job stands: at a delivery, or at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplayPlace(pub(crate) Uuid);

/// What a job walks over, and which of it it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayLook {
    /// Whose.
    pub team: TeamId,
    /// Which.
    pub filter: ReplayFilter,
    /// Whether events are walked, for another subscription, rather than deliveries.
    pub events: bool,
    /// What happened later is not looked at.
    pub made_at: Timestamp,
    /// The last delivery that is looked at.
    pub bound: ReplayPlace,
}

/// One that a job wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayMatch {
    /// Which.
    pub place: ReplayPlace,
    /// As it is shown.
    pub shown: ReplaySample,
}

/// What a look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayFound {
    /// Those that are wanted, in order.
    pub matches: Vec<ReplayMatch>,
    /// How far it got.
    pub reached: Option<ReplayReached>,
    /// Whether there is nothing after that.
    pub ended: bool,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayReached {
    /// The last that was looked at.
    pub place: ReplayPlace,
    /// When its event happened.
    pub at: Timestamp,
}

/// A job that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReplay {
    /// Its identifier.
    pub id: ReplayJobId,
    /// Who makes it.
    pub made_by: String,
    /// Another subscription that gets the events.
    pub to_subscription: Option<SubscriptionId>,
    /// How many it makes due in a second.
    pub rate_per_second: u32,
    /// What it is about.
    pub look: ReplayLook,
}

/// A job with what whoever works on it has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayWork {
    /// The job.
    pub job: ReplayJob,
    /// What it walks over.
    pub look: ReplayLook,
    /// Where it stands.
    pub reached: Option<ReplayReached>,
    /// When it may go on.
    pub next_at: Timestamp,
}

/// A slice of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayStep {
    /// Which job.
    pub job: ReplayJobId,
    /// From where on; if the job stands elsewhere by now, nothing happens.
    pub from: Option<ReplayPlace>,
    /// What is made due.
    pub matches: Vec<ReplayPlace>,
    /// How far the job is then.
    pub reached: Option<ReplayReached>,
    /// Whether nothing is left.
    pub ended: bool,
    /// The present moment.
    pub now: Timestamp,
}

/// Another state that a job is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayPut {
    /// Which.
    pub state: ReplayState,
    /// Why, in words.
    pub reason: String,
    /// The present moment.
    pub now: Timestamp,
}

/// What came of asking for another state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayChanged {
    /// It has it now.
    Now(ReplayJob),
    /// It had it before.
    Before(ReplayJob),
    /// It has ended.
    Ended(ReplayJob),
    /// The team has no such job.
    NotThere,
}

/// Reading redelivery jobs.
#[async_trait]
pub trait ReadReplays: Send {
    /// A job of the team.
    async fn replay_get(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
    ) -> Result<Option<ReplayJob>, StoreError>;

    /// The team's jobs, newest first: those before `before`, at most `limit`.
    async fn replay_list(
        &mut self,
        team: TeamId,
        before: Option<ReplayJobId>,
        limit: u32,
    ) -> Result<Vec<ReplayJob>, StoreError>;

    /// How many jobs of the team have not ended.
    async fn replay_count(&mut self, team: TeamId) -> Result<u64, StoreError>;

    /// Jobs of all teams that run, at most `limit`.
    async fn replay_running(&mut self, limit: u32) -> Result<Vec<ReplayWork>, StoreError>;

    /// The newest delivery of the team at this moment, for [`ReplayLook::bound`].
    async fn replay_bound(&mut self, team: TeamId) -> Result<ReplayPlace, StoreError>;

    /// Looks at no more than `rows` deliveries or events after `after`, and for no more than `wanted` that are
    /// wanted.
    async fn replay_look(
        &mut self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
        wanted: u32,
    ) -> Result<ReplayFound, StoreError>;
}

/// Changing redelivery jobs.
#[async_trait]
pub trait WriteReplays: Send {
    /// Makes a job, which runs.
    async fn replay_insert(&mut self, new: &NewReplay) -> Result<(), StoreError>;

    /// Puts a job that has not ended into another state.
    async fn replay_put(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
        put: &ReplayPut,
    ) -> Result<ReplayChanged, StoreError>;

    /// Makes deliveries due and moves the job on; nothing of it unless the job runs and stands where the step
    /// begins. Answers the job as it is then.
    async fn replay_step(&mut self, step: &ReplayStep) -> Result<Option<ReplayJob>, StoreError>;

    /// Removes jobs that ended before `before`, at most `limit`; answers how many.
    async fn replay_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// What the step does with one of its matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    Due,
    BeingSent,
    BodyGone,
    Ended,
    AlreadyThere,
}

impl Replayed {
    /// What is done with a delivery that is to be sent again to the same subscription; none is gone by now.
    pub(crate) fn of(found: Option<&Redeliverable>) -> Self {
        match found {
            None => Self::BodyGone,
            Some(found) if found.of == SubscriptionState::Gone => Self::Ended,
            Some(found) if found.state == DeliveryState::Leased => Self::BeingSent,
            Some(found) if !found.has_body => Self::BodyGone,
            Some(_) => Self::Due,
        }
    }

    /// Counts it.
    pub(crate) fn count(self, done: &mut u64, skipped: &mut ReplaySkipped) {
        *match self {
            Self::Due => done,
            Self::BeingSent => &mut skipped.being_sent,
            Self::BodyGone => &mut skipped.body_gone,
            Self::Ended => &mut skipped.subscription_ended,
            Self::AlreadyThere => &mut skipped.already_there,
        } += 1;
    }
}

impl ReplayWork {
    /// The job once `outcomes` came of a step, and when it may go on: at once, but for what was made due.
    pub(crate) fn after(mut self, step: &ReplayStep, outcomes: &[Replayed]) -> Self {
        let before = self.job.done;
        for outcome in outcomes {
            outcome.count(&mut self.job.done, &mut self.job.skipped);
        }
        let made = (self.job.done - before) * 1_000 / u64::from(self.job.rate_per_second.max(1));
        self.next_at = step.now.after(std::time::Duration::from_millis(made));
        self.reached = step.reached.or(self.reached);
        self.job.reached_date_time = self.reached.map(|reached| reached.at);
        if step.ended {
            self.end(ReplayState::Done, "", step.now);
        }
        self
    }

    /// Ends it.
    pub(crate) fn end(&mut self, state: ReplayState, reason: &str, now: Timestamp) {
        self.job.state = state;
        reason.clone_into(&mut self.job.reason);
        self.job.ended_date_time = Some(now);
        if state == ReplayState::Done {
            self.job.matched = Some(self.job.done + self.job.skipped.sum());
        }
    }

    /// Puts it into a state that it may have after the present one.
    pub(crate) fn put(mut self, put: &ReplayPut) -> Putting {
        let ReplayPut { state, reason, now } = put;
        let (state, now) = (*state, *now);
        if self.job.state == state {
            return Putting::Before(self.job);
        }
        if self.job.state.is_ended() {
            return Putting::Ended(self.job);
        }
        if state.is_ended() {
            self.end(state, reason, now);
        } else {
            self.job.state = state;
            reason.clone_into(&mut self.job.reason);
            self.next_at = self.next_at.max(now);
        }
        Putting::Now(Box::new(self))
    }

    /// What is stored of which deliveries it wants.
    pub(crate) fn filter_text(filter: &ReplayFilter) -> Result<String, StoreError> {
        serde_json::to_string(filter).map_err(|error| StoreError::Failed(error.into()))
    }
}

/// What becomes of a job that somebody wants in another state.
pub(crate) enum Putting {
    Now(Box<ReplayWork>),
    Before(ReplayJob),
    Ended(ReplayJob),
}
