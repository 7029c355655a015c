//! One course: every operation done to a store and to the reference, and what both make of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{
    DeliveryId, Event, EventType, NodeId, RetrySchedule, Scope, SubscriptionId, SubscriptionState,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{LeasedDelivery, Node as _, Rescue};

use super::{
    command::Answer,
    end::End,
    jobs::Job,
    operation::{LISTS, Operation, Time},
    record::Lane,
    state::Model,
};
use crate::{Fixture, Scene, World};

/// Steps of the schedule: few, so that deliveries get to its end.
const STEPS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
];
/// Takes or ends all there are.
pub(super) const ALL: u32 = 1_000;
/// Leases that a start ends at once, so that it takes several goes.
const SLICE: u32 = 2;
/// Rounds after which everything must have come to an end: each is an attempt of what is left, or of the first of
/// a chain.
const ROUNDS_MAX: usize = 400;
/// Probes at the end: more than there are attempts.
const PROBES: usize = 6;
/// Which of the subscriptions wants its deliveries in order at first.
const ORDERED: usize = 1;

pub(super) struct Course {
    pub(super) world: World,
    pub(super) scene: Scene,
    /// One for each checklist.
    pub(super) scenes: Vec<Scene>,
    pub(super) model: Model,
    pub(super) lanes: Vec<SubscriptionId>,
    pub(super) events: Vec<Event>,
    /// Redelivery jobs, oldest first.
    pub(super) jobs: Vec<Job>,
    /// Deliveries that have arrived.
    pub(super) arrived: BTreeSet<usize>,
    /// Whether the clock was ever set back.
    pub(super) set_back: bool,
    /// The identifiers of the reference's deliveries.
    pub(super) ids: Vec<DeliveryId>,
    /// Deliveries whose log has grown since it was looked at.
    pub(super) logged: BTreeSet<usize>,
    pub(super) other: NodeId,
    permits: usize,
    /// Every lease that somebody got.
    pub(super) known: Vec<LeasedDelivery>,
    /// Attempts that have ended.
    pub(super) ended: BTreeSet<(usize, u32)>,
    /// Whether another unit may hold a lock, at this moment, on what is new.
    pub(super) beset: bool,
    /// How many calls the lanes had heard of before the present operation.
    pub(super) heard: usize,
    /// The same, before its news were asked for.
    pub(super) heard_before: usize,
}

impl Course {
    /// A team with two checklists and three subscriptions: two to the same events, of which one in order, and one
    /// to others.
    pub(super) async fn start(fixture: Arc<dyn Fixture>) -> Self {
        let world = World::start(fixture).await;
        let scene = world.scene().await;
        let mut scenes = vec![scene.clone(); LISTS];
        for (number, scene) in scenes.iter_mut().enumerate().skip(1) {
            let name = format!("Invoice {number}");
            scene.list = world.checklist(scene, &name).await;
        }
        let task = EventType::TaskCompleted;
        let wanted = [
            (task, scene.scope(task)),
            (task, Scope::Team),
            (
                EventType::NewChecklist,
                scene.scope(EventType::NewChecklist),
            ),
        ];
        let mut lanes = Vec::new();
        for (kind, scope) in wanted {
            let made = world.subscribe_to(scene.team, kind, scope).await;
            lanes.push(made.id);
        }
        world.order(scene.team, lanes[ORDERED], true).await;
        let lane =
            |(place, (kind, _)): (usize, (EventType, Scope))| Lane::new(kind, place == ORDERED);
        let model = Model {
            schedule: RetrySchedule::new(&STEPS).expect("a schedule"),
            lanes: (0..).zip(wanted).map(lane).collect(),
            records: Vec::new(),
            bare: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        let other = world.other_node();
        Self {
            world,
            scene,
            scenes,
            model,
            lanes,
            events: Vec::new(),
            jobs: Vec::new(),
            arrived: BTreeSet::new(),
            set_back: false,
            ids: Vec::new(),
            logged: BTreeSet::new(),
            other,
            permits: 0,
            known: Vec::new(),
            ended: BTreeSet::new(),
            beset: false,
            heard: 0,
            heard_before: 0,
        }
    }

    /// Does one operation, and checks that the store agrees with what should come of it.
    pub(super) async fn step(&mut self, operation: &Operation) -> TestCaseResult {
        match operation {
            Operation::Permits(permits) => {
                self.permits = *permits;
                self.world.lanes.set_permits(*permits);
            }
            Operation::LetGo => drop(self.world.lanes.let_go()),
            Operation::Pass(time) => self.pass(*time),
            Operation::Restart => self.restart().await?,
            Operation::Look(job, wanted) => self.look_for(*job, *wanted).await?,
            Operation::Step(job, fresh) => {
                if *fresh {
                    self.look_for(*job, ALL).await?;
                }
                if let Some(command) = self.command(operation) {
                    self.change(command).await?;
                }
            }
            Operation::Probe(true) => {
                self.pass(Time::ToProbe);
                self.change(self.probe()).await?;
            }
            Operation::Undone(one) => {
                if let Some(command) = self.command(one) {
                    self.undo(command).await?;
                }
            }
            Operation::Amid(three) => {
                if let [Some(before), Some(kept), Some(behind)] =
                    three.each_ref().map(|one| self.command(one))
                {
                    self.change_amid(kept, [before, behind]).await?;
                }
            }
            one => {
                if let Some(command) = self.command(one) {
                    self.change(command).await?;
                }
            }
        }
        self.compare().await?;
        let now = self.world.now();
        let ends = [End::Delivered, End::TimedOut, End::Cut];
        let sent = ends.iter().map(|end| self.model.dead_end(now, *end));
        for dead_end in sent.chain([self.model.unprobed(now), self.model.everlasting(now)]) {
            prop_assert!(dead_end.is_none(), "{}", dead_end.unwrap_or_default());
        }
        Ok(())
    }

    /// Has everything come to an end: jobs work on, subscriptions send, time passes, what is due is sent; or, in one
    /// course of three, it is not sent and becomes too old.
    pub(super) async fn end(mut self) -> TestCaseResult {
        self.end_jobs().await?;
        if self.events.len().is_multiple_of(3) {
            self.end_by_age().await?;
        } else {
            self.end_by_sending().await?;
        }
        let kept: Vec<_> = self.kept().collect();
        self.logged.extend(kept);
        self.compare().await?;
        self.forget_all().await?;
        self.compare().await?;
        self.world.finish().await;
        Ok(())
    }

    /// Receivers of those that the system has paused are tried: some take it, some do not, and some take the server
    /// with them.
    async fn end_by_probing(&mut self) -> TestCaseResult {
        for _ in 0..PROBES {
            if self.model.next_probe().is_none() {
                break;
            }
            self.pass(Time::ToProbe);
            self.change(self.rescue(Rescue::Lapsed, ALL)).await?;
            self.change(self.probe()).await?;
            self.change(self.last_attempts()).await?;
            self.compare().await?;
        }
        Ok(())
    }

    async fn end_by_sending(&mut self) -> TestCaseResult {
        self.end_by_probing().await?;
        for lane in 0..self.lanes.len() {
            if self.model.lanes[lane].state() == SubscriptionState::Paused {
                self.change(self.put(lane, SubscriptionState::Active))
                    .await?;
            }
        }
        for round in 0..ROUNDS_MAX {
            self.change(self.rescue(Rescue::Lapsed, ALL)).await?;
            self.change(self.take(self.other, u8::MAX, ALL)).await?;
            self.change(self.last_attempts()).await?;
            self.compare().await?;
            let now = self.world.now();
            let last = self.model.dues(now).chain(self.model.lapses(now)).max();
            match last {
                Some(last) => self.world.clock.set(last),
                None if self.model.is_over() => break,
                None => prop_assert!(
                    round == 0 || self.model.is_any_due(now),
                    "nothing happens any more: {:#?}",
                    self.model
                ),
            }
        }
        prop_assert!(self.model.is_over(), "it never ends: {:#?}", self.model);
        Ok(())
    }

    fn pass(&mut self, time: Time) {
        let now = self.world.now();
        let then = match time {
            Time::Millis(millis) => Some(now.after(Duration::from_millis(millis.into()))),
            Time::ToDue => self.model.dues(now).min(),
            Time::ToLast => {
                let lapsed = self.model.lapses(now).min();
                lapsed.map(|lapsed| lapsed.before(Duration::from_millis(1)))
            }
            Time::ToLapse => self.model.lapses(now).min(),
            Time::Day => Some(now.after(Duration::from_hours(24))),
            Time::ToProbe => self.model.next_probe().filter(|at| *at > now),
            Time::Back => {
                self.set_back = true;
                Some(now.before(Duration::from_hours(1)))
            }
        };
        self.world.clock.set(then.unwrap_or(now));
    }

    /// The server ends, and another begins: it ends all leases that are not its own.
    async fn restart(&mut self) -> TestCaseResult {
        let before = self.world.lanes.clone();
        self.world.reopen().await;
        prop_assert_eq!(before.permits_out(), 0, "permits of the server that ended");
        self.world.lanes.set_permits(self.permits);
        self.heard = 0;
        self.jobs_begin_anew().await?;
        let which = Rescue::OfTheDead(self.world.lanes.node());
        let mut count = 0;
        loop {
            let answer = self.ask(self.rescue(which, SLICE), false).await?;
            let Some(Answer::Rescued(some)) = answer else {
                return Err(TestCaseError::fail(format!("{answer:?}")));
            };
            count += some;
            if some < SLICE {
                break;
            }
            prop_assert!(count <= ALL, "a start never ends all leases");
        }
        let calls = self.news();
        self.rescued(which, count, &calls).await
    }
}
