//! What a redelivery job wants of what it looks at, whichever database it lies in.

use domain::{
    ChecklistId, DeliveryId, DeliveryState, EventType, ReplaySample, SubscriptionId,
    SubscriptionState, Timestamp,
};

use crate::{ReplayFound, ReplayLook, ReplayMatch, ReplayPlace, ReplayReached, shown::state_shown};

/// A delivery or an event that a job comes by.
pub(crate) struct Passed {
    pub(crate) place: ReplayPlace,
    pub(crate) at: Timestamp,
    pub(crate) event_type: EventType,
    pub(crate) checklist: ChecklistId,
    /// Whether it is of the job's team, and no test.
    pub(crate) is_ours: bool,
    /// How the delivery stands; of an event, those that it has, where that matters.
    pub(crate) standing: Vec<Stand>,
}

/// How a delivery stands.
pub(crate) struct Stand {
    pub(crate) subscription: SubscriptionId,
    pub(crate) stored: DeliveryState,
    /// The state of its subscription.
    pub(crate) of: SubscriptionState,
    pub(crate) delivered_before: bool,
    pub(crate) attempts: u32,
}

impl ReplayLook {
    /// Whether the event itself is wanted; how its deliveries stand may matter as well.
    pub(crate) fn wants_event(&self, passed: &Passed) -> bool {
        passed.is_ours
            && (!self.events || passed.at <= self.made_at)
            && self
                .filter
                .wants_event(passed.at, passed.event_type, passed.checklist)
    }

    fn wants(&self, passed: &Passed) -> bool {
        if !self.wants_event(passed) {
            return false;
        }
        if self.events && !self.filter.asks_of_deliveries() {
            return true;
        }
        passed.standing.iter().any(|one| {
            let state = state_shown(one.stored, one.of, one.delivered_before);
            self.filter
                .wants_delivery(one.subscription, state, one.attempts)
        })
    }

    /// What is wanted of `passed`, which is all there is where it is less than `rows`.
    pub(crate) fn found(&self, passed: &[Passed], rows: u32, wanted: u32) -> ReplayFound {
        let mut matches = Vec::new();
        let mut reached = None;
        for one in passed {
            if matches.len() >= wanted as usize {
                break;
            }
            reached = Some(ReplayReached {
                place: one.place,
                at: one.at,
            });
            if self.wants(one) {
                let delivery = DeliveryId::new(one.place.0);
                let shown = ReplaySample {
                    delivery_id: (!self.events).then_some(delivery),
                    created_date_time: one.at,
                    event_type: one.event_type,
                    checklist_id: one.checklist,
                };
                matches.push(ReplayMatch {
                    place: one.place,
                    shown,
                });
            }
        }
        let is_last = reached.map(|reached| reached.place) == passed.last().map(|last| last.place);
        // Events go on and on; those that came after the job are not its business.
        let is_over = self.events && passed.iter().all(|one| one.at > self.made_at);
        ReplayFound {
            matches,
            reached,
            ended: is_over || is_last && passed.len() < rows as usize,
        }
    }
}
