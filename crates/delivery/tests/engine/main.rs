//! The engine on a real store, with real requests to receivers on the loopback interface.

mod bench;
mod health;
mod units;
mod weather;
mod wishes;

use std::{sync::atomic::Ordering, time::Duration};

use bench::{Bench, Receiver, until, willing_receiver};
use delivery::{DeliverySettings, Peers};
use domain::{
    ALLOW_TARGETS_SETTING, AddressPolicy, Delivery, DeliveryState, NodeId, Outcome,
    SubscriptionState, sign,
};
use store::{Company, Differing, Node as _};

const SOON: Duration = Duration::from_secs(5);

fn delivered(all: &[Delivery]) -> bool {
    all.iter().all(|one| one.state == DeliveryState::Delivered)
}

/// Makes an event whose receiver answers that it wants a minute of quiet.
async fn ask_for_a_minute(bench: &Bench, receiver: &mut Receiver) {
    bench.happen("first").await;
    receiver
        .asked()
        .await
        .answer_with("429 Slow Down", "retry-after: 60\r\n");
    bench
        .until("it waits", |all| all[0].state == DeliveryState::Waiting)
        .await;
}

#[tokio::test]
async fn an_event_is_handed_over_signed_sent_and_settled() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, secret) = bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    let event = bench.happen(r#"{"type":"task_completed"}"#).await;
    let asked = receiver.asked().await;
    assert_eq!(asked.header("webhook-id"), event.to_string());
    assert_eq!(
        asked.header("checkflow-subscription"),
        subscription.to_string()
    );
    assert_eq!(asked.header("checkflow-attempt"), "1");
    let timestamp: i64 = asked.header("webhook-timestamp").parse().unwrap();
    let expected = sign(
        &[secret],
        &event.to_string(),
        timestamp,
        asked.body().as_bytes(),
    );
    assert_eq!(asked.header("webhook-signature"), expected);
    assert_eq!(engine.stats().in_flight, 1);
    asked.answer("204 No Content");
    let all = bench
        .until("it is delivered", |all| {
            all[0].state == DeliveryState::Delivered
        })
        .await;
    assert_eq!(
        (all.len(), all[0].attempts, all[0].last_status_code),
        (1, 1, Some(204))
    );
    engine.stop(SOON).await;
    let stats = engine.stats();
    assert_eq!(
        (stats.delivered, stats.settled, stats.in_flight, stats.lanes),
        (1, 1, 0, 0)
    );
}

/// The node sees another one, which has another value of `setting`.
fn see(peers: &Peers, setting: Option<&str>) {
    let differing = setting.map(|name| Differing {
        node: NodeId::ZERO,
        settings: vec![name.to_owned()],
    });
    peers.saw(&Company {
        sending: 2,
        differing: differing.into_iter().collect(),
    });
}

/// The address rule refuses what happens now; how that delivery stands then.
async fn refused(bench: &Bench) -> Delivery {
    bench.happen("{}").await;
    let refused = |one: &Delivery| one.last_outcome == Some(Outcome::AddressRefused);
    let all = bench
        .until("all are refused", |all| all.iter().all(refused))
        .await;
    all.last().expect("what happened").clone()
}

#[tokio::test]
async fn what_nodes_do_not_agree_about_is_refused_for_now_and_sent_once_they_do() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let peers = bench.peers();
    let one_attempt = DeliverySettings {
        schedule: domain::RetrySchedule::new(&[Duration::ZERO]).unwrap(),
        ..DeliverySettings::default()
    };
    let engine = bench.engine_of(&peers, &one_attempt);
    until("the engine is open", async || engine.stats().is_open).await;
    engine.set_policy(AddressPolicy::default());
    peers.joined();
    see(&peers, Some(ALLOW_TARGETS_SETTING));
    assert_eq!(peers.differing(), [ALLOW_TARGETS_SETTING]);

    let first = refused(&bench).await;
    assert_eq!((first.state, first.attempts), (DeliveryState::Waiting, 0));
    let reason = "; tried again, because other nodes have another webhook.allow_targets";
    assert!(first.reason.ends_with(reason), "{}", first.reason);
    // Not at once, and no attempt however often.
    let mut due = first.next_attempt_date_time.unwrap();
    for _ in 0..4 {
        engine.wake();
        bench.clock.advance(Duration::from_secs(10));
        see(&peers, Some(ALLOW_TARGETS_SETTING));
        engine.wake();
        let again = |all: &[Delivery]| {
            let later = all[0].next_attempt_date_time.is_some_and(|at| at > due);
            later && all[0].state == DeliveryState::Waiting
        };
        let all = bench.until("it is refused again", again).await;
        assert_eq!(all[0].attempts, 0);
        due = all[0].next_attempt_date_time.unwrap();
        let wait = due.since(bench.source.now());
        assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&wait));
    }
    let state = bench.subscription(subscription).await.state;
    assert_eq!(state, SubscriptionState::Active);

    // The node is given what the others have.
    engine.set_policy(AddressPolicy::new(&["127.0.0.0/8"]).unwrap());
    bench.clock.advance(Duration::from_secs(10));
    see(&peers, None);
    engine.wake();
    // The schedule has one attempt, and this is it.
    receiver.asked().await.answer("200 OK");
    bench.until("it is delivered", delivered).await;
    let log = bench.log(first.delivery_id).await;
    assert_eq!(log.attempts.len(), 1, "{log:?}");
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_refusal_is_final_once_all_nodes_were_seen_to_agree_for_a_while() {
    const SHORT: Duration = Duration::from_secs(2);
    let bench = Bench::start().await;
    bench.subscribe("http://127.0.0.1:9/").await;
    let peers = bench.peers();
    let engine = bench.engine_of(&peers, &DeliverySettings::default());
    until("the engine is open", async || engine.stats().is_open).await;
    engine.set_policy(AddressPolicy::default());
    let check = async |expected: DeliveryState, when: &str| {
        let found = refused(&bench).await;
        assert_eq!(found.state, expected, "{when}: {}", found.reason);
    };
    let pass = |time: Duration, setting: Option<&str>| {
        for _ in 0..time.as_secs() / SHORT.as_secs() {
            bench.clock.advance(SHORT);
            see(&peers, setting);
        }
    };
    // Together they are the ten seconds for which all have to agree.
    let (most, rest) = (Duration::from_secs(8), SHORT);
    let (waiting, refused) = (DeliveryState::Waiting, DeliveryState::Refused);
    check(refused, "there are no others").await;
    peers.joined();
    check(waiting, "nothing is known of others").await;
    pass(most, None);
    check(waiting, "others may have started at the same time").await;
    pass(rest, None);
    check(refused, "all agree").await;
    pass(most + rest, Some("public_url"));
    check(refused, "they differ in what decides nothing").await;
    pass(SHORT, Some(ALLOW_TARGETS_SETTING));
    check(waiting, "they differ").await;
    pass(most, None);
    check(waiting, "they differed a moment ago").await;
    pass(rest, None);
    check(refused, "they have agreed for a while").await;
    bench.clock.advance(most + rest);
    check(waiting, "the others were not seen for long").await;
    see(&peers, None);
    check(waiting, "what they were meanwhile is not known").await;
    pass(most + rest, None);
    check(refused, "they have agreed for a while again").await;
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_refused_delivery_is_tried_again_when_the_clock_says_so() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    receiver.asked().await.answer("500 Oops");
    let all = bench
        .until("it waits", |all| all[0].state == DeliveryState::Waiting)
        .await;
    assert_eq!(
        all[0].reason,
        "the receiver answered 500 Internal Server Error"
    );
    engine.wake();
    assert_eq!(receiver.asked_already(), 0);
    bench.clock.advance(Duration::from_secs(6));
    engine.wake();
    let second = receiver.asked().await;
    assert_eq!(second.header("checkflow-attempt"), "2");
    second.answer("200 OK");
    let all = bench
        .until("it is delivered", |all| {
            all[0].state == DeliveryState::Delivered
        })
        .await;
    let outcomes: Vec<Outcome> = bench
        .log(all[0].delivery_id)
        .await
        .attempts
        .iter()
        .map(|one| one.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::RefusedStatus, Outcome::Delivered]);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn what_was_stored_without_an_engine_is_sent_by_the_next_one_in_order() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    for number in 0..3 {
        bench.happen(&format!("{number}")).await;
    }
    let settings = DeliverySettings {
        in_flight_per_subscription_max: 1,
        ..DeliverySettings::default()
    };
    let engine = bench.engine_with(&settings);
    let mut sequences = Vec::new();
    for _ in 0..3 {
        let asked = receiver.asked().await;
        sequences.push(asked.header("checkflow-sequence").to_owned());
        asked.answer("200 OK");
    }
    assert_eq!(sequences, ["1", "2", "3"]);
    bench.until("all are delivered", delivered).await;
    engine.stop(SOON).await;
}

#[tokio::test]
async fn leases_of_an_earlier_life_are_ended_before_anything_is_sent() {
    let (mut bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    bench.happen("{}").await;
    assert_eq!(bench.take_and_vanish(subscription).await.len(), 1);
    bench.reopen().await;
    let engine = bench.engine();
    let asked = receiver.asked().await;
    assert_eq!(asked.header("checkflow-attempt"), "2");
    asked.answer("200 OK");
    let all = bench
        .until("it is delivered", |all| {
            all[0].state == DeliveryState::Delivered
        })
        .await;
    let attempts = bench.log(all[0].delivery_id).await.attempts;
    assert_eq!(attempts[0].outcome, Outcome::Unknown);
    assert_eq!(engine.stats().rescued, 1);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_lease_that_lapsed_is_ended_by_the_clock() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    ask_for_a_minute(&bench, &mut receiver).await;
    bench.happen("second").await;
    assert_eq!(bench.take_and_vanish(subscription).await.len(), 1);
    bench.clock.advance(Duration::from_mins(2));
    engine.wake();
    for _ in 0..2 {
        let asked = receiver.asked().await;
        assert_eq!(asked.header("checkflow-attempt"), "2");
        asked.answer("200 OK");
    }
    bench.until("both are delivered", delivered).await;
    assert_eq!(engine.stats().rescued, 1);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn an_outcome_that_comes_after_its_lease_changes_nothing() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    let first = receiver.asked().await;
    assert_eq!(bench.end_leases().await, 1);
    let second = receiver.asked().await;
    assert_eq!(second.header("checkflow-attempt"), "2");
    first.answer("400 Bad Request");
    until("it is noticed", async || engine.stats().lease_lost == 1).await;
    second.answer("200 OK");
    let all = bench.until("it is delivered", delivered).await;
    let attempts = bench.log(all[0].delivery_id).await.attempts;
    let outcomes: Vec<Outcome> = attempts.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Delivered]);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn an_outcome_whose_answer_was_lost_is_stored_once_and_called_late_by_nobody() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    let asked = receiver.asked().await;
    bench.weather.deaf.store(true, Ordering::SeqCst);
    asked.answer("200 OK");
    bench.until("it is delivered", delivered).await;
    until("the engine is shut", async || !engine.stats().is_open).await;
    bench.weather.deaf.store(false, Ordering::SeqCst);
    until("it is settled", async || engine.stats().unsettled == 0).await;
    let stats = engine.stats();
    assert_eq!((stats.settled, stats.lease_lost, stats.dropped), (1, 0, 0));
    let found = bench.deliveries().await;
    assert_eq!(bench.log(found[0].delivery_id).await.attempts.len(), 1);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn while_the_disk_is_full_outcomes_are_kept_and_nothing_new_is_taken() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("first").await;
    let asked = receiver.asked().await;
    bench.weather.full.store(true, Ordering::SeqCst);
    asked.answer("200 OK");
    until("the engine is shut", async || !engine.stats().is_open).await;
    bench.happen("second").await;
    assert_eq!((engine.stats().unsettled, engine.stats().in_flight), (1, 0));
    assert_eq!(receiver.asked_already(), 0);
    bench.weather.full.store(false, Ordering::SeqCst);
    receiver.asked().await.answer("200 OK");
    let all = bench.until("both are delivered", delivered).await;
    assert!(all.iter().all(|one| one.attempts == 1));
    // The table says so a moment before the engine hears of it.
    until("both are counted", async || engine.stats().settled == 2).await;
    until("the engine is open", async || engine.stats().is_open).await;
    assert_eq!(engine.stats().dropped, 0);
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_410_ends_the_subscription() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    receiver.asked().await.answer("410 Gone");
    bench
        .until("it is cancelled", |all| {
            all[0].state == DeliveryState::Cancelled
        })
        .await;
    let ended = bench.subscription(subscription).await;
    assert_eq!(ended.state, SubscriptionState::Gone);
    assert_eq!(ended.state_reason, "the receiver answered 410 Gone");
    assert_eq!(ended.state_by, "system");
    assert_eq!(bench.audited().await, ["subscription.end"]);
    bench.happen("{}").await;
    assert_eq!(bench.deliveries().await.len(), 1);
    until("its lane is forgotten", async || engine.stats().lanes == 0).await;
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_third_failure_shows_the_subscription_as_failing_until_a_success() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, _) = bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    for attempt in 1..=3 {
        receiver.asked().await.answer("500 Internal Server Error");
        bench
            .until("it waits for the next attempt", |all| {
                all[0].state == DeliveryState::Waiting && all[0].attempts == attempt
            })
            .await;
        let expected = match attempt {
            3 => SubscriptionState::Failing,
            _ => SubscriptionState::Active,
        };
        assert_eq!(bench.subscription(subscription).await.state, expected);
        bench.clock.advance(Duration::from_hours(1));
        engine.wake();
    }
    receiver.asked().await.answer("200 OK");
    bench.until("it is delivered", delivered).await;
    let recovered = bench.subscription(subscription).await;
    assert_eq!(recovered.state, SubscriptionState::Active);
    assert_eq!(
        recovered.state_reason,
        "the receiver takes deliveries again"
    );
    assert_eq!(
        bench.audited().await,
        ["subscription.fail", "subscription.recover"]
    );
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_one() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    ask_for_a_minute(&bench, &mut receiver).await;
    bench.happen("second").await;
    bench.clock.advance(Duration::from_secs(59));
    engine.wake();
    until("the lane is closed", async || {
        engine.stats().lanes_closed == 1
    })
    .await;
    assert_eq!(receiver.asked_already(), 0);
    bench.clock.advance(Duration::from_secs(2));
    engine.wake();
    for _ in 0..2 {
        receiver.asked().await.answer("200 OK");
    }
    bench.until("both are delivered", delivered).await;
    engine.stop(SOON).await;
}

#[tokio::test]
async fn a_lease_that_is_too_old_to_begin_is_given_back_and_not_counted() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen_before(Duration::from_secs(10)).await;
    let asked = receiver.asked().await;
    assert_eq!(asked.header("checkflow-attempt"), "1");
    assert_eq!(engine.stats().given_back, 1);
    asked.answer("200 OK");
    bench.until("it is delivered", delivered).await;
    engine.stop(SOON).await;
}

#[tokio::test]
async fn stopping_lets_a_request_come_to_its_end_and_begins_no_other() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("first").await;
    let asked = receiver.asked().await;
    let stopping = engine.stop(Duration::from_secs(20));
    let ((), ()) = tokio::join!(stopping, async {
        until("the engine is shut", async || !engine.stats().is_open).await;
        bench.happen("second").await;
        asked.answer("200 OK");
    });
    let states: Vec<DeliveryState> = bench
        .deliveries()
        .await
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, [DeliveryState::Delivered, DeliveryState::Waiting]);
    assert_eq!(receiver.asked_already(), 0);
    assert_eq!(engine.stats().unsettled, 0);
}

#[tokio::test]
async fn what_still_runs_at_the_end_of_stopping_is_settled_as_unknown() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let engine = bench.open_engine().await;
    bench.happen("{}").await;
    let _hanging = receiver.asked().await;
    engine.stop(Duration::ZERO).await;
    let all = bench.deliveries().await;
    assert_eq!((all[0].state, all[0].attempts), (DeliveryState::Waiting, 1));
    let attempts = bench.log(all[0].delivery_id).await.attempts;
    assert_eq!(attempts[0].outcome, Outcome::Unknown);
    assert_eq!(
        attempts[0].error,
        "the server stopped before the receiver had answered"
    );
}

#[tokio::test]
async fn an_engine_that_was_stopped_can_be_followed_by_another() {
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let first = bench.open_engine().await;
    first.stop(SOON).await;
    first.stop(SOON).await;
    bench.happen("{}").await;
    let second = bench.open_engine().await;
    receiver.asked().await.answer("200 OK");
    bench
        .until("it is delivered", |all| {
            all[0].state == DeliveryState::Delivered
        })
        .await;
    second.stop(SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_stored_while_the_lane_is_full_is_taken_as_it_empties() {
    let (bench, (url, received)) = (Bench::start().await, willing_receiver().await);
    bench.subscribe(&url).await;
    let settings = DeliverySettings {
        in_flight_per_subscription_max: 2,
        take_batch_max: 8,
        // Longer than the test's patience: what a lost signal left in the table stays there.
        scan_interval: Duration::from_mins(1),
        ..DeliverySettings::default()
    };
    let engine = bench.engine_with(&settings);
    until("the engine is open", async || engine.stats().is_open).await;
    let (writers, each) = (8, 50);
    bench.happen_at_once(writers, each).await;
    let count = u64::from(writers * each);
    until("all is settled", async || engine.stats().settled == count).await;
    let stats = engine.stats();
    assert_eq!(
        (stats.delivered, stats.failed, stats.lease_lost),
        (count, 0, 0)
    );
    assert_eq!(received.load(Ordering::SeqCst), count);
    until("its lane is forgotten", async || engine.stats().lanes == 0).await;
    engine.stop(SOON).await;
    assert_eq!(engine.stats().in_flight, 0);
}
