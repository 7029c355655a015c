//! What attempts do to their subscription: it ends, is failing, is warned of, is paused, and recovers.
//!
//! Judged in the transaction that settles the attempt, and only when something changes: what was known of the
//! subscription when its delivery was leased tells whether there is anything to look at, so that a healthy one costs no
//! statement. What is done then follows from what is stored, under a lock: of several nodes one warns.

use std::sync::Arc;

use domain::{
    Actor, AuditEntry, Door, EventId, EventType, HealthRow, HealthSettings, Notice, NoticeId,
    NoticeKind, Outcome, Person, Source, StateCode, SubscriptionHealthRow, SubscriptionId,
    SubscriptionRow, SubscriptionState, TeamId, Timestamp, Verdict,
};
use store::{Destination, Stand, StandChange, StoreError, WriteTx};

/// Who puts a subscription into a state that follows from attempts.
const BY_SYSTEM: &str = "system";

/// From which attempt of one delivery on a failure makes its subscription failing. The first two
/// are seconds apart, which a restart of the receiver explains.
const FAILING_FROM_ATTEMPT: u32 = 3;

/// What an attempt says about its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The receiver wants nothing more.
    Gone,
    /// It takes deliveries again.
    Recovered,
    /// It does not take what it was sent.
    Failing,
    /// It has failed for so long that something is due.
    FailingLong,
}

/// A change of a subscription that an attempt may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) subscription: SubscriptionId,
    team: TeamId,
    says: Says,
    error: String,
    status: Option<u16>,
    at: Timestamp,
}

/// An attempt, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tidings<'a> {
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) error: &'a str,
    pub(crate) status: Option<u16>,
    pub(crate) at: Timestamp,
}

/// What judging needs beside the attempts.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) settings: HealthSettings,
    pub(crate) source: Source,
}

impl Judge {
    pub(crate) fn new(settings: &HealthSettings, source: &Source) -> Arc<Self> {
        Arc::new(Self {
            settings: settings.clone(),
            source: source.clone(),
        })
    }
}

/// What is done about a subscription.
struct Step {
    kind: NoticeKind,
    /// The new state; none where it stays.
    code: Option<StateCode>,
    /// How many warnings were given by then.
    warned: u32,
    reason: String,
    action: &'static str,
}

impl Standing {
    /// What an attempt may change; mostly nothing.
    pub(crate) fn after(
        destination: &Destination,
        tidings: Tidings<'_>,
        settings: &HealthSettings,
    ) -> Option<Self> {
        let says = match (tidings.outcome, destination.state) {
            (Outcome::Gone, _) => Says::Gone,
            (Outcome::Delivered, SubscriptionState::Failing | SubscriptionState::Paused) => {
                Says::Recovered
            }
            // These say nothing about the receiver; what the address rule forbids was never sent to it.
            (
                Outcome::Delivered
                | Outcome::Unknown
                | Outcome::Cancelled
                | Outcome::AddressRefused,
                _,
            ) => return None,
            (_, SubscriptionState::Active) if tidings.attempt >= FAILING_FROM_ATTEMPT => {
                Says::Failing
            }
            (_, SubscriptionState::Failing) => {
                settings.judge(destination.health, tidings.at)?;
                Says::FailingLong
            }
            _ => return None,
        };
        Some(Self {
            subscription: destination.subscription,
            team: destination.team,
            says,
            error: tidings.error.to_owned(),
            status: tidings.status,
            at: tidings.at,
        })
    }

    /// Whether the subscription ends by it.
    pub(crate) fn is_end(&self) -> bool {
        self.says == Says::Gone
    }

    /// Stores what follows, if anything still does: a person, or another node, may have been there before.
    pub(crate) async fn apply(
        &self,
        tx: &mut dyn WriteTx,
        judge: &Judge,
    ) -> Result<(), StoreError> {
        let Some(stand) = tx.stand_hold(self.team, self.subscription).await? else {
            return Ok(());
        };
        let Some(step) = self.step(stand, &judge.settings) else {
            return Ok(());
        };
        if let Some(code) = step.code {
            let probe_at = (code == StateCode::PausedBySystem)
                .then(|| self.at.after(judge.settings.probe_wait(0)));
            let change = StandChange {
                code,
                reason: step.reason.clone(),
                by: BY_SYSTEM.to_owned(),
                at: self.at,
                probe_at,
            };
            if !tx.stand_put(self.subscription, &change).await? {
                return Ok(());
            }
        } else {
            tx.warned_put(self.subscription, step.warned).await?;
        }
        let notice = Notice {
            id: NoticeId::new(judge.source.uuid()),
            team: self.team,
            kind: step.kind,
            subscription: self.subscription,
            text: step.reason.clone(),
            code: step.code.unwrap_or(stand.code),
            at: self.at,
            seen_at: None,
        };
        tx.notice_insert(&notice).await?;
        tx.audit_append(&self.audit(&step)).await?;
        match step.code.and_then(EventType::telling_of) {
            Some(kind) => self.tell(tx, kind, &judge.source).await,
            None => Ok(()),
        }
    }

    /// What is done about a subscription that stands so; none where nothing is.
    fn step(&self, stand: Stand, settings: &HealthSettings) -> Option<Step> {
        let to = |kind, code, reason: String, action| {
            Some(Step {
                kind,
                code: Some(code),
                warned: 0,
                reason,
                action,
            })
        };
        let sends = stand.code.state().sends();
        match self.says {
            Says::Gone if stand.code.state() == SubscriptionState::Gone => None,
            Says::Gone => {
                let reason = "the receiver answered 410 Gone".to_owned();
                to(
                    NoticeKind::Ended,
                    StateCode::ReceiverGone,
                    reason,
                    "subscription.end",
                )
            }
            Says::Recovered
                if matches!(stand.code, StateCode::Failing | StateCode::PausedBySystem) =>
            {
                let reason = "the receiver takes deliveries again".to_owned();
                to(
                    NoticeKind::Recovered,
                    StateCode::Active,
                    reason,
                    "subscription.recover",
                )
            }
            Says::Failing if stand.code == StateCode::Active => to(
                NoticeKind::Failing,
                StateCode::Failing,
                self.error.clone(),
                "subscription.fail",
            ),
            Says::FailingLong if sends => match settings.judge(stand.health, self.at)? {
                Verdict::Warn(warned) => Some(Step {
                    kind: NoticeKind::Warned,
                    code: None,
                    warned,
                    reason: self.failing_for(stand, "it is paused if that goes on"),
                    action: "subscription.warn",
                }),
                Verdict::Pause => {
                    let reason =
                        self.failing_for(stand, "events wait until it recovers or is resumed");
                    to(
                        NoticeKind::Paused,
                        StateCode::PausedBySystem,
                        reason,
                        "subscription.pause",
                    )
                }
            },
            _ => None,
        }
    }

    fn failing_for(&self, stand: Stand, then: &str) -> String {
        let since = stand.health.failing_since.unwrap_or(self.at);
        let hours = self.at.since(since).as_secs() / 3_600;
        let error = &self.error;
        format!(
            "nothing but failures for {hours} hours, since {since}; {then}; the last one: {error}"
        )
    }

    /// Tells those who want to know of the state that it has now.
    async fn tell(
        &self,
        tx: &mut dyn WriteTx,
        kind: EventType,
        source: &Source,
    ) -> Result<(), StoreError> {
        let found = tx.subscription_get(self.team, self.subscription).await?;
        let stand = tx.stand_get(self.team, self.subscription).await?;
        let Some((subscription, stand)) = found.zip(stand) else {
            return Ok(());
        };
        let row = SubscriptionHealthRow {
            subscription: SubscriptionRow::from(&subscription),
            health: HealthRow::new(stand.code, stand.health),
            last_error: self.error.clone(),
            last_status_code: self.status,
        };
        let event = row.event(EventId::new(source.uuid()), self.team, kind, self.at);
        tx.event_append(&event).await
    }

    fn audit(&self, step: &Step) -> AuditEntry {
        let person = Person {
            name: BY_SYSTEM.to_owned(),
            email: None,
        };
        AuditEntry {
            at: self.at,
            actor: Actor {
                team: self.team,
                key: None,
                member: None,
                person,
                door: Door::System,
                rights: domain::Rights::ALL,
            },
            action: step.action,
            subject: self.subscription.to_string(),
            detail: step.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{Health, TargetUrl};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn destination(state: SubscriptionState, health: Health) -> Destination {
        Destination {
            subscription: SubscriptionId::ZERO,
            team: TeamId::new(1),
            state,
            health,
            revision: 1,
            target: TargetUrl::parse("https://example.com/").unwrap(),
            settings: domain::SubscriptionSettings::default(),
            secrets: Vec::new(),
            request: None,
        }
    }

    #[test]
    fn what_there_is_to_look_at_is_known_from_the_attempt() {
        use SubscriptionState::{Active, Failing, Paused};
        for (attempt, outcome, stood, expected) in [
            (1, Outcome::Delivered, Active, None),
            (2, Outcome::TimedOut, Active, None),
            (3, Outcome::TimedOut, Active, Some(Says::Failing)),
            (4, Outcome::AddressRefused, Active, None),
            (4, Outcome::TimedOut, Failing, None),
            (3, Outcome::Unknown, Active, None),
            (3, Outcome::Cancelled, Active, None),
            (1, Outcome::Delivered, Failing, Some(Says::Recovered)),
            (1, Outcome::Delivered, Paused, Some(Says::Recovered)),
            (9, Outcome::TimedOut, Paused, None),
            (1, Outcome::Gone, Active, Some(Says::Gone)),
            (1, Outcome::Gone, Paused, Some(Says::Gone)),
        ] {
            let tidings = Tidings {
                attempt,
                outcome,
                error: "why",
                status: None,
                at: Timestamp::default(),
            };
            let destination = destination(stood, Health::default());
            let found = Standing::after(&destination, tidings, &HealthSettings::default());
            assert_eq!(
                found.map(|one| one.says),
                expected,
                "{attempt} {outcome} {stood:?}"
            );
        }
    }

    #[test]
    fn a_failure_after_long_is_looked_at_and_what_others_did_meanwhile_counts() {
        let settings = HealthSettings::default();
        let since = Timestamp::default();
        let failing = |warned| Health {
            failing_since: Some(since),
            warned,
            ..Health::default()
        };
        let after = |health, hours| {
            let tidings = Tidings {
                attempt: 9,
                outcome: Outcome::TimedOut,
                error: "no answer",
                status: None,
                at: since.after(HOUR * hours),
            };
            Standing::after(
                &destination(SubscriptionState::Failing, health),
                tidings,
                &settings,
            )
        };
        assert_eq!(after(failing(0), 23), None);
        assert_eq!(after(failing(1), 25), None);
        let standing = after(failing(0), 25).unwrap();
        let step = |code, warned| {
            let stand = Stand {
                code,
                health: failing(warned),
            };
            let step = standing.step(stand, &settings);
            step.map(|step| (step.kind, step.warned, step.reason))
        };
        let (kind, warned, reason) = step(StateCode::Failing, 0).unwrap();
        assert_eq!((kind, warned), (NoticeKind::Warned, 1));
        assert!(
            reason.starts_with("nothing but failures for 25 hours"),
            "{reason}"
        );
        assert_eq!(step(StateCode::Failing, 1), None, "another node has warned");
        assert_eq!(step(StateCode::PausedByPerson, 0), None);
        let paused = after(failing(2), 120).unwrap();
        let stand = |code| Stand {
            code,
            health: failing(2),
        };
        let step = paused.step(stand(StateCode::Failing), &settings).unwrap();
        assert_eq!(step.code, Some(StateCode::PausedBySystem));
        assert!(
            paused
                .step(stand(StateCode::PausedBySystem), &settings)
                .is_none()
        );
    }
}
