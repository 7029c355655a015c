//! What is looked at again and again, and told of once when it goes away and once when it is back.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How often it is looked at.
const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// The same while it is not well, so that it is soon known when it is again.
const AWAY_INTERVAL: Duration = Duration::from_millis(500);
/// Least time between two looks.
const PULSE_PAUSE: Duration = Duration::from_millis(100);
/// How long after somebody met trouble that no look has seen this is told. An outage that only begins is seen by then.
const TOLD_AFTER: Duration = PULSE_INTERVAL;
/// How long after a word none of trouble in passing follows. What an outage has held up comes to its end within it.
const QUIET: Duration = Duration::from_mins(1);

/// How it was found, look by look. `M` is what those who met trouble say of it.
#[derive(Debug)]
pub(super) struct Course<M> {
    away_since: Option<Instant>,
    met: Option<(Instant, M)>,
    quiet_until: Option<Instant>,
}

/// What there is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<M> {
    /// Nothing new.
    None,
    /// It went away.
    Begins,
    /// It is back, after so long.
    Ends(Duration),
    /// It is there, and yet somebody met this a moment ago.
    Passed(M),
}

impl<M> Course<M> {
    /// Begins well.
    pub(super) const fn new() -> Self {
        Self {
            away_since: None,
            met: None,
            quiet_until: None,
        }
    }

    /// It was looked at.
    pub(super) fn looked(&mut self, is_well: bool, now: Instant) -> Turn<M> {
        match (is_well, self.away_since) {
            (false, Some(_)) => Turn::None,
            (false, None) => {
                self.away_since = Some(now);
                self.met = None;
                Turn::Begins
            }
            (true, Some(begun)) => {
                self.away_since = None;
                self.quiet_until = Some(now + QUIET);
                Turn::Ends(now - begun)
            }
            (true, None) => self.passed(now).map_or(Turn::None, Turn::Passed),
        }
    }

    fn passed(&mut self, now: Instant) -> Option<M> {
        let (_, word) = self.met.take_if(|(at, _)| now - *at >= TOLD_AFTER)?;
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet_until = Some(now + QUIET);
        Some(word)
    }

    /// Somebody met trouble.
    fn met(&mut self, word: M, now: Instant) {
        self.met.get_or_insert((now, word));
    }

    /// Waits until the next look; `troubled` is over when somebody has met trouble.
    pub(super) async fn rest(&mut self, troubled: impl Future<Output = M>) {
        sleep(PULSE_PAUSE).await;
        if self.away_since.is_some() {
            return sleep(AWAY_INTERVAL).await;
        }
        tokio::select! {
            () = sleep(PULSE_INTERVAL) => {}
            word = troubled => self.met(word, Instant::now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_outage_is_told_once_when_it_begins_and_once_when_it_ends() {
        let (mut course, begun) = (Course::new(), Instant::now());
        assert_eq!(course.looked(true, begun), Turn::None);
        course.met("refused", begun);
        assert_eq!(course.looked(false, begun), Turn::Begins);
        assert_eq!(course.looked(false, begun + SECOND), Turn::None);
        let back = begun + 3 * SECOND;
        assert_eq!(course.looked(true, back), Turn::Ends(3 * SECOND));
        // What it held up tells of it afterwards.
        course.met("no answer", back);
        for after in [SECOND, TOLD_AFTER, QUIET / 2, QUIET + SECOND] {
            assert_eq!(course.looked(true, back + after), Turn::None, "{after:?}");
        }
    }

    #[test]
    fn trouble_that_no_look_sees_is_told_at_most_once_a_minute() {
        let (mut course, begun) = (Course::new(), Instant::now());
        course.met("refused", begun);
        course.met("refused again", begun + SECOND);
        assert_eq!(course.looked(true, begun + SECOND), Turn::None);
        let told = begun + TOLD_AFTER;
        assert_eq!(course.looked(true, told), Turn::Passed("refused"));
        course.met("once more", told);
        assert_eq!(course.looked(true, told + TOLD_AFTER), Turn::None);
        course.met("later", told + QUIET);
        let later = told + QUIET + TOLD_AFTER;
        assert_eq!(course.looked(true, later), Turn::Passed("later"));
    }
}
