//! How attempts end, and what follows from that by the rules of the domain.

use std::time::Duration;

use domain::{
    DeliveryChange, DeliveryState, LaneEffect, Outcome, RetryAfter, RetrySchedule, StateCode,
    Timestamp, Tried,
};

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// With a success.
    Delivered,
    /// With an answer that is none, which may ask for so many seconds of patience.
    Failed(Option<u32>),
    /// Without an answer in time.
    TimedOut,
    /// With 410.
    Gone,
    /// At the address rule.
    Refused,
    /// Because a person stopped it.
    Cancelled,
    /// At the end of the server.
    Cut,
}

impl End {
    /// The word for it.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Delivered => Outcome::Delivered,
            Self::Failed(_) => Outcome::RefusedStatus,
            Self::TimedOut => Outcome::TimedOut,
            Self::Gone => Outcome::Gone,
            Self::Refused => Outcome::AddressRefused,
            Self::Cancelled => Outcome::Cancelled,
            Self::Cut => Outcome::Unknown,
        }
    }

    /// What it makes of its delivery after attempt number `attempt`, and when that is due, as the engine has it.
    pub(super) fn comes_to(
        self,
        schedule: &RetrySchedule,
        (attempt, probe): (u32, bool),
        now: Timestamp,
    ) -> (DeliveryState, Option<Timestamp>) {
        let next = schedule.next(&self.tried(attempt, now));
        let next = if probe { next.of_probe(now) } else { next };
        match next.change {
            DeliveryChange::Delivered => (DeliveryState::Delivered, None),
            DeliveryChange::RetryAt(at) => (DeliveryState::Waiting, Some(at)),
            DeliveryChange::Exhausted => (DeliveryState::Exhausted, None),
            DeliveryChange::Refused => (DeliveryState::Refused, None),
            DeliveryChange::Cancelled => (DeliveryState::Cancelled, None),
        }
    }

    /// Whether the subscription ends by it.
    pub(super) fn ends_lane(self) -> bool {
        let next = RetrySchedule::default().next(&self.tried(1, Timestamp::default()));
        next.lane == LaneEffect::End
    }

    /// What becomes of the subscription, as the engine has it; mostly nothing.
    pub(super) fn makes_of_lane(self, probe: bool) -> Option<StateCode> {
        match self {
            one if one.ends_lane() => Some(StateCode::ReceiverGone),
            Self::Delivered if probe => Some(StateCode::Active),
            _ => None,
        }
    }

    fn tried(self, attempt: u32, now: Timestamp) -> Tried {
        let patience = match self {
            Self::Failed(seconds) => seconds,
            _ => None,
        };
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Tried {
            attempt,
            outcome: self.outcome(),
            status: None,
            retry_after: patience.map(|asked| RetryAfter::Delay(seconds(asked))),
            now,
            jitter: 0.5,
        }
    }
}
