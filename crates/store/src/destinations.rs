//! What a destination is made of, whichever database its rows come from: one for each of its secrets.

use std::time::Duration;

use domain::{
    CREDENTIALS_UNREADABLE, Health, SETTINGS_UNREADABLE, SecretId, SecretKind, SubscriptionId,
    SubscriptionSecret, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId, Timestamp,
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

/// How what is said of each of its deliveries begins, by which they are known.
const LOOKED_AT: &str = "the subscription can't be read, and is looked at every minute: ";

/// Whether a delivery with this reason waits because its subscription could not be read.
pub(crate) fn is_unreadable(reason: &str) -> bool {
    reason.starts_with(LOOKED_AT)
}

/// That a subscription can't be read is its own misfortune: nobody else's deliveries wait for it. What is said of its own;
/// any other failure is passed on.
pub(crate) fn unreadable(of: SubscriptionId, error: StoreError) -> Result<String, StoreError> {
    let said = told(&error).ok_or(error)?;
    tracing::warn!(subscription = %of, "{said}; its deliveries are put off");
    Ok(format!("{LOOKED_AT}{said}"))
}

/// Why a subscription whose destination could not be made can't be sent to, and what to do; none where it was made.
pub(crate) fn fault<T>(made: Result<T, StoreError>) -> Result<Option<String>, StoreError> {
    match made {
        Ok(_) => Ok(None),
        Err(error) => told(&error).map(Some).ok_or(error),
    }
}

/// What can't be read and what to do; none for a failure of another kind.
fn told(error: &StoreError) -> Option<String> {
    let StoreError::Corrupt { table, column, row } = error else {
        return None;
    };
    Some(match (*table, *column) {
        ("subscription", "settings") => SETTINGS_UNREADABLE.to_owned(),
        ("subscription", "credentials") => CREDENTIALS_UNREADABLE.to_owned(),
        ("subscription_secret", "sealed") => format!(
            "the secret {row} can't be read, so nothing is sent: make another one with POST /api/web-hook/roll-secret, \
             then end this one with POST /api/web-hook/revoke-secret"
        ),
        _ => format!("{error}, so nothing is sent: end the subscription, or ask the operator"),
    })
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
    let (made, credentials) = signing(id, rows, key)?;
    let request = style(key, id, &made.settings.request, credentials.as_deref())?;
    Ok(Destination { request, ..made })
}

/// What signs the deliveries of subscription `id` and says what they carry, which is enough for who is sent nothing; and
/// its credentials as they are stored.
pub(crate) fn signing(
    id: SubscriptionId,
    rows: Vec<DestinationRow>,
    key: &MasterKey,
) -> Result<(Destination, Option<Vec<u8>>), StoreError> {
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
    let made = Destination {
        subscription: id,
        team: row.team,
        state: row.state,
        health: row.health,
        revision: row.revision,
        target: TargetUrl::parse(&row.target).map_err(|_| place("target_url").corrupt(id))?,
        settings: row.settings,
        secrets,
        request: None,
    };
    Ok((made, row.credentials))
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
