//! Health of subscriptions, what is told of it, and why something is not delivered.

use std::time::Duration;

use domain::{
    DeliveryId, DeliveryState, EventType, Health, HealthSettings, NOTICES_MAX, Notice, NoticeId,
    NoticeKind, Outcome, ReasonCode, StateCode, SubscriptionId, SubscriptionState, TeamId,
    Timestamp,
};
use store::{
    Cancelled, DeliveryQuery, EventQuery, LeasedDelivery, Node as _, NoticeQuery, ProbeTake, Seen,
    Settled, Stand, StandChange,
};

use crate::{
    TestLanes, World, reading,
    world::{delivered, retry, settlement},
    writing,
};

const KIND: EventType = EventType::TaskCompleted;

async fn stand(world: &World, team: TeamId, id: SubscriptionId) -> Stand {
    let found = world.read(reading!([team, id] tx => tx.stand_get(*team, *id).await));
    found.await.expect("it is there")
}

async fn put(world: &World, id: SubscriptionId, code: StateCode, at: Timestamp) -> bool {
    let change = StandChange {
        code,
        reason: format!("put to {code:?}"),
        by: "system".to_owned(),
        at,
        probe_at: (code == StateCode::PausedBySystem).then_some(at),
    };
    world
        .write(writing!([id, change] tx => tx.stand_put(*id, change).await))
        .await
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

async fn cancel(world: &World, team: TeamId, id: DeliveryId) -> Cancelled {
    world
        .write(writing!([team, id] tx => tx.delivery_cancel(*team, *id, "Ann").await))
        .await
}

async fn why(world: &World, team: TeamId, id: DeliveryId) -> (DeliveryState, ReasonCode) {
    let found = world.log(team, id).await.delivery;
    (found.state, found.reason_code)
}

pub(super) async fn a_state_says_since_when_and_how_often_was_warned(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    let healthy = Stand {
        code: StateCode::Active,
        health: Health::default(),
    };
    assert_eq!(stand(world, scene.team, id).await, healthy);
    let since = world.tick();
    assert!(put(world, id, StateCode::Failing, since).await);
    assert!(!put(world, id, StateCode::Failing, world.tick()).await);
    world
        .write(writing!([id] tx => tx.warned_put(*id, 2).await))
        .await;
    let mut expected = Stand {
        code: StateCode::Failing,
        health: Health {
            failing_since: Some(since),
            warned: 2,
            ..Health::default()
        },
    };
    assert_eq!(stand(world, scene.team, id).await, expected);
    let paused = world.tick();
    assert!(put(world, id, StateCode::PausedBySystem, paused).await);
    expected.code = StateCode::PausedBySystem;
    expected.health.probe_at = Some(paused);
    assert_eq!(stand(world, scene.team, id).await, expected);
    let next = world.read(reading!([] tx => tx.probe_next().await)).await;
    assert_eq!(next, Some(paused));
    // A person's pause is not probed.
    assert!(world.put_state(id, SubscriptionState::Paused).await);
    expected.code = StateCode::PausedByPerson;
    expected.health.probe_at = None;
    assert_eq!(stand(world, scene.team, id).await, expected);
    assert!(world.put_state(id, SubscriptionState::Active).await);
    assert_eq!(stand(world, scene.team, id).await, healthy);
    assert!(put(world, id, StateCode::ReceiverGone, world.tick()).await);
    assert!(
        !put(world, id, StateCode::Active, world.tick()).await,
        "gone stays gone"
    );
    let red = world.team("Red").await;
    let of_others = reading!([red, id] tx => tx.stand_get(*red, *id).await);
    assert_eq!(world.read(of_others).await, None);
}

pub(super) async fn what_a_change_of_health_does_is_known_at_the_next_lease(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let leased = world.take_one(id).await;
    assert_eq!(leased.destination.health, Health::default());
    world
        .settle(&[retry(&leased, world.now(), world.now())])
        .await;
    let since = world.tick();
    put(world, id, StateCode::Failing, since).await;
    world
        .write(writing!([id] tx => tx.warned_put(*id, 1).await))
        .await;
    let found = world.take_one(id).await.destination.health;
    assert_eq!((found.failing_since, found.warned), (Some(since), 1));
}

pub(super) async fn one_held_delivery_is_probed_at_a_time_and_waits_double(world: &World) {
    const HOUR: Duration = Duration::from_hours(1);
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    let other = world.subscribe(&scene, KIND).await.id;
    put(world, id, StateCode::PausedBySystem, world.tick()).await;
    world.put_state(other, SubscriptionState::Paused).await;
    assert!(
        probe(world).await.is_empty(),
        "there is nothing to probe with"
    );
    let first = world.happen(&scene, KIND).await;
    let second = world.happen(&scene, KIND).await;
    assert!(probe(world).await.is_empty(), "the next one is not due yet");
    world.clock.advance(HOUR);
    let probed = probe(world).await;
    let [leased] = &probed[..] else {
        panic!("one of two held ones: {probed:?}");
    };
    assert_eq!((leased.event, leased.lease.attempt), (first.id, 1));
    assert_eq!(leased.destination.state, SubscriptionState::Paused);
    assert_eq!(leased.body, first.body);
    assert!(
        probe(world).await.is_empty(),
        "another node finds nothing to probe"
    );
    let at = world.now();
    assert_eq!(
        world.settle(&[retry(leased, at, at)]).await,
        [Settled::Stored]
    );
    world.clock.advance(HOUR);
    assert!(
        probe(world).await.is_empty(),
        "the second wait is twice the first"
    );
    world.clock.advance(HOUR);
    let probed = probe(world).await;
    assert_eq!(probed.len(), 1);
    assert_eq!(
        probed[0].event, second.id,
        "the one that has been due for longer"
    );
    assert_eq!(probed[0].sequence, 2);
    assert_eq!(stand(world, scene.team, id).await.health.probes, 2);
}

pub(super) async fn only_what_a_pause_held_counts_as_held(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    let held = async || {
        let lanes = world.read(reading!([] tx => tx.delivery_lanes(10).await));
        lanes.await.iter().map(|lane| lane.held).collect::<Vec<_>>()
    };
    world.happen(&scene, KIND).await;
    for code in [StateCode::Failing, StateCode::Active] {
        put(world, id, code, world.tick()).await;
        assert_eq!(held().await, [false], "{code:?} without a pause");
    }
    for (pause, then) in [
        (StateCode::PausedByPerson, StateCode::Active),
        (StateCode::PausedBySystem, StateCode::Failing),
    ] {
        put(world, id, pause, world.tick()).await;
        assert!(held().await.is_empty(), "{pause:?}");
        put(world, id, then, world.tick()).await;
        assert_eq!(held().await, [true], "{pause:?} and then {then:?}");
    }
    put(world, id, StateCode::Active, world.tick()).await;
    assert_eq!(held().await, [true], "it is still from before the pause");
    world.deliver(&world.take_one(id).await).await;
    world.happen(&scene, KIND).await;
    assert_eq!(held().await, [false], "and this one is not");
}

pub(super) async fn a_waiting_delivery_can_be_stopped(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    let delivery = world.deliveries(scene.team).await[0].delivery_id;
    let red = world.team("Red").await;
    assert_eq!(cancel(world, red, delivery).await, Cancelled::NotThere);
    assert_eq!(cancel(world, scene.team, delivery).await, Cancelled::Now);
    let stopped = (DeliveryState::Cancelled, ReasonCode::CancelledByPerson);
    assert_eq!(why(world, scene.team, delivery).await, stopped);
    let row = world.log(scene.team, delivery).await.delivery;
    assert_eq!(
        (row.reason.as_str(), row.next_attempt_date_time),
        ("Ann stopped its retries", None)
    );
    assert_eq!(row.sequence, 1);
    assert_eq!(cancel(world, scene.team, delivery).await, Cancelled::Before);
    assert_eq!(world.take(id, 10).await.len(), 0);
    // Asking for it brings it back.
    let (team, at) = (scene.team, world.now());
    let unit = writing!([team, delivery, at] tx => {
        tx.delivery_redeliver(*team, *delivery, "Bob", *at).await
    });
    world.write(unit).await;
    let asked = (DeliveryState::Waiting, ReasonCode::AskedFor);
    assert_eq!(why(world, scene.team, delivery).await, asked);
    world.deliver(&world.take_one(id).await).await;
    let answer = cancel(world, scene.team, delivery).await;
    assert_eq!(answer, Cancelled::Settled(DeliveryState::Delivered));
    // One that was delivered and is asked for again goes back to what it was.
    let unit = writing!([team, delivery, at] tx => {
        tx.delivery_redeliver(*team, *delivery, "Bob", *at).await
    });
    world.write(unit).await;
    assert_eq!(cancel(world, scene.team, delivery).await, Cancelled::Now);
    assert_eq!(
        why(world, scene.team, delivery).await.0,
        DeliveryState::Delivered
    );
    world.happen(&scene, KIND).await;
    world.put_state(id, SubscriptionState::Gone).await;
    let ended = world.deliveries(scene.team).await[0].delivery_id;
    let answer = cancel(world, scene.team, ended).await;
    assert_eq!(answer, Cancelled::Settled(DeliveryState::Cancelled));
}

pub(super) async fn what_was_stopped_while_it_was_sent_never_waits_again(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    for _ in 0..5 {
        world.happen(&scene, KIND).await;
    }
    let leased = world.take(id, 10).await;
    for one in &leased {
        assert_eq!(
            cancel(world, scene.team, one.lease.delivery).await,
            Cancelled::Now
        );
        assert_eq!(
            cancel(world, scene.team, one.lease.delivery).await,
            Cancelled::Before
        );
        let found = why(world, scene.team, one.lease.delivery).await;
        assert_eq!(found, (DeliveryState::Leased, ReasonCode::Sending));
    }
    let at = world.now();
    let settled = [
        retry(&leased[0], at, at),
        delivered(&leased[1], at),
        settlement(&leased[2], Outcome::TimedOut, DeliveryState::Exhausted, at),
    ];
    assert_eq!(world.settle(&settled).await, [Settled::Stored; 3]);
    let lease = leased[3].lease;
    let unit = writing!([lease, at] tx => tx.delivery_give_back(&[*lease], *at).await);
    world.write(unit).await;
    world.clock.advance(TestLanes::LEASE * 2);
    let now = world.now();
    let unit = writing!([now] tx => {
        tx.delivery_rescue(store::Rescue::Lapsed, *now, 9, 10).await
    });
    assert_eq!(world.write(unit).await, 1);
    let stopped = (DeliveryState::Cancelled, ReasonCode::CancelledByPerson);
    for (one, expected) in leased.iter().zip([
        stopped,
        (DeliveryState::Delivered, ReasonCode::Delivered),
        (DeliveryState::Exhausted, ReasonCode::AttemptsUsedUp),
        stopped,
        stopped,
    ]) {
        assert_eq!(why(world, scene.team, one.lease.delivery).await, expected);
    }
    assert_eq!(world.take(id, 10).await.len(), 0, "nothing waits");
    assert_eq!(
        world
            .log(scene.team, leased[0].lease.delivery)
            .await
            .attempts
            .len(),
        1
    );
}

#[expect(clippy::too_many_lines, reason = "one list, looked at from all sides")]
pub(super) async fn what_is_not_delivered_is_one_list_with_reasons(world: &World) {
    let scene = world.scene().await;
    let id = world.subscribe(&scene, KIND).await.id;
    let held = world.subscribe(&scene, KIND).await.id;
    let gone = world.subscribe(&scene, KIND).await.id;
    for _ in 0..6 {
        world.happen(&scene, KIND).await;
    }
    world.put_state(held, SubscriptionState::Paused).await;
    world.put_state(gone, SubscriptionState::Gone).await;
    let leased = world.take(id, 5).await;
    let at = world.now();
    let settled = [
        delivered(&leased[0], at),
        retry(&leased[1], at, at.after(Duration::from_secs(5))),
        settlement(&leased[2], Outcome::TimedOut, DeliveryState::Exhausted, at),
        settlement(
            &leased[3],
            Outcome::AddressRefused,
            DeliveryState::Refused,
            at,
        ),
    ];
    world.settle(&settled).await;
    let query = DeliveryQuery {
        undelivered: true,
        limit: 100,
        ..DeliveryQuery::default()
    };
    let found = world.page(scene.team, query.clone()).await;
    let all = world.deliveries(scene.team).await;
    let expected: Vec<_> = all
        .iter()
        .filter(|row| row.state != DeliveryState::Delivered)
        .cloned()
        .collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 17);
    let of = |lane| {
        let rows = found.iter().filter(move |row| row.subscription_id == lane);
        rows.map(|row| row.reason_code).collect::<Vec<_>>()
    };
    assert_eq!(of(held), [ReasonCode::PausedByPerson; 6]);
    assert_eq!(of(gone), [ReasonCode::Unsubscribed; 6]);
    let own = [
        ReasonCode::Due,
        ReasonCode::Sending,
        ReasonCode::AddressRule,
        ReasonCode::AttemptsUsedUp,
        ReasonCode::Retry,
    ];
    assert_eq!(of(id), own);
    for lane in [id, held, gone] {
        let query = DeliveryQuery {
            subscription: Some(lane),
            ..query.clone()
        };
        let found = world.page(scene.team, query).await;
        let rows = expected.iter().filter(|row| row.subscription_id == lane);
        assert_eq!(found, rows.cloned().collect::<Vec<_>>());
    }
    // Page by page it is the same.
    let mut paged = Vec::new();
    loop {
        let query = DeliveryQuery {
            before: paged.last().map(|row: &domain::Delivery| row.delivery_id),
            limit: 4,
            ..query.clone()
        };
        let page = world.page(scene.team, query).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, expected);
    let team = scene.team;
    let sum = world
        .read(reading!([team, id] tx => tx.undelivered_summary(*team, *id).await))
        .await;
    assert_eq!((sum.total, sum.is_complete), (5, true));
    let mut codes: Vec<_> = sum
        .counts
        .iter()
        .map(|one| (one.reason_code, one.count))
        .collect();
    codes.sort();
    let mut own: Vec<_> = own.into_iter().map(|code| (code, 1)).collect();
    own.sort();
    assert_eq!(codes, own);
    assert_eq!(sum.oldest_delivery_id, Some(leased[1].lease.delivery));
    let oldest = world.log(team, leased[1].lease.delivery).await.delivery;
    assert_eq!(sum.oldest_date_time, Some(oldest.created_date_time));
}

#[expect(clippy::too_many_lines, reason = "one list, looked at from all sides")]
pub(super) async fn the_log_of_events_shows_whom_each_reached_and_who_reached_nobody(
    world: &World,
) {
    let scene = world.scene().await;
    let lost = world.happen(&scene, KIND).await;
    let id = world.subscribe(&scene, KIND).await.id;
    world.subscribe(&scene, KIND).await;
    let reached = world.happen(&scene, KIND).await;
    let other = world.happen(&scene, EventType::FileUploaded).await;
    world.deliver(&world.take_one(id).await).await;
    let team = scene.team;
    let page = async |query: EventQuery| {
        let query = EventQuery { limit: 10, ..query };
        let found = world.read(reading!([team, query] tx => tx.event_page(*team, query).await));
        found.await
    };
    let ids = async |query: EventQuery| {
        let found = page(query).await;
        found.iter().map(|row| row.event_id).collect::<Vec<_>>()
    };
    let all = page(EventQuery::default()).await;
    let found: Vec<_> = all
        .iter()
        .map(|row| (row.event_id, row.is_matched))
        .collect();
    assert_eq!(
        found,
        [(other.id, false), (reached.id, true), (lost.id, false)]
    );
    let counts: Vec<_> = all[1]
        .deliveries
        .iter()
        .map(|one| (one.state, one.count))
        .collect();
    assert_eq!(
        counts,
        [(DeliveryState::Waiting, 1), (DeliveryState::Delivered, 1)]
    );
    assert_eq!(all[2].deliveries, []);
    assert_eq!(
        (all[1].event_type, all[1].created_date_time),
        (KIND, reached.at)
    );
    let query = EventQuery::default;
    let unmatched = EventQuery {
        unmatched: true,
        ..query()
    };
    assert_eq!(ids(unmatched.clone()).await, [other.id, lost.id]);
    let of_type = EventQuery {
        event_type: Some(KIND),
        ..unmatched.clone()
    };
    assert_eq!(ids(of_type).await, [lost.id]);
    let before = EventQuery {
        before: Some(other.id),
        ..query()
    };
    assert_eq!(ids(before).await, [reached.id, lost.id]);
    let in_time = EventQuery {
        since: Some(reached.at),
        until: Some(other.at),
        ..query()
    };
    assert_eq!(ids(in_time).await, [reached.id]);
    let of_list = EventQuery {
        checklist: Some(scene.list.head.id),
        ..unmatched
    };
    assert_eq!(ids(of_list).await, [other.id, lost.id]);
    let elsewhere = EventQuery {
        checklist: Some(domain::ChecklistId::new(999)),
        ..query()
    };
    assert_eq!(ids(elsewhere).await, []);
    let one = EventQuery {
        event: Some(reached.id),
        ..query()
    };
    assert_eq!(page(one).await, all[1..2]);
    let of_event = DeliveryQuery {
        event: Some(reached.id),
        limit: 10,
        ..DeliveryQuery::default()
    };
    assert_eq!(world.page(team, of_event.clone()).await.len(), 2);
    let id = reached.id;
    let body = world
        .read(reading!([team, id] tx => tx.event_body(*team, *id).await))
        .await;
    assert_eq!(body, Some(reached.body));
    let red = world.team("Red").await;
    assert_eq!(world.page(red, of_event).await, []);
    let of_others = reading!([red] tx => tx.event_page(*red, &EventQuery { limit: 9, ..EventQuery::default() }).await);
    assert_eq!(world.read(of_others).await, []);
    let of_others = reading!([red, id] tx => tx.event_body(*red, *id).await);
    assert_eq!(world.read(of_others).await, None);
}

#[expect(clippy::too_many_lines, reason = "one list, looked at from all sides")]
pub(super) async fn notices_are_listed_newest_first_seen_once_and_bounded(world: &World) {
    let scene = world.scene().await;
    let (team, red) = (scene.team, world.team("Red").await);
    let subscription = world.subscribe(&scene, KIND).await.id;
    let notices: Vec<Notice> = (0..5)
        .map(|_| Notice {
            id: NoticeId::new(world.source.uuid()),
            team,
            kind: NoticeKind::Warned,
            subscription,
            text: "for a day nothing but failures".to_owned(),
            code: StateCode::Failing,
            at: world.tick(),
            seen_at: None,
        })
        .collect();
    let inserted = notices.clone();
    world
        .write(writing!([inserted] tx => {
            for notice in inserted {
                tx.notice_insert(notice).await?;
            }
            Ok(())
        }))
        .await;
    let page = async |team: TeamId, query: NoticeQuery| {
        let query = NoticeQuery {
            limit: 5_000,
            ..query
        };
        let found = world.read(reading!([team, query] tx => tx.notice_page(*team, query).await));
        found.await
    };
    let all = NoticeQuery::default();
    let newest_first: Vec<_> = notices.iter().rev().cloned().collect();
    assert_eq!(page(team, all).await, newest_first);
    assert_eq!(page(red, all).await, []);
    let before = NoticeQuery {
        before: Some(notices[2].id),
        ..all
    };
    assert_eq!(page(team, before).await, newest_first[3..]);
    let see = async |team: TeamId, which: Seen| {
        let at = world.tick();
        let unit = writing!([team, which, at] tx => tx.notice_see(*team, *which, *at).await);
        world.write(unit).await
    };
    assert_eq!(see(red, Seen::UpTo(notices[4].id)).await, 0);
    assert_eq!(see(team, Seen::One(notices[3].id)).await, 1);
    assert_eq!(see(team, Seen::UpTo(notices[3].id)).await, 3);
    assert_eq!(
        see(team, Seen::UpTo(notices[3].id)).await,
        0,
        "they keep their time"
    );
    let unseen = NoticeQuery {
        unseen: true,
        ..all
    };
    assert_eq!(page(team, unseen).await, [notices[4].clone()]);
    assert_eq!(
        page(team, all).await[1].seen_at,
        Some(world.now().before(Duration::from_millis(2)))
    );
    let (source, one) = (world.source.clone(), notices[0].clone());
    world
        .write(writing!([source, one] tx => {
            for _ in 0..NOTICES_MAX {
                let id = NoticeId::new(source.uuid());
                tx.notice_insert(&Notice { id, ..one.clone() }).await?;
            }
            Ok(())
        }))
        .await;
    let kept = page(team, all).await;
    assert_eq!(kept.len(), NOTICES_MAX as usize);
    assert!(
        kept.iter()
            .all(|notice| !notices.iter().any(|old| old.id == notice.id)),
        "the oldest go"
    );
}
