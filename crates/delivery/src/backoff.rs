//! Waiting longer after each failure of the store, and saying what failed.

use std::{error::Error, fmt, time::Duration};

use store::StoreError;
use tokio::time;
use tokio_util::sync::CancellationToken;

const WAIT_FIRST: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long to wait until the next try. Without jitter: a node has one of each task that waits so.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Option<Duration>);

impl Backoff {
    /// 100 ms, then twice as long each time, up to 5 s.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self
            .0
            .map_or(WAIT_FIRST, |before| (before * 2).min(WAIT_MAX));
        self.0 = Some(wait);
        wait
    }

    /// Whether the last try failed, too.
    pub(crate) fn goes_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }
}

/// Whether somebody else tells of `error`: that the database is away is said once, by whoever looks after it, and
/// not by each who meets it.
pub(crate) const fn is_told(error: &StoreError) -> bool {
    error.is_away()
}

/// A warning, or where `$again` a line for whoever looks closely: what goes on failing is said once.
macro_rules! warn_once {
    ($again:expr, $($line:tt)+) => {
        if $again {
            tracing::debug!($($line)+);
        } else {
            tracing::warn!($($line)+);
        }
    };
}
pub(crate) use warn_once;

/// Waits, unless it is time to stop.
pub(crate) async fn pause(stop: &CancellationToken, wait: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = time::sleep(wait) => {}
    }
}

/// An error with its sources, for a log line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        backoff.reset();
        assert_eq!(backoff.next(), WAIT_FIRST);
    }
}
