//! What was promised against what came: lost, repeated, and how late.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    time::{Duration, Instant},
};

use super::{drive::Sent, sink::Arrival};

/// The account of one load. A *pair* is an event and a subscription that is waited for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Events whose sending was answered with success.
    pub(crate) accepted: usize,
    /// Different pairs that arrived.
    pub(crate) delivered: usize,
    /// Pairs of an accepted event that never arrived.
    pub(crate) lost: usize,
    /// Arrivals beyond the first of a pair.
    pub(crate) repeated: usize,
    /// Arrivals about something that was never sent.
    pub(crate) unasked: usize,
    /// From the sending to the first arrival, of each pair; shortest first.
    pub(crate) latencies: Vec<Duration>,
    /// From the first sending to the last of the first arrivals.
    pub(crate) span: Duration,
}

impl Account {
    /// `waited` tells the subscriptions that are waited for, by the number of the event. What arrives
    /// at others is nobody's concern.
    pub(crate) fn of(
        sent: &[Sent],
        mut arrivals: Vec<Arrival>,
        waited: impl Fn(usize) -> Range<u16>,
    ) -> Self {
        // By pair, and the earliest of a pair first.
        arrivals.sort_unstable();
        let mut account = Self::default();
        for sent in sent.iter().filter(|sent| sent.accepted) {
            account.accepted += 1;
            account.lost += waited(sent.number).len();
        }
        let by_task: HashMap<u64, &Sent> = sent.iter().map(|sent| (sent.task, sent)).collect();
        let mut last: Option<Instant> = None;
        for pair in arrivals.chunk_by(|a, b| (a.task, a.subscription) == (b.task, b.subscription)) {
            let first = pair[0];
            let Some(sent) = by_task.get(&first.task) else {
                account.unasked += pair.len();
                continue;
            };
            if !waited(sent.number).contains(&first.subscription) {
                continue;
            }
            account.delivered += 1;
            // An event whose answer never came was not promised, and may still arrive.
            account.lost -= usize::from(sent.accepted);
            account.repeated += pair.len() - 1;
            let late = first.at.saturating_duration_since(sent.at);
            account.latencies.push(late);
            last = last.max(Some(first.at));
        }
        account.latencies.sort_unstable();
        let began = sent.iter().map(|sent| sent.at).min();
        let span = last.zip(began);
        account.span = span.map_or(Duration::ZERO, |(last, began)| {
            last.saturating_duration_since(began)
        });
        account
    }

    /// Pairs that arrived, by the second.
    pub(crate) fn per_second(&self) -> f64 {
        count(self.delivered) / self.span.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// What so many of a hundred arrivals were not later than, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        // The nearest rank.
        let rank = (self.latencies.len() * percent).div_ceil(100);
        let late = self.latencies.get(rank.saturating_sub(1));
        late.map_or(f64::NAN, |late| late.as_secs_f64() * 1_000.0)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            delivered,
            lost,
            repeated,
            ..
        } = self;
        write!(
            f,
            "{accepted} accepted, {delivered} delivered, {lost} lost, {repeated} repeated"
        )
    }
}

/// A count to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "no benchmark counts to 2 to the 53rd"
)]
pub(crate) fn count(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
