//! What a destination is made of, whichever database its rows come from: one for each of its secrets.

use std::time::Duration;

use domain::{
    Health, SecretId, SecretKind, SubscriptionId, SubscriptionSecret, SubscriptionSettings,
    SubscriptionState, TargetUrl, TeamId, Timestamp,
};

use crate::{Destination, MasterKey, StoreError, place::Place, request::style};

/// A subscription beside one of its secrets.
pub(crate) struct DestinationRow {
    pub(crate) target: String,
    pub(crate) team: TeamId,
    pub(crate) state: SubscriptionState,
    pub(crate) health: Health,
    pub(crate) revision: i64,
    pub(crate) settings: SubscriptionSettings,
    /// What of its wishes is secret, as it is stored.
    pub(crate) credentials: Option<Vec<u8>>,
    /// None where it has no secret, which is not possible.
    pub(crate) secret: Option<SealedSecret>,
}

/// A secret as it is stored.
pub(crate) struct SealedSecret {
    pub(crate) id: SecretId,
    pub(crate) kind: SecretKind,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) valid_until: Option<Timestamp>,
}

/// How long deliveries of a subscription that can't be read are put off.
pub(crate) const UNREADABLE_WAIT: Duration = Duration::from_mins(1);

/// That a subscription can't be read is its own misfortune: nobody else's deliveries wait for it. What is said of its own;
/// any other failure is passed on.
pub(crate) fn unreadable(of: SubscriptionId, error: StoreError) -> Result<String, StoreError> {
    if !matches!(error, StoreError::Corrupt { .. }) {
        return Err(error);
    }
    tracing::warn!(subscription = %of, %error, "a subscription can't be read; its deliveries are put off");
    Ok(format!(
        "the subscription can't be read, and is looked at every minute: {error}. Change its settings anew, or ask the operator"
    ))
}

/// Where a secret lies.
const SEALED: Place = Place {
    table: "subscription_secret",
    column: "sealed",
};

/// The destination of subscription `id`, its secrets decrypted, newest first.
pub(crate) fn destination(
    id: SubscriptionId,
    rows: Vec<DestinationRow>,
    key: &MasterKey,
) -> Result<Destination, StoreError> {
    let place = |column| Place {
        table: "subscription",
        column,
    };
    let mut found = None;
    let mut secrets = Vec::with_capacity(rows.len());
    for mut row in rows {
        let sealed = row.secret.take().ok_or_else(|| SEALED.corrupt(id))?;
        secrets.push(opened(id, &sealed, key)?);
        found = Some(row);
    }
    let row = found.ok_or_else(|| place("id").corrupt(id))?;
    secrets.sort_by_key(|secret| std::cmp::Reverse((secret.created_at, secret.id)));
    let credentials = row.credentials.as_deref();
    let request = style(key, id, &row.settings.request, credentials)?;
    Ok(Destination {
        subscription: id,
        team: row.team,
        state: row.state,
        health: row.health,
        revision: row.revision,
        target: TargetUrl::parse(&row.target).map_err(|_| place("target_url").corrupt(id))?,
        settings: row.settings,
        secrets,
        request,
    })
}

fn opened(
    subscription: SubscriptionId,
    sealed: &SealedSecret,
    key: &MasterKey,
) -> Result<SubscriptionSecret, StoreError> {
    let secret = key.open_secret(subscription, sealed.id, sealed.kind, &sealed.sealed);
    Ok(SubscriptionSecret {
        id: sealed.id,
        secret: secret.ok_or_else(|| SEALED.corrupt(sealed.id))?,
        created_at: sealed.created_at,
        valid_until: sealed.valid_until,
    })
}
