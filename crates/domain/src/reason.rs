//! Why a delivery stands as it does, as one word for programs.
//!
//! The word is made from what is stored anyway, when a delivery is read: pausing or ending a subscription still writes
//! one row, and nothing is stored twice that could come to differ.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DeliveryState, Outcome, StateCode};

/// Why a delivery stands as it does. The words are stable; more may come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The receiver took it.
    Delivered,
    /// It is being sent.
    Sending,
    /// It was not tried yet, and is due at `nextAttemptDateTime`.
    Due,
    /// It was not tried yet, and has its turn within what its subscription takes in a second.
    Paced,
    /// Somebody asked for it to be sent again.
    AskedFor,
    /// It waits for an earlier delivery of its checklist, which has to come to its end first.
    Ordered,
    /// What is stored of its subscription can't be read; it is looked at again at `nextAttemptDateTime`.
    Unreadable,
    /// Its last attempt failed; it is tried again at `nextAttemptDateTime`.
    Retry,
    /// The server ended during its last attempt; it is tried again.
    LeaseLapsed,
    /// The nodes do not have the same address rule, so the refusal of one is not final.
    NodesDiffer,
    /// A person paused its subscription.
    PausedByPerson,
    /// The system paused its subscription, after nothing but failures.
    PausedBySystem,
    /// The address rule does not let it out.
    AddressRule,
    /// A person stopped its retries.
    CancelledByPerson,
    /// Its subscription was ended by a person.
    Unsubscribed,
    /// What was told of its checklist was erased before it could be sent.
    Erased,
    /// The receiver answered 410: it wants nothing more.
    ReceiverGone,
    /// Every attempt failed.
    AttemptsUsedUp,
    /// It became older than the retention before it could be sent.
    Expired,
}

/// What is known of a delivery, as far as its reason follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any other"
)]
pub struct ReasonFacts {
    /// The state that it is shown in.
    pub state: DeliveryState,
    /// Why its subscription is in its state.
    pub subscription: StateCode,
    /// What came of its last attempt.
    pub last_outcome: Option<Outcome>,
    /// Whether the next attempt was asked for by hand.
    pub asked_for: bool,
    /// Whether somebody stopped its retries.
    pub cancelled: bool,
    /// Whether an earlier delivery of its checklist has to come to its end first.
    pub behind: bool,
    /// Whether its subscription could not be read when it was last looked at.
    pub unreadable: bool,
    /// Whether its subscription is sent so many requests a second at most.
    pub paced: bool,
}

impl ReasonCode {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Delivered,
        Self::Sending,
        Self::Due,
        Self::Paced,
        Self::AskedFor,
        Self::Ordered,
        Self::Unreadable,
        Self::Retry,
        Self::LeaseLapsed,
        Self::NodesDiffer,
        Self::PausedByPerson,
        Self::PausedBySystem,
        Self::AddressRule,
        Self::CancelledByPerson,
        Self::Unsubscribed,
        Self::Erased,
        Self::ReceiverGone,
        Self::AttemptsUsedUp,
        Self::Expired,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Sending => "sending",
            Self::Due => "due",
            Self::Paced => "paced",
            Self::AskedFor => "asked_for",
            Self::Ordered => "ordered",
            Self::Unreadable => "unreadable",
            Self::Retry => "retry",
            Self::LeaseLapsed => "lease_lapsed",
            Self::NodesDiffer => "nodes_differ",
            Self::PausedByPerson => "paused_by_person",
            Self::PausedBySystem => "paused_by_system",
            Self::AddressRule => "address_rule",
            Self::CancelledByPerson => "cancelled_by_person",
            Self::Unsubscribed => "unsubscribed",
            Self::Erased => "erased",
            Self::ReceiverGone => "receiver_gone",
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::Expired => "expired",
        }
    }

    /// Why a delivery of which this is known stands so.
    pub const fn of(facts: ReasonFacts) -> Self {
        match facts.state {
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Leased => Self::Sending,
            DeliveryState::Exhausted => Self::AttemptsUsedUp,
            DeliveryState::Refused => Self::AddressRule,
            DeliveryState::Expired => Self::Expired,
            DeliveryState::Held => match facts.subscription {
                StateCode::PausedBySystem => Self::PausedBySystem,
                _ => Self::PausedByPerson,
            },
            DeliveryState::Cancelled if facts.cancelled => Self::CancelledByPerson,
            DeliveryState::Cancelled => match (facts.last_outcome, facts.subscription) {
                (Some(Outcome::Gone), _) | (_, StateCode::ReceiverGone) => Self::ReceiverGone,
                (_, StateCode::Unsubscribed) => Self::Unsubscribed,
                _ => Self::Erased,
            },
            DeliveryState::Waiting if facts.behind => Self::Ordered,
            DeliveryState::Waiting if facts.unreadable => Self::Unreadable,
            DeliveryState::Waiting if facts.asked_for => Self::AskedFor,
            DeliveryState::Waiting => match facts.last_outcome {
                None | Some(Outcome::Delivered) if facts.paced => Self::Paced,
                None | Some(Outcome::Delivered) => Self::Due,
                Some(Outcome::Unknown) => Self::LeaseLapsed,
                Some(Outcome::AddressRefused) => Self::NodesDiffer,
                Some(_) => Self::Retry,
            },
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_as_they_are_called() {
        for code in ReasonCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
    }

    #[test]
    fn a_reason_follows_from_delivery_and_subscription() {
        use DeliveryState::{Delivered, Held, Leased, Refused, Waiting};
        let check = |state, subscription, last_outcome, expected| {
            let facts = ReasonFacts {
                state,
                subscription,
                last_outcome,
                asked_for: false,
                cancelled: false,
                behind: false,
                unreadable: false,
                paced: false,
            };
            assert_eq!(ReasonCode::of(facts), expected, "{facts:?}");
        };
        let active = StateCode::Active;
        check(
            Delivered,
            active,
            Some(Outcome::Delivered),
            ReasonCode::Delivered,
        );
        check(Leased, active, None, ReasonCode::Sending);
        check(Waiting, active, None, ReasonCode::Due);
        check(Waiting, active, Some(Outcome::TimedOut), ReasonCode::Retry);
        check(
            Waiting,
            active,
            Some(Outcome::Unknown),
            ReasonCode::LeaseLapsed,
        );
        check(
            Waiting,
            active,
            Some(Outcome::AddressRefused),
            ReasonCode::NodesDiffer,
        );
        check(
            Refused,
            active,
            Some(Outcome::AddressRefused),
            ReasonCode::AddressRule,
        );
        check(
            Held,
            StateCode::PausedByPerson,
            None,
            ReasonCode::PausedByPerson,
        );
        check(
            Held,
            StateCode::PausedBySystem,
            None,
            ReasonCode::PausedBySystem,
        );
    }

    #[test]
    fn what_was_cancelled_says_by_what() {
        for (subscription, last_outcome, expected) in [
            (StateCode::Unsubscribed, None, ReasonCode::Unsubscribed),
            (StateCode::ReceiverGone, None, ReasonCode::ReceiverGone),
            (
                StateCode::Active,
                Some(Outcome::Gone),
                ReasonCode::ReceiverGone,
            ),
            (
                StateCode::Active,
                Some(Outcome::TimedOut),
                ReasonCode::Erased,
            ),
        ] {
            let facts = ReasonFacts {
                state: DeliveryState::Cancelled,
                subscription,
                last_outcome,
                asked_for: false,
                cancelled: false,
                behind: false,
                unreadable: false,
                paced: false,
            };
            assert_eq!(ReasonCode::of(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn what_a_person_did_comes_first() {
        let facts = |state| ReasonFacts {
            state,
            subscription: StateCode::ReceiverGone,
            last_outcome: Some(Outcome::TimedOut),
            asked_for: true,
            cancelled: true,
            behind: false,
            unreadable: false,
            paced: false,
        };
        let of = |state| ReasonCode::of(facts(state));
        assert_eq!(of(DeliveryState::Cancelled), ReasonCode::CancelledByPerson);
        assert_eq!(of(DeliveryState::Waiting), ReasonCode::AskedFor);
        let unreadable = |state| {
            ReasonCode::of(ReasonFacts {
                unreadable: true,
                ..facts(state)
            })
        };
        assert_eq!(unreadable(DeliveryState::Waiting), ReasonCode::Unreadable);
        assert_eq!(unreadable(DeliveryState::Leased), ReasonCode::Sending);
    }

    #[test]
    fn what_waits_for_its_turn_says_so_until_it_was_tried() {
        let of = |state, last_outcome| {
            ReasonCode::of(ReasonFacts {
                state,
                subscription: StateCode::Active,
                last_outcome,
                asked_for: false,
                cancelled: false,
                behind: false,
                unreadable: false,
                paced: true,
            })
        };
        assert_eq!(of(DeliveryState::Waiting, None), ReasonCode::Paced);
        let failed = Some(Outcome::TimedOut);
        assert_eq!(of(DeliveryState::Waiting, failed), ReasonCode::Retry);
        assert_eq!(of(DeliveryState::Leased, None), ReasonCode::Sending);
    }
}
