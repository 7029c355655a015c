//! How requests of a subscription are made, from the columns that say so.

use std::sync::Arc;

use domain::{Credentials, RequestSettings, RequestStyle, SubscriptionId};

use crate::{MasterKey, StoreError, place::Place, secrets::credentials_cell};

const CREDENTIALS: Place = Place {
    table: "subscription",
    column: "credentials",
};

/// Decrypts what was stored.
pub(crate) fn opened(
    key: &MasterKey,
    id: SubscriptionId,
    sealed: Option<&[u8]>,
) -> Result<Option<Credentials>, StoreError> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let opened = key.open(credentials_cell(id.uuid().as_bytes()), sealed);
    let read = opened.ok().and_then(|bytes| Credentials::read(&bytes));
    read.map(Some).ok_or_else(|| CREDENTIALS.corrupt(id))
}

/// What the engine gets; none for a subscription without wishes.
pub(crate) fn style(
    key: &MasterKey,
    id: SubscriptionId,
    settings: &RequestSettings,
    sealed: Option<&[u8]>,
) -> Result<Option<Arc<RequestStyle>>, StoreError> {
    if settings.is_plain() {
        return Ok(None);
    }
    let credentials = opened(key, id, sealed)?;
    let style = RequestStyle::of(settings, credentials);
    let style = style.map_err(|_| CREDENTIALS.corrupt(id))?;
    Ok(style.map(Arc::new))
}
