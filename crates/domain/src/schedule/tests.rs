use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_455_715_120);
const HOUR: u64 = 3_600;

fn tried(attempt: u32, outcome: Outcome, status: Option<u16>, after: Option<u64>) -> Tried {
    let retry_after = after.map(|seconds| RetryAfter::Delay(Duration::from_secs(seconds)));
    Tried {
        attempt,
        outcome,
        status,
        retry_after,
        now: NOW,
        jitter: 0.0,
    }
}

fn in_seconds(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn check(tried: &Tried, change: DeliveryChange, lane: LaneEffect) {
    let next = RetrySchedule::default().next(tried);
    assert_eq!(next, NextStep { change, lane }, "{tried:?}");
}

fn retry(seconds: u64) -> DeliveryChange {
    DeliveryChange::RetryAt(in_seconds(seconds))
}

#[test]
fn what_is_tried_once_is_exhausted_by_its_first_failure_and_by_nothing_else() {
    let schedule = RetrySchedule::default();
    for (outcome, expected) in [
        (Outcome::Delivered, DeliveryChange::Delivered),
        (Outcome::TimedOut, DeliveryChange::Exhausted),
        (Outcome::Gone, DeliveryChange::Cancelled),
        (Outcome::AddressRefused, DeliveryChange::Refused),
    ] {
        let next = schedule.next(&tried(1, outcome, None, None));
        assert_eq!(next.once().change, expected, "{outcome}");
        assert_eq!(next.once().lane, next.lane, "{outcome}");
    }
}

#[test]
fn the_default_schedule_is_the_published_one() {
    let minutes = |minutes: u64| minutes * 60;
    let waits = [
        5,
        minutes(5),
        minutes(30),
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    ];
    for (attempt, wait) in (1..).zip(waits) {
        check(
            &tried(attempt, Outcome::ConnectFailed, None, None),
            retry(wait),
            LaneEffect::Fails,
        );
    }
    for attempt in [10, 11, u32::MAX] {
        let last = tried(attempt, Outcome::ConnectFailed, None, None);
        check(&last, DeliveryChange::Exhausted, LaneEffect::Fails);
    }
    let default = RetrySchedule::default();
    assert_eq!(default.attempts(), 10);
    assert_eq!(RetrySchedule::new(default.steps()), Ok(default));
}

#[test]
fn each_outcome_has_its_consequence() {
    let (none, fails) = (LaneEffect::None, LaneEffect::Fails);
    for (outcome, change, lane) in [
        (
            Outcome::Delivered,
            DeliveryChange::Delivered,
            LaneEffect::Works,
        ),
        (Outcome::RefusedStatus, retry(5), fails),
        (Outcome::Gone, DeliveryChange::Cancelled, LaneEffect::End),
        (Outcome::TimedOut, retry(5), LaneEffect::Slow),
        (Outcome::ConnectFailed, retry(5), fails),
        (Outcome::NameNotFound, retry(5), fails),
        (Outcome::TlsFailed, retry(5), fails),
        (Outcome::Broken, retry(5), fails),
        (Outcome::AddressRefused, DeliveryChange::Refused, none),
        (Outcome::Cancelled, DeliveryChange::Cancelled, none),
        (Outcome::Unknown, retry(0), none),
    ] {
        check(&tried(1, outcome, None, None), change, lane);
    }
}

#[test]
fn at_the_last_attempt_only_the_outcomes_that_settle_do_not_exhaust() {
    for outcome in Outcome::ALL {
        let expected = match outcome {
            Outcome::Delivered => DeliveryChange::Delivered,
            Outcome::Gone | Outcome::Cancelled => DeliveryChange::Cancelled,
            Outcome::AddressRefused => DeliveryChange::Refused,
            _ => DeliveryChange::Exhausted,
        };
        let next = RetrySchedule::default().next(&tried(10, outcome, None, None));
        assert_eq!(next.change, expected, "{outcome}");
    }
}

#[test]
fn overload_slows_the_lane_at_once_and_other_refusals_in_a_row() {
    for (status, lane) in [
        (301, LaneEffect::Fails),
        (304, LaneEffect::Fails),
        (400, LaneEffect::Fails),
        (404, LaneEffect::Fails),
        (429, LaneEffect::Slow),
        (500, LaneEffect::Fails),
        (502, LaneEffect::Slow),
        (503, LaneEffect::Slow),
        (504, LaneEffect::Slow),
    ] {
        check(
            &tried(1, Outcome::RefusedStatus, Some(status), None),
            retry(5),
            lane,
        );
    }
}

#[test]
fn retry_after_holds_the_delivery_and_on_429_and_503_the_lane() {
    let hold = |seconds| LaneEffect::HoldUntil(in_seconds(seconds));
    for (attempt, status, after, change, lane) in [
        (1, 429, 60, retry(60), hold(60)),
        (1, 503, 60, retry(60), hold(60)),
        (1, 500, 60, retry(60), LaneEffect::Fails),
        (1, 301, 60, retry(60), LaneEffect::Fails),
        (1, 502, 60, retry(60), LaneEffect::Slow),
        // Shorter than the step: the step stays, the lane waits as asked.
        (1, 429, 1, retry(5), hold(1)),
        (3, 429, 60, retry(30 * 60), hold(60)),
        // No wait at all is no hold.
        (1, 429, 0, retry(5), LaneEffect::Slow),
        // Longer than is obeyed.
        (1, 429, 2 * HOUR, retry(2 * HOUR), hold(HOUR)),
        (1, 429, 48 * HOUR, retry(24 * HOUR), hold(HOUR)),
        (1, 503, u64::MAX, retry(24 * HOUR), hold(HOUR)),
        // The last attempt stays the last one; the lane is held for the others.
        (10, 429, 60, DeliveryChange::Exhausted, hold(60)),
        (10, 500, 60, DeliveryChange::Exhausted, LaneEffect::Fails),
    ] {
        let tried = tried(attempt, Outcome::RefusedStatus, Some(status), Some(after));
        check(&tried, change, lane);
    }
}

#[test]
fn retry_after_counts_only_with_an_answer() {
    for outcome in [Outcome::TimedOut, Outcome::Broken, Outcome::ConnectFailed] {
        let next = RetrySchedule::default().next(&tried(1, outcome, Some(429), Some(HOUR)));
        assert_eq!(next.change, retry(5), "{outcome}");
    }
}

#[test]
fn an_attempt_nobody_knows_of_counts_and_is_repeated_at_once() {
    for attempt in 1..10 {
        check(
            &tried(attempt, Outcome::Unknown, None, None),
            retry(0),
            LaneEffect::None,
        );
    }
    check(
        &tried(10, Outcome::Unknown, None, None),
        DeliveryChange::Exhausted,
        LaneEffect::None,
    );
}

#[test]
fn jitter_lengthens_a_step_by_up_to_a_tenth() {
    for (jitter, expected_ms) in [
        (0.0, 300_000),
        (0.5, 315_000),
        (1.0, 330_000),
        (-3.0, 300_000),
        (7.0, 330_000),
        (f64::NAN, 300_000),
    ] {
        let tried = Tried {
            jitter,
            ..tried(2, Outcome::Broken, None, None)
        };
        let due = NOW.after(Duration::from_millis(expected_ms));
        check(&tried, DeliveryChange::RetryAt(due), LaneEffect::Fails);
    }
}

#[test]
fn a_schedule_is_bounded() {
    let secs = Duration::from_secs;
    let long = vec![Duration::ZERO; RETRY_ATTEMPTS_MAX + 1];
    let week = Duration::from_secs(7 * 24 * HOUR);
    let too_long = NotASchedule::TooLong {
        position: 2,
        step: week + Duration::from_nanos(1),
    };
    for (steps, expected) in [
        (&[][..], Err(NotASchedule::Empty)),
        (&[Duration::ZERO], Ok(1)),
        (&[Duration::ZERO, week], Ok(2)),
        (
            &[Duration::ZERO, week + Duration::from_nanos(1)],
            Err(too_long),
        ),
        (
            &[secs(1), secs(5)],
            Err(NotASchedule::FirstNotAtOnce(secs(1))),
        ),
        (&long[1..], Ok(30)),
        (&long, Err(NotASchedule::TooMany(31))),
    ] {
        let made = RetrySchedule::new(steps).map(|schedule| schedule.attempts());
        assert_eq!(made, expected, "{steps:?}");
    }
}

fn any_tried() -> impl Strategy<Value = Tried> {
    let outcome = proptest::sample::select(Outcome::ALL.to_vec());
    let retry_after = proptest::option::of(prop_oneof![
        any::<u64>().prop_map(|seconds| RetryAfter::Delay(Duration::from_secs(seconds))),
        (0..200_000_u64).prop_map(|seconds| RetryAfter::Delay(Duration::from_secs(seconds))),
        any::<i64>().prop_map(|millis| RetryAfter::At(Timestamp::from_millis(millis))),
    ]);
    let status = proptest::option::of(prop_oneof![Just(429), Just(503), 100_u16..600]);
    (1..12_u32, outcome, status, retry_after, 0.0..1.0_f64).prop_map(
        |(attempt, outcome, status, retry_after, jitter)| Tried {
            attempt,
            outcome,
            status,
            retry_after,
            now: NOW,
            jitter,
        },
    )
}

proptest! {
    #[test]
    fn retry_after_never_shortens_and_changes_nothing_but_the_wait(tried in any_tried()) {
        let schedule = RetrySchedule::default();
        let plain = schedule.next(&Tried { retry_after: None, ..tried });
        match (schedule.next(&tried).change, plain.change) {
            (DeliveryChange::RetryAt(with), DeliveryChange::RetryAt(without)) => {
                prop_assert!(with >= without);
                prop_assert!(with <= without.max(NOW.after(RETRY_AFTER_DELIVERY_MAX)));
            }
            (with, without) => prop_assert_eq!(with, without),
        }
    }

    #[test]
    fn a_wait_stays_within_its_bounds(tried in any_tried()) {
        let schedule = RetrySchedule::default();
        let next = schedule.next(&tried);
        if let DeliveryChange::RetryAt(due) = next.change {
            prop_assert!(tried.attempt < schedule.attempts());
            let step = schedule.steps()[usize::try_from(tried.attempt).unwrap()];
            prop_assert!(due <= NOW.after(step.mul_f64(1.1).max(RETRY_AFTER_DELIVERY_MAX)));
            prop_assert!(due >= NOW.after(step) || tried.outcome == Outcome::Unknown);
        }
        if let LaneEffect::HoldUntil(until) = next.lane {
            prop_assert!(until > NOW && until <= NOW.after(RETRY_AFTER_LANE_MAX));
        }
    }
}
