//! The short cut from a commit to the delivery engine in memory.

use domain::{DeliveryState, EventType, Scope};
use store::{Lanes, Node as _};

use crate::{LaneCall, Refused, World, writing};

const KIND: EventType = EventType::TaskCompleted;

pub(super) async fn what_can_be_sent_at_once_is_handed_over_leased(world: &World) {
    let scene = world.scene().await;
    let seed = world.unstored_subscription(scene.team, KIND, Scope::Team);
    let (made, secret) = world.store.write(seed).await.expect("it is new");
    world.lanes.set_permits(1);
    let event = world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(1).await;
    assert_eq!(handed.len(), 1);
    let leased = &handed[0];
    assert_eq!(leased.lease.node, world.lanes.node());
    assert_eq!(leased.lease.attempt, 1);
    assert_eq!(leased.lease.until, world.lanes.lease_until(world.now()));
    assert_eq!((leased.event, leased.event_type), (event.id, KIND));
    assert_eq!((leased.sequence, leased.delivered_before), (1, false));
    assert_eq!(
        (leased.manual_by.clone(), &leased.body),
        (None, &event.body)
    );
    let to = &leased.destination;
    assert_eq!((to.subscription, &to.target), (made.id, &made.target));
    assert_eq!(to.secrets, [secret]);

    let listed = world.deliveries(scene.team).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].delivery_id, leased.lease.delivery);
    assert_eq!(
        (listed[0].state, listed[0].attempts),
        (DeliveryState::Leased, 1)
    );
    assert_eq!(
        world.take(made.id, 10).await.len(),
        0,
        "what is leased is not due"
    );
    world.deliver(leased).await;
}

pub(super) async fn what_is_taken_says_the_same_as_what_is_handed_over(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await;
    let event = world.happen(&scene, KIND).await;
    let taken = world.take_one(made.id).await;
    world.lanes.set_permits(1);
    world.lanes.clear_backlog();
    let other = world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(1).await.remove(0);
    assert_eq!(taken.destination, handed.destination);
    assert_eq!((taken.event_type, handed.event_type), (KIND, KIND));
    assert_eq!((&taken.body, &handed.body), (&event.body, &other.body));
    assert_eq!((taken.sequence, handed.sequence), (1, 2));
    assert_eq!((taken.delivered_before, &taken.manual_by), (false, &None));
}

pub(super) async fn hand_overs_come_in_the_order_of_the_commits(world: &World) {
    let scene = world.scene().await;
    let one = world.subscribe(&scene, KIND).await.id;
    let two = world.subscribe_to(scene.team, KIND, Scope::Team).await.id;
    world.lanes.set_permits(100);
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(world.happen(&scene, KIND).await.id);
    }
    // And several in one unit.
    let more: Vec<_> = (0..5).map(|_| scene.event(KIND, &world.source)).collect();
    events.extend(more.iter().map(|event| event.id));
    world
        .write(writing!([more] tx => {
            for event in more {
                tx.event_append(event).await?;
            }
            Ok(())
        }))
        .await;
    let handed = world.lanes.wait_handed(20).await;
    for lane in [one, two] {
        let lane: Vec<_> = handed
            .iter()
            .filter(|leased| leased.destination.subscription == lane)
            .map(|leased| (leased.event, leased.sequence))
            .collect();
        let expected: Vec<_> = events.iter().copied().zip(1..).collect();
        assert_eq!(
            lane, expected,
            "each lane in order, numbered from 1 without gaps"
        );
    }
    assert_eq!(handed.len(), 20);
}

pub(super) async fn nothing_is_handed_over_while_the_unit_runs(world: &World) {
    let scene = world.scene().await;
    world.subscribe(&scene, KIND).await;
    world.lanes.set_permits(1);
    let (event, lanes) = (scene.event(KIND, &world.source), world.lanes.clone());
    let during = writing!([event, lanes] tx => {
        tx.event_append(event).await?;
        tx.audit_list(event.team, None, 1).await?;
        Ok(lanes.handed().len())
    });
    assert_eq!(world.write(during).await, 0, "it is not on disk yet");
    assert_eq!(world.lanes.wait_handed(1).await.len(), 1, "but afterwards");
}

pub(super) async fn a_refused_unit_hands_nothing_over_and_gives_its_permits_back(world: &World) {
    let scene = world.scene().await;
    world.subscribe(&scene, KIND).await;
    world.lanes.set_permits(1);
    let event = scene.event(KIND, &world.source);
    let refused = world
        .attempt(writing!([event] tx => {
            tx.event_append(event).await?;
            Err::<(), _>(Refused::Because("changed my mind"))
        }))
        .await;
    assert!(refused.is_err());
    assert_eq!(world.lanes.handed().len(), 0, "there is nothing to send");
    let back = |lanes: &crate::TestLanes| lanes.permits_out() == 0;
    world
        .lanes
        .wait_until("the permit to come back", back)
        .await;

    let panicked = world.store.write(writing!([event] tx => {
        tx.event_append(event).await?;
        assert!(event.body.is_empty(), "a bug in a use case; the test wants it");
        Ok::<_, Refused>(())
    }));
    assert!(panicked.await.is_err());
    world
        .lanes
        .wait_until("the permit to come back", back)
        .await;

    // What comes after finds the permit free, and is the first in its lane.
    world.lanes.clear_backlog();
    let kept = world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(1).await;
    let handed: Vec<_> = handed
        .iter()
        .map(|leased| (leased.event, leased.sequence))
        .collect();
    assert_eq!(
        handed,
        [(kept.id, 1)],
        "a refused event leaves no gap in the sequence"
    );
}

pub(super) async fn what_gets_no_permit_is_due_and_the_lanes_are_woken(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    let event = world.happen(&scene, KIND).await;
    world
        .lanes
        .wait_until("a wake", |lanes| lanes.wakes() > 0)
        .await;
    assert!(
        world.lanes.has_backlog(made),
        "the lane knows that something waits in the table"
    );
    assert_eq!(world.lanes.handed().len(), 0);
    let listed = world.deliveries(scene.team).await;
    assert_eq!(
        (listed[0].state, listed[0].attempts),
        (DeliveryState::Waiting, 0)
    );
    assert_eq!(listed[0].next_attempt_date_time, Some(event.at));
    assert_eq!(world.take_one(made).await.event, event.id);
}

pub(super) async fn what_has_a_permit_goes_and_the_rest_waits_behind_it(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.lanes.set_permits(2);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(world.happen(&scene, KIND).await.id);
    }
    let handed = world.lanes.wait_handed(2).await;
    // Permits that come back do not let the next one pass what waits.
    world.lanes.let_go();
    events.push(world.happen(&scene, KIND).await.id);
    let taken = world.take(made, 10).await;
    let all: Vec<_> = handed
        .iter()
        .chain(&taken)
        .map(|leased| leased.event)
        .collect();
    assert_eq!(all, events);
    let sequences: Vec<_> = handed
        .iter()
        .chain(&taken)
        .map(|leased| leased.sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

pub(super) async fn one_lane_without_a_permit_does_not_hold_up_another(world: &World) {
    let scene = world.scene().await;
    let slow = world.subscribe(&scene, KIND).await.id;
    world.lanes.set_permits(1);
    world.happen(&scene, KIND).await;
    let quick = world.subscribe_to(scene.team, KIND, Scope::Team).await.id;
    let event = world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(2).await;
    let handed: Vec<_> = handed
        .iter()
        .map(|leased| leased.destination.subscription)
        .collect();
    assert_eq!(handed, [slow, quick]);
    let due = world.take_one(slow).await;
    assert_eq!((due.event, due.sequence), (event.id, 2));
}

pub(super) async fn a_store_without_lanes_stores_everything_as_due(world: &mut World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.reopen_alone().await;
    let event = world.happen(&scene, KIND).await;
    assert_eq!(world.take_one(made).await.event, event.id);
    assert_eq!(world.lanes.calls(), [], "nobody is attached");
}

pub(super) async fn every_permit_is_asked_for_before_it_is_used(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.lanes.set_permits(1);
    world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(1).await;
    let calls = world.lanes.calls();
    let reserved = calls
        .iter()
        .position(|call| *call == LaneCall::Reserve(made, true));
    let ids = vec![handed[0].lease.delivery];
    let over = calls
        .iter()
        .position(|call| *call == LaneCall::HandOver(ids.clone()));
    assert!(reserved.is_some() && reserved < over, "{calls:?}");
    assert_eq!(
        world.lanes.permits_out(),
        1,
        "the permit goes with the delivery"
    );
    world.lanes.let_go();
    assert_eq!(world.lanes.permits_out(), 0);
}
