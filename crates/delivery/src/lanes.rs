//! The lanes of this node: who may send now, who waits for a take, and the way in from the store.
//!
//! The store asks for permits inside its transactions and hands over after its commits; the taker
//! plans takes; the sender reports how requests ended. All of it is a few map operations under one
//! lock that is never held across an await or a call to the outside.

mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{LaneEffect, NodeId, Source, SubscriptionId, Timestamp};
use store::{Company, DueLane, Lanes, LeasedDelivery, Node, NodeSettings, Permit};
use tokio::sync::{Notify, mpsc};

use crate::{DeliverySettings, Peers};
pub(crate) use state::Plan;
use state::State;

/// A delivery on its way to the sender.
pub(crate) type Handed = (LeasedDelivery, Permit);

/// Why nothing is begun at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Leases of an earlier life are not ended yet.
    Starting,
    /// Outcomes can't be stored.
    Choked,
    /// The engine is stopping.
    Stopping,
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaneFigures {
    pub(crate) in_flight: u32,
    pub(crate) lanes: usize,
    pub(crate) waiting: usize,
    pub(crate) closed: usize,
    pub(crate) is_open: bool,
}

/// The lanes.
pub(crate) struct LaneTable {
    peers: Arc<Peers>,
    /// Asked only for lanes with a rate.
    source: Source,
    lease: Duration,
    state: Mutex<State>,
    changed: Notify,
    /// Somebody wants probes to be looked for before their time.
    probes: Notify,
    // Never fuller than there are permits: each delivery in it holds one.
    handed: mpsc::UnboundedSender<Handed>,
}

impl LaneTable {
    /// The lanes, closed for starting, and where what is handed over comes out.
    pub(crate) fn new(
        peers: Arc<Peers>,
        settings: &DeliverySettings,
        source: Source,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Handed>) {
        let (handed, out) = mpsc::unbounded_channel();
        let lanes = Self {
            peers,
            source,
            lease: settings.lease(),
            state: Mutex::new(State::new(settings)),
            changed: Notify::new(),
            probes: Notify::new(),
            handed,
        };
        (Arc::new(lanes), out)
    }

    /// Resolves once something changed that the taker should look at.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Makes the taker look at the table, whatever is known.
    pub(crate) fn look(&self) {
        self.state().scan_wanted = true;
        self.changed.notify_one();
        self.probes.notify_one();
    }

    /// Resolves once probes should be looked for before their time.
    pub(crate) async fn probes_wanted(&self) {
        self.probes.notified().await;
    }

    /// Whether probes may begin.
    pub(crate) fn may_probe(&self) -> bool {
        self.state().gates.is_empty()
    }

    /// Counts a request to a subscription if the node has room for one, whatever its lane says: it is paused, and
    /// this probes it.
    pub(crate) fn admit(&self, subscription: SubscriptionId) -> bool {
        self.state().admit(subscription)
    }

    /// Whether the taker should look at the table before its time; asked once per answer.
    pub(crate) fn scan_wanted(&self) -> bool {
        std::mem::take(&mut self.state().scan_wanted)
    }

    pub(crate) fn shut(&self, gate: Gate) {
        let mut state = self.state();
        if !state.gates.contains(&gate) {
            state.gates.push(gate);
        }
    }

    pub(crate) fn open(&self, gate: Gate) {
        let mut state = self.state();
        state.gates.retain(|shut| *shut != gate);
        state.scan_wanted = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Opens a gate that is mostly open already.
    pub(crate) fn open_if_shut(&self, gate: Gate) {
        if self.state().gates.contains(&gate) {
            self.open(gate);
        }
    }

    /// Whether a request to the subscription may begin; asked just before it does. One that is
    /// leased already goes out although outcomes can't be stored just now: there is room for its.
    pub(crate) fn may_begin(&self, subscription: SubscriptionId) -> bool {
        let state = self.state();
        let closed = state
            .lanes
            .get(&subscription)
            .and_then(|lane| lane.closed_until);
        !state.gates.contains(&Gate::Stopping) && closed.is_none()
    }

    /// Permits for the lanes whose turn it is, shared out evenly; nothing while a gate is shut.
    pub(crate) fn plan(&self, now: Timestamp) -> Plan {
        self.state().plan(now)
    }

    /// What the takes of a plan found, each with the rate of its subscription: permits that were not used are
    /// given back.
    pub(crate) fn taken(
        &self,
        plan: &Plan,
        used: &[(SubscriptionId, Option<u32>)],
        drained: &[SubscriptionId],
        now: Timestamp,
    ) {
        self.state().taken(plan, used, drained, now);
    }

    /// How a request ended, and so how many more may run. Called before its permit goes back.
    pub(crate) fn ended(&self, subscription: SubscriptionId, effect: LaneEffect, now: Timestamp) {
        self.state().ended(subscription, effect, now);
    }

    /// Opens the lanes whose time has come, those that rested among them.
    pub(crate) fn reopen(&self, now: Timestamp) {
        self.state().reopen_due(now);
    }

    /// The end of a subscription has been settled: from now on the store says what may be sent.
    pub(crate) fn end_settled(&self, subscription: SubscriptionId) {
        self.state().end_settled(subscription);
    }

    /// The scan found something due in these lanes.
    pub(crate) fn found_due(&self, lanes: impl IntoIterator<Item = DueLane>, now: Timestamp) {
        let mut state = self.state();
        for lane in lanes {
            if lane.held {
                state.catch_up(lane.subscription, now);
            } else {
                state.stored(lane.subscription);
            }
        }
    }

    /// A delivery was stored that is due at `at`.
    pub(crate) fn expect(&self, at: Timestamp) {
        let mut state = self.state();
        if state.expected.is_none_or(|earliest| at < earliest) {
            state.expected = Some(at);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// The earliest of what was expected since this was last asked with `forget`, which whoever is
    /// about to look at the table does.
    pub(crate) fn expected(&self, forget: bool) -> Option<Timestamp> {
        let mut state = self.state();
        if forget {
            state.expected.take()
        } else {
            state.expected
        }
    }

    /// When the next lane opens that is closed or rests.
    pub(crate) fn next_opening(&self) -> Option<Timestamp> {
        let state = self.state();
        let first = [state.closed.first(), state.resting.first()];
        first.into_iter().flatten().map(|(until, _)| *until).min()
    }

    /// How it stands.
    pub(crate) fn figures(&self) -> LaneFigures {
        let state = self.state();
        LaneFigures {
            in_flight: state.in_flight,
            lanes: state.lanes.len(),
            waiting: state.queue.len(),
            closed: state.closed.len(),
            is_open: state.gates.is_empty(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node for LaneTable {
    fn node(&self) -> NodeId {
        self.peers.node()
    }

    fn settings(&self) -> NodeSettings {
        self.peers.settings()
    }

    fn joined(&self) {
        self.peers.joined();
    }

    fn saw(&self, company: &Company) {
        self.state().share(company.sending);
        self.peers.saw(company);
    }
}

impl Lanes for LaneTable {
    fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.after(self.lease)
    }

    fn reserve(&self, subscription: SubscriptionId, per_second: Option<u32>) -> bool {
        let now = || self.source.now();
        self.state().reserve(subscription, per_second, now)
    }

    fn resumed(&self, subscription: SubscriptionId) {
        let now = self.source.now();
        let mut state = self.state();
        state.stored_since_wake = true;
        state.catch_up(subscription, now);
    }

    fn release(&self, subscription: SubscriptionId) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(lane) = state.lanes.get_mut(&subscription) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        state.place(subscription);
        let waiting = !state.queue.is_empty();
        drop(state);
        if waiting {
            self.changed.notify_one();
        }
    }

    fn backlog(&self, subscription: SubscriptionId) {
        let mut state = self.state();
        state.stored_since_wake = true;
        state.stored(subscription);
    }

    fn hand_over(&self, deliveries: Vec<Handed>) {
        for handed in deliveries {
            // When the sender is gone the engine has stopped. The lease then waits for the rescue.
            let _ = self.handed.send(handed);
        }
    }

    fn wake(&self) {
        let mut state = self.state();
        // What was stored is known by its lane. A wake about nothing known is about time or about
        // somebody else's change, which only the table can tell.
        if !std::mem::take(&mut state.stored_since_wake) {
            state.scan_wanted = true;
        }
        drop(state);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
