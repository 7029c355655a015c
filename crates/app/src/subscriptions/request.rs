//! How a subscription's requests are made: what is checked of it before it is stored.

use domain::{
    CREDENTIALS_UNREADABLE, Changed, Credentials, HttpVersion, HttpsOnly, Payload, RequestChange,
    RequestSettings, RequestStyle, Subscription, SubscriptionId, TOKEN_MEMBER, TargetRefusal,
    TargetUrl, judge_reach,
};
use store::{Doing, ReadTx, StoreError, WriteTx};

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

/// What is stored of a subscription that is secret, as far as a change needs it.
pub(super) struct Kept {
    credentials: Option<Credentials>,
    /// It can't be read, and all of it is given anew.
    is_replaced: bool,
}

impl Kept {
    /// Whether `credentials` have to be stored in its place.
    pub(super) fn gives_way_to(&self, credentials: Option<&Credentials>) -> bool {
        self.is_replaced || credentials != self.credentials.as_ref()
    }
}

/// How the requests of `before` are made after a change that sends them to `target`, and what is stored of it that is
/// secret.
pub(super) async fn next<T: ReadTx + ?Sized>(
    app: &App,
    tx: &mut T,
    change: &RequestChange,
    (before, target): (&Subscription, &TargetUrl),
) -> Result<(Changed, Kept), AppError> {
    let settings = &before.settings.request;
    let moves = |payload| payload != settings.payload && !before.settings.unreadable;
    if change.payload.is_some_and(moves) {
        return Err(AppError::invalid(
            "payload",
            payload_stays(settings.payload),
        ));
    }
    let mut kept = Kept {
        credentials: None,
        is_replaced: false,
    };
    // Who changes nothing of it needs nothing of it.
    if !change.is_nothing() {
        match stored(tx, before).await {
            Err(AppError::SubscriptionUnreadable(_)) if change.replaces_secrets_of(settings) => {
                kept.is_replaced = true;
            }
            found => kept.credentials = found?,
        }
    }
    let changed = change.of(settings, kept.credentials.as_ref(), &*app.parts().tls);
    let changed = changed.map_err(AppError::Invalid)?;
    https(&changed.settings, target)?;
    Ok((changed, kept))
}

/// What is stored of how the requests of a subscription are made that is secret.
pub(super) async fn stored<T: ReadTx + ?Sized>(
    tx: &mut T,
    of: &Subscription,
) -> Result<Option<Credentials>, AppError> {
    let unreadable = || AppError::SubscriptionUnreadable(CREDENTIALS_UNREADABLE.to_owned());
    let found = match tx.credentials_get(of.team, of.id).await {
        Err(StoreError::Corrupt { .. }) => return Err(unreadable()),
        found => found.doing::<AppError>("loading the credentials of a subscription")?,
    };
    // Those that its settings speak of have to be there as well.
    let style = RequestStyle::of(&of.settings.request, found.clone());
    style.map(|_| found).map_err(|_| unreadable())
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
