//! How a subscription's requests are made: what is checked of it before it is stored.

use domain::{
    Changed, Credentials, HttpVersion, HttpsOnly, Payload, RequestChange, RequestSettings,
    Subscription, SubscriptionId, TOKEN_MEMBER, TargetRefusal, TargetUrl, judge_reach,
};
use store::{Doing, ReadTx, WriteTx};

use crate::{App, AppError};

/// Where else webhooks go than to the target, each with the member that says so.
pub(super) type Reaches = Vec<(&'static str, TargetUrl)>;

/// How the requests of a new subscription to `target` are made.
pub(super) fn first(
    app: &App,
    change: &RequestChange,
    target: &TargetUrl,
) -> Result<Changed, AppError> {
    let changed = change.of(&RequestSettings::default(), None, &*app.parts().tls);
    let changed = changed.map_err(AppError::Invalid)?;
    https(&changed.settings, target)?;
    Ok(changed)
}

/// Stores what is secret of how the requests of a new subscription are made.
pub(super) async fn store(
    tx: &mut dyn WriteTx,
    id: SubscriptionId,
    changed: &Changed,
) -> Result<(), AppError> {
    if let Some(credentials) = &changed.credentials {
        let put = tx.credentials_put(id, Some(credentials)).await;
        put.doing::<AppError>("storing the credentials of a subscription")?;
    }
    Ok(())
}

/// How the requests of `before` are made after a change that sends them to `target`, and how they were: what is secret
/// of it.
pub(super) async fn next<T: ReadTx + ?Sized>(
    app: &App,
    tx: &mut T,
    change: &RequestChange,
    (before, target): (&Subscription, &TargetUrl),
) -> Result<(Changed, Option<Credentials>), AppError> {
    let settings = &before.settings.request;
    let moves = |payload| payload != settings.payload && !before.settings.unreadable;
    if change.payload.is_some_and(moves) {
        return Err(AppError::invalid(
            "payload",
            payload_stays(settings.payload),
        ));
    }
    // Who changes nothing of it needs nothing of it.
    let there = if change.is_nothing() {
        None
    } else {
        stored(tx, before).await?
    };
    let changed = change.of(settings, there.as_ref(), &*app.parts().tls);
    let changed = changed.map_err(AppError::Invalid)?;
    https(&changed.settings, target)?;
    Ok((changed, there))
}

/// What is stored of how the requests of a subscription are made that is secret.
pub(super) async fn stored<T: ReadTx + ?Sized>(
    tx: &mut T,
    of: &Subscription,
) -> Result<Option<Credentials>, AppError> {
    let stored = tx.credentials_get(of.team, of.id).await;
    stored.doing("loading the credentials of a subscription")
}

/// Why nothing is sent by HTTP/2 without TLS.
const NO_PLAIN_HTTP2: &str = "can't be 2 for a targetUrl with http, because the two sides agree on HTTP/2 within TLS: \
     take an https target, or httpVersion 1.1";

fn payload_stays(payload: Payload) -> String {
    format!(
        "is {payload} and can't be changed, because whatever is sent of a delivery is the same every time: end the \
         subscription, and subscribe anew with the other"
    )
}

fn https(settings: &RequestSettings, target: &TargetUrl) -> Result<(), AppError> {
    let by = HttpsOnly::Subscription;
    let token = settings.token_url().filter(|url| !url.is_https());
    if settings.https_only && token.is_some() {
        let (member, refusal) = (TOKEN_MEMBER, Box::new(TargetRefusal::NotHttps { by }));
        return Err(AppError::Reached { member, refusal });
    }
    if target.is_https() {
        return Ok(());
    }
    if settings.https_only {
        return Err(TargetRefusal::NotHttps { by }.into());
    }
    if settings.http_version == HttpVersion::Http2 {
        return Err(AppError::invalid("httpVersion", NO_PLAIN_HTTP2));
    }
    Ok(())
}

impl App {
    /// Asks the address rule of all that requests reach beside their target.
    pub(super) async fn check_reaches(&self, reaches: &Reaches) -> Result<(), AppError> {
        let parts = self.parts();
        let resolver = parts.resolver.as_ref();
        for (member, url) in reaches {
            let judged = judge_reach(&parts.policy, resolver, member, url).await;
            judged.decision.map_err(|refusal| {
                let refusal = Box::new(refusal);
                AppError::Reached { member, refusal }
            })?;
        }
        Ok(())
    }
}

/// What changed, for the audit log: names, and never what is secret.
pub(super) fn audited(old: &RequestSettings, new: &RequestSettings) -> Vec<(bool, String)> {
    let row = domain::RequestRow::from(new);
    let proxy = row.proxy.as_ref().map_or("none", |proxy| &proxy.url);
    let tls = match &row.tls {
        None => "none".to_owned(),
        Some(tls) => format!(
            "{} {}",
            tls.ca.map_or("system", |_| "ca"),
            tls.certificate.map_or("anonymous", |_| "certificate")
        ),
    };
    let authorization = match &new.authorization {
        None => "none",
        Some(domain::Authorization::Basic { .. }) => "basic",
        Some(domain::Authorization::Bearer) => "bearer",
        Some(domain::Authorization::Oauth2 { .. }) => "oauth2",
    };
    vec![
        (
            old.https_only != new.https_only,
            format!("httpsOnly {}", new.https_only),
        ),
        (
            old.traceparent != new.traceparent,
            format!("traceparent {}", new.traceparent),
        ),
        (
            old.http_version != new.http_version,
            format!("httpVersion {}", new.http_version),
        ),
        (
            old.headers != new.headers,
            format!("headers [{}]", new.headers.join(" ")),
        ),
        (
            old.authorization != new.authorization,
            format!("authorization {authorization}"),
        ),
        (old.tls != new.tls, format!("tls {tls}")),
        (old.proxy != new.proxy, format!("proxy {proxy}")),
    ]
}
