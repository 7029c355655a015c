//! Why a target may not be called, in a word, a sentence and the setting that would allow it.

use std::{error::Error, fmt};

use crate::{
    ALLOW_TARGETS_SETTING, ForbiddenAddress, HTTPS_ONLY_SETTING, Outcome, PROXY_MEMBER,
    TARGET_URL_BYTES_MAX, TOKEN_MEMBER,
};

/// Most characters of a foreign text (a scheme, a resolver's words) that a refusal repeats.
const QUOTED_CHARS_MAX: usize = 120;

/// What a URL is for: a refusal of it speaks of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlOf {
    /// Webhooks are sent there.
    Target,
    /// Tokens are fetched there.
    TokenServer,
    /// Requests go through it.
    Proxy,
}

/// How a refusal speaks of a URL.
struct Words {
    subject: &'static str,
    example: &'static str,
    /// What is said of other schemes.
    schemes: &'static str,
    /// What to do in place of a user name and password in it.
    instead: &'static str,
    /// What there is none of at a forbidden address.
    absent: &'static str,
    /// What is said of an allowed one.
    allowed: &'static str,
}

impl UrlOf {
    /// By the member that holds it; any other is a target's.
    pub fn member(member: &str) -> Self {
        match member {
            PROXY_MEMBER => Self::Proxy,
            TOKEN_MEMBER => Self::TokenServer,
            _ => Self::Target,
        }
    }

    /// What is said where nothing speaks against it.
    pub const fn allowed(self) -> &'static str {
        self.words().allowed
    }

    const fn words(self) -> Words {
        match self {
            Self::Target => Words {
                subject: "the target URL",
                example: "https://example.com/hooks",
                schemes: "webhooks are sent by http and https only",
                instead: "verify the signature instead",
                absent: "webhooks are not sent",
                allowed: "webhooks may be sent there",
            },
            Self::TokenServer => Words {
                subject: "the token URL",
                example: "https://id.example.com/token",
                schemes: "tokens are fetched by http and https only",
                instead: "give clientId and clientSecret instead",
                absent: "tokens are not fetched",
                allowed: "tokens may be fetched there",
            },
            Self::Proxy => Words {
                subject: "the URL of the proxy",
                example: "http://proxy.internal:3128",
                schemes: "proxies are spoken to by http only",
                instead: "give proxy.user and proxy.password instead",
                absent: "no proxy is used",
                allowed: "webhooks may go through it",
            },
        }
    }
}

/// Why a target may not be called. Its text is one sentence for the person who chose the target;
/// [`TargetRefusal::about`] is that of another URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetRefusal {
    /// More than [`TARGET_URL_BYTES_MAX`] bytes.
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// No scheme and host.
    NotAbsolute,
    /// Not readable as a URL.
    NotAUrl {
        /// What is wrong with it.
        why: String,
    },
    /// A scheme other than `http` and `https`.
    NotHttp {
        /// The scheme.
        scheme: String,
    },
    /// A user name or password.
    Credentials,
    /// A fragment.
    Fragment,
    /// Port 0.
    PortZero,
    /// `http`, where only `https` is sent to.
    NotHttps {
        /// Who says so.
        by: HttpsOnly,
    },
    /// The name leads to no address.
    Unresolvable {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The address is not of the public internet.
    Forbidden {
        /// The name that resolved to it; `None` when the URL names the address itself.
        host: Option<String>,
        /// The address and its range.
        found: ForbiddenAddress,
    },
}

impl Error for TargetRefusal {}

impl fmt::Display for TargetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.about(UrlOf::Target))
    }
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

    /// The sentence of a URL that is for something.
    pub fn about(&self, url: UrlOf) -> String {
        let words = url.words();
        let Words {
            subject, example, ..
        } = words;
        match self {
            Self::TooLong { bytes } => {
                format!("{subject} has {bytes} bytes, and at most {TARGET_URL_BYTES_MAX} are taken")
            }
            Self::NotAbsolute => {
                format!("{subject} is not absolute: write the whole of it, such as {example}")
            }
            Self::NotAUrl { why } => {
                format!("{subject} is none that can be called ({why}): write one such as {example}")
            }
            Self::NotHttp { scheme } => {
                format!("{subject} begins with {scheme}, and {}", words.schemes)
            }
            Self::Credentials => format!(
                "{subject} holds a user name or password, which would show up in lists and logs: leave it out and {}",
                words.instead
            ),
            Self::Fragment => format!(
                "{subject} holds a fragment (#...), which is never sent to a server: leave it out"
            ),
            Self::PortZero => format!(
                "{subject} names port 0, which can't be connected to: write a port from 1 to 65535, or none"
            ),
            Self::NotHttps { by } => https_text(subject, *by),
            Self::Unresolvable { host, why } => format!(
                "the host {host} of {subject} has no address ({why}): check the spelling and that the server can look the name up"
            ),
            Self::Forbidden { host, found } => forbidden_text(&words, host.as_deref(), found),
        }
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

fn https_text(subject: &str, by: HttpsOnly) -> String {
    let begin = format!("{subject} begins with http, and");
    match by {
        HttpsOnly::Subscription => format!(
            "{begin} this subscription sends by https only: write an https URL, or set httpsOnly to false"
        ),
        HttpsOnly::Operator => format!(
            "{begin} this server sends by https only unless the operator sets {HTTPS_ONLY_SETTING} = false: write an https URL"
        ),
    }
}

fn forbidden_text(words: &Words, host: Option<&str>, found: &ForbiddenAddress) -> String {
    let Words {
        subject, absent, ..
    } = words;
    let what = match host {
        Some(host) => format!("the host {host} of {subject} resolves to {found}"),
        None => format!("{subject} leads to {found}"),
    };
    let setting = setting_text(host, found);
    format!("{what}, where {absent} unless the operator sets {setting}")
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

    #[test]
    fn each_url_is_refused_in_words_of_its_own() {
        let policy = AddressPolicy::default();
        let found = policy.check(None, "127.0.0.1".parse().unwrap());
        let refusals = [
            TargetRefusal::TooLong { bytes: 9_999 },
            TargetRefusal::NotAbsolute,
            TargetRefusal::NotAUrl {
                why: "x".to_owned(),
            },
            TargetRefusal::NotHttp {
                scheme: "ftp".to_owned(),
            },
            TargetRefusal::Credentials,
            TargetRefusal::Fragment,
            TargetRefusal::PortZero,
            TargetRefusal::NotHttps {
                by: HttpsOnly::Operator,
            },
            TargetRefusal::Unresolvable {
                host: "x".to_owned(),
                why: "y".to_owned(),
            },
            TargetRefusal::Forbidden {
                host: None,
                found: found.unwrap_err(),
            },
        ];
        for refusal in refusals {
            for (url, subject) in [
                (UrlOf::Target, "the target URL"),
                (UrlOf::member(TOKEN_MEMBER), "the token URL"),
                (UrlOf::member(PROXY_MEMBER), "the URL of the proxy"),
            ] {
                let said = refusal.about(url);
                assert!(said.contains(subject), "{said}");
                let of_targets = ["webhooks", "signature", "example.com/hooks", "target URL"];
                let is_targets = of_targets.iter().any(|words| said.contains(words));
                assert!(url == UrlOf::Target || !is_targets, "{said}");
            }
            assert_eq!(refusal.to_string(), refusal.about(UrlOf::Target));
        }
        let said = TargetRefusal::Credentials.about(UrlOf::Proxy);
        assert!(said.ends_with("give proxy.user and proxy.password instead"));
    }
}
