//! Why a target may not be called, in a word, a sentence and the setting that would allow it.

use crate::{
    ALLOW_TARGETS_SETTING, ForbiddenAddress, HTTPS_ONLY_SETTING, Outcome, TARGET_URL_BYTES_MAX,
};

/// Most characters of a foreign text (a scheme, a resolver's words) that a refusal repeats.
const QUOTED_CHARS_MAX: usize = 120;

/// Why a target may not be called. Its text is one sentence for the person who chose the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefusal {
    /// More than [`TARGET_URL_BYTES_MAX`] bytes.
    #[error("the target URL has {bytes} bytes, and at most {TARGET_URL_BYTES_MAX} are taken")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// No scheme and host.
    #[error(
        "the target URL is not absolute: write the whole of it, such as https://example.com/hooks"
    )]
    NotAbsolute,
    /// Not readable as a URL.
    #[error(
        "the target is not a URL that can be called ({why}): write one such as https://example.com/hooks"
    )]
    NotAUrl {
        /// What is wrong with it.
        why: String,
    },
    /// A scheme other than `http` and `https`.
    #[error("the target URL begins with {scheme}, and webhooks are sent by http and https only")]
    NotHttp {
        /// The scheme.
        scheme: String,
    },
    /// A user name or password.
    #[error(
        "the target URL holds a user name or password, which would show up in lists and logs: leave it out and verify the signature instead"
    )]
    Credentials,
    /// A fragment.
    #[error(
        "the target URL holds a fragment (#...), which is never sent to a server: leave it out"
    )]
    Fragment,
    /// Port 0.
    #[error(
        "the target URL names port 0, which can't be connected to: write a port from 1 to 65535, or none"
    )]
    PortZero,
    /// `http`, where only `https` is sent to.
    #[error("{}", https_text(*by))]
    NotHttps {
        /// Who says so.
        by: HttpsOnly,
    },
    /// The name leads to no address.
    #[error(
        "the host {host} of the target URL has no address ({why}): check the spelling and that the server can look the name up"
    )]
    Unresolvable {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The address is not of the public internet.
    #[error("{}", forbidden_text(host.as_deref(), found))]
    Forbidden {
        /// The name that resolved to it; `None` when the URL names the address itself.
        host: Option<String>,
        /// The address and its range.
        found: ForbiddenAddress,
    },
}

impl TargetRefusal {
    /// The stable word of the rule that refuses.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::NotAbsolute => "not_absolute",
            Self::NotAUrl { .. } => "not_a_url",
            Self::NotHttp { .. } => "not_http",
            Self::Credentials => "credentials",
            Self::Fragment => "fragment",
            Self::PortZero => "port_zero",
            Self::NotHttps { .. } => "not_https",
            Self::Unresolvable { .. } => "unresolvable",
            Self::Forbidden { found, .. } => found.range.kind().word(),
        }
    }

    /// The setting that would allow the target, where one would.
    pub fn setting(&self) -> Option<String> {
        match self {
            Self::Forbidden { host, found } => Some(setting_text(host.as_deref(), found)),
            Self::NotHttps {
                by: HttpsOnly::Operator,
            } => Some(format!("{HTTPS_ONLY_SETTING} = false")),
            Self::TooLong { .. }
            | Self::NotAbsolute
            | Self::NotAUrl { .. }
            | Self::NotHttp { .. }
            | Self::Credentials
            | Self::Fragment
            | Self::PortZero
            | Self::NotHttps {
                by: HttpsOnly::Subscription,
            }
            | Self::Unresolvable { .. } => None,
        }
    }

    /// The same sentence of another address than a target's, such as `the URL of the proxy`.
    pub fn about(&self, subject: &str) -> String {
        self.to_string().replace("the target URL", subject)
    }

    /// What an attempt that meets this refusal comes to.
    ///
    /// A name without an address may have one again; every other refusal stays until a person acts.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unresolvable { .. } => Outcome::NameNotFound,
            Self::TooLong { .. }
            | Self::NotAbsolute
            | Self::NotAUrl { .. }
            | Self::NotHttp { .. }
            | Self::Credentials
            | Self::Fragment
            | Self::PortZero
            | Self::NotHttps { .. }
            | Self::Forbidden { .. } => Outcome::AddressRefused,
        }
    }
}

/// Who wants webhooks to be sent by `https` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpsOnly {
    /// Whoever made the subscription.
    Subscription,
    /// The operator, for all.
    Operator,
}

fn https_text(by: HttpsOnly) -> String {
    let begin = "the target URL begins with http, and";
    match by {
        HttpsOnly::Subscription => format!(
            "{begin} this subscription sends by https only: write an https URL, or set httpsOnly to false"
        ),
        HttpsOnly::Operator => format!(
            "{begin} webhooks are sent by https only unless the operator sets {HTTPS_ONLY_SETTING} = false: write an https URL"
        ),
    }
}

fn forbidden_text(host: Option<&str>, found: &ForbiddenAddress) -> String {
    let subject = match host {
        Some(host) => format!("the host {host} of the target URL resolves to {found}"),
        None => format!("the target URL leads to {found}"),
    };
    let setting = setting_text(host, found);
    format!("{subject}, where webhooks are not sent unless the operator sets {setting}")
}

fn setting_text(host: Option<&str>, found: &ForbiddenAddress) -> String {
    format!(
        "{ALLOW_TARGETS_SETTING} = [\"{}\"]",
        found.allowing_entry(host)
    )
}

/// As much of a foreign text as a refusal repeats.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressPolicy;

    #[test]
    fn a_refusal_is_a_sentence_that_names_the_rule_and_the_setting() {
        let found = |host: Option<&str>, address: &str| {
            let policy = AddressPolicy::default();
            let found = policy.check(host, address.parse().unwrap()).unwrap_err();
            TargetRefusal::Forbidden {
                host: host.map(ToOwned::to_owned),
                found,
            }
        };
        assert_eq!(
            found(None, "127.0.0.1").to_string(),
            "the target URL leads to 127.0.0.1, a loopback address (127.0.0.0/8, RFC 1122), where \
             webhooks are not sent unless the operator sets webhook.allow_targets = [\"127.0.0.0/8\"]"
        );
        assert_eq!(
            found(Some("hooks.internal"), "::ffff:10.0.0.1").to_string(),
            "the host hooks.internal of the target URL resolves to ::ffff:10.0.0.1 (which carries \
             10.0.0.1), a private address (10.0.0.0/8, RFC 1918), where webhooks are not sent \
             unless the operator sets webhook.allow_targets = [\"hooks.internal\"]"
        );
        assert_eq!(found(None, "127.0.0.1").outcome(), Outcome::AddressRefused);
        let unknown = TargetRefusal::Unresolvable {
            host: String::new(),
            why: String::new(),
        };
        assert_eq!(unknown.outcome(), Outcome::NameNotFound);
    }
}
