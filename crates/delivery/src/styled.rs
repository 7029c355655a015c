//! What a subscription's wishes make of a request: its body and its headers. Where it goes is the client's.

use bytes::Bytes;
use domain::{
    Authorization, HttpsOnly, Outcome, REQUEST_ORIGIN, RequestStyle, Secret, SubscriptionSettings,
    TRACEPARENT_HEADER, TargetRefusal, basic_authorization, bearer_authorization, traceparent,
};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use store::LeasedDelivery;

use crate::failure::Failure;

/// What is signed and sent; none if the stored body is no body of an event, which can't be.
pub(crate) fn body(leased: &LeasedDelivery) -> Option<Bytes> {
    leased.destination.settings.request.body(&leased.body)
}

/// Adds what the subscription wishes for to the headers of a request.
pub(crate) fn dress(
    headers: &mut HeaderMap,
    style: &RequestStyle,
    leased: &LeasedDelivery,
) -> Result<(), Failure> {
    if style.settings.https_only && !leased.destination.target.is_https() {
        // Never stored so; if it were, this is where it ends.
        let by = HttpsOnly::Subscription;
        let refusal = TargetRefusal::NotHttps { by };
        return Err(Failure::new(refusal.outcome(), refusal.to_string(), false));
    }
    add_own(headers, style)?;
    if style.settings.traceparent {
        let number = leased.lease.attempt;
        let value = traceparent(leased.event, leased.lease.delivery, number);
        let value = HeaderValue::try_from(value).map_err(|_| unwritable())?;
        headers.insert(HeaderName::from_static(TRACEPARENT_HEADER), value);
    }
    Ok(())
}

/// Adds what is the same in every request: the subscription's own headers, and its authorization unless that has to be
/// fetched first.
pub(crate) fn add_own(headers: &mut HeaderMap, style: &RequestStyle) -> Result<(), Failure> {
    for name in &style.settings.headers {
        let value = style.credentials.headers.get(name).ok_or_else(unwritable)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unwritable())?;
        headers.append(name, secret_value(value)?);
    }
    if let Some(value) = authorization(style) {
        headers.insert(AUTHORIZATION, secret_value(&value)?);
    }
    Ok(())
}

/// Adds the name of this server that the target has allowed, if it was asked for that.
pub(crate) fn add_origin(
    headers: &mut HeaderMap,
    settings: &SubscriptionSettings,
) -> Result<(), Failure> {
    if let Some(origin) = &settings.proven_as {
        let value = HeaderValue::from_str(origin).map_err(|_| unwritable())?;
        headers.insert(HeaderName::from_static(REQUEST_ORIGIN), value);
    }
    Ok(())
}

/// What stands in `authorization`, unless that has to be fetched first.
fn authorization(style: &RequestStyle) -> Option<Secret> {
    let secret = style.credentials.authorization.as_ref()?.reveal();
    match style.settings.authorization.as_ref()? {
        Authorization::Basic { user } => Some(basic_authorization(user, secret)),
        Authorization::Bearer => Some(bearer_authorization(secret)),
        Authorization::Oauth2 { .. } => None,
    }
}

/// A value that is not shown where headers are printed.
pub(crate) fn secret_value(secret: &Secret) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| unwritable())?;
    value.set_sensitive(true);
    Ok(value)
}

fn unwritable() -> Failure {
    // It was judged when it was set.
    Failure::new(Outcome::Broken, "a header could not be written", false)
}
