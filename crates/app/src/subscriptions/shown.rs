//! What a subscription is shown with, what of it can't be read, and what a change has to say of either.

use domain::{
    FieldError, SETTINGS_UNREADABLE, SettingsChange, Subscription, SubscriptionId, SubscriptionRow,
    SubscriptionState,
};
use serde_json::Value;
use store::{Doing, ReadTx};

use crate::AppError;

const GIVE_ANEW: &str =
    "must be given, because what is stored can't be read any more; null for its default";

/// A subscription that is shown alone: with whatever of it can't be read, and not of its settings only.
pub(crate) async fn row<T: ReadTx + ?Sized>(
    tx: &mut T,
    of: &Subscription,
) -> Result<SubscriptionRow, AppError> {
    let mut row = SubscriptionRow::from(of);
    if of.state != SubscriptionState::Gone {
        row.unreadable = fault(tx, of.id).await?;
    }
    Ok(row)
}

/// Why nothing can be sent to a subscription, if that is so.
pub(crate) async fn fault<T: ReadTx + ?Sized>(
    tx: &mut T,
    id: SubscriptionId,
) -> Result<Option<String>, AppError> {
    let fault = tx.subscription_fault(id).await;
    fault.doing("looking whether a subscription can be read")
}

/// That the settings of a subscription can be read, for who has to go by them.
pub(crate) fn readable(of: &Subscription) -> Result<(), AppError> {
    if of.settings.unreadable {
        return Err(AppError::SubscriptionUnreadable(
            SETTINGS_UNREADABLE.to_owned(),
        ));
    }
    Ok(())
}

/// Settings that can't be read are changed as a whole: what is left out would go to a default that nobody asked for.
pub(super) fn mends(found: &Subscription, change: &SettingsChange) -> Result<(), AppError> {
    if !found.settings.unreadable {
        return Ok(());
    }
    let wrong = |name| FieldError::new(name, GIVE_ANEW);
    let wrong: Vec<_> = change.absent().into_iter().map(wrong).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(AppError::Invalid(wrong))
}

/// Whatever of a subscription can't be changed is sent back as it is, if it is: then nobody means to change it.
pub(super) async fn repeats(
    tx: &mut dyn ReadTx,
    found: &Subscription,
    repeated: &[(&'static str, Value)],
) -> Result<(), AppError> {
    if repeated.is_empty() {
        return Ok(());
    }
    let row = serde_json::to_value(row(tx, found).await?).unwrap_or_default();
    let wrong = repeated.iter().filter_map(|(name, value)| {
        let stored = plain(&row[name]);
        let why = || format!("can't be changed, and is {stored}: send it back so, or leave it out");
        (stored != plain(value)).then(|| FieldError::new(*name, why()))
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(AppError::Invalid(wrong))
}

/// As text, for numbers and words may be given so; an empty one is none.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim().is_empty() => Value::Null.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
