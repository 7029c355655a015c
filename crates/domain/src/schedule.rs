//! When a delivery is tried again, and what an attempt means for the lane it went through.
//!
//! The engine tells [`RetrySchedule::next`] what came of an attempt and does as it says; nothing is
//! read from a clock or a die here. How far a slow lane shrinks, and when it may grow again, is the
//! engine's.

mod outcome;
mod retry_after;

use std::{sync::Arc, time::Duration};

pub use outcome::{NotAnOutcome, Outcome};
pub use retry_after::RetryAfter;

use crate::Timestamp;

/// Most attempts that a schedule may make.
pub const RETRY_ATTEMPTS_MAX: usize = 30;

/// Longest wait of a schedule: a week.
pub const RETRY_STEP_MAX: Duration = Duration::from_hours(7 * 24);

/// How much longer than its step a wait may be, as a part of the step.
pub const RETRY_JITTER: f64 = 0.1;

/// How long a receiver's `Retry-After` may hold the one delivery.
pub const RETRY_AFTER_DELIVERY_MAX: Duration = Duration::from_hours(24);

/// How long a receiver's `Retry-After` may hold everything that goes to it.
pub const RETRY_AFTER_LANE_MAX: Duration = Duration::from_hours(1);

// The example of the Standard Webhooks specification: ten attempts over three days and a bit.
const STEPS_DEFAULT: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// A list of waits that makes no schedule, and what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASchedule {
    /// No step, so no attempt.
    #[error(
        "a retry schedule needs at least one step: write 0 s for a single attempt, made at once"
    )]
    Empty,
    /// More than [`RETRY_ATTEMPTS_MAX`] steps.
    #[error("the retry schedule has {0} steps, and at most {RETRY_ATTEMPTS_MAX} are taken")]
    TooMany(usize),
    /// The first step is not zero.
    #[error(
        "the first step of a retry schedule is {0:?}: write 0 s, for the first attempt is always made at once"
    )]
    FirstNotAtOnce(Duration),
    /// A step is longer than [`RETRY_STEP_MAX`].
    #[error(
        "step {position} of the retry schedule is {step:?}, and at most {RETRY_STEP_MAX:?} (7 days) are taken"
    )]
    TooLong {
        /// Which step, counted from 1.
        position: usize,
        /// How long it is.
        step: Duration,
    },
}

/// How long to wait before each attempt of a delivery. Cheap to clone.
///
/// Each wait is lengthened by up to a tenth, evenly spread, because deliveries that failed together
/// would otherwise come back together. It is never shortened: what is published is the least that a
/// receiver is given to recover. Jitter over the whole step was ruled out, for it would make the
/// published schedule meaningless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Arc<[Duration]>);

impl Default for RetrySchedule {
    /// At once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    fn default() -> Self {
        Self(STEPS_DEFAULT.into())
    }
}

impl RetrySchedule {
    /// Makes a schedule of the wait before each attempt; the first is zero.
    ///
    /// # Errors
    /// No step, more than [`RETRY_ATTEMPTS_MAX`], a first one that is not zero, or one longer than
    /// [`RETRY_STEP_MAX`].
    pub fn new(steps: &[Duration]) -> Result<Self, NotASchedule> {
        let first = *steps.first().ok_or(NotASchedule::Empty)?;
        if steps.len() > RETRY_ATTEMPTS_MAX {
            return Err(NotASchedule::TooMany(steps.len()));
        }
        if !first.is_zero() {
            return Err(NotASchedule::FirstNotAtOnce(first));
        }
        if let Some(index) = steps.iter().position(|step| *step > RETRY_STEP_MAX) {
            return Err(NotASchedule::TooLong {
                position: index + 1,
                step: steps[index],
            });
        }
        Ok(Self(steps.into()))
    }

    /// The wait before each attempt, without jitter.
    pub fn steps(&self) -> &[Duration] {
        &self.0
    }

    /// How many attempts are made in all.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// What becomes of the delivery and its lane after an attempt.
    pub fn next(&self, tried: &Tried) -> NextStep {
        let (change, lane) = match tried.outcome {
            Outcome::Delivered => (DeliveryChange::Delivered, LaneEffect::Works),
            Outcome::Gone => (DeliveryChange::Cancelled, LaneEffect::End),
            Outcome::AddressRefused => (DeliveryChange::Refused, LaneEffect::None),
            Outcome::Cancelled => (DeliveryChange::Cancelled, LaneEffect::None),
            Outcome::RefusedStatus => (self.retry(tried), lane_after_answer(tried)),
            Outcome::TimedOut => (self.retry(tried), LaneEffect::Slow),
            Outcome::ConnectFailed
            | Outcome::NameNotFound
            | Outcome::TlsFailed
            | Outcome::Broken => (self.retry(tried), LaneEffect::Fails),
            Outcome::Unknown => (self.retry(tried), LaneEffect::None),
        };
        NextStep { change, lane }
    }

    fn retry(&self, tried: &Tried) -> DeliveryChange {
        let Some(step) = self.step_after(tried.attempt) else {
            return DeliveryChange::Exhausted;
        };
        if tried.outcome == Outcome::Unknown {
            // The process ended, not the receiver. The attempt counts all the same, else a delivery
            // that ends the process each time would be tried for ever.
            return DeliveryChange::RetryAt(tried.now);
        }
        let due = tried.now.after(lengthened(step, tried.jitter));
        let held = tried.asked_wait(RETRY_AFTER_DELIVERY_MAX);
        DeliveryChange::RetryAt(held.map_or(due, |held| due.max(held)))
    }

    /// The wait that follows attempt number `attempt`; `None` after the last one. A redelivery by
    /// hand can go beyond the schedule, and is then not repeated.
    fn step_after(&self, attempt: u32) -> Option<Duration> {
        // The step of attempt n stands at n - 1, so the one that follows it stands at n.
        let index = usize::try_from(attempt.max(1)).ok()?;
        self.0.get(index).copied()
    }
}

fn lengthened(step: Duration, jitter: f64) -> Duration {
    // A fraction that is none at all (NaN) counts as zero; `clamp` would pass it on.
    let jitter = if jitter.is_nan() {
        0.0
    } else {
        jitter.clamp(0.0, 1.0)
    };
    step + step.mul_f64(RETRY_JITTER * jitter)
}

fn lane_after_answer(tried: &Tried) -> LaneEffect {
    match tried.status {
        Some(429 | 503) => tried
            .asked_wait(RETRY_AFTER_LANE_MAX)
            .map_or(LaneEffect::Slow, LaneEffect::HoldUntil),
        Some(502 | 504) => LaneEffect::Slow,
        _ => LaneEffect::Fails,
    }
}

/// An attempt that has come to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Its number, counted from 1.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The status of the answer, when there was one.
    pub status: Option<u16>,
    /// What the answer's `Retry-After` asks for, when it is readable.
    pub retry_after: Option<RetryAfter>,
    /// When it ended.
    pub now: Timestamp,
    /// A random number from 0 up to 1 ([`crate::Source::fraction`]).
    pub jitter: f64,
}

impl Tried {
    /// The moment that the receiver asks to wait for, at most `ceiling` from now; `None` when it
    /// asks for no wait.
    fn asked_wait(&self, ceiling: Duration) -> Option<Timestamp> {
        // Only an answer can carry the header, so a stray value with any other outcome says nothing.
        let asked = self
            .retry_after
            .filter(|_| self.outcome == Outcome::RefusedStatus)?;
        let until = asked.until(self.now).min(self.now.after(ceiling));
        (until > self.now).then_some(until)
    }
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextStep {
    /// For the delivery.
    pub change: DeliveryChange,
    /// For everything that goes to the same subscription.
    pub lane: LaneEffect,
}

impl NextStep {
    /// What follows where there is no second attempt, as for a test: nobody waits for its answer any more.
    #[must_use]
    pub fn once(self) -> Self {
        let change = match self.change {
            DeliveryChange::RetryAt(_) => DeliveryChange::Exhausted,
            change => change,
        };
        Self { change, ..self }
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryChange {
    /// It arrived.
    Delivered,
    /// It is tried again, not before this moment.
    RetryAt(Timestamp),
    /// It is not tried again: the schedule has come to its end.
    Exhausted,
    /// It is not tried again: the address rule forbids the target.
    Refused,
    /// It is not tried again: a person said so, or the receiver wants nothing more.
    Cancelled,
}

/// What becomes of a lane after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneEffect {
    /// Nothing: it says nothing of the receiver.
    None,
    /// One more request at once: the receiver took it.
    Works,
    /// Fewer requests at once, when as many as may run have failed in a row. One failure may be about the event.
    Fails,
    /// Fewer requests at once.
    Slow,
    /// No request before this moment, and then fewer at once.
    HoldUntil(Timestamp),
    /// No request ever again: the subscription has ended.
    End,
}

#[cfg(test)]
mod tests {
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
}
