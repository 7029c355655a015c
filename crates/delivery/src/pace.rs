//! How fast requests of one lane may begin: so many a second, with a second's worth at once after a rest.
//!
//! Kept as the one moment at which a lane that began so many requests would have begun the last of them, had they been
//! evenly spread (the *generic cell rate algorithm*): nothing has to be filled up by a clock.

use std::time::Duration;

use domain::Timestamp;

const SECOND_MICROS: i64 = 1_000_000;

/// What one lane may begin in a second, on all nodes together, and how many nodes share that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// At least one.
    pub(crate) per_second: u32,
    /// At least one.
    pub(crate) nodes: u32,
}

impl Rate {
    /// From one request of this node to the next.
    fn interval_micros(self) -> i64 {
        let micros = SECOND_MICROS * i64::from(self.nodes.max(1));
        (micros / i64::from(self.per_second.max(1))).max(1)
    }

    /// How far ahead of its even spread a lane may run: a second, or one request if that takes longer.
    fn burst_micros(self) -> i64 {
        self.interval_micros().max(SECOND_MICROS)
    }
}

/// How far a lane has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// When the next request would begin in an even spread, in microseconds since 1970.
    next: i64,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self { next: 0 }
    }

    /// Whether nothing has begun.
    pub(crate) const fn is_new(self) -> bool {
        self.next == 0
    }

    /// How many requests may begin now.
    pub(crate) fn free(self, rate: Rate, now: Timestamp) -> u32 {
        let now = micros(now);
        let ahead = (self.from(rate, now) - now).max(0);
        let free = (rate.burst_micros() - ahead) / rate.interval_micros();
        u32::try_from(free.max(0)).unwrap_or(u32::MAX)
    }

    /// So many requests begin.
    pub(crate) fn begin(&mut self, rate: Rate, count: u32, now: Timestamp) {
        let next = self.from(rate, micros(now)).max(micros(now));
        self.next = next + i64::from(count) * rate.interval_micros();
    }

    /// So many of those were not begun after all.
    pub(crate) fn undo(&mut self, rate: Rate, count: u32) {
        self.next -= i64::from(count) * rate.interval_micros();
    }

    /// When one more may begin; only asked while none may.
    pub(crate) fn next_free(self, rate: Rate, now: Timestamp) -> Timestamp {
        let now_micros = micros(now);
        let until = self.from(rate, now_micros) + rate.interval_micros() - rate.burst_micros();
        let wait = u64::try_from(until - now_micros).unwrap_or(0);
        // A whole millisecond, which is what moments have.
        now.after(Duration::from_millis(wait.div_ceil(1_000).max(1)))
    }

    /// Whether it has rested so long that nothing of it need be known.
    pub(crate) fn is_rested(self, now: Timestamp) -> bool {
        self.next <= micros(now)
    }

    /// The same, but not further ahead than this rate gets: a faster one, or a clock that was set back, would else
    /// have the lane wait for what is no more.
    fn from(self, rate: Rate, now: i64) -> i64 {
        self.next.min(now + rate.burst_micros())
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_455_715_120);

    fn rate(per_second: u32, nodes: u32) -> Rate {
        Rate { per_second, nodes }
    }

    /// Begins all that may begin, whenever it may, for so long; how many began.
    fn began_within(pace: &mut Pace, rate: Rate, seconds: u64) -> u32 {
        let (mut now, mut began) = (NOW, 0);
        let end = NOW.after(Duration::from_secs(seconds));
        while now < end {
            let free = pace.free(rate, now);
            if free == 0 {
                let next = pace.next_free(rate, now);
                assert!(next > now, "it waits for a moment to come");
                now = next;
                assert!(pace.free(rate, now) > 0, "{rate:?} after {began}");
                continue;
            }
            pace.begin(rate, free, now);
            began += free;
        }
        began
    }

    #[test]
    fn a_seconds_worth_goes_at_once_and_then_so_many_a_second() {
        for (per_second, nodes, seconds, expected) in [
            (1, 1, 10, 10),
            (5, 1, 10, 54),
            (1_000, 1, 10, 10_999),
            (10_000, 1, 2, 29_999),
            (10, 2, 10, 54),
            // Less than one a second of each node.
            (1, 3, 9, 3),
            (7, 1, 3, 27),
        ] {
            let mut pace = Pace::new();
            let began = began_within(&mut pace, rate(per_second, nodes), seconds);
            let near = u32::abs_diff(began, expected) <= per_second.div_ceil(500) + 1;
            assert!(near, "{per_second} by {nodes}: {began}, not {expected}");
        }
    }

    #[test]
    fn a_faster_rate_counts_at_once() {
        let (slow, fast) = (rate(1, 1), rate(100, 1));
        let mut pace = Pace::new();
        pace.begin(slow, 1, NOW);
        assert_eq!(pace.free(slow, NOW), 0);
        assert_eq!(pace.free(fast, NOW), 0, "a second's worth was just begun");
        let soon = NOW.after(Duration::from_millis(10));
        assert_eq!(pace.free(fast, soon), 1);
        assert_eq!(pace.free(slow, soon), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up_for_long() {
        let of = rate(10, 1);
        let mut pace = Pace::new();
        pace.begin(of, 10, NOW.after(Duration::from_hours(1)));
        assert_eq!(pace.free(of, NOW), 0);
        assert_eq!(
            pace.next_free(of, NOW),
            NOW.after(Duration::from_millis(100))
        );
    }

    #[test]
    fn what_was_not_begun_may_begin() {
        let of = rate(10, 1);
        let mut pace = Pace::new();
        pace.begin(of, 10, NOW);
        assert_eq!(pace.free(of, NOW), 0);
        pace.undo(of, 4);
        assert_eq!(pace.free(of, NOW), 4);
    }
}
