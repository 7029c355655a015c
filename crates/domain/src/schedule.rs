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

    /// What follows from an attempt, at `now`, by which the receiver of a paused subscription was tried. It counts
    /// as an attempt, for it was one, but never as the last: once the subscription sends again, there is at least
    /// one more. The delivery waits as one that is due now, so that the next probe is made with another.
    #[must_use]
    pub fn of_probe(self, now: Timestamp) -> Self {
        let change = match self.change {
            DeliveryChange::RetryAt(_) | DeliveryChange::Exhausted => DeliveryChange::RetryAt(now),
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
mod tests;
