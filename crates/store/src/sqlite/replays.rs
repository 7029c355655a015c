//! Redelivery jobs. Events are walked by their numbers.

mod making;
mod passing;

use async_trait::async_trait;
use domain::{
    ReplayFilter, ReplayJob, ReplayJobId, ReplaySkipped, ReplayState, SubscriptionId,
    SubscriptionState, TeamId, Timestamp,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    fault::Fault,
    subscriptions::STATE,
    tx::{Change, Tx},
    values::{Cells as _, millis},
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

impl ReplayPlace {
    fn of_number(number: i64) -> Self {
        Self(Uuid::from_u128(u128::try_from(number).unwrap_or(0)))
    }

    fn number(self) -> i64 {
        i64::try_from(self.0.as_u128()).unwrap_or(i64::MAX)
    }
}

#[async_trait]
impl<G: Send> ReadReplays for Tx<'_, G> {
    async fn replay_get(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
    ) -> Result<Option<ReplayJob>, StoreError> {
        Ok(self.work_of(id, Some(team))?.map(|work| work.job))
    }

    async fn replay_list(
        &mut self,
        team: TeamId,
        before: Option<ReplayJobId>,
        limit: u32,
    ) -> Result<Vec<ReplayJob>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM replay_job WHERE team_id = ?1 AND id < ?2
            ORDER BY id DESC LIMIT ?3"
        );
        let before = before.map_or(Uuid::max(), ReplayJobId::uuid);
        let bound = params![team.get(), before, limit];
        let works = self.all(&sql, bound, work)?;
        Ok(works.into_iter().map(|work| work.job).collect())
    }

    async fn replay_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let count: i64 = self.one(sql::REPLAY_COUNT, [team.get()], |row| Ok(row.get(0)?))?;
        Ok(count.unsigned_abs())
    }

    async fn replay_running(&mut self, limit: u32) -> Result<Vec<ReplayWork>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM replay_job WHERE state = 'running' ORDER BY id LIMIT ?1"
        );
        self.all(&sql, [limit], work)
    }

    async fn replay_bound(&mut self, team: TeamId) -> Result<ReplayPlace, StoreError> {
        let newest = self.first(sql::REPLAY_BOUND, [team.get()], |row| row.guid(0))?;
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
            self.events_passed(look, after, rows)?
        } else {
            self.deliveries_passed(look, after, rows)?
        };
        Ok(look.found(&passed, rows, wanted))
    }
}

impl<G> Tx<'_, G> {
    fn work_of(
        &self,
        id: ReplayJobId,
        team: Option<TeamId>,
    ) -> Result<Option<ReplayWork>, StoreError> {
        let columns = sql::REPLAY_COLUMNS;
        let sql = format!("SELECT {columns} FROM replay_job WHERE id = ?1");
        let found = self.first(&sql, [id.uuid()], work)?;
        Ok(found.filter(|work| team.is_none_or(|team| work.look.team == team)))
    }
}

fn work(row: &Row<'_>) -> Result<ReplayWork, Fault> {
    let id = ReplayJobId::new(row.guid(0)?);
    let filter: String = row.get(6)?;
    let filter: ReplayFilter =
        serde_json::from_str(&filter).map_err(|_| place("filter").corrupt(id))?;
    let to: Option<Uuid> = row.get(7)?;
    let state: ReplayState = row.word(4, place("state"))?;
    let count = |at| Ok::<_, Fault>(row.get::<_, i64>(at)?.unsigned_abs());
    let skipped = ReplaySkipped {
        being_sent: count(13)?,
        body_gone: count(14)?,
        subscription_ended: count(15)?,
        already_there: count(16)?,
    };
    let (made_at, reached_at, done) = (row.time(2)?, row.time_opt(11)?, count(12)?);
    let reached: Option<Uuid> = row.get(10)?;
    let matched = done + skipped.sum();
    Ok(ReplayWork {
        look: ReplayLook {
            team: TeamId::new(row.get(1)?),
            filter: filter.clone(),
            events: to.is_some(),
            made_at,
            bound: ReplayPlace(row.guid(9)?),
        },
        job: ReplayJob {
            job_id: id,
            state,
            reason: row.get(5)?,
            filter,
            to_subscription_id: to.map(SubscriptionId::new),
            rate_per_second: row.get(8)?,
            matched: (state == ReplayState::Done).then_some(matched),
            done,
            skipped,
            reached_date_time: reached_at,
            created_by: row.get(3)?,
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
        let made_at = new.look.made_at.as_millis();
        self.run(
            sql::REPLAY_INSERT,
            params![
                new.id.uuid(),
                new.look.team.get(),
                made_at,
                new.made_by,
                ReplayState::Running.word(),
                ReplayWork::filter_text(&new.look.filter)?,
                new.to_subscription.map(SubscriptionId::uuid),
                new.rate_per_second,
                new.look.bound.0,
                made_at,
            ],
        )
        .map(|_| ())
    }

    async fn replay_put(
        &mut self,
        team: TeamId,
        id: ReplayJobId,
        put: &ReplayPut,
    ) -> Result<ReplayChanged, StoreError> {
        let Some(work) = self.work_of(id, Some(team))? else {
            return Ok(ReplayChanged::NotThere);
        };
        Ok(match work.put(put) {
            Putting::Before(job) => ReplayChanged::Before(job),
            Putting::Ended(job) => ReplayChanged::Ended(job),
            Putting::Now(work) => {
                self.work_put(&work)?;
                ReplayChanged::Now(work.job)
            }
        })
    }

    async fn replay_step(&mut self, step: &ReplayStep) -> Result<Option<ReplayJob>, StoreError> {
        let work = self.work_of(step.job, None)?;
        let stands = |work: &ReplayWork| {
            work.job.state == ReplayState::Running
                && work.reached.map(|reached| reached.place) == step.from
        };
        let Some(mut work) = work.filter(stands) else {
            return Ok(None);
        };
        let mut outcomes = Vec::with_capacity(step.matches.len());
        if let Some(to) = work.job.to_subscription_id {
            let sql = "SELECT state FROM subscription WHERE id = ?1";
            let state: SubscriptionState = self.one(sql, [to.uuid()], |row| row.word(0, STATE))?;
            if state == SubscriptionState::Gone {
                work.end(ReplayState::Cancelled, TARGET_ENDED, step.now);
                self.work_put(&work)?;
                return Ok(Some(work.job));
            }
            for place in &step.matches {
                outcomes.push(self.copy_to(to, *place, &work, step.now)?);
            }
            if state.sends() && outcomes.contains(&Replayed::Due) {
                self.gathered.due(to);
            }
        } else {
            for place in &step.matches {
                outcomes.push(self.replay(*place, &work, step.now)?);
            }
        }
        let work = work.after(step, &outcomes);
        self.work_put(&work)?;
        Ok(Some(work.job))
    }

    async fn replay_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let bound = params![earliest_id(before), before.as_millis(), limit];
        Ok(self.run(sql::REPLAY_FORGET, bound)? as u64)
    }
}

impl Change<'_> {
    fn work_put(&self, work: &ReplayWork) -> Result<(), StoreError> {
        let (job, skipped) = (&work.job, work.job.skipped);
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.run(
            sql::REPLAY_PUT,
            params![
                job.state.word(),
                job.reason,
                work.reached.map(|reached| reached.place.0),
                millis(work.reached.map(|reached| reached.at)),
                count(job.done),
                count(skipped.being_sent),
                count(skipped.body_gone),
                count(skipped.subscription_ended),
                count(skipped.already_there),
                work.next_at.as_millis(),
                millis(job.ended_date_time),
                job.job_id.uuid(),
            ],
        )
        .map(|_| ())
    }
}
