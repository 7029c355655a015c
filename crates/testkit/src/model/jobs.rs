//! Redelivery jobs of a course: what they look for, and what they make due.

mod looking;

use domain::{
    Event, EventId, EventType, ReplayFilter, ReplayJob, ReplayJobId, ReplaySkipped, ReplayState,
    SubscriptionState,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{ReplayChanged, ReplayLook, ReplayPlace, ReplayPut, ReplayStep};

use super::{
    again::{Asker, Passed},
    asking::picked,
    command::{BY, Command, NewJob},
    course::{ALL, Course},
    operation::Choice,
    record::Standing,
};
use crate::{LaneCall, reading};

/// A redelivery job as it should be.
pub(super) struct Job {
    look: ReplayLook,
    id: ReplayJobId,
    /// The lane that gets the events.
    to: Option<usize>,
    /// How many deliveries there were when it was made.
    bound: usize,
    state: ReplayState,
    done: u64,
    skipped: ReplaySkipped,
    /// The delivery, or the event, that it looked at last, and what the store calls that.
    reached: Option<usize>,
    place: Option<ReplayPlace>,
    /// What was looked for last.
    pub(super) found: Option<Found>,
}

/// What a job found.
pub(super) struct Found {
    pub(super) step: ReplayStep,
    /// The same, as the reference has it.
    matches: Vec<usize>,
    reached: Option<usize>,
}

impl Course {
    /// Event that happens now. Identifiers grow, wherever the clock was set, as the store's own do.
    pub(super) fn event(&self, kind: EventType, list: usize) -> Event {
        let now = self.world.now();
        let event = self.scenes[list].event(kind, &self.world.source);
        let latest = self.events.iter().map(|event| event.at).max();
        self.world.clock.set(latest.map_or(now, |at| at.max(now)));
        let id = EventId::new(self.world.source.uuid());
        self.world.clock.set(now);
        Event { id, ..event }
    }

    pub(super) fn job(&self, choice: Choice, to: Option<u8>) -> Command {
        let lane = |lane: u8| self.lanes[usize::from(lane) % self.lanes.len()];
        let since = choice.since.and_then(|event| picked(&self.events, event));
        let filter = ReplayFilter {
            checklist_id: choice.list.map(|list| self.scenes[list].list.head.id),
            subscription_id: choice.lane.map(lane),
            state: choice.state,
            never_attempted: choice.untried,
            since: since.map(|event| event.at),
            ..ReplayFilter::default()
        };
        Command::MakeJob(NewJob {
            id: ReplayJobId::new(self.world.source.uuid()),
            team: self.scene.team,
            filter,
            to: to.map(lane),
            now: self.world.now(),
        })
    }

    pub(super) fn put_job(&self, job: &Job, state: ReplayState) -> Command {
        let put = ReplayPut {
            state,
            reason: "somebody wants it so".to_owned(),
            now: self.world.now(),
        };
        Command::PutJob(self.scene.team, job.id, put)
    }

    pub(super) async fn job_made(&mut self, new: NewJob) -> TestCaseResult {
        let (team, id) = (self.scene.team, new.id);
        let look = reading!([] tx => tx.replay_running(ALL).await);
        let running = self.world.read(look).await;
        let work = running.into_iter().find(|work| work.job.job_id == id);
        prop_assert!(work.is_some(), "the job of {team} is lost");
        let work = work.expect("it was just looked at");
        prop_assert_eq!(&work.look.filter, &new.filter);
        self.jobs.push(Job {
            to: new.to.map(|to| self.lane(to)),
            id,
            look: work.look,
            bound: self.ids.len(),
            state: ReplayState::Running,
            done: 0,
            skipped: ReplaySkipped::default(),
            reached: None,
            place: None,
            found: None,
        });
        Ok(())
    }

    /// A step makes due what it should, once, and the job says so.
    pub(super) async fn stepped(
        &mut self,
        step: &ReplayStep,
        answer: Option<ReplayJob>,
        calls: &[LaneCall],
    ) -> TestCaseResult {
        let number = self.jobs.iter().position(|job| job.id == step.job);
        let number = number.expect("it was picked");
        let job = &self.jobs[number];
        if job.state != ReplayState::Running || job.place != step.from {
            prop_assert!(answer.is_none(), "it stands elsewhere: {answer:?}");
            return Ok(());
        }
        let to = job.to;
        let ended = to.filter(|to| self.model.lanes[*to].state() == SubscriptionState::Gone);
        let mut due = Vec::new();
        if ended.is_some() {
            self.jobs[number].state = ReplayState::Cancelled;
        } else {
            due = self.make_due(number, step).await?;
        }
        let job = &self.jobs[number];
        prop_assert!(answer.is_some(), "nothing was done");
        let answer = answer.expect("it was just looked at");
        self.says_what_it_did(job, &answer)?;
        self.announced(&due, calls)
    }

    /// Makes due what was found, and answers in which lanes.
    async fn make_due(
        &mut self,
        number: usize,
        step: &ReplayStep,
    ) -> Result<Vec<usize>, TestCaseError> {
        let job = &mut self.jobs[number];
        let found = job.found.as_ref().expect("it was looked for");
        let (matches, reached) = (found.matches.clone(), found.reached);
        let (to, now) = (job.to, step.now);
        let asker = Asker {
            by: BY,
            job: job.id,
            now,
        };
        let first = self.model.records.len();
        let mut due = Vec::new();
        for place in matches {
            let passed = match to {
                None => self.model.replay(place, asker),
                Some(to) => {
                    let event = &self.events[place];
                    let about = |scene: &crate::Scene| scene.list.head.id == event.checklist;
                    let list = self.scenes.iter().position(about);
                    let list = list.expect("it is about one of them");
                    self.model.copy(to, (place, list), event.at, asker)
                }
            };
            passed.count(&mut job.done, &mut job.skipped);
            if passed == Passed::Due {
                let lane = to.unwrap_or_else(|| self.model.records[place].lane);
                let behind = to.is_none() && self.model.records[place].standing == Standing::Behind;
                due.extend((!behind).then_some(lane));
            }
        }
        job.reached = reached.or(job.reached);
        job.place = step.reached.map(|reached| reached.place).or(job.place);
        if step.ended {
            job.state = ReplayState::Done;
        }
        let id = job.id;
        self.learn_copies(first, id).await?;
        Ok(due)
    }

    /// Gives the reference's newest deliveries, from that one on, their identifiers.
    async fn learn_copies(&mut self, first: usize, job: ReplayJobId) -> TestCaseResult {
        let rows = self.world.deliveries(self.scene.team).await;
        let mut rows: Vec<_> = rows
            .into_iter()
            .filter(|row| row.made_by_job_id == Some(job) && !self.ids.contains(&row.delivery_id))
            .collect();
        rows.sort_unstable_by_key(|row| row.delivery_id);
        let made = rows.iter().map(|row| row.event_id);
        let copied = self.model.records[first..].iter();
        let copied = copied.map(|record| self.events[record.event].id);
        prop_assert_eq!(
            made.collect::<Vec<_>>(),
            copied.collect::<Vec<_>>(),
            "events that went to another subscription"
        );
        let last = self.ids.iter().max().copied();
        for row in rows {
            prop_assert!(Some(row.delivery_id) > last, "identifiers grow");
            self.ids.push(row.delivery_id);
        }
        Ok(())
    }

    fn says_what_it_did(&self, job: &Job, says: &ReplayJob) -> TestCaseResult {
        prop_assert_eq!(says.job_id, job.id);
        prop_assert_eq!(says.state, job.state);
        prop_assert_eq!(says.done, job.done, "how many a job says that it made due");
        prop_assert_eq!(says.skipped, job.skipped, "how many a job passed over");
        let all = (job.state == ReplayState::Done).then_some(job.done + job.skipped.sum());
        prop_assert_eq!(says.matched, all);
        let made = self.model.records.iter();
        let made = made.filter(|record| record.made_by == Some(job.id)).count();
        if job.to.is_some() {
            prop_assert_eq!(made as u64, job.done, "a delivery for each");
        }
        Ok(())
    }

    pub(super) fn job_put(
        &mut self,
        id: ReplayJobId,
        put: &ReplayPut,
        answer: ReplayChanged,
    ) -> TestCaseResult {
        let number = self.jobs.iter().position(|job| job.id == id);
        let job = &mut self.jobs[number.expect("it was picked")];
        let before = job.state;
        if !before.is_ended() {
            job.state = put.state;
        }
        let expected = match before {
            same if same == put.state => "before",
            ended if ended.is_ended() => "ended",
            _ => "now",
        };
        let (kind, says) = match answer {
            ReplayChanged::Now(job) => ("now", job),
            ReplayChanged::Before(job) => ("before", job),
            ReplayChanged::Ended(job) => ("ended", job),
            ReplayChanged::NotThere => return Err(TestCaseError::fail("the job is lost")),
        };
        prop_assert_eq!(kind, expected);
        let job = &self.jobs[number.expect("it was picked")];
        self.says_what_it_did(job, &says)
    }

    /// Where events were moved to another kind of database, a job looks at all of them again.
    pub(super) async fn jobs_begin_anew(&mut self) -> TestCaseResult {
        let team = self.scene.team;
        for number in 0..self.jobs.len() {
            let id = self.jobs[number].id;
            let look = reading!([team, id] tx => tx.replay_get(*team, *id).await);
            let says = self.world.read(look).await;
            prop_assert!(says.is_some(), "a job is lost");
            let says = says.expect("it was just looked at");
            let job = &mut self.jobs[number];
            if job.to.is_some() && says.reached_date_time.is_none() && job.place.is_some() {
                (job.reached, job.place) = (None, None);
            }
            if job.to.is_some() {
                job.found = None;
            }
            self.says_what_it_did(&self.jobs[number], &says)?;
        }
        Ok(())
    }

    /// Everybody's jobs are worked off.
    pub(super) async fn end_jobs(&mut self) -> TestCaseResult {
        for number in 0..self.jobs.len() {
            if !self.jobs[number].state.is_ended() {
                let go_on = self.put_job(&self.jobs[number], ReplayState::Running);
                self.change(go_on).await?;
                self.look(number, ALL).await?;
                let found = self.jobs[number].found.as_ref();
                let step = found.expect("it was looked for").step.clone();
                self.change(Command::Step(step)).await?;
            }
            let state = self.jobs[number].state;
            prop_assert!(state.is_ended(), "it never ends");
        }
        Ok(())
    }
}
