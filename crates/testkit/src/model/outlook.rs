//! Where the reference can go from where it stands: every state must have a way out.

use std::time::Duration;

use domain::{DeliveryState, NodeId, SubscriptionState, Timestamp};
use store::Rescue;

use super::{
    operation::End,
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
            let sends = self.lanes[record.lane].state.sends();
            sends && matches!(record.standing, Standing::Waiting(at) if at <= now)
        })
    }

    /// Whether everything has come to an end.
    pub(super) fn is_over(&self) -> bool {
        self.records.iter().all(|record| {
            !matches!(
                self.shown(record),
                DeliveryState::Waiting | DeliveryState::Leased | DeliveryState::Held
            )
        })
    }

    /// What hinders everything from coming to an end, if everybody who may do something does it, and every
    /// attempt ends so.
    pub(super) fn dead_end(&self, mut now: Timestamp, end: End) -> Option<String> {
        let mut model = self.clone();
        for lane in 0..model.lanes.len() {
            if model.lanes[lane].state == SubscriptionState::Paused {
                model.put(lane, SubscriptionState::Active, "", now);
            }
        }
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
        let by = Hold {
            node: NodeId::ZERO,
            since: now,
            until: now,
        };
        for lane in 0..self.lanes.len() {
            for right in self.take(lane, ALL, by).0 {
                sent = true;
                let ended = Ended::by(end, self, right, now);
                self.settle(right, ended);
                if end.ends_lane() {
                    self.put(lane, SubscriptionState::Gone, "", now);
                }
            }
        }
        sent
    }
}

impl Ended {
    /// An attempt that ends at once.
    pub(super) fn by(end: End, model: &Model, right: Right, now: Timestamp) -> Self {
        let (state, due_at) = end.comes_to(&model.schedule, right.attempt, now);
        let entry = Entry {
            number: right.attempt,
            manual_by: model.records[right.delivery].manual_by.clone(),
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
