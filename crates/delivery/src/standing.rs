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

/// A change of a subscription's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) subscription: SubscriptionId,
    team: TeamId,
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

impl Standing {
    /// What an attempt changes; mostly nothing.
    pub(crate) fn after(destination: &Destination, tidings: Tidings<'_>) -> Option<Self> {
        let (state, reason) = change(destination.state, tidings)?;
        Some(Self {
            subscription: destination.subscription,
            team: destination.team,
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
        if changed {
            tx.audit_append(&self.audit()).await?;
        }
        Ok(())
    }

    /// A person may have paused it since; only the end comes whatever the state.
    async fn follows(&self, tx: &mut dyn WriteTx) -> Result<bool, StoreError> {
        if self.state == SubscriptionState::Gone {
            return Ok(true);
        }
        let found = tx.subscription_get(self.team, self.subscription).await?;
        Ok(found.is_some_and(|found| found.state.sends() && found.state != self.state))
    }

    fn audit(&self) -> AuditEntry {
        let person = Person {
            name: BY_SYSTEM.to_owned(),
            email: None,
        };
        AuditEntry {
            at: self.at,
            actor: Actor {
                team: self.team,
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

/// The state that follows for a subscription that stood so, and why; none when nothing changes.
fn change(stood: SubscriptionState, tidings: Tidings<'_>) -> Option<(SubscriptionState, &str)> {
    match (tidings.outcome, stood) {
        (Outcome::Gone, _) => Some((SubscriptionState::Gone, "the receiver answered 410 Gone")),
        (Outcome::Delivered, SubscriptionState::Failing) => Some((
            SubscriptionState::Active,
            "the receiver takes deliveries again",
        )),
        // These two say nothing about the receiver.
        (Outcome::Delivered | Outcome::Unknown | Outcome::Cancelled, _) => None,
        (_, SubscriptionState::Active) if tidings.attempt >= FAILING_FROM_ATTEMPT => {
            Some((SubscriptionState::Failing, tidings.error))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_fails_at_the_third_attempt_recovers_at_a_success_and_ends_at_410() {
        use SubscriptionState::{Active, Failing, Gone};
        for (attempt, outcome, stood, expected) in [
            (1, Outcome::Delivered, Active, None),
            (2, Outcome::TimedOut, Active, None),
            (3, Outcome::TimedOut, Active, Some(Failing)),
            (4, Outcome::AddressRefused, Active, Some(Failing)),
            (4, Outcome::TimedOut, Failing, None),
            (3, Outcome::Unknown, Active, None),
            (3, Outcome::Cancelled, Active, None),
            (1, Outcome::Delivered, Failing, Some(Active)),
            (1, Outcome::Gone, Active, Some(Gone)),
            (1, Outcome::Gone, Failing, Some(Gone)),
        ] {
            let tidings = Tidings {
                attempt,
                outcome,
                error: "why",
                at: Timestamp::default(),
            };
            let found = change(stood, tidings).map(|(state, _)| state);
            assert_eq!(found, expected, "{attempt} {outcome} {stood:?}");
        }
    }
}
