//! Sending again what was through: one delivery by hand, or many by a redelivery job.

use domain::{ReplayJobId, ReplaySkipped, SubscriptionState, Timestamp};
use store::Redelivery;

use super::{
    record::{Record, Standing},
    state::Model,
};

/// What a job does with one that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    Due,
    BeingSent,
    BodyGone,
    Ended,
    AlreadyThere,
}

impl Passed {
    /// Counts it.
    pub(super) fn count(self, done: &mut u64, skipped: &mut ReplaySkipped) {
        *match self {
            Self::Due => done,
            Self::BeingSent => &mut skipped.being_sent,
            Self::BodyGone => &mut skipped.body_gone,
            Self::Ended => &mut skipped.subscription_ended,
            Self::AlreadyThere => &mut skipped.already_there,
        } += 1;
    }
}

/// Who makes many due, for which job, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) by: &'a str,
    pub(super) job: ReplayJobId,
    pub(super) now: Timestamp,
}

impl Record {
    fn ask(&mut self, by: &str, job: Option<ReplayJobId>, now: Timestamp) {
        self.manual_by = Some(by.to_owned());
        self.replay = job;
        self.cancelled = false;
        match self.standing {
            // It keeps its place.
            Standing::Behind => return,
            Standing::Waiting(_) | Standing::Leased(_) => {}
            // It was through, and holds nothing back any more.
            Standing::Ended(_) | Standing::Forgotten => self.chain = None,
        }
        self.standing = Standing::Waiting(now);
        self.reason = Some(String::new());
    }
}

impl Model {
    /// Somebody wants it sent again; what they are told, if not that it is due.
    pub(super) fn redeliver(
        &mut self,
        delivery: usize,
        by: &str,
        now: Timestamp,
    ) -> Option<Redelivery> {
        let record = &mut self.records[delivery];
        match (self.lanes[record.lane].state(), record.standing) {
            (_, Standing::Forgotten) => return Some(Redelivery::NotThere),
            (SubscriptionState::Gone, _) => return Some(Redelivery::Gone),
            (_, Standing::Leased(_)) => return Some(Redelivery::BeingSent),
            _ if self.bare.contains(&record.event) => return Some(Redelivery::BodyGone),
            (SubscriptionState::Paused, _) => return Some(Redelivery::Paused),
            _ => {}
        }
        record.ask(by, None, now);
        None
    }

    /// A job comes to a delivery, and makes it due; also one that is held.
    pub(super) fn replay(&mut self, delivery: usize, asker: Asker<'_>) -> Passed {
        let record = &mut self.records[delivery];
        let has_ended = self.lanes[record.lane].state() == SubscriptionState::Gone;
        match record.standing {
            Standing::Forgotten => Passed::BodyGone,
            _ if has_ended => Passed::Ended,
            Standing::Leased(_) => Passed::BeingSent,
            _ if self.bare.contains(&record.event) => Passed::BodyGone,
            _ => {
                record.ask(asker.by, Some(asker.job), asker.now);
                Passed::Due
            }
        }
    }

    /// A job comes to an event about a checklist, and sends it to another subscription.
    pub(super) fn copy(
        &mut self,
        to: usize,
        (event, list): (usize, usize),
        happened: Timestamp,
        asker: Asker<'_>,
    ) -> Passed {
        let there = |record: &Record| {
            record.event == event && record.lane == to && record.standing != Standing::Forgotten
        };
        if !self.gone.contains(&event) && self.records.iter().any(there) {
            return Passed::AlreadyThere;
        }
        if self.gone.contains(&event) || self.bare.contains(&event) {
            return Passed::BodyGone;
        }
        let at = Standing::Waiting(asker.now);
        let place = self.happen(to, (event, list), happened, at);
        let record = &mut self.records[place];
        // What comes later than its turn is in no chain.
        record.chain = None;
        record.manual_by = Some(asker.by.to_owned());
        record.replay = Some(asker.job);
        record.made_by = Some(asker.job);
        Passed::Due
    }
}
