//! The bookkeeping behind the lanes: who has permits, whose turn it is, who is closed.

use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};

use domain::{LaneEffect, SubscriptionId, Timestamp};
use store::Take;

use super::Gate;
use crate::{
    DeliverySettings,
    lane::{Lane, Limits},
};

/// Lanes that are remembered. Beyond it, deliveries of further subscriptions go by the table, where
/// the scan finds them.
const LANES_MAX: usize = 65_536;

/// Lanes in one take.
const TAKE_LANES_MAX: usize = 64;

/// How long it is remembered that a receiver was slow, if nothing is sent to it.
pub(super) const SLOW_MEMORY: Duration = Duration::from_hours(1);

/// How often lanes that need not be remembered any more are looked for.
pub(super) const FORGET_INTERVAL: Duration = Duration::from_mins(1);

/// What a take is to do, with the permits for it held.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) takes: Vec<PlannedTake>,
}

/// A lane's part of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedTake {
    pub(crate) take: Take,
    generation: u64,
}

/// How much may run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    in_flight: u32,
    /// Of one lane, on this node.
    lane: u32,
    /// Of one lane, on all nodes together.
    lane_everywhere: u32,
    take_batch: u32,
    limits: Limits,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) bounds: Bounds,
    pub(super) lanes: HashMap<SubscriptionId, Lane>,
    pub(super) in_flight: u32,
    /// Lanes that wait for a take, in turn.
    pub(super) queue: VecDeque<SubscriptionId>,
    /// Closed lanes by when they open.
    pub(super) closed: BTreeSet<(Timestamp, SubscriptionId)>,
    /// Lanes that have begun what they may in a second, by when they may go on.
    pub(super) resting: BTreeSet<(Timestamp, SubscriptionId)>,
    pub(super) gates: Vec<Gate>,
    /// Something was stored since the last call of `wake`, which is then about that.
    pub(super) stored_since_wake: bool,
    pub(super) scan_wanted: bool,
    /// The earliest retry that was stored since the table was last looked at.
    pub(super) expected: Option<Timestamp>,
    forgot_at: Timestamp,
}

impl State {
    /// Nothing known, and closed for starting.
    pub(super) fn new(settings: &DeliverySettings) -> Self {
        Self {
            bounds: Bounds {
                in_flight: settings.in_flight_max,
                lane: settings.in_flight_per_subscription_max,
                lane_everywhere: settings.in_flight_per_subscription_max,
                take_batch: settings.take_batch_max,
                limits: Limits {
                    nodes: 1,
                    catch_up_per_second: settings.catch_up_per_second_max,
                },
            },
            lanes: HashMap::new(),
            in_flight: 0,
            queue: VecDeque::new(),
            closed: BTreeSet::new(),
            resting: BTreeSet::new(),
            gates: vec![Gate::Starting],
            stored_since_wake: false,
            scan_wanted: true,
            expected: None,
            forgot_at: Timestamp::default(),
        }
    }

    /// So many nodes share what one subscription may have at once; at least one request each. A lane
    /// that has more out than its part keeps them and begins no other.
    pub(super) fn share(&mut self, nodes: u32) {
        self.bounds.limits.nodes = nodes.max(1);
        let part = (self.bounds.lane_everywhere / nodes.max(1)).max(1);
        let before = std::mem::replace(&mut self.bounds.lane, part);
        if before == part {
            return;
        }
        let lanes: Vec<SubscriptionId> = self.lanes.keys().copied().collect();
        for subscription in lanes {
            if let Some(lane) = self.lanes.get_mut(&subscription) {
                lane.share(before, part);
            }
            self.place(subscription);
        }
    }

    /// See [`store::Lanes::reserve`].
    pub(super) fn reserve(
        &mut self,
        subscription: SubscriptionId,
        per_second: Option<u32>,
        now: impl Fn() -> Timestamp,
    ) -> bool {
        if !self.gates.is_empty() {
            return false;
        }
        let room = self.lanes.len() < LANES_MAX;
        let free = self.bounds.in_flight - self.in_flight;
        let lane = match self.lanes.entry(subscription) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(place) if room && free > 0 => place.insert(Lane::new(self.bounds.lane)),
            Entry::Vacant(_) => return false,
        };
        lane.per_second = per_second;
        if !lane.is_straight() || lane.room(free, self.bounds.in_flight) == 0 {
            return false;
        }
        let limits = self.bounds.limits;
        if lane.paced(limits, &now) == 0 {
            return false;
        }
        lane.begin(limits, 1, &now);
        lane.in_flight += 1;
        self.in_flight += 1;
        true
    }

    /// Counts a request to the subscription if the node has room for one, whatever its lane says.
    pub(super) fn admit(&mut self, subscription: SubscriptionId) -> bool {
        let room = self.lanes.len() < LANES_MAX || self.lanes.contains_key(&subscription);
        if !room || self.in_flight >= self.bounds.in_flight {
            return false;
        }
        let fresh = Lane::new(self.bounds.lane);
        let lane = self.lanes.entry(subscription).or_insert(fresh);
        lane.in_flight += 1;
        self.in_flight += 1;
        true
    }

    /// Permits for the lanes whose turn it is, shared out evenly; nothing while a gate is shut.
    pub(super) fn plan(&mut self, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        if !self.gates.is_empty() {
            return plan;
        }
        let batch = self.bounds.take_batch;
        let lanes = u32::try_from(self.queue.len().min(TAKE_LANES_MAX)).unwrap_or(u32::MAX);
        let lanes = lanes.min(batch);
        let quantum = batch / lanes.max(1);
        let limits = self.bounds.limits;
        for _ in 0..lanes {
            let Some(subscription) = self.queue.pop_front() else {
                break;
            };
            let free = self.bounds.in_flight - self.in_flight;
            let Some(lane) = self.lanes.get_mut(&subscription) else {
                continue;
            };
            lane.queued = false;
            if let Some(until) = lane.rest(limits, now) {
                self.resting.insert((until, subscription));
                continue;
            }
            let room = lane.room(free, self.bounds.in_flight).min(quantum);
            let limit = room.min(lane.paced(limits, || now));
            if limit > 0 {
                lane.begin(limits, limit, || now);
                lane.taking = true;
                lane.in_flight += limit;
                let generation = lane.generation();
                let take = Take {
                    subscription,
                    limit,
                };
                plan.takes.push(PlannedTake { take, generation });
                self.in_flight += limit;
            } else if lane.wants_take() {
                // It has permits of its own left, but none is free; it keeps its turn among those.
                lane.queued = true;
                self.queue.push_back(subscription);
            }
        }
        plan
    }

    /// What the takes of a plan found, each with the rate of its subscription: permits that were not used are
    /// given back.
    pub(super) fn taken(
        &mut self,
        plan: &Plan,
        used: &[(SubscriptionId, Option<u32>)],
        drained: &[SubscriptionId],
        now: Timestamp,
    ) {
        let mut counts: HashMap<SubscriptionId, u32> = HashMap::new();
        for (subscription, _) in used {
            *counts.entry(*subscription).or_default() += 1;
        }
        let rates: HashMap<SubscriptionId, Option<u32>> = used.iter().copied().collect();
        for planned in &plan.takes {
            let subscription = planned.take.subscription;
            let used = counts.get(&subscription).copied().unwrap_or(0);
            let unused = planned.take.limit.saturating_sub(used);
            self.in_flight -= unused;
            if let Some(lane) = self.lanes.get_mut(&subscription) {
                lane.in_flight -= unused;
                lane.unbegin(self.bounds.limits, unused);
                lane.taking = false;
                if let Some(per_second) = rates.get(&subscription) {
                    lane.learn(self.bounds.limits, *per_second, used, now);
                }
                if drained.contains(&subscription) {
                    lane.drained(planned.generation);
                }
            }
            self.place(subscription);
        }
    }

    /// How a request ended, and so how many more may run. Called before its permit goes back.
    pub(super) fn ended(
        &mut self,
        subscription: SubscriptionId,
        effect: LaneEffect,
        now: Timestamp,
    ) {
        let Some(lane) = self.lanes.get_mut(&subscription) else {
            return;
        };
        let until = match effect {
            LaneEffect::None => return,
            LaneEffect::Works => return lane.grow(self.bounds.lane),
            LaneEffect::Fails => return lane.fail(now),
            LaneEffect::Slow => return lane.slow(now),
            LaneEffect::HoldUntil(until) => {
                lane.slow(now);
                until
            }
            // Nothing more is begun while its end is being stored; then the store gives nothing.
            LaneEffect::End => Timestamp::from_millis(i64::MAX),
        };
        let before = lane.closed_until;
        let until = before.map_or(until, |before| before.max(until));
        lane.closed_until = Some(until);
        if let Some(before) = before {
            self.closed.remove(&(before, subscription));
        }
        self.closed.insert((until, subscription));
    }

    /// Opens the lanes whose time has come.
    pub(super) fn reopen_due(&mut self, now: Timestamp) {
        while let Some(&(until, subscription)) = self.closed.first() {
            if until > now {
                break;
            }
            self.reopen(until, subscription);
        }
        while let Some(&(until, subscription)) = self.resting.first() {
            if until > now {
                break;
            }
            self.resting.pop_first();
            if let Some(lane) = self.lanes.get_mut(&subscription) {
                lane.rests_until = None;
            }
            self.place(subscription);
        }
        if now.since(self.forgot_at) >= FORGET_INTERVAL || now < self.forgot_at {
            self.forgot_at = now;
            self.forget(now, self.bounds.lane);
        }
    }

    /// The end of a subscription has been settled: from now on the store says what may be sent.
    pub(super) fn end_settled(&mut self, subscription: SubscriptionId) {
        let lane = self.lanes.get(&subscription);
        if let Some(until) = lane.and_then(|lane| lane.closed_until) {
            self.reopen(until, subscription);
        }
    }

    /// Something due of the subscription is or may be in the table.
    pub(super) fn stored(&mut self, subscription: SubscriptionId) {
        let room = self.lanes.len() < LANES_MAX;
        match self.lanes.entry(subscription) {
            Entry::Occupied(mut lane) => lane.get_mut().stored(),
            Entry::Vacant(place) if room => place.insert(Lane::new(self.bounds.lane)).stored(),
            // The scan finds it once there is room.
            Entry::Vacant(_) => self.scan_wanted = true,
        }
        self.place(subscription);
    }

    /// What was held while the subscription was paused is or may be due.
    pub(super) fn catch_up(&mut self, subscription: SubscriptionId, now: Timestamp) {
        self.stored(subscription);
        if let Some(lane) = self.lanes.get_mut(&subscription) {
            lane.catch_up(now);
        }
    }

    /// Puts a lane that changed where it belongs: into the queue, or out of memory.
    pub(super) fn place(&mut self, subscription: SubscriptionId) {
        let Some(lane) = self.lanes.get_mut(&subscription) else {
            return;
        };
        if lane.wants_take() {
            lane.queued = true;
            self.queue.push_back(subscription);
        } else if lane.is_idle() {
            self.lanes.remove(&subscription);
        }
    }

    fn reopen(&mut self, until: Timestamp, subscription: SubscriptionId) {
        self.closed.remove(&(until, subscription));
        if let Some(lane) = self.lanes.get_mut(&subscription) {
            lane.closed_until = None;
        }
        self.place(subscription);
    }

    fn forget(&mut self, now: Timestamp, full: u32) {
        let before = now.before(SLOW_MEMORY);
        self.lanes.retain(|_, lane| {
            lane.forget_pace(now);
            if lane.slowed_at.is_some_and(|at| at <= before) && lane.in_flight == 0 {
                lane.bound = full;
                lane.slowed_at = None;
            }
            !lane.is_idle()
        });
    }
}
