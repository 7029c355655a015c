//! Taking what is due, and giving it back.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    DeliveryState, EventType, Outcome, ReasonCode, Scope, SubscriptionSettings, SubscriptionState,
};
use store::{Lease, Node as _, PutOff, SubscriptionChange, Take};

use crate::{TestLanes, World, reading, world::retry, writing};

const KIND: EventType = EventType::TaskCompleted;

pub(super) async fn a_take_leases_and_counts_the_attempt(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let node = world.other_node();
    let wanted = [Take {
        subscription: made,
        limit: 10,
    }];
    let taken = world.take_as(node, &wanted).await.deliveries;
    assert_eq!(taken.len(), 1);
    let until = world.now().after(TestLanes::LEASE);
    let delivery = taken[0].lease.delivery;
    assert_eq!(
        taken[0].lease,
        Lease {
            delivery,
            node,
            attempt: 1,
            until
        }
    );
    let listed = world.deliveries(scene.team).await;
    assert_eq!(listed[0].state, domain::DeliveryState::Leased);
    assert_eq!((listed[0].delivery_id, listed[0].attempts), (delivery, 1));
    assert_eq!(world.take(made, 10).await.len(), 0, "it is not given twice");
}

pub(super) async fn only_what_is_due_is_taken(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    let due_at = world.now().after(Duration::from_secs(5));
    world.settle(&[retry(&leased, world.now(), due_at)]).await;
    world.clock.set(due_at.before(Duration::from_millis(1)));
    assert_eq!(world.take(made, 10).await.len(), 0, "a millisecond early");
    world.clock.set(due_at);
    assert_eq!(world.take_one(made).await.lease.attempt, 2, "on the dot");
}

pub(super) async fn only_the_lanes_that_are_named_are_taken_from(world: &World) {
    let scene = world.scene().await;
    let mut lanes = Vec::new();
    for _ in 0..3 {
        lanes.push(world.subscribe(&scene, KIND).await.id);
    }
    for _ in 0..2 {
        world.happen(&scene, KIND).await;
    }
    let wanted = [
        Take {
            subscription: lanes[2],
            limit: 1,
        },
        Take {
            subscription: lanes[0],
            limit: 5,
        },
    ];
    let taken = world.take_as(world.other_node(), &wanted).await;
    let mut from: Vec<_> = taken
        .deliveries
        .iter()
        .map(|leased| (leased.destination.subscription, leased.sequence))
        .collect();
    from.sort_unstable();
    assert_eq!(from, [(lanes[0], 1), (lanes[0], 2), (lanes[2], 1)]);
    let none = world.take_as(world.other_node(), &[]).await;
    assert_eq!((none.deliveries.len(), none.drained.len()), (0, 0));
}

pub(super) async fn a_lane_is_taken_from_by_due_time_then_by_sequence(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    for _ in 0..4 {
        let event = scene.event(KIND, &world.source);
        world.append(&event).await;
    }
    // All four are due at the same moment; the first two come back, the second one sooner.
    let first = world.take(made, 2).await;
    let sequences = |taken: &[store::LeasedDelivery]| -> Vec<i64> {
        taken.iter().map(|leased| leased.sequence).collect()
    };
    assert_eq!(sequences(&first), [1, 2]);
    let later = |seconds| world.now().after(Duration::from_secs(seconds));
    let settlements = [
        retry(&first[0], world.now(), later(9)),
        retry(&first[1], world.now(), later(3)),
    ];
    world.settle(&settlements).await;
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(sequences(&world.take(made, 3).await), [3, 4, 2]);
    assert_eq!(sequences(&world.take(made, 3).await), [1]);
}

pub(super) async fn a_take_says_which_lanes_are_drained(world: &World) {
    let scene = world.scene().await;
    let full = world.subscribe(&scene, KIND).await.id;
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    let short = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let empty = world.subscribe(&scene, KIND).await.id;
    let [full, short, empty] =
        [(full, 2), (short, 5), (empty, 5)].map(|(subscription, limit)| Take {
            subscription,
            limit,
        });
    let drained = async |wanted: &[Take]| -> BTreeSet<_> {
        world
            .take_as(world.other_node(), wanted)
            .await
            .drained
            .into_iter()
            .collect()
    };
    let first = drained(&[full, short, empty]).await;
    assert_eq!(
        first,
        BTreeSet::from([short.subscription, empty.subscription])
    );
    let rest = drained(&[Take { limit: 5, ..full }]).await;
    assert_eq!(rest, BTreeSet::from([full.subscription]));
}

pub(super) async fn a_lane_that_gives_no_more_than_its_rate_is_not_drained(world: &World) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    let team = scene.team;
    let limit = writing!([team, lane] tx => {
        let found = tx.subscription_get(*team, *lane).await?.expect("it is there");
        let change = SubscriptionChange {
            source: found.source,
            target: found.target,
            settings: SubscriptionSettings { rate_per_second: Some(2), ..found.settings },
        };
        tx.subscription_put(*lane, &change).await
    });
    world.write(limit).await;
    for _ in 0..3 {
        world.happen(&scene, KIND).await;
    }
    let wanted = [Take {
        subscription: lane,
        limit: 10,
    }];
    let first = world.take_as(world.other_node(), &wanted).await;
    assert_eq!((first.deliveries.len(), first.drained), (2, vec![]));
    let listed = world.deliveries(team).await;
    let waits = listed
        .iter()
        .find(|row| row.state == DeliveryState::Waiting)
        .expect("one has its turn later");
    assert_eq!(waits.reason_code, ReasonCode::Paced);
    assert!(waits.reason.contains("at most 2 a second"), "{waits:?}");
    let look = reading!([team, lane] tx => tx.undelivered_summary(*team, *lane).await);
    let codes: Vec<_> = world
        .read(look)
        .await
        .counts
        .iter()
        .map(|one| one.reason_code)
        .collect();
    assert_eq!(codes, [ReasonCode::Paced, ReasonCode::Sending]);
    let rest = world.take_as(world.other_node(), &wanted).await;
    assert_eq!((rest.deliveries.len(), rest.drained), (1, vec![lane]));
}

pub(super) async fn lanes_that_do_not_send_give_nothing_and_are_drained(world: &World) {
    let scene = world.scene().await;
    let paused = world.subscribe(&scene, KIND).await.id;
    let gone = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    world.put_state(paused, SubscriptionState::Paused).await;
    world.put_state(gone, SubscriptionState::Gone).await;
    let wanted = [paused, gone].map(|subscription| Take {
        subscription,
        limit: 5,
    });
    let taken = world.take_as(world.other_node(), &wanted).await;
    assert_eq!(taken.deliveries.len(), 0);
    let drained: BTreeSet<_> = taken.drained.into_iter().collect();
    assert_eq!(drained, BTreeSet::from([paused, gone]));
    world.put_state(paused, SubscriptionState::Active).await;
    assert_eq!(
        world.take(paused, 5).await.len(),
        1,
        "one that is resumed goes on"
    );
}

pub(super) async fn two_who_take_at_once_never_get_the_same(world: &World) {
    const EACH: usize = 40;
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    for _ in 0..EACH {
        world.happen(&scene, KIND).await;
    }
    let wanted = [Take {
        subscription: made,
        limit: 3,
    }];
    let mut seen = BTreeSet::new();
    while seen.len() < EACH {
        let (one, other) = tokio::join!(
            world.take_as(world.other_node(), &wanted),
            world.take_as(world.other_node(), &wanted),
        );
        let got = [one.deliveries, other.deliveries].concat();
        assert!(
            !got.is_empty(),
            "{} of {EACH} were taken and nothing is left",
            seen.len()
        );
        for leased in got {
            assert!(seen.insert(leased.lease.delivery), "one was given twice");
        }
    }
    assert_eq!(world.take(made, 10).await.len(), 0);
}

pub(super) async fn the_lanes_with_something_to_send_are_listed_earliest_first(world: &World) {
    let scene = world.scene().await;
    let lanes = async |limit: u32| {
        let found = world
            .read(reading!([limit] tx => tx.delivery_lanes(*limit).await))
            .await;
        found
            .into_iter()
            .map(|lane| (lane.subscription, lane.earliest))
            .collect::<Vec<_>>()
    };
    let early = world.subscribe(&scene, KIND).await.id;
    let first = world.happen(&scene, KIND).await.at;
    let late = world.subscribe(&scene, KIND).await.id;
    let paused = world.subscribe(&scene, KIND).await.id;
    let gone = world.subscribe(&scene, KIND).await.id;
    world
        .subscribe_to(
            scene.team,
            EventType::FileUploaded,
            Scope::Control(scene.upload()),
        )
        .await;
    let second = world.happen(&scene, KIND).await.at;
    world.put_state(paused, SubscriptionState::Paused).await;
    world.put_state(gone, SubscriptionState::Gone).await;
    assert_eq!(lanes(10).await, [(early, first), (late, second)]);
    assert_eq!(lanes(1).await, [(early, first)]);

    // What is leased does not wait; what is to be tried again does, until its own time.
    let leased = world.take(early, 2).await;
    assert_eq!(lanes(10).await, [(late, second)]);
    let due_at = world.now().after(Duration::from_mins(5));
    world
        .settle(&[retry(&leased[0], world.now(), due_at)])
        .await;
    assert_eq!(lanes(10).await, [(late, second), (early, due_at)]);
}

pub(super) async fn what_is_given_back_is_due_and_its_attempt_not_counted(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    let event = world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    give_back(world, &[leased.lease]).await;
    let listed = world.deliveries(scene.team).await;
    assert_eq!(
        (listed[0].state, listed[0].attempts),
        (domain::DeliveryState::Waiting, 0)
    );
    let again = world.take_one(made).await;
    assert_eq!(
        (again.event, again.lease.attempt, again.sequence),
        (event.id, 1, 1)
    );
    world.deliver(&again).await;
    let log = world.log(scene.team, leased.lease.delivery).await;
    assert_eq!(log.attempts.len(), 1, "giving back is no attempt");
}

pub(super) async fn a_lease_that_is_not_ours_can_not_be_given_back(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    let foreign = Lease {
        node: world.other_node(),
        ..leased.lease
    };
    let wrong = Lease {
        attempt: 2,
        ..leased.lease
    };
    give_back(world, &[foreign, wrong]).await;
    assert_eq!(world.take(made, 10).await.len(), 0, "it is still leased");
    world.deliver(&leased).await;
    give_back(world, &[leased.lease]).await;
    assert_eq!(
        world.take(made, 10).await.len(),
        0,
        "what is settled stays so"
    );
    assert_eq!(world.deliveries(scene.team).await[0].attempts, 1);
}

pub(super) async fn what_is_put_off_waits_and_its_attempt_is_not_counted(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(made).await;
    let at = world.tick();
    let due_at = at.after(Duration::from_secs(7));
    let put_off = |lease: Lease| PutOff {
        lease,
        at,
        due_at,
        outcome: Outcome::AddressRefused,
        reason: "not here".to_owned(),
    };
    let foreign = Lease {
        node: world.other_node(),
        ..leased.lease
    };
    let given = vec![
        put_off(foreign),
        put_off(leased.lease),
        put_off(leased.lease),
    ];
    world
        .write(writing!([given] tx => tx.delivery_put_off(given).await))
        .await;
    let listed = world.deliveries(scene.team).await.remove(0);
    assert_eq!(
        (listed.state, listed.attempts, listed.reason.as_str()),
        (domain::DeliveryState::Waiting, 0, "not here")
    );
    assert_eq!(listed.next_attempt_date_time, Some(due_at));
    assert_eq!(listed.last_outcome, Some(Outcome::AddressRefused));
    assert_eq!(world.take(made, 10).await.len(), 0, "it waits");
    let log = world.log(scene.team, leased.lease.delivery).await;
    assert_eq!(log.attempts.len(), 0, "nothing was tried");
    world.clock.advance(Duration::from_secs(7));
    let again = world.take_one(made).await;
    assert_eq!((again.lease.attempt, again.sequence), (1, 1));
    world.deliver(&again).await;
}

pub(super) async fn what_was_handed_over_can_be_given_back(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    world.lanes.set_permits(1);
    world.happen(&scene, KIND).await;
    let handed = world.lanes.wait_handed(1).await.remove(0);
    give_back(world, &[handed.lease]).await;
    let again = world.take_one(made).await;
    assert_eq!(again.lease.delivery, handed.lease.delivery);
    assert_eq!(again.lease.node, world.lanes.node());
    assert_eq!((again.lease.attempt, again.sequence), (1, 1));
}

pub(super) async fn what_was_never_sent_goes_back_before_later_events(world: &World) {
    let scene = world.scene().await;
    let made = world.subscribe(&scene, KIND).await.id;
    for _ in 0..2 {
        world.happen(&scene, KIND).await;
        world.tick();
    }
    let first: Vec<Lease> = (world.take(made, 2).await.iter())
        .map(|leased| leased.lease)
        .collect();
    world.happen(&scene, KIND).await;
    // The later first, as it may be when a lane closes under several.
    give_back(world, &[first[1]]).await;
    give_back(world, &[first[0]]).await;
    let taken = world.take(made, 10).await;
    let sequences: Vec<i64> = taken.iter().map(|leased| leased.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
}

async fn give_back(world: &World, leases: &[Lease]) {
    let (leases, now) = (leases.to_vec(), world.tick());
    world
        .write(writing!([leases, now] tx => tx.delivery_give_back(leases, *now).await))
        .await;
}
