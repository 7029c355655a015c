//! Subscriptions: making one right the first time, listing them, ending them.

mod change;
mod pausing;
mod proof;
mod request;
mod scope;
mod secrets;
mod shown;
mod test;

pub use change::{ChangeAnswer, ChangeSubscription};
pub use pausing::{REASON_CHARS_MAX, SetPaused};
pub use proof::{PROOFS_MAX, PROOFS_OF_TEAM_MAX};
pub use scope::ScopeKeys;
pub use secrets::{ListSecrets, RevokeSecret, RollAnswer, RollSecret, SecretPage};

pub(crate) use proof::Proofs;
pub(crate) use shown::{fault, readable, row};

use proof::{Proven, ToProve};
use request::Reaches;

use domain::{
    Actor, Changed, EventType, Proof, Right, SOURCE_CHARS_MAX, SettingsChange, SigningSecret,
    Subscription, SubscriptionId, SubscriptionRow, SubscriptionSettings, SubscriptionState,
    TargetUrl, check_target, name,
};
use serde::Serialize;
use store::{Doing, ReadTx, StateChange, SubscriptionIdentity, WriteTx};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Change, Missing, Query, emit::audit};

/// `POST web-hook/subscribe`: asks to be told.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// A label, such as `zapier`.
    pub source: String,
    /// Of which events.
    pub event_type: EventType,
    /// Where.
    pub target_url: String,
    /// Of what.
    pub keys: ScopeKeys,
    /// How; what is absent is as it is by default.
    pub settings: SettingsChange,
    /// What to sign with, if somebody brings it along.
    pub secret: Option<SigningSecret>,
}

/// A subscription, with the secret if it was made just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeAnswer {
    /// The subscription.
    #[serde(flatten)]
    pub row: SubscriptionRow,
    /// Whether it was made just now; false when the same one was there already.
    pub is_new: bool,
    /// What signs its webhooks (`whsec_…`), shown this once; null when the subscription was there
    /// already, and when `signing` is `ed25519`.
    pub secret: Option<String>,
    /// What verifies its webhooks (`whpk_…`); null when the subscription was there already, and when `signing` is
    /// `hmac`.
    pub public_key: Option<String>,
}

impl App {
    /// Makes a subscription, or gives back the same one that is there.
    ///
    /// The target's name is looked up, and proof asked of it, outside of any transaction, and only for whoever holds a
    /// key and asks for something that could be subscribed to. What is there already is not proven again.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        ask: Subscribe,
    ) -> Result<SubscribeAnswer, AppError> {
        let checked = self.query(caller, Check(ask)).await?;
        let parts = self.parts();
        let target = &checked.identity.target;
        check_target(&parts.policy, parts.resolver.as_ref(), target).await?;
        self.check_reaches(&checked.reaches).await?;
        let proven = match &checked.to_prove {
            Some(what) => Some(self.prove(what).await?),
            None => None,
        };
        self.change(caller, Insert { checked, proven }).await
    }
}

/// Everything about it that can be checked without asking the network.
struct Check(Subscribe);

struct Checked {
    ask: Subscribe,
    identity: SubscriptionIdentity,
    request: Changed,
    reaches: Reaches,
    to_prove: Option<ToProve>,
}

/// The settings of a new subscription.
fn first_settings(ask: &Subscribe, request: &Changed) -> SubscriptionSettings {
    SubscriptionSettings {
        request: request.settings.clone(),
        ..ask.settings.of(&SubscriptionSettings::default())
    }
}

impl Query for Check {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Checked;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Checked, AppError> {
        let ask = &self.0;
        let source = label(&ask.source)?;
        let target = TargetUrl::parse(&ask.target_url)?;
        let request = request::first(app, &ask.settings.request, &target)?;
        let scope = ask.keys.resolve(tx, actor.team, ask.event_type).await?;
        let (team, event_type) = (actor.team, ask.event_type);
        let identity = SubscriptionIdentity {
            team,
            source,
            event_type,
            scope,
            target,
        };
        let settings = first_settings(ask, &request);
        let to_prove = proof::of_new(tx, &identity, settings, &request).await?;
        Ok(Checked {
            to_prove,
            reaches: ask.settings.request.reaches(&request.settings),
            ask: ask.clone(),
            identity,
            request,
        })
    }
}

/// The label of a subscription.
fn label(source: &str) -> Result<String, AppError> {
    name(source, SOURCE_CHARS_MAX).map_err(|error| AppError::invalid("source", error.to_string()))
}

struct Insert {
    checked: Checked,
    proven: Option<Proven>,
}

impl Insert {
    /// The settings, with the proof that was given. One is missing where the same subscription was there when it was
    /// decided what to prove, and has ended since.
    fn settings(
        &self,
        ask: &Subscribe,
        request: &Changed,
    ) -> Result<SubscriptionSettings, AppError> {
        let mut settings = first_settings(ask, request);
        match &self.proven {
            Some(proven) => proven.put(&mut settings),
            None if settings.proof.is_none() => {}
            None => return Err(AppError::SubscriptionChanged),
        }
        Ok(settings)
    }
}

/// What the audit log says of a new subscription.
fn created(made: &Subscription) -> String {
    match made.settings.proof {
        Proof::None => made.target.to_string(),
        proof => format!("{}, proof {proof}", made.target),
    }
}

impl Change for Insert {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscribeAnswer;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscribeAnswer, AppError> {
        const DOING: &str = "storing a subscription";
        let Checked {
            ask,
            identity,
            request,
            ..
        } = &self.checked;
        // What the scope is about may have gone since it was checked.
        ask.keys.resolve(tx, actor.team, ask.event_type).await?;
        let same = tx
            .subscription_find(identity)
            .await
            .doing::<AppError>(DOING)?;
        if let Some(same) = same {
            return Ok(SubscribeAnswer {
                row: (&same).into(),
                is_new: false,
                secret: None,
                public_key: None,
            });
        }
        let max = u64::from(app.limits().subscriptions_max);
        if tx
            .subscription_count(actor.team)
            .await
            .doing::<AppError>(DOING)?
            >= max
        {
            return Err(AppError::Full {
                what: "subscriptions",
                max,
            });
        }
        let settings = self.settings(ask, request)?;
        let now = app.source().now();
        let subscription = Subscription {
            id: SubscriptionId::new(app.source().uuid()),
            team: actor.team,
            source: identity.source.clone(),
            event_type: identity.event_type,
            scope: identity.scope,
            target: identity.target.clone(),
            state: SubscriptionState::Active,
            state_reason: "subscribed".to_owned(),
            state_since: now,
            state_by: actor.person.name.clone(),
            created_at: now,
            settings,
        };
        let signing = subscription.settings.signing;
        let secrets = secrets::first(app, signing, ask.secret.as_ref())?;
        tx.subscription_insert(&subscription, &secrets)
            .await
            .doing::<AppError>(DOING)?;
        request::store(tx, subscription.id, request).await?;
        let subject = ("subscription.create", subscription.id.to_string());
        audit(tx, actor, now, subject, created(&subscription)).await?;
        let shown = secrets::shown(&secrets);
        Ok(SubscribeAnswer {
            row: (&subscription).into(),
            is_new: true,
            secret: shown.secret,
            public_key: shown.public_key,
        })
    }
}

/// `GET web-hook/subscriptions`: those of the team that are not gone.
pub struct ListSubscriptions {
    /// With this label.
    pub source: Option<String>,
    /// To these events.
    pub event_type: Option<EventType>,
}

impl Query for ListSubscriptions {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Vec<SubscriptionRow>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<SubscriptionRow>, AppError> {
        let (source, limit) = (self.source.as_deref(), app.limits().subscriptions_max);
        let found = tx
            .subscription_list(actor.team, source, self.event_type, limit)
            .await;
        let found = found.doing::<AppError>("listing subscriptions")?;
        Ok(found.iter().map(SubscriptionRow::from).collect())
    }
}

/// `GET web-hook/subscription`: one, gone or not.
pub struct GetSubscription(pub SubscriptionId);

impl Query for GetSubscription {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscriptionRow;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<SubscriptionRow, AppError> {
        let found = get(tx, actor, self.0).await?;
        row(tx, &found).await
    }
}

async fn get<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<Subscription, AppError> {
    let found = tx.subscription_get(actor.team, id).await;
    Ok(found
        .doing::<AppError>("loading a subscription")?
        .ok_or(Missing::Subscription(id))?)
}

/// `DELETE web-hook/unsubscribe`: ends one. What waited for it is cancelled. Ending one that has
/// ended changes nothing and answers the same.
pub struct Unsubscribe(pub SubscriptionId);

impl Change for Unsubscribe {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscriptionRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscriptionRow, AppError> {
        get(tx, actor, self.0).await?;
        let end = Turn {
            state: SubscriptionState::Gone,
            reason: "unsubscribed".to_owned(),
            action: "subscription.end",
            detail: String::new(),
        };
        put_state(app, actor, tx, self.0, end).await
    }
}

/// A state that somebody puts a subscription into.
struct Turn {
    state: SubscriptionState,
    reason: String,
    /// What the audit log says of it.
    action: &'static str,
    detail: String,
}

/// Puts a subscription, which is there, into a state, and leaves the trace of it if that changes anything. Answers the subscription as it is by then: on another node its receiver may have ended it
/// meanwhile.
async fn put_state(
    app: &App,
    actor: &Actor,
    tx: &mut dyn WriteTx,
    id: SubscriptionId,
    turn: Turn,
) -> Result<SubscriptionRow, AppError> {
    let change = StateChange {
        state: turn.state,
        reason: turn.reason,
        by: actor.person.name.clone(),
        at: app.source().now(),
    };
    let changed = tx.subscription_state_put(id, &change).await;
    if changed.doing::<AppError>("changing the state of a subscription")? {
        let subject = (turn.action, id.to_string());
        audit(tx, actor, change.at, subject, turn.detail).await?;
    }
    Ok((&get(tx, actor, id).await?).into())
}
