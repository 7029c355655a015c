//! What attempts do to their subscription: it ends, or is shown as failing and as recovered.
//!
//! Written in the transaction that settles the attempt, and only when something changes.

use domain::{
    Actor, AuditEntry, Door, Outcome, Person, SubscriptionId, SubscriptionState, TeamId, Timestamp,
};
use store::{Destination, StateChange, StoreError, WriteTx};

/// Who puts a subscription into a state that follows from attempts.
const BY_SYSTEM: &str = "system";

/// From which attempt of one delivery on a failure makes its subscription failing. The first two
/// are seconds apart, which a restart of the receiver explains.
const FAILING_FROM_ATTEMPT: u32 = 3;

/// Whose a subscription is, and how it stood when the delivery was leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    team: TeamId,
    state: SubscriptionState,
}

/// A change of a subscription's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) subscription: SubscriptionId,
    team: Option<TeamId>,
    state: SubscriptionState,
    reason: String,
    at: Timestamp,
}

/// An attempt, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tidings<'a> {
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) error: &'a str,
    pub(crate) at: Timestamp,
}

/// The owner of a destination. The seam does not tell it yet; until it does, subscriptions end (410)
/// without an audit row, and are not shown as failing, because without their state a person's pause
/// could be overwritten.
const fn owner(_destination: &Destination) -> Option<Owner> {
    None
}

impl Standing {
    /// What an attempt changes; mostly nothing.
    pub(crate) fn after(destination: &Destination, tidings: Tidings<'_>) -> Option<Self> {
        Self::of(destination.subscription, owner(destination), tidings)
    }

    fn of(
        subscription: SubscriptionId,
        owner: Option<Owner>,
        tidings: Tidings<'_>,
    ) -> Option<Self> {
        let stood = owner.map(|owner| owner.state);
        let (state, reason) = match (tidings.outcome, stood) {
            (Outcome::Gone, _) => (SubscriptionState::Gone, "the receiver answered 410 Gone"),
            (Outcome::Delivered, Some(SubscriptionState::Failing)) => (
                SubscriptionState::Active,
                "the receiver takes deliveries again",
            ),
            // These two say nothing about the receiver.
            (Outcome::Delivered | Outcome::Unknown | Outcome::Cancelled, _) => return None,
            (_, Some(SubscriptionState::Active)) if tidings.attempt >= FAILING_FROM_ATTEMPT => {
                (SubscriptionState::Failing, tidings.error)
            }
            _ => return None,
        };
        let team = owner.map(|owner| owner.team);
        Some(Self {
            subscription,
            team,
            state,
            reason: reason.to_owned(),
            at: tidings.at,
        })
    }

    /// Whether the subscription ends by it.
    pub(crate) fn is_end(&self) -> bool {
        self.state == SubscriptionState::Gone
    }

    /// Stores it, if the subscription is still in a state from which this follows.
    pub(crate) async fn apply(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        if !self.follows(tx).await? {
            return Ok(());
        }
        let change = StateChange {
            state: self.state,
            reason: self.reason.clone(),
            by: BY_SYSTEM.to_owned(),
            at: self.at,
        };
        let changed = tx
            .subscription_state_put(self.subscription, &change)
            .await?;
        if let (true, Some(team)) = (changed, self.team) {
            tx.audit_append(&self.audit(team)).await?;
        }
        Ok(())
    }

    /// A person may have paused it since; only the end comes whatever the state.
    async fn follows(&self, tx: &mut dyn WriteTx) -> Result<bool, StoreError> {
        if self.state == SubscriptionState::Gone {
            return Ok(true);
        }
        let Some(team) = self.team else {
            return Ok(false);
        };
        let found = tx.subscription_get(team, self.subscription).await?;
        Ok(found.is_some_and(|found| found.state.sends() && found.state != self.state))
    }

    fn audit(&self, team: TeamId) -> AuditEntry {
        let person = Person {
            name: BY_SYSTEM.to_owned(),
            email: None,
        };
        AuditEntry {
            at: self.at,
            actor: Actor {
                team,
                key: None,
                person,
                door: Door::System,
            },
            action: match self.state {
                SubscriptionState::Gone => "subscription.end",
                SubscriptionState::Failing => "subscription.fail",
                SubscriptionState::Active | SubscriptionState::Paused => "subscription.recover",
            },
            subject: self.subscription.to_string(),
            detail: self.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        attempt: u32,
        outcome: Outcome,
        state: Option<SubscriptionState>,
        expected: Option<SubscriptionState>,
    ) {
        let owner = state.map(|state| Owner {
            team: TeamId::new(1),
            state,
        });
        let tidings = Tidings {
            attempt,
            outcome,
            error: "why",
            at: Timestamp::default(),
        };
        let standing = Standing::of(SubscriptionId::ZERO, owner, tidings);
        let found = standing.map(|standing| standing.state);
        assert_eq!(found, expected, "{attempt} {outcome} {state:?}");
    }

    #[test]
    fn a_subscription_fails_at_the_third_attempt_recovers_at_a_success_and_ends_at_410() {
        use SubscriptionState::{Active, Failing, Gone};
        for (attempt, outcome, state, expected) in [
            (1, Outcome::Delivered, Some(Active), None),
            (2, Outcome::TimedOut, Some(Active), None),
            (3, Outcome::TimedOut, Some(Active), Some(Failing)),
            (4, Outcome::AddressRefused, Some(Active), Some(Failing)),
            (4, Outcome::TimedOut, Some(Failing), None),
            (3, Outcome::Unknown, Some(Active), None),
            (3, Outcome::Cancelled, Some(Active), None),
            (1, Outcome::Delivered, Some(Failing), Some(Active)),
            (1, Outcome::Gone, Some(Active), Some(Gone)),
            (1, Outcome::Gone, Some(Failing), Some(Gone)),
            (1, Outcome::Gone, None, Some(Gone)),
            (9, Outcome::TimedOut, None, None),
            (9, Outcome::Delivered, None, None),
        ] {
            check(attempt, outcome, state, expected);
        }
    }
}
