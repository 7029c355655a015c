//! Counting what both databases find, so that they count alike.

use std::collections::BTreeMap;

use domain::{
    DeliveryId, DeliveryState, EVENT_COUNTED_MAX, EventRow, EventType, ReasonCode, ReasonCount,
    SUMMARY_COUNTED_MAX, StateCode, StateCount, SubscriptionState, Timestamp, UndeliveredSummary,
};

use crate::{
    Cancelled, EventQuery,
    shown::{Stored, ended, state_shown},
};

/// A summary in the making.
pub(crate) struct Summing {
    code: StateCode,
    counts: BTreeMap<(usize, ReasonCode), u64>,
    capped: bool,
    oldest: Option<DeliveryId>,
}

impl Summing {
    /// By which index what stands how is found, in the words of the indexes.
    pub(crate) const WAYS: [(&'static str, &'static str); 6] = [
        ("delivery_due", "d.state = 'waiting'"),
        ("delivery_leased", "d.state = 'leased'"),
        ("delivery_ended", ended!("exhausted")),
        ("delivery_ended", ended!("cancelled")),
        ("delivery_ended", ended!("refused")),
        ("delivery_ended", ended!("expired")),
    ];

    pub(crate) fn new(code: StateCode) -> Self {
        Self {
            code,
            counts: BTreeMap::new(),
            capped: false,
            oldest: None,
        }
    }

    /// Adds what was found of one state: at most one more than is counted.
    pub(crate) fn add(&mut self, rows: Vec<(DeliveryId, Stored)>) {
        let max = SUMMARY_COUNTED_MAX as usize;
        self.capped |= rows.len() > max;
        for (id, stored) in rows.into_iter().take(max) {
            let state = stored.state();
            if state == DeliveryState::Delivered {
                continue;
            }
            debug_assert_eq!(stored.code, self.code, "all are of one subscription");
            let place = DeliveryState::ALL.iter().position(|one| *one == state);
            let key = (place.unwrap_or_default(), stored.reason_code());
            *self.counts.entry(key).or_default() += 1;
            self.oldest = self.oldest.into_iter().chain([id]).min();
        }
    }

    /// The oldest of those that were counted.
    pub(crate) fn oldest(&self) -> Option<DeliveryId> {
        self.oldest
    }

    /// The summary, with when the event of the oldest happened.
    pub(crate) fn done(self, oldest_at: Option<Timestamp>) -> UndeliveredSummary {
        let counts = self
            .counts
            .into_iter()
            .map(|((place, code), count)| ReasonCount {
                state: DeliveryState::ALL[place],
                reason_code: code,
                count,
            });
        let counts: Vec<_> = counts.collect();
        UndeliveredSummary {
            total: counts.iter().map(|one| one.count).sum(),
            counts,
            is_complete: !self.capped,
            oldest_delivery_id: self.oldest,
            oldest_date_time: oldest_at,
        }
    }
}

/// How the deliveries of one event stand.
#[derive(Default)]
pub(crate) struct EventCount {
    states: Vec<DeliveryState>,
    capped: bool,
}

impl EventCount {
    /// The types that a page is put together of, each walked by itself; none where it is found another way.
    pub(crate) fn types(query: &EventQuery) -> Vec<Option<EventType>> {
        match (query.event_type, query.checklist) {
            (kind, Some(_)) => vec![kind],
            (Some(kind), None) => vec![Some(kind)],
            (None, None) => EventType::ALL.into_iter().map(Some).collect(),
        }
    }

    /// Adds what was found: at most one more than is counted.
    pub(crate) fn add(
        &mut self,
        states: impl IntoIterator<Item = (DeliveryState, SubscriptionState, bool)>,
    ) {
        for (state, of, delivered_before) in states {
            if self.states.len() == EVENT_COUNTED_MAX as usize {
                self.capped = true;
                return;
            }
            self.states.push(state_shown(state, of, delivered_before));
        }
    }

    /// Writes them into the row.
    pub(crate) fn put(self, row: &mut EventRow) {
        let count = |state: DeliveryState| StateCount {
            state,
            count: self.states.iter().filter(|one| **one == state).count() as u64,
        };
        let counts = DeliveryState::ALL.into_iter().map(count);
        row.deliveries = counts.filter(|one| one.count > 0).collect();
        row.is_complete = !self.capped;
    }
}

impl Cancelled {
    /// What there is to stop of a delivery: the state that it is stored in, or the answer that nothing is.
    pub(crate) fn before(
        stored: DeliveryState,
        of: SubscriptionState,
        delivered_before: bool,
        cancelled: bool,
    ) -> Result<DeliveryState, Self> {
        match (stored, state_shown(stored, of, delivered_before)) {
            (DeliveryState::Leased | DeliveryState::Cancelled, _) if cancelled => Err(Self::Before),
            (DeliveryState::Leased, _)
            | (DeliveryState::Waiting, DeliveryState::Waiting | DeliveryState::Held) => Ok(stored),
            (_, shown) => Err(Self::Settled(shown)),
        }
    }
}
