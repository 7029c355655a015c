//! Pausing a subscription and resuming it. Events go on being recorded meanwhile, and wait.

use domain::{Actor, FieldError, SubscriptionId, SubscriptionRow, SubscriptionState, name};
use store::{Doing, StateChange, WriteTx};

use super::{change::living, get};
use crate::{App, AppError, Change, emit::audit};

/// Longest reason that somebody gives, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// `POST web-hook/pause`: holds what is not sent yet, and all that comes. One that is paused stays as it is, with its
/// reason.
pub struct Pause {
    /// Which one.
    pub id: SubscriptionId,
    /// Why, if somebody wants to know.
    pub reason: Option<String>,
}

/// `POST web-hook/resume`: sends on, what waited first. One that is not paused stays as it is.
pub struct Resume {
    /// Which one.
    pub id: SubscriptionId,
    /// Why, if somebody wants to know.
    pub reason: Option<String>,
}

impl Change for Pause {
    type Answer = SubscriptionRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscriptionRow, AppError> {
        let found = living(tx, actor, self.id).await?;
        if !found.state.sends() {
            return Ok((&found).into());
        }
        let reason = reason(self.reason.as_deref(), "paused")?;
        let (state, action) = (SubscriptionState::Paused, "subscription.pause");
        put(app, actor, tx, self.id, (state, reason, action)).await
    }
}

impl Change for Resume {
    type Answer = SubscriptionRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscriptionRow, AppError> {
        let found = living(tx, actor, self.id).await?;
        if found.state.sends() {
            return Ok((&found).into());
        }
        let reason = reason(self.reason.as_deref(), "resumed")?;
        let (state, action) = (SubscriptionState::Active, "subscription.resume");
        put(app, actor, tx, self.id, (state, reason, action)).await
    }
}

/// The reason that was given, or `otherwise`.
fn reason(given: Option<&str>, otherwise: &str) -> Result<String, AppError> {
    let given = given.filter(|given| !given.trim().is_empty());
    let reason = given.map(|given| name(given, REASON_CHARS_MAX)).transpose();
    let reason = reason
        .map_err(|error| AppError::Invalid(vec![FieldError::new("reason", error.to_string())]))?;
    Ok(reason.unwrap_or_else(|| otherwise.to_owned()))
}

async fn put(
    app: &App,
    actor: &Actor,
    tx: &mut dyn WriteTx,
    id: SubscriptionId,
    (state, reason, action): (SubscriptionState, String, &'static str),
) -> Result<SubscriptionRow, AppError> {
    let change = StateChange {
        state,
        reason,
        by: actor.person.name.clone(),
        at: app.source().now(),
    };
    let changed = tx.subscription_state_put(id, &change).await;
    if changed.doing::<AppError>("changing the state of a subscription")? {
        let subject = (action, id.to_string());
        audit(tx, actor, change.at, subject, change.reason).await?;
    }
    // What it is by now: on another node its receiver may have ended it meanwhile.
    Ok((&get(tx, actor, id).await?).into())
}
