//! Receivers that fail for days: what is told of them, when they are given up, and how they come back.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use delivery::Engine;
use domain::{Delivery, DeliveryState, EventType, NoticeKind, ReasonCode, SubscriptionState};

use crate::{
    SOON,
    bench::{Asked, Bench, Receiver, until},
    units::{NextProbe, Notices},
};

const HOUR: Duration = Duration::from_hours(1);
const TELLING: [EventType; 3] = [
    EventType::SubscriptionFailing,
    EventType::SubscriptionPaused,
    EventType::SubscriptionRecovered,
];

/// Lets the receiver fail the attempt of the oldest delivery that is due now.
async fn fail(bench: &Bench, receiver: &mut Receiver, attempt: u32) {
    let asked = receiver.asked().await;
    assert_eq!(asked.header("checkflow-attempt"), attempt.to_string());
    asked.answer("500 Internal Server Error");
    bench
        .until("the failure is stored", |all| {
            all[0].attempts == attempt && all[0].state != DeliveryState::Leased
        })
        .await;
}

fn pass(bench: &Bench, engine: &Engine, time: Duration) {
    bench.clock.advance(time);
    engine.wake();
}

async fn notices(bench: &Bench) -> Vec<NoticeKind> {
    let found = bench.store.read(Notices(bench.team)).await.unwrap();
    found.iter().rev().map(|notice| notice.kind).collect()
}

/// Takes an event about a subscription: its body, which has to be of this type and say all this.
async fn told(bench: &Bench, asked: Asked, kind: EventType, says: &[&str]) {
    assert_eq!(asked.header("checkflow-event"), kind.word());
    let body = asked.body();
    let event = kind;
    let kind = format!(r#"{{"type":"{kind}","#);
    assert!(body.starts_with(&kind), "{body}");
    for part in says {
        assert!(body.contains(part), "{part} in {body}");
    }
    asked.answer("204 No Content");
    // Before the clock moves on, or its lease would lapse.
    let delivered =
        |one: &Delivery| one.event_type != event || one.state == DeliveryState::Delivered;
    bench
        .until("it is stored", |all| all.iter().all(delivered))
        .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story of six days, in its order")]
async fn a_receiver_that_fails_for_days_is_warned_of_paused_probed_and_comes_back() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let mut watcher = Receiver::start().await;
    for kind in TELLING {
        bench.subscribe_to(kind, &watcher.url).await;
    }
    let state = async || bench.subscription(subscription).await.state;
    let engine = bench.open_engine().await;
    bench.happen("first").await;
    for attempt in 1..=2 {
        fail(&bench, &mut receiver, attempt).await;
        pass(&bench, &engine, HOUR);
    }
    fail(&bench, &mut receiver, 3).await;
    let says = [
        &format!(r#""id":"{subscription}""#),
        r#""reasonCode":"failing","failingSinceDateTime":"2"#,
        r#""lastStatusCode":500"#,
    ];
    told(
        &bench,
        watcher.asked().await,
        EventType::SubscriptionFailing,
        &says,
    )
    .await;
    // One attempt in a day and an hour: 24 h and 72 h have passed at the first and the third.
    pass(&bench, &engine, HOUR);
    fail(&bench, &mut receiver, 4).await;
    for (attempt, warned) in [(5, 1), (6, 1), (7, 2), (8, 2)] {
        pass(&bench, &engine, 25 * HOUR);
        assert_eq!(state().await, SubscriptionState::Failing);
        fail(&bench, &mut receiver, attempt).await;
        let kinds = notices(&bench).await;
        assert_eq!(
            kinds[1..],
            vec![NoticeKind::Warned; warned],
            "attempt {attempt}"
        );
    }
    pass(&bench, &engine, 25 * HOUR);
    fail(&bench, &mut receiver, 9).await;
    assert_eq!(state().await, SubscriptionState::Paused);
    let paused = bench.subscription(subscription).await;
    assert!(
        paused
            .state_reason
            .starts_with("nothing but failures for 126 hours"),
        "{}",
        paused.state_reason
    );
    let says = [
        r#""reasonCode":"paused_by_system","#,
        r#""nextProbeDateTime":"2"#,
        r#""warnings":2"#,
    ];
    told(
        &bench,
        watcher.asked().await,
        EventType::SubscriptionPaused,
        &says,
    )
    .await;

    // What waits is held; what happens now, too, and one of them is tried after an hour.
    bench.happen("second").await;
    let held = |one: &Delivery| one.reason_code == ReasonCode::PausedBySystem;
    let of_lane = |all: &[Delivery]| -> Vec<Delivery> {
        let own = all.iter().filter(|one| one.subscription_id == subscription);
        own.cloned().collect()
    };
    let all = bench
        .until("both are held", |all| of_lane(all).iter().all(held))
        .await;
    assert_eq!(of_lane(&all).len(), 2);
    pass(&bench, &engine, HOUR);
    let probe = receiver.asked().await;
    assert_eq!(
        (probe.body(), probe.header("checkflow-attempt")),
        ("second", "1")
    );
    assert_eq!(engine.stats().in_flight, 1, "one is tried");
    probe.answer("503 Service Unavailable");
    let again = |all: &[Delivery]| of_lane(all).iter().all(|one| held(one) && one.attempts > 0);
    bench.until("it is held again", again).await;
    pass(&bench, &engine, 2 * HOUR);
    let probe = receiver.asked().await;
    assert_eq!(
        (probe.body(), probe.header("checkflow-attempt")),
        ("second", "2")
    );
    probe.answer("200 OK");
    let says = [r#""state":"active""#, r#""failingSinceDateTime":null"#];
    told(
        &bench,
        watcher.asked().await,
        EventType::SubscriptionRecovered,
        &says,
    )
    .await;
    assert_eq!(state().await, SubscriptionState::Active);
    pass(&bench, &engine, 25 * HOUR);
    let last = receiver.asked().await;
    assert_eq!(
        (last.body(), last.header("checkflow-attempt")),
        ("first", "10")
    );
    last.answer("200 OK");
    let delivered = |one: &Delivery| one.state == DeliveryState::Delivered;
    bench
        .until("all is delivered", |all| all.iter().all(delivered))
        .await;
    assert_eq!(
        notices(&bench).await,
        [
            NoticeKind::Failing,
            NoticeKind::Warned,
            NoticeKind::Warned,
            NoticeKind::Paused,
            NoticeKind::Recovered
        ]
    );
    assert_eq!(
        bench.audited().await,
        [
            "subscription.fail",
            "subscription.warn",
            "subscription.warn",
            "subscription.pause",
            "subscription.recover"
        ]
    );
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_probe_is_never_the_last_attempt_and_a_person_s_pause_is_not_probed() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.pause(subscription, true).await;
    bench.happen("only").await;
    for attempt in 1..=12 {
        pass(&bench, &engine, 25 * HOUR);
        fail(&bench, &mut receiver, attempt).await;
        let all = bench.deliveries().await;
        assert_eq!(
            (all[0].state, all[0].reason_code),
            (DeliveryState::Held, ReasonCode::PausedBySystem)
        );
    }
    bench.pause(subscription, false).await;
    pass(&bench, &engine, 100 * HOUR);
    // Something that would come after a probe.
    let mut other = Receiver::start().await;
    bench.subscribe(&other.url).await;
    bench.happen("more").await;
    other.asked().await.answer("200 OK");
    assert_eq!(receiver.asked_already(), 0);
    assert_eq!(
        bench.subscription(subscription).await.state,
        SubscriptionState::Paused
    );
    engine.stop(SOON).await;
}

#[tokio::test]
async fn events_about_subscriptions_come_to_an_end_though_all_their_receivers_fail() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    for path in ["one", "two"] {
        for kind in TELLING {
            bench
                .subscribe_to(kind, &format!("{}/{path}", receiver.url))
                .await;
        }
    }
    let refusing = tokio::spawn(async move {
        loop {
            receiver.asked().await.answer("500 Internal Server Error");
        }
    });
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    let settled =
        |one: &Delivery| matches!(one.state, DeliveryState::Exhausted | DeliveryState::Held);
    let mut before = Vec::new();
    for _ in 0..40 {
        pass(&bench, &engine, 27 * HOUR);
        let now = bench.source.now();
        // All that is due by now has begun, probes of what is held included; so what is not leased after that stays
        // as it is until the clock moves on.
        until("probes have begun", async || {
            let next = bench.store.read(NextProbe).await.unwrap();
            next.is_none_or(|next| next > now)
        })
        .await;
        let later = |one: &Delivery| one.next_attempt_date_time.is_some_and(|at| at > now);
        let tried = |all: &[Delivery]| all.iter().all(|one| settled(one) || later(one));
        before = bench.until("all was tried", tried).await;
    }
    assert!(before.iter().all(settled), "{before:#?}");
    let of = |kind: EventType| before.iter().filter(|one| one.event_type == kind).count();
    // That the first fails is told to two, that each of these two fails to the other; and so with what is paused.
    assert_eq!(of(EventType::TaskCompleted), 1);
    assert_eq!(of(EventType::SubscriptionFailing), 2 + 2 + 2 * 2);
    assert_eq!(of(EventType::SubscriptionRecovered), 0);
    assert!(before.len() < 40, "{}", before.len());
    refusing.abort();
    engine.stop(SOON).await;
}
