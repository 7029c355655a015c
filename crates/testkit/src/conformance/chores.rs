//! Chores: what one node does at a time.

use std::time::Duration;

use store::{Chore, ChoreHold, ChoreLease, ChoreTurn};

use crate::{Refused, World, writing};

const SWEEP: Chore = Chore {
    name: "sweep",
    every: Duration::from_hours(24),
    lease: Duration::from_mins(1),
};

async fn begin(world: &World, chore: Chore) -> ChoreTurn {
    let begun = world.store.chore_begin(chore, world.now()).await;
    begun.expect("the store says")
}

async fn ours(world: &World, chore: Chore) -> ChoreLease {
    match begin(world, chore).await {
        ChoreTurn::Ours(lease) => lease,
        ChoreTurn::NotBefore(wait) => panic!("nobody has it, and it is due in {wait:?}"),
    }
}

async fn keep(world: &World, lease: ChoreLease) -> ChoreHold {
    let kept = world.store.chore_keep(lease, world.now()).await;
    kept.expect("the store says")
}

async fn end(world: &World, lease: ChoreLease) -> ChoreHold {
    let ended = world.store.chore_end(lease, world.now()).await;
    ended.expect("the store says")
}

pub(super) async fn a_chore_is_one_nodes_until_it_is_done_and_comes_round_again(world: &World) {
    let lease = ours(world, SWEEP).await;
    assert_eq!(lease.chore(), SWEEP);
    world.clock.advance(SWEEP.lease / 2);
    let wait = ChoreTurn::NotBefore(SWEEP.lease / 2);
    assert_eq!(begin(world, SWEEP).await, wait, "somebody has it");
    assert_eq!(end(world, lease).await, ChoreHold::Ours);
    let wait = ChoreTurn::NotBefore(SWEEP.every);
    assert_eq!(begin(world, SWEEP).await, wait, "it was done just now");
    world
        .clock
        .advance(SWEEP.every.saturating_sub(Duration::from_millis(1)));
    let wait = ChoreTurn::NotBefore(Duration::from_millis(1));
    assert_eq!(begin(world, SWEEP).await, wait, "not yet");
    world.tick();
    let next = ours(world, SWEEP).await;
    assert_ne!(next, lease);
}

pub(super) async fn a_chore_of_which_nothing_is_heard_goes_to_the_next(world: &World) {
    let lease = ours(world, SWEEP).await;
    for _ in 0..3 {
        world
            .clock
            .advance(SWEEP.lease.saturating_sub(Duration::from_millis(1)));
        assert_eq!(keep(world, lease).await, ChoreHold::Ours);
        let wait = ChoreTurn::NotBefore(SWEEP.lease);
        assert_eq!(begin(world, SWEEP).await, wait, "it was kept");
    }
    world.clock.advance(SWEEP.lease);
    let next = ours(world, SWEEP).await;
    assert_eq!(keep(world, lease).await, ChoreHold::Lost);
    assert_eq!(end(world, lease).await, ChoreHold::Lost);
    assert_eq!(
        keep(world, next).await,
        ChoreHold::Ours,
        "it is no one else's"
    );
    assert_eq!(end(world, next).await, ChoreHold::Ours);
    assert_eq!(end(world, next).await, ChoreHold::Lost, "it was ended");
}

pub(super) async fn who_lost_a_chore_changes_nothing_more(world: &World) {
    let lease = ours(world, SWEEP).await;
    // Its time is over and nobody has asked for it: it is lost all the same, for somebody may ask any moment.
    world.clock.advance(SWEEP.lease);
    let now = world.now();
    let unit = writing!([lease, now] tx => {
        let team = tx.team_insert("Late", *now).await?;
        match tx.chore_keep(lease, *now).await? {
            ChoreHold::Ours => Ok(team),
            ChoreHold::Lost => Err(Refused::Because("lost")),
        }
    });
    let refused = world.attempt(unit).await;
    assert!(
        matches!(refused, Err(Refused::Because("lost"))),
        "{refused:?}"
    );
    let next = ours(world, SWEEP).await;
    let unit = writing!([next, now] tx => {
        match tx.chore_keep(next, *now).await? {
            ChoreHold::Ours => Ok(tx.team_insert("In time", *now).await?),
            ChoreHold::Lost => Err(Refused::Because("lost")),
        }
    });
    world.attempt(unit).await.expect("it is the holder");
}

pub(super) async fn a_chore_that_many_ask_for_at_once_is_one_nodes(world: &World) {
    const NODES: usize = 16;
    for _ in 0..5 {
        let asking = (0..NODES).map(|_| {
            let (store, now) = (world.store.clone(), world.now());
            tokio::spawn(async move { store.chore_begin(SWEEP, now).await })
        });
        let mut held = 0;
        for asked in asking.collect::<Vec<_>>() {
            let turn = asked.await.expect("the task ends").expect("the store says");
            held += usize::from(matches!(turn, ChoreTurn::Ours(_)));
        }
        assert_eq!(held, 1, "of {NODES} that asked");
        world.clock.advance(SWEEP.lease);
    }
}

pub(super) async fn chores_do_not_wait_for_each_other(world: &World) {
    const PRUNE: Chore = Chore {
        name: "prune",
        every: Duration::from_secs(1),
        lease: Duration::from_secs(10),
    };
    let (sweep, prune) = (ours(world, SWEEP).await, ours(world, PRUNE).await);
    world.clock.advance(PRUNE.lease);
    assert_eq!(keep(world, prune).await, ChoreHold::Lost);
    assert_eq!(keep(world, sweep).await, ChoreHold::Ours);
}
