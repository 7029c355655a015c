//! The proxy that a subscription is sent through.

use serde::{Deserialize, Serialize};

use super::{
    Secret,
    authorization::{basic_in, secret_or_stored},
};
use crate::{FieldError, TargetUrl, UrlOf};

/// What is said of a proxy that is to be spoken to by `https`.
const HTTPS_PROXY: &str = "begins with https, and proxies are spoken to by http only: write it with http, such as \
     http://proxy.internal:3128 (what goes through it to an https target is encrypted all the same)";

/// A proxy that is asked for a tunnel (`CONNECT`); its password is in [`super::Credentials::proxy`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// Where it is: `http`, a host and a port.
    pub url: TargetUrl,
    /// Who is there to it.
    pub user: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAsk {
    /// Where it is.
    pub url: String,
    /// Who is there to it, and the password or the mask of it.
    pub user: Option<(String, Secret)>,
}

impl ProxyAsk {
    /// What is stored of it; `before` is what is there, for a mask to stand for.
    pub(super) fn take(
        &self,
        before: Option<(&Proxy, &Secret)>,
    ) -> Result<(Proxy, Option<Secret>), Vec<FieldError>> {
        let mut errors = Vec::new();
        let url = TargetUrl::parse(&self.url).map_err(|refusal| refusal.about(UrlOf::Proxy));
        let url = url.and_then(|url| {
            let bare = url.url().path() == "/" && url.url().query().is_none();
            if url.is_https() {
                Err(HTTPS_PROXY.to_owned())
            } else if bare {
                Ok(url)
            } else {
                Err("must be http:// with a host and a port and nothing behind, such as http://proxy.internal:3128".to_owned())
            }
        });
        let url = url
            .map_err(|why| errors.push(FieldError::new("proxy.url", why)))
            .ok();
        let user = self.user.as_ref().map(|(user, password)| {
            errors.extend(basic_in("proxy", user, password));
            // What is kept goes only where it went before.
            let same = before.filter(|(before, _)| Some(&before.url) == url.as_ref());
            let stored = same.map(|(_, secret)| secret);
            let kept = secret_or_stored("proxy.password", password, stored);
            (user.clone(), kept.map_err(|error| errors.push(error)).ok())
        });
        let (user, password) = user.map_or((None, None), |(user, secret)| (Some(user), secret));
        match url {
            Some(url) if errors.is_empty() => Ok((Proxy { url, user }, password)),
            _ => Err(errors),
        }
    }
}
