//! Tokens of clients (OAuth 2.0): fetched once for many attempts, and kept until shortly before they end.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    Authorization, FetchedToken, Outcome, Proxy, RequestStyle, Secret, SubscriptionId, TargetUrl,
};
use store::Destination;
use tokio::{
    sync,
    time::{self, Instant},
};

use crate::failure::Failure;

/// Most subscriptions whose tokens are kept. Beyond that all are forgotten, and fetched again as they are needed.
const TOKENS_MAX: usize = 1_024;

/// How long before its end a token is not used any more, so that it is good when it arrives; half of its time at most.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// How long a token that was fetched because the receiver had refused the one before is not fetched again for that
/// reason: a receiver that refuses that one as well, or now and then, has no quarrel with the token.
const RENEWAL_WAIT: Duration = Duration::from_mins(1);

/// Whose a token is, and what it was fetched with and for: whatever of that changes has a token of its own. A
/// subscription's revision says too much, for it changes with the health of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    subscription: SubscriptionId,
    target: TargetUrl,
    authorization: Option<Authorization>,
    secret: Option<Secret>,
    proxy: Option<Proxy>,
    password: Option<Secret>,
}

impl Owner {
    pub(crate) fn of(to: &Destination, style: &RequestStyle) -> Self {
        let (settings, credentials) = (&style.settings, &style.credentials);
        Self {
            subscription: to.subscription,
            target: to.target.clone(),
            authorization: settings.authorization.clone(),
            secret: credentials.authorization.clone(),
            proxy: settings.proxy.clone(),
            password: credentials.proxy.clone(),
        }
    }
}

/// The tokens of all subscriptions.
#[derive(Default)]
pub(crate) struct Tokens {
    entries: Mutex<HashMap<SubscriptionId, Arc<Entry>>>,
}

/// What is known of one subscription's token.
struct Entry {
    owner: Owner,
    /// Held while a token is fetched: who needs it meanwhile waits for that one.
    state: sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// When the last fetch failed, and why: for those who waited for it.
    failed: Option<(Instant, Failure)>,
    /// When a token was forgotten last because the receiver had refused it.
    refused_at: Option<Instant>,
}

struct Kept {
    token: Secret,
    until: Instant,
}

impl Tokens {
    /// The token of `owner`: the one that is kept, or what `fetch` gets. Who comes while one is fetched gets that one,
    /// or why there is none, and waits no longer than `wait` for it.
    pub(crate) async fn get<F>(
        &self,
        owner: Owner,
        wait: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<Secret, Failure>
    where
        F: Future<Output = Result<FetchedToken, Failure>>,
    {
        let asked = Instant::now();
        let entry = self.entry(owner);
        let locked = time::timeout(wait, entry.state.lock()).await;
        let mut state = locked.map_err(|_| {
            let sentence = format!("no token: none came within {wait:?}");
            Failure::new(Outcome::TimedOut, sentence, false)
        })?;
        if let Some(kept) = state
            .kept
            .as_ref()
            .filter(|kept| Instant::now() < kept.until)
        {
            return Ok(kept.token.clone());
        }
        if let Some((_, failure)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(failure.clone());
        }
        let began = Instant::now();
        match fetch().await {
            Ok(FetchedToken { token, lasts }) => {
                let margin = TOKEN_MARGIN.min(lasts / 2);
                state.failed = None;
                state.kept = Some(Kept {
                    token: token.clone(),
                    until: began + lasts.saturating_sub(margin),
                });
                Ok(token)
            }
            Err(failure) => {
                state.kept = None;
                state.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Says that the receiver refused a token at `at`: it is forgotten, once in [`RENEWAL_WAIT`].
    pub(crate) async fn refused(&self, owner: Owner, used: &Secret, at: Instant) {
        let entry = self.entry(owner);
        let mut state = entry.state.lock().await;
        let is_kept = state.kept.as_ref().is_some_and(|kept| kept.token == *used);
        let last = state.refused_at;
        if is_kept && last.is_none_or(|last| at.saturating_duration_since(last) >= RENEWAL_WAIT) {
            state.kept = None;
            state.refused_at = Some(at);
        }
    }

    fn entry(&self, owner: Owner) -> Arc<Entry> {
        let subscription = owner.subscription;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&subscription);
        if let Some(found) = found.filter(|found| found.owner == owner) {
            return found.clone();
        }
        let entry = Arc::new(Entry {
            owner,
            state: sync::Mutex::default(),
        });
        if entries.len() >= TOKENS_MAX {
            entries.clear();
        }
        entries.insert(subscription, entry.clone());
        entry
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn owner(subscription: u128, secret: &str) -> Owner {
        Owner {
            subscription: SubscriptionId::new(Uuid::from_u128(subscription)),
            target: TargetUrl::parse("https://example.com/").unwrap(),
            authorization: None,
            secret: Some(Secret::new(secret)),
            proxy: None,
            password: None,
        }
    }

    #[tokio::test]
    async fn refusals_have_a_token_fetched_anew_once_in_a_minute() {
        let (tokens, began, mut fetched) = (Tokens::default(), Instant::now(), 0);
        let (of, another_secret) = (owner(1, "secret"), owner(1, "another"));
        for (of, seconds, refused, expected) in [
            (&of, 0, true, "1"),
            (&of, 5, true, "2"),
            (&of, 10, true, "2"),
            // A success in between is no reason to begin anew.
            (&of, 20, false, "2"),
            (&of, 25, true, "2"),
            (&of, 59, true, "2"),
            (&of, 60, true, "2"),
            (&of, 61, true, "3"),
            (&of, 119, true, "3"),
            // Another subscription, or another secret, has tokens and refusals of its own.
            (&owner(2, "secret"), 119, true, "4"),
            (&of, 120, true, "3"),
            (&another_secret, 121, true, "5"),
            (&another_secret, 122, true, "6"),
        ] {
            fetched += 1;
            let number = fetched;
            let fetch = async || {
                Ok(FetchedToken {
                    token: Secret::new(number.to_string()),
                    lasts: Duration::from_hours(24),
                })
            };
            let token = tokens.get(of.clone(), Duration::from_secs(9), fetch).await;
            let token = token.unwrap();
            assert_eq!(token.reveal(), expected, "{seconds}");
            if token.reveal() != number.to_string() {
                fetched -= 1;
            }
            if refused {
                let at = began + Duration::from_secs(seconds);
                tokens.refused(of.clone(), &token, at).await;
            }
        }
    }
}
