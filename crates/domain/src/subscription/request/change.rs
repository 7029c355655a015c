//! Giving and changing how requests are made.

use std::collections::BTreeMap;

use super::{
    AuthorizationAsk, Credentials, HEADERS_BYTES_MAX, HEADERS_MAX, HttpVersion, PROXY_MEMBER,
    Payload, ProxyAsk, RequestSettings, Secret, TRACEPARENT_HEADER, TlsAsk, TlsJudge,
    authorization::secret_or_stored, headers,
};
use crate::{FieldError, TargetUrl};

/// What of it is given or changed; whatever is absent stays as it is. A mask stands for what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestChange {
    /// Whether the target must be `https`.
    pub https_only: Option<bool>,
    /// How much is told; only of a new subscription.
    pub payload: Option<Payload>,
    /// Whether requests carry a `traceparent`.
    pub traceparent: Option<bool>,
    /// By which version of HTTP.
    pub http_version: Option<HttpVersion>,
    /// All of its own headers.
    pub headers: Option<Vec<(String, Secret)>>,
    /// How it says who it is; `Some(None)` takes it away.
    pub authorization: Option<Option<AuthorizationAsk>>,
    /// Its own side of TLS; `Some(None)` takes it away.
    pub tls: Option<Option<TlsAsk>>,
    /// The proxy; `Some(None)` takes it away.
    pub proxy: Option<Option<ProxyAsk>>,
}

/// How requests are made after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What is not secret.
    pub settings: RequestSettings,
    /// What is; none when there is nothing.
    pub credentials: Option<Credentials>,
}

impl RequestChange {
    /// Whether anything is asked for.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all that has a secret `before` is given anew or taken away, so that nothing is needed of what is stored.
    pub fn replaces_secrets_of(&self, before: &RequestSettings) -> bool {
        let proxy_has_user = before
            .proxy
            .as_ref()
            .is_some_and(|proxy| proxy.user.is_some());
        (before.headers.is_empty() || self.headers.is_some())
            && (before.authorization.is_none() || self.authorization.is_some())
            && (before.tls.is_none() || self.tls.is_some())
            && (!proxy_has_user || self.proxy.is_some())
    }

    /// What is after the change of what is there: `before` and `stored`.
    ///
    /// # Errors
    /// All that is wrong with what is asked for.
    pub fn of(
        &self,
        before: &RequestSettings,
        stored: Option<&Credentials>,
        judge: &dyn TlsJudge,
    ) -> Result<Changed, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut after = RequestSettings {
            https_only: self.https_only.unwrap_or(before.https_only),
            payload: self.payload.unwrap_or(before.payload),
            traceparent: self.traceparent.unwrap_or(before.traceparent),
            http_version: self.http_version.unwrap_or(before.http_version),
            ..before.clone()
        };
        let mut secrets = stored.cloned().unwrap_or_default();
        if let Some(headers) = &self.headers {
            let values = self::values(headers, &secrets.headers, &mut errors);
            after.headers = values.keys().cloned().collect();
            secrets.headers = values;
        }
        if let Some(ask) = &self.authorization {
            let there = before
                .authorization
                .as_ref()
                .zip(secrets.authorization.as_ref());
            let taken = ask.as_ref().map(|ask| ask.take(there)).transpose();
            let taken = taken.unwrap_or_else(|wrong| {
                errors.extend(wrong);
                None
            });
            (after.authorization, secrets.authorization) = taken.unzip();
        }
        if let Some(ask) = &self.tls {
            after.tls = if let Some(ask) = ask {
                ask.take(&mut secrets, judge)
                    .map_err(|error| errors.push(error))
                    .ok()
            } else {
                (secrets.ca, secrets.certificate, secrets.key) = (None, None, None);
                None
            };
        }
        if let Some(ask) = &self.proxy {
            let there = before.proxy.as_ref().zip(secrets.proxy.as_ref());
            let taken = ask.as_ref().map(|ask| ask.take(there)).transpose();
            let taken = taken.unwrap_or_else(|wrong| {
                errors.extend(wrong);
                None
            });
            let (proxy, password) = taken.unzip();
            (after.proxy, secrets.proxy) = (proxy, password.flatten());
        }
        errors.extend(clashes(&after));
        if !errors.is_empty() {
            return Err(errors);
        }
        let credentials = Some(secrets).filter(|secrets| *secrets != Credentials::default());
        Ok(Changed {
            settings: after,
            credentials,
        })
    }

    /// What of [`RequestSettings::reaches`] is because of the change.
    pub fn reaches(&self, after: &RequestSettings) -> Vec<(&'static str, TargetUrl)> {
        let mut reaches = after.reaches();
        reaches.retain(|(member, _)| match *member {
            PROXY_MEMBER => self.proxy.is_some(),
            _ => self.authorization.is_some(),
        });
        reaches
    }
}

fn values(
    given: &[(String, Secret)],
    stored: &BTreeMap<String, Secret>,
    errors: &mut Vec<FieldError>,
) -> BTreeMap<String, Secret> {
    let mut values = BTreeMap::new();
    if given.len() > HEADERS_MAX {
        let why = format!("are {}, and at most {HEADERS_MAX} are taken", given.len());
        errors.push(FieldError::new("headers", why));
        return values;
    }
    for (name, value) in given {
        let read = headers::name(name).and_then(|lower| {
            let kept = secret_or_stored(&headers::field(name), value, stored.get(&lower))?;
            headers::value(name, &kept)?;
            Ok((lower, kept))
        });
        match read {
            Ok((lower, value)) => {
                if values.insert(lower, value).is_some() {
                    errors.push(FieldError::new(
                        headers::field(name),
                        "is given twice; give it once",
                    ));
                }
            }
            Err(error) => errors.push(error),
        }
    }
    let bytes: usize = values
        .iter()
        .map(|(name, value)| name.len() + value.reveal().len())
        .sum();
    if bytes > HEADERS_BYTES_MAX {
        let why = format!(
            "have {bytes} bytes, and receivers take no more than {HEADERS_BYTES_MAX}: shorten them"
        );
        errors.push(FieldError::new("headers", why));
    }
    values
}

/// Headers that are set otherwise as well.
fn clashes(after: &RequestSettings) -> Vec<FieldError> {
    let has = |name: &str| after.headers.iter().any(|header| header == name);
    let mut errors = Vec::new();
    let mut clash = |name: &str, why: &str| {
        if has(name) {
            errors.push(FieldError::new(headers::field(name), why));
        }
    };
    if after.authorization.is_some() {
        clash(
            "authorization",
            "is set by the member authorization: leave one of the two out",
        );
    }
    if after.traceparent {
        clash(
            TRACEPARENT_HEADER,
            "is set because traceparent is true: leave the header out, or set traceparent to false",
        );
    }
    errors
}
