//! What a job finds, and what it should.

use domain::DeliveryId;
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{ReplayFound, ReplayStep};

use super::{Found, Job};
use crate::{
    model::course::{ALL, Course},
    reading,
};

impl Course {
    /// It is looked for what a job is to make due next.
    pub(in crate::model) async fn look_for(&mut self, job: u8, wanted: u32) -> TestCaseResult {
        match usize::from(job).checked_rem(self.jobs.len()) {
            Some(job) => self.look(job, wanted).await,
            None => Ok(()),
        }
    }

    pub(in crate::model) async fn look(&mut self, number: usize, wanted: u32) -> TestCaseResult {
        let job = &self.jobs[number];
        let (look, place) = (job.look.clone(), job.place);
        let unit = reading!([look, place, wanted] tx => {
            tx.replay_look(look, *place, ALL, *wanted).await
        });
        let answer = self.world.read(unit).await;
        let (matches, reached, ended) = self.wanted(number, wanted as usize);
        self.found_what_it_should(number, &answer, &matches)?;
        prop_assert_eq!(answer.ended, ended, "whether there is nothing after that");
        let step = ReplayStep {
            job: job.id,
            from: place,
            matches: answer.matches.iter().map(|one| one.place).collect(),
            reached: answer.reached,
            ended,
            now: self.world.now(),
        };
        self.jobs[number].found = Some(Found {
            step,
            matches,
            reached,
        });
        Ok(())
    }

    fn found_what_it_should(
        &self,
        number: usize,
        answer: &ReplayFound,
        matches: &[usize],
    ) -> TestCaseResult {
        let is_of_events = self.jobs[number].to.is_some();
        let found = answer.matches.iter().map(|one| {
            let shown = &one.shown;
            (
                shown.delivery_id,
                shown.created_date_time,
                shown.checklist_id,
            )
        });
        let expected = matches.iter().map(|place| {
            let delivery: Option<DeliveryId> = (!is_of_events).then(|| self.ids[*place]);
            let event = if is_of_events {
                *place
            } else {
                self.model.records[*place].event
            };
            let event = &self.events[event];
            (delivery, event.at, event.checklist)
        });
        prop_assert_eq!(
            found.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "what a job is about"
        );
        Ok(())
    }

    /// What a job should find next, how far it is then, and whether that is the end.
    fn wanted(&self, number: usize, most: usize) -> (Vec<usize>, Option<usize>, bool) {
        let job = &self.jobs[number];
        let ahead = self.ahead(job);
        let (mut matches, mut reached) = (Vec::new(), None);
        for place in &ahead {
            if matches.len() >= most {
                break;
            }
            reached = Some(*place);
            if self.wants(job, *place) {
                matches.push(*place);
            }
        }
        let later = |place: &usize| self.events[*place].at > job.look.made_at;
        let is_over = job.to.is_some() && ahead.iter().all(later);
        (
            matches,
            reached,
            is_over || reached == ahead.last().copied(),
        )
    }

    /// What a job has not looked at yet, in its order.
    fn ahead(&self, job: &Job) -> Vec<usize> {
        if job.to.is_some() {
            let first = job.reached.map_or(0, |reached| reached + 1);
            let left = (first..self.events.len()).filter(|place| !self.model.gone.contains(place));
            return left.collect();
        }
        let after = job.reached.map(|reached| self.ids[reached]);
        let mut ahead: Vec<_> = self
            .kept()
            .filter(|place| *place < job.bound && Some(self.ids[*place]) > after)
            .collect();
        ahead.sort_unstable_by_key(|place| self.ids[*place]);
        ahead
    }

    fn wants(&self, job: &Job, place: usize) -> bool {
        let filter = &job.look.filter;
        let wants_delivery = |place: usize| {
            let record = &self.model.records[place];
            let shown = self.model.shown(record);
            filter.wants_delivery(self.lanes[record.lane], shown, record.attempts)
        };
        let wants_event = |place: usize| {
            let event = &self.events[place];
            filter.wants_event(event.at, event.kind, event.checklist)
        };
        if job.to.is_none() {
            return wants_event(self.model.records[place].event) && wants_delivery(place);
        }
        let mut of_event = self
            .kept()
            .filter(|kept| self.model.records[*kept].event == place);
        wants_event(place)
            && self.events[place].at <= job.look.made_at
            && (!filter.asks_of_deliveries() || of_event.any(wants_delivery))
    }
}
