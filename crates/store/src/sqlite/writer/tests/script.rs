//! Units of work made at random.

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
};

use domain::SubscriptionState;
use proptest::{collection::vec, option::weighted, prelude::*};

use super::{
    Verdict, Work, at,
    bench::{event, secrets, subscription, work},
    change,
};
use crate::{StoreError, WriteTx};

/// Most units of one test.
pub(super) const UNITS_MAX: usize = 12;
/// The subscription whose state changes, and the one whose does not.
pub(super) const LANES: [u128; 2] = [21, 22];
/// Bytes for which there is no room where the disk is full.
const TOO_MUCH: usize = 1_000_000;

/// What a unit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Adds a team.
    Team,
    /// Adds an event that both subscriptions want.
    Event,
    /// Puts the first subscription into a state.
    Put(SubscriptionState),
    /// Runs a statement that fails, and passes over it.
    Stumble,
    /// Fills the disk, and passes over that.
    Fill,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Keep,
    Refuse,
    Panic,
}

/// One run of a unit.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// A unit: what it does when it runs first, and what when it runs again, which may be something else.
#[derive(Clone, Debug)]
pub(super) struct Script {
    first: Act,
    again: Option<Act>,
}

impl Script {
    /// What it does in its run number `run`, from 0.
    pub(super) fn act(&self, run: usize) -> &Act {
        match &self.again {
            Some(again) if run > 0 => again,
            _ => &self.first,
        }
    }
}

/// The number of the event, and of the team, that a unit adds with one of its steps.
pub(super) fn number(unit: usize, run: usize, step: usize) -> u128 {
    (unit * 100 + run * 10 + step) as u128
}

/// Units that go their way; with `fills`, some of them until the disk is full.
pub(super) fn scripts(fills: bool) -> impl Strategy<Value = Vec<Script>> {
    vec(script(fills), 1..=UNITS_MAX)
}

fn script(fills: bool) -> impl Strategy<Value = Script> {
    (act(fills), weighted(0.3, act(fills))).prop_map(|(first, again)| Script { first, again })
}

fn act(fills: bool) -> impl Strategy<Value = Act> {
    let state = prop_oneof![
        2 => Just(SubscriptionState::Active),
        2 => Just(SubscriptionState::Failing),
        1 => Just(SubscriptionState::Paused),
    ];
    let step = prop_oneof![
        3 => Just(Step::Team),
        6 => Just(Step::Event),
        4 => state.prop_map(Step::Put),
        1 => Just(Step::Stumble),
        u32::from(fills) => Just(Step::Fill),
    ];
    let end = prop_oneof![4 => Just(End::Keep), 2 => Just(End::Refuse), 1 => Just(End::Panic)];
    (vec(step, 0..=4), end).prop_map(|(steps, end)| Act { steps, end })
}

/// The unit that does it, with its number.
pub(super) fn unit(unit: usize, script: Script) -> Work {
    let runs = AtomicUsize::new(0);
    work(move |tx| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        let Act { steps, end } = script.act(run).clone();
        Box::pin(async move {
            let mut lost = false;
            for (place, step) in steps.into_iter().enumerate() {
                let done = take(tx, step, number(unit, run, place)).await;
                lost |= step == Step::Fill;
                assert_eq!(done.is_err(), lost || step == Step::Stumble, "{done:?}");
            }
            match end {
                End::Keep => Verdict::Keep,
                End::Refuse => Verdict::Undo,
                // Past the hook that prints where: it is meant.
                End::Panic => resume_unwind(Box::new("a unit that panics, for the test")),
            }
        })
    })
}

async fn take(tx: &mut dyn WriteTx, step: Step, number: u128) -> Result<(), StoreError> {
    let lane = subscription(LANES[0]);
    match step {
        Step::Team => tx.team_insert(&number.to_string(), at()).await.map(drop),
        Step::Event => tx.event_append(&event(number)).await.map(drop),
        Step::Put(state) => {
            let changed = tx.subscription_state_put(lane.id, &change(state)).await;
            changed.map(drop)
        }
        Step::Stumble => tx.subscription_insert(&lane, &secrets(LANES[0])).await,
        Step::Fill => tx.team_insert(&"x".repeat(TOO_MUCH), at()).await.map(drop),
    }
}
