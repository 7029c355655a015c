//! The proof of a target: a handshake before anything is sent there, so that nobody is sent webhooks who never asked.
//!
//! `options` is that of `CloudEvents` (HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4), `echo` that of REST
//! Hooks. Here is what is asked and what is taken for an answer; when that is needed is [`must_prove`]. The request
//! itself is made by a [`Prover`]. An answer that comes later than the request's own (the callback of the one, the
//! delayed confirmation of the other) is not taken: a subscription would have to be kept for it that sends nothing.

use std::{future::Future, pin::Pin};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use super::{
    RATE_PER_SECOND_MAX, RequestStyle, Secret, SubscriptionSettings,
    settings::{is_faster, words},
};
use crate::{Source, TargetUrl};

/// Most characters of a header's value that a refusal repeats.
const QUOTED_CHARS_MAX: usize = 100;

/// Random bytes in the secret of an echo.
const ECHO_BYTES: usize = 32;

/// Names this server to a target that proves itself by `options`: in the handshake, and with each delivery after it.
pub const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";
const ALLOWED_ORIGIN: &str = "WebHook-Allowed-Origin";
const ALLOWED_RATE: &str = "WebHook-Allowed-Rate";
const ECHO: &str = "x-hook-secret";

words! {
    /// How a target proves that it wants webhooks, before any is sent to it.
    Proof, UnknownProof "must be none, options or echo":
    /// Not at all.
    #[default]
    None = "none",
    /// By the handshake of `CloudEvents`: `OPTIONS` with `WebHook-Request-Origin`, answered with `WebHook-Allowed-Origin`.
    Options = "options",
    /// By the handshake of REST Hooks: `POST` with `X-Hook-Secret`, answered with the same.
    Echo = "echo",
}

impl Proof {
    /// Whether nothing is to be proven.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// Whether a subscription must be proven before it becomes one that goes to `target` by `settings`, from what it is; none for
/// a new one. A proof is of the target, by its kind, and one by `options` of the rate too that was asked for: a slower one is
/// within it.
pub fn must_prove(
    before: Option<(&TargetUrl, &SubscriptionSettings)>,
    (target, settings): (&TargetUrl, &SubscriptionSettings),
) -> bool {
    if settings.proof.is_none() {
        return false;
    }
    before.is_none_or(|(old_target, old)| {
        let faster = is_faster(settings.rate_per_second, old.rate_per_second);
        old_target != target
            || old.proof != settings.proof
            || (settings.proof == Proof::Options && faster)
    })
}

/// What is asked of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// That of `CloudEvents`.
    Options {
        /// The name of this server.
        origin: String,
        /// Most requests a second that will be sent.
        rate_per_second: Option<u32>,
    },
    /// That of REST Hooks.
    Echo {
        /// What the target repeats; of this handshake alone, and never stored.
        secret: Secret,
    },
}

/// What a target has granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Most requests a second; none for as many as are sent.
    pub rate_per_second_max: Option<u32>,
}

impl Granted {
    /// The rate of a subscription that wishes for `rate`.
    pub fn rate(self, rate: Option<u32>) -> Option<u32> {
        let slower = is_faster(rate, self.rate_per_second_max);
        if slower {
            self.rate_per_second_max
        } else {
            rate
        }
    }
}

/// Why a target is not proven: what came instead, and what it must answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefusal {
    /// There was no answer.
    #[error("{0}; a receiver must be there and answer before it can be subscribed")]
    NoAnswer(String),
    /// The answer was no success.
    #[error("the receiver answered {method} with {status}; it must answer with 2xx{}", redirects(*status))]
    Status {
        /// How it was asked.
        method: &'static str,
        /// Its status.
        status: u16,
    },
    /// A header is missing.
    #[error("the answer has no {header}; it must be {must}")]
    Missing {
        /// Which one.
        header: &'static str,
        /// What it must be.
        must: String,
    },
    /// A header is there more than once.
    #[error(
        "the answer has {0} more than once, so it can't be told which one is meant; once is right"
    )]
    Twice(&'static str),
    /// The target allows somebody else.
    #[error("WebHook-Allowed-Origin is {came}; it must be {ours:?}, which is this server, or *")]
    Origin {
        /// What it said.
        came: String,
        /// The name of this server.
        ours: String,
    },
    /// The rate is no number.
    #[error("WebHook-Allowed-Rate is {0}; it must be * or a whole number of requests a minute")]
    Rate(String),
    /// The rate is lower than can be kept.
    #[error(
        "WebHook-Allowed-Rate is {0} requests a minute; 60, which is one a second, is the least that can be kept"
    )]
    TooSlow(u64),
    /// Something else was repeated.
    #[error(
        "the X-Hook-Secret of the answer is another one; it must be that of the request, letter by letter"
    )]
    Echo,
}

fn redirects(status: u16) -> &'static str {
    if (300..400).contains(&status) {
        ", and redirects are not followed: subscribe the address that it leads to"
    } else {
        ""
    }
}

impl Handshake {
    /// What `settings` ask of a target; none if nothing. `origin` is the name of this server.
    pub fn of(settings: &SubscriptionSettings, origin: &str, source: &Source) -> Option<Self> {
        match settings.proof {
            Proof::None => None,
            Proof::Options => Some(Self::Options {
                origin: origin.to_owned(),
                rate_per_second: settings.rate_per_second,
            }),
            Proof::Echo => {
                let secret = BASE64_URL_SAFE_NO_PAD.encode(source.random::<ECHO_BYTES>());
                let secret = Secret::new(secret);
                Some(Self::Echo { secret })
            }
        }
    }

    /// By which name this server is known from then on; none if that is no part of it.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::Options { origin, .. } => Some(origin),
            Self::Echo { .. } => None,
        }
    }

    /// The method of its request, which has no body.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Options { .. } => "OPTIONS",
            Self::Echo { .. } => "POST",
        }
    }

    /// The headers of its request, beside those of every request to the target; names in lower case.
    pub fn headers(&self) -> Vec<(&'static str, Secret)> {
        match self {
            Self::Options {
                origin,
                rate_per_second,
            } => {
                let rate = rate_per_second.map(|rate| u64::from(rate) * 60);
                let rate = rate.map(|rate| (REQUEST_RATE, Secret::new(rate.to_string())));
                let origin = (REQUEST_ORIGIN, Secret::new(origin));
                [origin].into_iter().chain(rate).collect()
            }
            Self::Echo { secret } => vec![(ECHO, secret.clone())],
        }
    }

    /// What an answer means with this status and these headers, all of them.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn judge(&self, status: u16, headers: &[(&str, &[u8])]) -> Result<Granted, ProofRefusal> {
        if !(200..300).contains(&status) {
            let method = self.method();
            return Err(ProofRefusal::Status { method, status });
        }
        match self {
            Self::Options { origin, .. } => {
                let missing = || format!("{origin:?}, which is this server, or *");
                let allowed = one(headers, ALLOWED_ORIGIN)?
                    .ok_or_else(|| missing_header(ALLOWED_ORIGIN, missing()))?;
                // Names of hosts are the same in whichever letters.
                if allowed != b"*" && !allowed.eq_ignore_ascii_case(origin.as_bytes()) {
                    let (came, ours) = (quoted(allowed), origin.clone());
                    return Err(ProofRefusal::Origin { came, ours });
                }
                let rate = one(headers, ALLOWED_RATE)?;
                let rate_per_second_max = rate.map(allowed_rate).transpose()?.flatten();
                Ok(Granted {
                    rate_per_second_max,
                })
            }
            Self::Echo { secret } => {
                let missing = || "that of the request".to_owned();
                let echo = one(headers, "X-Hook-Secret")?
                    .ok_or_else(|| missing_header("X-Hook-Secret", missing()))?;
                let same: bool = secret.reveal().as_bytes().ct_eq(echo).into();
                same.then(Granted::default).ok_or(ProofRefusal::Echo)
            }
        }
    }
}

fn missing_header(header: &'static str, must: String) -> ProofRefusal {
    ProofRefusal::Missing { header, must }
}

/// The one value of a header, without spaces around it.
fn one<'a>(
    headers: &[(&str, &'a [u8])],
    name: &'static str,
) -> Result<Option<&'a [u8]>, ProofRefusal> {
    let mut found = headers
        .iter()
        .filter(|(one, _)| one.eq_ignore_ascii_case(name));
    let first = found.next().map(|(_, value)| value.trim_ascii());
    match found.next() {
        None => Ok(first),
        Some(_) => Err(ProofRefusal::Twice(name)),
    }
}

/// Most requests a second where so many a minute are allowed; none for no bound.
fn allowed_rate(value: &[u8]) -> Result<Option<u32>, ProofRefusal> {
    if value == b"*" {
        return Ok(None);
    }
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(ProofRefusal::Rate(quoted(value)));
    }
    let text = String::from_utf8_lossy(value);
    // More digits than a number has are more than is ever sent.
    let per_minute = text.parse().unwrap_or(u64::MAX);
    match per_minute / 60 {
        0 => Err(ProofRefusal::TooSlow(per_minute)),
        rate => Ok(u32::try_from(rate)
            .ok()
            .filter(|rate| *rate <= RATE_PER_SECOND_MAX)),
    }
}

/// As much of a value as a person needs to find it; it may be anything.
fn quoted(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// What comes of a handshake.
pub type Proving<'a> = Pin<Box<dyn Future<Output = Result<Granted, ProofRefusal>> + Send + 'a>>;

/// Makes handshakes.
pub trait Prover: Send + Sync {
    /// Makes one request to `target`, as a subscription's requests are made by `style`, and judges the answer. Ends within a
    /// bound of its own; dropping it ends the request.
    fn prove<'a>(
        &'a self,
        target: &'a TargetUrl,
        style: Option<&'a RequestStyle>,
        handshake: &'a Handshake,
    ) -> Proving<'a>;
}

#[cfg(test)]
mod tests;
