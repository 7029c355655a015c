//! Subscriptions that change their state, and those that the system has paused: one held delivery is tried at a time.

use std::time::Duration;

use domain::{HealthSettings, StateCode, SubscriptionState, Timestamp};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{LeasedDelivery, ProbeTake};

use super::{
    course::Course,
    record::{Hold, Record, Right, Standing},
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

impl Course {
    /// What was probed is what should be, and one of each.
    pub(super) async fn probed(
        &mut self,
        take: &ProbeTake,
        answer: Vec<LeasedDelivery>,
    ) -> TestCaseResult {
        let hold = Hold {
            node: take.node,
            since: take.now,
            until: take.until,
        };
        let runs = |record: &Record| {
            record.probe && matches!(record.standing, Standing::Leased(by) if by.until > take.now)
        };
        for leased in &answer {
            let lane = self.lane(leased.destination.subscription);
            let before = self.model.records.iter();
            let before = before.filter(|record| record.lane == lane && runs(record));
            prop_assert_eq!(before.count(), 0, "another probe of it runs");
            let now = answer
                .iter()
                .filter(|other| other.destination.subscription == leased.destination.subscription);
            prop_assert_eq!(now.count(), 1, "a probe sends one");
            let code = self.model.lanes[lane].code;
            prop_assert_eq!(code, StateCode::PausedBySystem, "what is probed");
        }
        let probed = self.model.probe(hold);
        let mut rights: Vec<_> = answer.iter().map(|one| self.right(&one.lease)).collect();
        let mut expected: Vec<_> = probed.rights.into_iter().map(Some).collect();
        // Lanes whose probes are due at the same moment have no order.
        rights.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(rights, expected, "what is probed");
        for leased in answer {
            self.leased(leased, hold)?;
        }
        self.told_of(&probed.let_go).await
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
