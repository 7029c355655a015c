//! Pausing a subscription and resuming it. Events go on being recorded meanwhile, and wait.

use domain::{Actor, Right, StateCode, SubscriptionId, SubscriptionRow, SubscriptionState, name};
use store::{Doing, WriteTx};

use super::{Turn, change::living, put_state};
use crate::{App, AppError, Change};

/// Longest reason that somebody gives, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// `POST web-hook/pause` holds what is not sent yet, and all that comes; `POST web-hook/resume` sends on, what waited
/// first. One that is so already stays as it is, with its reason, save that one that the system has paused can be paused by a
/// person.
pub struct SetPaused {
    /// Which one.
    pub id: SubscriptionId,
    /// Whether nothing more is sent.
    pub paused: bool,
    /// Why, if somebody wants to know.
    pub reason: Option<String>,
}

impl Change for SetPaused {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscriptionRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscriptionRow, AppError> {
        let found = living(tx, actor, self.id).await?;
        if found.state.sends() != self.paused
            && !(self.paused && by_system(tx, actor, self.id).await?)
        {
            return Ok((&found).into());
        }
        let (state, word, action) = if self.paused {
            (SubscriptionState::Paused, "paused", "subscription.pause")
        } else {
            (SubscriptionState::Active, "resumed", "subscription.resume")
        };
        let reason = reason(self.reason.as_deref(), word)?;
        let turn = Turn {
            state,
            detail: reason.clone(),
            reason,
            action,
        };
        put_state(app, actor, tx, self.id, turn).await
    }
}

/// Whether it was the system that paused it: a person who pauses it then has it stay so, and not be tried again.
async fn by_system(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<bool, AppError> {
    let stand = tx.stand_get(actor.team, id).await;
    let stand = stand.doing::<AppError>("pausing a subscription")?;
    Ok(stand.is_some_and(|stand| stand.code == StateCode::PausedBySystem))
}

/// The reason that was given, or `otherwise`.
fn reason(given: Option<&str>, otherwise: &str) -> Result<String, AppError> {
    let given = given.filter(|given| !given.trim().is_empty());
    let reason = given.map(|given| name(given, REASON_CHARS_MAX)).transpose();
    let reason = reason.map_err(|error| AppError::invalid("reason", error.to_string()))?;
    Ok(reason.unwrap_or_else(|| otherwise.to_owned()))
}
