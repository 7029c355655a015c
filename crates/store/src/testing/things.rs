//! A team, a subscription and an event, for tests that speak to a transaction itself.

use domain::{
    ChecklistId, ControlKey, Event, EventId, EventType, Scope, SecretId, SecretKind, SigningSecret,
    Subscription, SubscriptionId, SubscriptionSecret, SubscriptionState, TargetUrl, TaskKey,
    TeamId, TemplateKey, Timestamp,
};
use uuid::Uuid;

use crate::WriteTx;

/// When everything happens.
pub(crate) const START: i64 = 1_795_455_715_120;

pub(crate) const TEAM: TeamId = TeamId::new(1);
pub(crate) const TEMPLATE: TemplateKey = TemplateKey::new(Uuid::from_u128(11));
pub(crate) const TASK: TaskKey = TaskKey::new(Uuid::from_u128(12));
pub(crate) const CONTROL: ControlKey = ControlKey::new(Uuid::from_u128(13));

pub(crate) fn at() -> Timestamp {
    Timestamp::from_millis(START)
}

pub(crate) fn subscription(number: u128) -> Subscription {
    Subscription {
        id: SubscriptionId::new(Uuid::from_u128(number)),
        team: TEAM,
        source: format!("source {number}"),
        event_type: EventType::TaskCompleted,
        scope: Scope::Task(TASK),
        target: TargetUrl::parse("https://example.com/hook").unwrap(),
        state: SubscriptionState::Active,
        state_reason: String::new(),
        state_since: at(),
        state_by: "a test".to_owned(),
        created_at: at(),
        settings: domain::SubscriptionSettings::default(),
    }
}

/// What the subscription `number` signs with.
pub(crate) fn secrets(number: u128) -> [SubscriptionSecret; 1] {
    let secret = SigningSecret::from_bytes(SecretKind::Hmac, b"a secret that nobody may find");
    [SubscriptionSecret {
        id: SecretId::new(Uuid::from_u128(2_000 + number)),
        secret: secret.unwrap(),
        created_at: at(),
        valid_until: None,
    }]
}

pub(crate) fn event(number: u128) -> Event {
    Event {
        id: EventId::new(Uuid::from_u128(1_000 + number)),
        team: TEAM,
        kind: EventType::TaskCompleted,
        at: at(),
        about: None,
        checklist: ChecklistId::new(5),
        template: TEMPLATE,
        task: TASK,
        control: ControlKey::ZERO,
        body: bytes::Bytes::from_static(b"{}"),
    }
}

/// Makes the team, and a subscription to one of its tasks.
pub(crate) async fn scene(tx: &mut dyn WriteTx) {
    let team = tx.team_insert("a team", at()).await.unwrap();
    assert_eq!(team, TEAM, "it is the first");
    tx.subscription_insert(&subscription(21), &secrets(21))
        .await
        .unwrap();
}
