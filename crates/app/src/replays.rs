//! Redelivery jobs: many deliveries sent again, or events sent to another subscription.

use domain::{
    Actor, ReplayFilter, ReplayJob, ReplayJobId, ReplaySample, ReplayState, Right, SubscriptionId,
    SubscriptionState,
};
use serde::Serialize;
use store::{
    Doing, NewReplay, ReadTx, ReplayChanged, ReplayFound, ReplayLook, ReplayPlace, ReplayPut,
    WriteTx,
};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Change, Missing, Query, emit::audit};

/// Most jobs of one team that have not ended.
pub const REPLAY_JOBS_OPEN_MAX: u64 = 10;
/// Most jobs on one page of the list.
pub const REPLAY_JOBS_PAGE_MAX: u32 = 100;
/// Most deliveries or events that a dry run looks at. So many take a second or two.
pub const DRY_RUN_ROWS_MAX: u32 = 200_000;
/// Looked at in one transaction.
const LOOKED_AT: u32 = 2_000;
/// What a dry run shows of what it found.
const SAMPLES_MAX: usize = 5;

/// What to send again.
#[derive(Clone, Debug)]
pub struct ReplayAsk {
    /// Which deliveries, or which events.
    pub filter: ReplayFilter,
    /// Another subscription that gets the events.
    pub to_subscription: Option<SubscriptionId>,
}

/// What a job would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayCount {
    /// How many fit the filter, those included that a job would pass over.
    pub matched: u64,
    /// Whether that is all: false when there is more to look at than a dry run looks at.
    pub is_complete: bool,
    /// The first of them.
    pub samples: Vec<ReplaySample>,
}

/// A page of redelivery jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayJobPage {
    /// The jobs, newest first.
    pub items: Vec<ReplayJob>,
    /// What to give as `cursor` for the page after this one; null when this is the last.
    pub next_cursor: Option<ReplayJobId>,
}

impl ReplayAsk {
    /// What there is to walk over, if the team may ask for it.
    async fn look<T: ReadTx + ?Sized>(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut T,
    ) -> Result<ReplayLook, AppError> {
        const DOING: &str = "looking at what is to be sent again";
        let filter = &self.filter;
        if filter.is_empty() {
            return Err(AppError::invalid(
                "since",
                "must be given, or until, eventType, checklistId, subscriptionId, state or neverAttempted: say which \
                 deliveries are meant",
            ));
        }
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            return Err(AppError::invalid("until", "must be later than since"));
        }
        if self.to_subscription.is_some() && self.to_subscription == filter.subscription_id {
            return Err(AppError::invalid(
                "toSubscriptionId",
                "is where they went; leave it out to send them there again",
            ));
        }
        // Where they are sent has to be there still; of where they went it is enough that it was.
        let target = self.to_subscription.or(filter.subscription_id);
        for id in [filter.subscription_id, self.to_subscription] {
            let Some(id) = id else { continue };
            let found = tx.subscription_get(actor.team, id).await;
            let found = found.doing::<AppError>(DOING)?;
            let found = found.ok_or(Missing::Subscription(id))?;
            if target == Some(id) && found.state == SubscriptionState::Gone {
                return Err(AppError::SubscriptionNotSending(found.state));
            }
        }
        let bound = tx.replay_bound(actor.team).await;
        Ok(ReplayLook {
            team: actor.team,
            filter: filter.clone(),
            events: self.to_subscription.is_some(),
            made_at: app.source().now(),
            bound: bound.doing::<AppError>(DOING)?,
        })
    }
}

/// `POST web-hook/redelivery-job`: makes a job.
pub struct MakeReplay {
    /// What to send again.
    pub ask: ReplayAsk,
    /// How many a second at most.
    pub rate_per_second: u32,
}

impl Change for MakeReplay {
    const NEEDS: Right = Right::Webhooks;

    type Answer = ReplayJob;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<ReplayJob, AppError> {
        const DOING: &str = "making a redelivery job";
        let look = self.ask.look(app, actor, tx).await?;
        let open = tx.replay_count(actor.team).await;
        if open.doing::<AppError>(DOING)? >= REPLAY_JOBS_OPEN_MAX {
            return Err(AppError::Full {
                what: "redelivery jobs that have not ended",
                max: REPLAY_JOBS_OPEN_MAX,
            });
        }
        let (id, at) = (ReplayJobId::new(app.source().uuid()), look.made_at);
        let new = NewReplay {
            id,
            made_by: actor.person.name.clone(),
            to_subscription: self.ask.to_subscription,
            rate_per_second: self.rate_per_second,
            look,
        };
        tx.replay_insert(&new).await.doing::<AppError>(DOING)?;
        let subject = ("redelivery_job.create", id.to_string());
        let detail = match self.ask.to_subscription {
            Some(to) => format!("to subscription {to}"),
            None => String::new(),
        };
        audit(tx, actor, at, subject, detail).await?;
        get(tx, actor, id).await
    }
}

struct LookOn {
    ask: ReplayAsk,
    /// Where to go on, of what; from the beginning when there is none.
    from: Option<(ReplayLook, ReplayPlace)>,
}

impl Query for LookOn {
    const NEEDS: Right = Right::Webhooks;

    type Answer = (ReplayLook, ReplayFound);

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Self::Answer, AppError> {
        let (look, from) = match &self.from {
            Some((look, from)) => (look.clone(), Some(*from)),
            None => (self.ask.look(app, actor, tx).await?, None),
        };
        let found = tx.replay_look(&look, from, LOOKED_AT, LOOKED_AT).await;
        let found = found.doing::<AppError>("looking at what is to be sent again")?;
        Ok((look, found))
    }
}

impl App {
    /// `POST web-hook/redelivery-job?dryRun=true`: what a job would do. Stores nothing.
    ///
    /// # Errors
    /// As when the job is made.
    pub async fn try_replay(
        &self,
        caller: &Caller,
        ask: ReplayAsk,
    ) -> Result<ReplayCount, AppError> {
        let mut count = ReplayCount::default();
        let mut from = None;
        for _ in 0..DRY_RUN_ROWS_MAX / LOOKED_AT {
            let ask = ask.clone();
            let (look, found) = self.query(caller, LookOn { ask, from }).await?;
            count.matched += found.matches.len() as u64;
            let left = SAMPLES_MAX - count.samples.len();
            let shown = found.matches.into_iter().take(left);
            count.samples.extend(shown.map(|one| one.shown));
            count.is_complete = found.ended;
            let Some(reached) = found.reached.filter(|_| !found.ended) else {
                break;
            };
            from = Some((look, reached.place));
        }
        Ok(count)
    }
}

/// `GET web-hook/redelivery-job`: one job.
pub struct GetReplay(pub ReplayJobId);

impl Query for GetReplay {
    const NEEDS: Right = Right::Webhooks;

    type Answer = ReplayJob;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<ReplayJob, AppError> {
        get(tx, actor, self.0).await
    }
}

async fn get<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    id: ReplayJobId,
) -> Result<ReplayJob, AppError> {
    let found = tx.replay_get(actor.team, id).await;
    let found = found.doing::<AppError>("loading a redelivery job")?;
    Ok(found.ok_or(Missing::ReplayJob(id))?)
}

/// `GET web-hook/redelivery-jobs`: the team's, newest first.
pub struct ListReplays {
    /// The last of the page before.
    pub before: Option<ReplayJobId>,
    /// Rows on a page, from 1 to [`REPLAY_JOBS_PAGE_MAX`].
    pub limit: u32,
}

impl Query for ListReplays {
    const NEEDS: Right = Right::Webhooks;

    type Answer = ReplayJobPage;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<ReplayJobPage, AppError> {
        let limit = self.limit.clamp(1, REPLAY_JOBS_PAGE_MAX);
        // One more tells whether there is another page.
        let found = tx.replay_list(actor.team, self.before, limit + 1).await;
        let mut items = found.doing::<AppError>("listing redelivery jobs")?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|last| last.job_id);
        Ok(ReplayJobPage { items, next_cursor })
    }
}

/// Pauses, resumes or cancels a job.
pub struct PutReplay {
    /// Which.
    pub job: ReplayJobId,
    /// What it becomes: running, paused or cancelled.
    pub state: ReplayState,
}

impl Change for PutReplay {
    const NEEDS: Right = Right::Webhooks;

    type Answer = ReplayJob;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<ReplayJob, AppError> {
        let (action, done) = match self.state {
            ReplayState::Running => ("redelivery_job.resume", "resumed"),
            ReplayState::Paused => ("redelivery_job.pause", "paused"),
            ReplayState::Done | ReplayState::Cancelled => ("redelivery_job.cancel", "cancelled"),
        };
        let now = app.source().now();
        let reason = match self.state {
            ReplayState::Running => String::new(),
            _ => format!("{done} by {}", actor.person.name),
        };
        let put = ReplayPut {
            state: self.state,
            reason,
            now,
        };
        let put = tx.replay_put(actor.team, self.job, &put).await;
        let job = match put.doing::<AppError>("changing a redelivery job")? {
            ReplayChanged::NotThere => return Err(Missing::ReplayJob(self.job).into()),
            ReplayChanged::Ended(job) => return Err(AppError::ReplayEnded(job.state)),
            ReplayChanged::Before(job) => return Ok(job),
            ReplayChanged::Now(job) => job,
        };
        let detail = format!("{} made due so far", job.done);
        audit(tx, actor, now, (action, self.job.to_string()), detail).await?;
        Ok(job)
    }
}
