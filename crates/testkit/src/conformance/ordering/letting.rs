//! Whatever takes the first of a chain away lets the next go, without waiting for whoever looks for stuck chains.

use domain::{DeliveryState, HealthSettings, ReplayFilter, ReplayJobId, StateCode, SubscriptionId};
use store::{
    Cancelled, Ending, EventPlace, Forget, LeasedDelivery, NewReplay, Node as _, ProbeTake,
    ReplayLook, ReplayStep, StandChange,
};

use super::{KIND, events, ordered, settle, taken, told_of};
use crate::{
    TestLanes, World, reading,
    world::{delivered, retry, settlement},
    writing,
};

/// More than any of these tests has.
const ALL: u32 = 1_000;

/// Where the oldest event stands.
async fn oldest(world: &World) -> EventPlace {
    let walk = reading!([] tx => tx.event_walk(None, 1).await);
    world.read(walk).await[0].place
}

/// Removes the body of the oldest event, and ends what waits of it.
async fn remove_body(world: &World) {
    let (places, ending) = (
        vec![oldest(world).await],
        Ending {
            stopped_by: None,
            state: DeliveryState::Expired,
            reason: "too old".to_owned(),
        },
    );
    let unit = writing!([places, ending] tx => tx.event_body_remove(places, ending, ALL).await);
    world.write(unit).await;
}

async fn pause(world: &World, id: SubscriptionId) {
    let change = StandChange {
        code: StateCode::PausedBySystem,
        reason: "nothing but failures".to_owned(),
        by: "system".to_owned(),
        at: world.now(),
        probe_at: Some(world.now()),
    };
    world
        .write(writing!([id, change] tx => tx.stand_put(*id, change).await))
        .await;
}

async fn probe(world: &World) -> Vec<LeasedDelivery> {
    let take = ProbeTake {
        node: world.lanes.node(),
        now: world.now(),
        until: world.now().after(TestLanes::LEASE),
        settings: HealthSettings::default(),
        limit: 10,
    };
    world
        .write(writing!([take] tx => tx.probe_take(take).await))
        .await
}

pub(in crate::conformance) async fn one_that_is_removed_lets_the_next_go(world: &World) {
    let (scene, other, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    let elsewhere = world.happen(&other, KIND).await;
    world.happen(&other, KIND).await;
    world.lanes.clear_backlog_of(lane);
    let places = vec![oldest(world).await];
    let unit = writing!([places] tx => tx.event_forget(places, Forget::All, ALL).await);
    assert_eq!(world.write(unit).await.rows, 1);
    told_of(world, lane).await;
    let now = taken(world, lane).await;
    assert_eq!(events(&now), [behind.id, elsewhere.id]);
}

pub(in crate::conformance) async fn one_that_ends_with_its_body_lets_the_next_go(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    world.lanes.clear_backlog_of(lane);
    remove_body(world).await;
    told_of(world, lane).await;
    assert_eq!(events(&taken(world, lane).await), [behind.id]);
}

/// One of two of a checklist lost its body while it was being sent, and waits.
async fn bodiless(world: &World, lane: SubscriptionId) {
    let first = world.take_one(lane).await;
    remove_body(world).await;
    let now = world.tick();
    world.settle(&[retry(&first, now, now)]).await;
    world.lanes.clear_backlog_of(lane);
}

pub(in crate::conformance) async fn one_that_is_found_without_its_body_lets_the_next_go(
    world: &World,
) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    bodiless(world, lane).await;
    assert_eq!(events(&taken(world, lane).await), [], "it expired");
    told_of(world, lane).await;
    assert_eq!(events(&taken(world, lane).await), [behind.id]);
}

pub(in crate::conformance) async fn one_that_a_probe_finds_without_its_body_lets_the_next_go(
    world: &World,
) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    bodiless(world, lane).await;
    pause(world, lane).await;
    assert_eq!(events(&probe(world).await), [], "it expired");
    told_of(world, lane).await;
    world
        .clock
        .advance(HealthSettings::default().probe_wait(10));
    assert_eq!(events(&probe(world).await), [behind.id]);
}

pub(in crate::conformance) async fn one_that_is_stopped_lets_the_next_go(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    let behind = world.happen(&scene, KIND).await;
    let first = world.deliveries(scene.team).await[1].delivery_id;
    world.lanes.clear_backlog_of(lane);
    let team = scene.team;
    let stop = writing!([team, first] tx => tx.delivery_cancel(*team, *first, "Ann").await);
    assert_eq!(world.write(stop).await, Cancelled::Now);
    told_of(world, lane).await;
    let next = world.take_one(lane).await;
    assert_eq!(next.event, behind.id);
    // One that is stopped while it is sent lets the next go once it is back.
    let third = world.happen(&scene, KIND).await;
    let id = next.lease.delivery;
    let stop = writing!([team, id] tx => tx.delivery_cancel(*team, *id, "Ann").await);
    assert_eq!(world.write(stop).await, Cancelled::Now);
    assert_eq!(events(&taken(world, lane).await), []);
    let now = world.tick();
    settle(world, lane, retry(&next, now, now)).await;
    assert_eq!(events(&taken(world, lane).await), [third.id]);
}

pub(in crate::conformance) async fn a_probe_takes_none_that_waits_behind_another(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    let first = world.take_one(lane).await;
    pause(world, lane).await;
    assert_eq!(events(&probe(world).await), [], "the first is being sent");
    settle(world, lane, delivered(&first, world.tick())).await;
    world
        .clock
        .advance(HealthSettings::default().probe_wait(10));
    assert_eq!(probe(world).await.len(), 1);
}

/// Sends the oldest delivery of a team again, by a job.
async fn send_oldest_again(world: &World, team: domain::TeamId) {
    let bound = reading!([team] tx => tx.replay_bound(*team).await);
    let look = ReplayLook {
        team,
        filter: ReplayFilter::default(),
        events: false,
        made_at: world.tick(),
        bound: world.read(bound).await,
    };
    let new = NewReplay {
        id: ReplayJobId::new(world.source.uuid()),
        made_by: "Ann".to_owned(),
        to_subscription: None,
        rate_per_second: 10,
        look: look.clone(),
    };
    let first = reading!([look] tx => tx.replay_look(look, None, ALL, 1).await);
    let found = world.read(first).await;
    let step = ReplayStep {
        job: new.id,
        from: None,
        matches: found.matches.iter().map(|one| one.place).collect(),
        reached: found.reached,
        ended: found.ended,
        now: world.tick(),
    };
    world
        .write(writing!([new] tx => tx.replay_insert(new).await))
        .await;
    let job = world.write(writing!([step] tx => tx.replay_step(step).await));
    assert_eq!(job.await.expect("it is there").done, 1);
}

pub(in crate::conformance) async fn one_that_a_job_sends_again_holds_nothing_back(world: &World) {
    let (scene, _, lane) = ordered(world).await;
    let first = world.happen(&scene, KIND).await;
    let second = world.happen(&scene, KIND).await;
    let third = world.happen(&scene, KIND).await;
    let old = world.take_one(lane).await;
    let end = settlement(
        &old,
        domain::Outcome::TimedOut,
        DeliveryState::Exhausted,
        world.tick(),
    );
    settle(world, lane, end).await;
    send_oldest_again(world, scene.team).await;
    let both = taken(world, lane).await;
    let mut found = events(&both);
    found.sort_unstable();
    let mut expected = [first.id, second.id];
    expected.sort_unstable();
    assert_eq!(found, expected, "beside the one whose turn it is");
    let second = both.iter().find(|leased| leased.event == second.id);
    let second = second.expect("it was just looked for");
    settle(world, lane, delivered(second, world.tick())).await;
    assert_eq!(events(&taken(world, lane).await), [third.id]);
}
