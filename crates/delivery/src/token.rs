//! Tokens of clients (OAuth 2.0): fetched once for many attempts, and kept until shortly before they end.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{FetchedToken, Outcome, Secret, SubscriptionId};
use tokio::{
    sync,
    time::{self, Instant},
};

use crate::failure::Failure;

/// Most subscriptions whose tokens are kept. Beyond that all are forgotten, and fetched again as they are needed.
const TOKENS_MAX: usize = 1_024;

/// How long before its end a token is not used any more, so that it is good when it arrives; half of its time at most.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// The tokens of all subscriptions.
#[derive(Default)]
pub(crate) struct Tokens {
    entries: Mutex<HashMap<SubscriptionId, Arc<Entry>>>,
}

/// What is known of one subscription's token.
struct Entry {
    revision: i64,
    /// Held while a token is fetched: who needs it meanwhile waits for that one.
    state: sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// When the last fetch failed, and why: for those who waited for it.
    failed: Option<(Instant, Failure)>,
    /// Whether the token was fetched because the receiver had refused the one before. If that one is refused as well,
    /// it is not the token's fault.
    renewed: bool,
}

struct Kept {
    token: Secret,
    until: Instant,
}

impl Tokens {
    /// The token of a subscription at this revision: the one that is kept, or what `fetch` gets. Who comes while one is
    /// fetched gets that one, or why there is none, and waits no longer than `wait` for it.
    pub(crate) async fn get<F>(
        &self,
        (subscription, revision): (SubscriptionId, i64),
        wait: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<Secret, Failure>
    where
        F: Future<Output = Result<FetchedToken, Failure>>,
    {
        let asked = Instant::now();
        let entry = self.entry(subscription, revision);
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

    /// Says what the receiver made of a token: a refused one is forgotten, once in a row.
    pub(crate) async fn judge(
        &self,
        (subscription, revision): (SubscriptionId, i64),
        used: &Secret,
        refused: bool,
    ) {
        let entry = self.entry(subscription, revision);
        let mut state = entry.state.lock().await;
        if state.kept.as_ref().is_none_or(|kept| kept.token != *used) {
            return;
        }
        if !refused {
            state.renewed = false;
        } else if !state.renewed {
            state.kept = None;
            state.renewed = true;
        }
    }

    fn entry(&self, subscription: SubscriptionId, revision: i64) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&subscription);
        if let Some(found) = found.filter(|found| found.revision == revision) {
            return found.clone();
        }
        let entry = Arc::new(Entry {
            revision,
            state: sync::Mutex::default(),
        });
        if entries.len() >= TOKENS_MAX {
            entries.clear();
        }
        entries.insert(subscription, entry.clone());
        entry
    }
}
