//! Subscriptions that change their state, and those that the system has paused: one held delivery is tried at a time.

use std::time::Duration;

use domain::{HealthSettings, StateCode, SubscriptionState, Timestamp};

use super::{
    record::{Hold, Right},
    state::Model,
};

/// Probes that were begun.
pub(super) struct Probed {
    /// What is leased, by lanes.
    pub(super) rights: Vec<Right>,
    /// Lanes in which the next of a chain may go.
    pub(super) let_go: Vec<usize>,
}

impl Model {
    /// A subscription is put into a state; whether that changes it.
    pub(super) fn put(
        &mut self,
        lane: usize,
        code: StateCode,
        reason: &str,
        at: Timestamp,
    ) -> bool {
        let lane = &mut self.lanes[lane];
        if lane.state() == SubscriptionState::Gone || lane.code == code {
            return false;
        }
        if lane.state() == SubscriptionState::Paused && code.state().sends() {
            lane.resumed = Some(at);
        }
        lane.code = code;
        reason.clone_into(&mut lane.reason);
        lane.probe_at = (code == StateCode::PausedBySystem).then(|| first_probe(at));
        lane.probes = 0;
        true
    }

    /// Begins the probes that are due.
    pub(super) fn probe(&mut self, by: Hold) -> Probed {
        let mut probed = Probed {
            rights: Vec::new(),
            let_go: Vec::new(),
        };
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].probe_at.is_none_or(|at| at > by.since) {
                continue;
            }
            let first = self.waiting(lane).first().map(|(_, place)| *place);
            let state = &mut self.lanes[lane];
            // Nothing was tried with nothing.
            state.probes += u32::from(first.is_some());
            let wait = settings().probe_wait(state.probes);
            state.probe_at = Some(by.since.after(wait));
            match first.map(|delivery| self.lease(delivery, by, true)) {
                Some(Ok(right)) => probed.rights.push(right),
                Some(Err(next)) => probed.let_go.extend(next),
                None => {}
            }
        }
        probed
    }

    /// When the next probe is due.
    pub(super) fn next_probe(&self) -> Option<Timestamp> {
        self.lanes.iter().filter_map(|lane| lane.probe_at).min()
    }
}

/// When one that the system pauses now is tried for the first time.
pub(super) fn first_probe(now: Timestamp) -> Timestamp {
    now.after(settings().probe_wait(0))
}

/// Waits that fit into a course. As the engine's settings have it, a lease is shorter.
pub(super) fn settings() -> HealthSettings {
    HealthSettings {
        probe_after: Duration::from_mins(1),
        probe_wait_max: Duration::from_mins(4),
        ..HealthSettings::default()
    }
}
