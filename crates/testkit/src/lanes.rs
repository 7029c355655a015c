//! A delivery engine that sends nothing and remembers everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use domain::{DeliveryId, NodeId, Source, SubscriptionId, Timestamp};
use store::{Company, Differing, Lanes, LeasedDelivery, Node, NodeSettings, Permit};
use tokio::sync::watch;

use crate::PATIENCE;

/// What the store asked of the lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneCall {
    /// A permit; answered with whether there was one.
    Reserve(SubscriptionId, bool),
    /// A permit back.
    Release(SubscriptionId),
    /// To know of something due in the table.
    Backlog(SubscriptionId),
    /// The same, of a subscription that sends again.
    Resumed(SubscriptionId),
    /// To send these.
    HandOver(Vec<DeliveryId>),
    /// To look at the table.
    Wake,
}

/// Lanes that remember every call.
///
/// There is no permit to be had until [`TestLanes::set_permits`], so that everything is stored as
/// due. As in the engine, a lane with a backlog gives no permit until the backlog is cleared.
#[derive(Debug)]
pub struct TestLanes {
    node: NodeId,
    settings: NodeSettings,
    lease: Duration,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    permits: usize,
    out: BTreeMap<SubscriptionId, usize>,
    backlog: BTreeSet<SubscriptionId>,
    calls: Vec<LaneCall>,
    handed: Vec<(LeasedDelivery, Permit)>,
    returned_twice: usize,
    company: Company,
}

impl TestLanes {
    /// How long leases taken through these lanes last.
    pub const LEASE: Duration = Duration::from_secs(30);

    /// Lanes of a node of their own, without a permit.
    pub fn new(source: &Source) -> Arc<Self> {
        Self::given(NodeSettings::default(), source)
    }

    /// Lanes of a node that was given `settings`.
    pub fn given(settings: NodeSettings, source: &Source) -> Arc<Self> {
        Arc::new(Self {
            node: NodeId::new(source.uuid()),
            settings,
            lease: Self::LEASE,
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// From now on each lane has `permits` permits.
    pub fn set_permits(&self, permits: usize) {
        self.state().permits = permits;
    }

    /// Forgets what is due in the table, as the engine does when it has taken everything.
    pub fn clear_backlog(&self) {
        self.state().backlog.clear();
    }

    /// Forgets what is due of one subscription, as the engine does when a take has drained its lane.
    pub fn clear_backlog_of(&self, subscription: SubscriptionId) {
        self.state().backlog.remove(&subscription);
    }

    /// Whether something due of this subscription was announced.
    pub fn has_backlog(&self, subscription: SubscriptionId) -> bool {
        self.state().backlog.contains(&subscription)
    }

    /// How many nodes are alive and send, as far as was said.
    pub fn alive(&self) -> u32 {
        self.state().company.sending
    }

    /// Which were given other settings, as far as was said.
    pub fn differing(&self) -> Vec<Differing> {
        self.state().company.differing.clone()
    }

    /// How many permits are out, of all lanes together.
    pub fn permits_out(&self) -> usize {
        self.state().out.values().sum()
    }

    /// How many permits came back that were not out.
    pub fn permits_returned_twice(&self) -> usize {
        self.state().returned_twice
    }

    /// Everything that was asked so far.
    pub fn calls(&self) -> Vec<LaneCall> {
        self.state().calls.clone()
    }

    /// How often the lanes were woken.
    pub fn wakes(&self) -> usize {
        let calls = self.calls();
        calls.iter().filter(|call| **call == LaneCall::Wake).count()
    }

    /// What was handed over so far, in order.
    pub fn handed(&self) -> Vec<LeasedDelivery> {
        let state = self.state();
        state
            .handed
            .iter()
            .map(|(leased, _)| leased.clone())
            .collect()
    }

    /// Waits until `count` deliveries were handed over in all, and answers all there are.
    pub async fn wait_handed(&self, count: usize) -> Vec<LeasedDelivery> {
        let what = format!("{count} deliveries to be handed over");
        self.wait_until(&what, |lanes| lanes.handed().len() >= count)
            .await;
        self.handed()
    }

    /// Waits until the lanes are as `is` wants them; fails with `what` was awaited after
    /// [`PATIENCE`].
    pub async fn wait_until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !is(self) {
                changes
                    .changed()
                    .await
                    .expect("the sender lives in these lanes");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "waited in vain for {what}; the lanes heard {:?}",
            self.calls()
        );
    }

    /// Drops what was handed over, with its permits, and answers how many deliveries that were.
    pub fn let_go(&self) -> usize {
        // Dropped outside the lock, because a permit that goes comes back through `release`.
        let handed = std::mem::take(&mut self.state().handed);
        handed.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    fn record(&self, change: impl FnOnce(&mut State) -> LaneCall) {
        let mut state = self.state();
        let call = change(&mut state);
        state.calls.push(call);
        drop(state);
        self.changed.send_replace(());
    }
}

impl Node for TestLanes {
    fn node(&self) -> NodeId {
        self.node
    }

    fn settings(&self) -> NodeSettings {
        self.settings.clone()
    }

    fn saw(&self, company: &Company) {
        self.state().company = company.clone();
        self.changed.send_replace(());
    }
}

impl Lanes for TestLanes {
    fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.after(self.lease)
    }

    fn reserve(&self, subscription: SubscriptionId, _: Option<u32>) -> bool {
        let mut given = false;
        self.record(|state| {
            let out = state.out.entry(subscription).or_default();
            given = *out < state.permits && !state.backlog.contains(&subscription);
            *out += usize::from(given);
            LaneCall::Reserve(subscription, given)
        });
        given
    }

    fn release(&self, subscription: SubscriptionId) {
        self.record(|state| {
            let out = state.out.entry(subscription).or_default();
            match out.checked_sub(1) {
                Some(left) => *out = left,
                // Not a panic: this runs where a permit is dropped, on whichever thread.
                None => state.returned_twice += 1,
            }
            LaneCall::Release(subscription)
        });
    }

    fn backlog(&self, subscription: SubscriptionId) {
        self.record(|state| {
            state.backlog.insert(subscription);
            LaneCall::Backlog(subscription)
        });
    }

    fn resumed(&self, subscription: SubscriptionId) {
        self.record(|state| {
            state.backlog.insert(subscription);
            LaneCall::Resumed(subscription)
        });
    }

    fn hand_over(&self, deliveries: Vec<(LeasedDelivery, Permit)>) {
        self.record(|state| {
            let ids = deliveries.iter().map(|(leased, _)| leased.lease.delivery);
            let call = LaneCall::HandOver(ids.collect());
            state.handed.extend(deliveries);
            call
        });
    }

    fn wake(&self) {
        self.record(|_| LaneCall::Wake);
    }
}
