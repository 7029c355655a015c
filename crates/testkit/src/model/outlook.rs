//! Where the reference can go from where it stands: every state must have a way out.

use std::time::Duration;

use domain::{DeliveryState, NodeId, StateCode, SubscriptionState, Timestamp};
use store::Rescue;

use super::{
    end::End,
    record::{Ended, Entry, Hold, Record, Right, Standing},
    state::Model,
};

/// What is taken at once where everything is.
const ALL: u32 = 1_000;
/// Moments at which something happens before it is clear that nothing ever ends.
const MOMENTS_MAX: usize = 10_000;

impl Model {
    /// The moments after `now` at which one that waits becomes due.
    pub(super) fn dues(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let at = |record: &Record| match record.standing {
            Standing::Waiting(at) => Some(at),
            _ => None,
        };
        self.records
            .iter()
            .filter_map(at)
            .filter(move |at| *at > now)
    }

    /// The moments after `now` at which a lease has lapsed.
    pub(super) fn lapses(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let at = |record: &Record| match record.standing {
            Standing::Leased(hold) => Some(hold.until.after(Duration::from_millis(1))),
            _ => None,
        };
        self.records
            .iter()
            .filter_map(at)
            .filter(move |at| *at > now)
    }

    /// Whether something could be sent.
    pub(super) fn is_any_due(&self, now: Timestamp) -> bool {
        self.records.iter().any(|record| {
            let sends = self.lanes[record.lane].sends();
            sends && matches!(record.standing, Standing::Waiting(at) if at <= now)
        })
    }

    /// Whether everything has come to an end.
    pub(super) fn is_over(&self) -> bool {
        self.records.iter().all(|record| {
            record.standing.is_through()
                || !matches!(
                    self.shown(record),
                    DeliveryState::Waiting | DeliveryState::Leased | DeliveryState::Held
                )
        })
    }

    /// What hinders everything from coming to an end, if everybody who may do something does it, and every
    /// attempt ends so.
    pub(super) fn dead_end(&self, now: Timestamp, end: End) -> Option<String> {
        let mut model = self.clone();
        for lane in 0..model.lanes.len() {
            if model.lanes[lane].state() == SubscriptionState::Paused {
                model.put(lane, StateCode::Active, "", now);
            }
        }
        model.sent_to_the_end(now, end)
    }

    /// What hinders those that the system has paused from coming back, if their receivers take what is sent to them.
    pub(super) fn unprobed(&self, mut now: Timestamp) -> Option<String> {
        let mut model = self.clone();
        for lane in 0..model.lanes.len() {
            let by_person = model.lanes[lane].code == StateCode::PausedByPerson;
            if by_person {
                model.put(lane, StateCode::Active, "", now);
            }
        }
        for _ in 0..MOMENTS_MAX {
            let held = |record: &Record| model.lanes[record.lane].probe_at.is_some();
            let waits = |record: &&Record| !record.standing.is_through();
            let is_any = model.records.iter().filter(waits).any(held);
            let Some(next) = model.next_probe().filter(|_| is_any) else {
                return model.sent_to_the_end(now, End::Delivered);
            };
            now = now.max(next);
            model.rescue(Rescue::Lapsed, now);
            let by = Hold::now(now);
            for right in model.probe(by).rights {
                model.end_attempt(right, End::Delivered, now);
            }
        }
        Some(format!("this is never probed: {model:#?}"))
    }

    /// What is left once everything has become too old that nobody sends.
    pub(super) fn everlasting(&self, now: Timestamp) -> Option<String> {
        let mut model = self.clone();
        let events: Vec<_> = model.records.iter().map(|record| record.event).collect();
        let too_old = (DeliveryState::Expired, "");
        model.strip(&events, too_old, false);
        let leased = |model: &Self| {
            let held = |record: &&Record| matches!(record.standing, Standing::Leased(_));
            model.records.iter().filter(held).count()
        };
        if leased(&model) != leased(self) {
            return Some(format!("it was pulled from under who sends it: {model:#?}"));
        }
        let last = model.lapses(now).max();
        model.rescue(Rescue::Lapsed, last.unwrap_or(now));
        model.strip(&events, too_old, false);
        let is_over = model
            .records
            .iter()
            .all(|record| record.standing.is_through());
        (!is_over).then(|| format!("this is never too old: {model:#?}"))
    }

    fn sent_to_the_end(mut self, mut now: Timestamp, end: End) -> Option<String> {
        let model = &mut self;
        for _ in 0..MOMENTS_MAX {
            model.rescue(Rescue::Lapsed, now);
            let sent = model.send_all(now, end);
            if model.is_over() {
                return None;
            }
            match model.dues(now).chain(model.lapses(now)).min() {
                _ if sent => {} // which may be due again already
                Some(next) => now = next,
                None => break,
            }
        }
        Some(format!("this never comes to an end: {model:#?}"))
    }

    /// Sends everything that is due, all of it to this end; whether there was anything.
    fn send_all(&mut self, now: Timestamp, end: End) -> bool {
        let mut sent = false;
        for lane in 0..self.lanes.len() {
            let took = self.take(lane, ALL, Hold::now(now));
            sent |= !took.let_go.is_empty();
            for right in took.rights {
                sent = true;
                self.end_attempt(right, end, now);
            }
        }
        sent
    }

    /// An attempt ends, with what that does to its subscription.
    pub(super) fn end_attempt(&mut self, right: Right, end: End, now: Timestamp) {
        let record = &self.records[right.delivery];
        let (lane, probe) = (record.lane, record.probe);
        let ended = Ended::by(end, self, right, now);
        self.settle(right, ended);
        if let Some(code) = end.makes_of_lane(probe) {
            self.put(lane, code, "", now);
        }
    }
}

impl Hold {
    /// That of somebody who is done at once.
    const fn now(now: Timestamp) -> Self {
        Self {
            node: NodeId::ZERO,
            since: now,
            until: now,
        }
    }
}

impl Ended {
    /// An attempt that ends at once.
    pub(super) fn by(end: End, model: &Model, right: Right, now: Timestamp) -> Self {
        let record = &model.records[right.delivery];
        let number = (right.attempt, record.probe);
        let (state, due_at) = end.comes_to(&model.schedule, number, now);
        let entry = Entry {
            number: right.attempt,
            manual_by: record.manual_by.clone(),
            replay: record.of_job(),
            outcome: end.outcome(),
            status: None,
            started_at: now,
            duration_ms: 0,
        };
        Self {
            entry,
            state,
            reason: String::new(),
            due_at,
        }
    }
}
