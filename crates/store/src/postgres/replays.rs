//! Redelivery jobs. Events are walked by their identifiers, which grow with time.

mod making;
mod passing;

use async_trait::async_trait;
use domain::{
    ReplayFilter, ReplayJob, ReplayJobId, ReplaySkipped, ReplayState, SubscriptionId,
    SubscriptionState, TeamId, Timestamp,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    fault::Fault,
    hints::Fresh,
    subscriptions::STATE,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{
    NewReplay, Putting, ReadReplays, ReplayChanged, ReplayFound, ReplayLook, ReplayPlace,
    ReplayPut, ReplayReached, ReplayStep, ReplayWork, Replayed, StoreError, TARGET_ENDED,
    WriteReplays, identifiers::earliest_id, place::Place, sql,
};

const fn place(column: &'static str) -> Place {
    Place {
        table: "replay_job",
        column,
    }
}

#[async_trait]
impl<G: Send> ReadReplays for Tx<'_, G> {
    async fn replay_get(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
    ) -> Result<Option<ReplayJob>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!("SELECT {columns} FROM replay_job WHERE id = $1 AND team_id = $2");
        let found = self.first(&sql, &[&id.uuid(), &team.get()], work).await?;
        Ok(found.map(|work| work.job))
    }

    async fn replay_list(
        &mut self,
        team: TeamId,
        before: Option<ReplayJobId>,
        limit: u32,
    ) -> Result<Vec<ReplayJob>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM replay_job WHERE team_id = $1 AND id < $2
            ORDER BY id DESC LIMIT $3"
        );
        let before = before.map_or(Uuid::max(), ReplayJobId::uuid);
        let works = self
            .all(&sql, &[&team.get(), &before, &i64::from(limit)], work)
            .await?;
        Ok(works.into_iter().map(|work| work.job).collect())
    }

    async fn replay_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let count: i64 = self
            .one(sql::REPLAY_COUNT, &[&team.get()], |row| row.cell(0))
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn replay_running(&mut self, limit: u32) -> Result<Vec<ReplayWork>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM replay_job WHERE state = 'running' ORDER BY id LIMIT $1"
        );
        self.all(&sql, &[&i64::from(limit)], work).await
    }

    async fn replay_bound(&mut self, team: TeamId) -> Result<ReplayPlace, StoreError> {
        let newest = self
            .first(sql::REPLAY_BOUND, &[&team.get()], |row| row.guid(0))
            .await?;
        Ok(ReplayPlace(newest.unwrap_or_default()))
    }

    async fn replay_look(
        &mut self,
        look: &ReplayLook,
        after: Option<ReplayPlace>,
        rows: u32,
        wanted: u32,
    ) -> Result<ReplayFound, StoreError> {
        let passed = if look.events {
            self.events_passed(look, after, rows).await?
        } else {
            self.deliveries_passed(look, after, rows).await?
        };
        Ok(look.found(&passed, rows, wanted))
    }
}

fn work(row: &Row) -> Result<ReplayWork, Fault> {
    let id = ReplayJobId::new(row.guid(0)?);
    let filter: ReplayFilter =
        serde_json::from_str(row.cell(6)?).map_err(|_| place("filter").corrupt(id))?;
    let to: Option<Uuid> = row.cell(7)?;
    let state: ReplayState = row.word(4, place("state"))?;
    let count = |at| Ok::<_, Fault>(row.cell::<i64>(at)?.unsigned_abs());
    let skipped = ReplaySkipped {
        being_sent: count(13)?,
        body_gone: count(14)?,
        subscription_ended: count(15)?,
        already_there: count(16)?,
    };
    let (made_at, reached_at, done) = (row.time(2)?, row.time_opt(11)?, count(12)?);
    let reached: Option<Uuid> = row.cell(10)?;
    let matched = done + skipped.sum();
    Ok(ReplayWork {
        look: ReplayLook {
            team: TeamId::new(row.cell(1)?),
            filter: filter.clone(),
            events: to.is_some(),
            made_at,
            bound: ReplayPlace(row.guid(9)?),
        },
        job: ReplayJob {
            job_id: id,
            state,
            reason: row.cell(5)?,
            filter,
            to_subscription_id: to.map(SubscriptionId::new),
            rate_per_second: row.number(8, place("rate_per_second"))?,
            matched: (state == ReplayState::Done).then_some(matched),
            done,
            skipped,
            reached_date_time: reached_at,
            created_by: row.cell(3)?,
            created_date_time: made_at,
            ended_date_time: row.time_opt(18)?,
        },
        reached: reached.zip(reached_at).map(|(place, at)| ReplayReached {
            place: ReplayPlace(place),
            at,
        }),
        next_at: row.time(17)?,
    })
}

#[async_trait]
impl WriteReplays for Change<'_> {
    async fn replay_insert(&mut self, new: &NewReplay) -> Result<(), StoreError> {
        let made_at = Moment(new.look.made_at);
        let bound = owned![
            new.id.uuid(),
            new.look.team.get(),
            made_at,
            new.made_by.clone(),
            ReplayState::Running.word(),
            ReplayWork::filter_text(&new.look.filter)?,
            new.to_subscription.map(SubscriptionId::uuid),
            i64::from(new.rate_per_second),
            new.look.bound.0,
            made_at,
        ];
        self.later(sql::REPLAY_INSERT, bound).await
    }

    async fn replay_put(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
        put: &ReplayPut,
    ) -> Result<ReplayChanged, StoreError> {
        let work = self.work_held(id).await?;
        let Some(work) = work.filter(|work| work.look.team == team) else {
            return Ok(ReplayChanged::NotThere);
        };
        Ok(match work.put(put) {
            Putting::Before(job) => ReplayChanged::Before(job),
            Putting::Ended(job) => ReplayChanged::Ended(job),
            Putting::Now(work) => {
                self.work_put(&work).await?;
                ReplayChanged::Now(work.job)
            }
        })
    }

    async fn replay_step(&mut self, step: &ReplayStep) -> Result<Option<ReplayJob>, StoreError> {
        let work = self.work_held(step.job).await?;
        let stands = |work: &ReplayWork| {
            work.job.state == ReplayState::Running
                && work.reached.map(|reached| reached.place) == step.from
        };
        let Some(mut work) = work.filter(stands) else {
            return Ok(None);
        };
        let outcomes = if let Some(to) = work.job.to_subscription_id {
            let sql = "SELECT state FROM subscription WHERE id = $1";
            let state: SubscriptionState = self
                .one(sql, &[&to.uuid()], |row| row.word(0, STATE))
                .await?;
            if state == SubscriptionState::Gone {
                work.end(ReplayState::Cancelled, TARGET_ENDED, step.now);
                self.work_put(&work).await?;
                return Ok(Some(work.job));
            }
            let outcomes = self.copy_to(to, &work, step).await?;
            if state.sends() && outcomes.contains(&Replayed::Due) {
                self.fresh.push(Fresh::Due(to));
            }
            outcomes
        } else {
            self.replay(&work, step).await?
        };
        let work = work.after(step, &outcomes);
        self.work_put(&work).await?;
        Ok(Some(work.job))
    }

    async fn replay_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (id, limit) = (earliest_id(before), i64::from(limit));
        self.run(sql::REPLAY_FORGET, &[&id, &Moment(before), &limit])
            .await
    }
}

impl Change<'_> {
    /// A job that nobody else changes until the commit.
    async fn work_held(&mut self, id: ReplayJobId) -> Result<Option<ReplayWork>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!("SELECT {columns} FROM replay_job WHERE id = $1 FOR UPDATE");
        self.first(&sql, &[&id.uuid()], work).await
    }

    async fn work_put(&mut self, work: &ReplayWork) -> Result<(), StoreError> {
        let (job, skipped) = (&work.job, work.job.skipped);
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let bound = owned![
            job.state.word(),
            job.reason.clone(),
            work.reached.map(|reached| reached.place.0),
            moment(work.reached.map(|reached| reached.at)),
            count(job.done),
            count(skipped.being_sent),
            count(skipped.body_gone),
            count(skipped.subscription_ended),
            count(skipped.already_there),
            Moment(work.next_at),
            moment(job.ended_date_time),
            job.job_id.uuid(),
        ];
        self.later(sql::REPLAY_PUT, bound).await
    }
}
