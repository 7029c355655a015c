//! One lane: how many requests one subscription may have at once, and whether its deliveries go
//! straight through or by the table.

use domain::Timestamp;

use crate::pace::{Pace, Rate};

/// The state of a lane. The rules are here, their bookkeeping is in [`crate::lanes`].
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands beside the others, in any combination"
)]
pub(crate) struct Lane {
    /// Permits that are out.
    pub(crate) in_flight: u32,
    /// Permits that may be out: the full bound, or fewer while the receiver is slow.
    pub(crate) bound: u32,
    /// When the bound was last cut.
    pub(crate) slowed_at: Option<Timestamp>,
    /// How many requests have failed since the last success or the last cut.
    failed_in_row: u32,
    /// No request before this moment.
    pub(crate) closed_until: Option<Timestamp>,
    /// Most requests that may begin in a second, on all nodes together.
    pub(crate) per_second: Option<u32>,
    pace: Pace,
    /// What may begin in a second has begun: until when the rest waits. What is leased already is sent.
    pub(crate) rests_until: Option<Timestamp>,
    /// It is sent what was held while its subscription was paused, and begins with one request at once.
    pub(crate) catches_up: bool,
    /// Whether a take is under way; it holds permits of its own.
    pub(crate) taking: bool,
    /// Whether it stands in the queue of lanes that wait for a take.
    pub(crate) queued: bool,
    /// Something due may wait in the table, so what is new has to go behind it.
    backlog: bool,
    /// Goes up whenever something due is stored. A take that found nothing more clears the backlog
    /// only if this has not moved since the take was submitted.
    ///
    /// All writes stand in one line, so a delivery whose store counted before the submission is in
    /// the table when the take looks. One that counted later may be behind the take, though the
    /// take's answer is still under way; then the lane has to be taken from again. Held by
    /// `what_is_stored_behind_a_take_is_taken_by_the_next`.
    generation: u64,
}

impl Lane {
    pub(crate) const fn new(bound: u32) -> Self {
        Self {
            in_flight: 0,
            bound,
            slowed_at: None,
            failed_in_row: 0,
            closed_until: None,
            per_second: None,
            pace: Pace::new(),
            rests_until: None,
            catches_up: false,
            taking: false,
            queued: false,
            backlog: false,
            generation: 0,
        }
    }

    /// How many more requests may begin, while `free` of `all` permits are left.
    ///
    /// A quarter of all permits is kept for lanes that have none, and of the rest a lane never has
    /// more than are still free for the others. So lanes that hang share what they hold among
    /// themselves and leave a permit for one that works. The price: a lane alone gets three eighths
    /// of everything at most.
    pub(crate) fn room(&self, free: u32, all: u32) -> u32 {
        if self.closed_until.is_some() {
            return 0;
        }
        // With n more, in_flight + n <= rest - n has to hold.
        let rest = free.saturating_sub(all / 4);
        let share = rest.saturating_sub(self.in_flight) / 2;
        let first = u32::from(self.in_flight == 0 && free > 0);
        self.bound
            .saturating_sub(self.in_flight)
            .min(share.max(first))
    }

    /// The full bound was `before` and is `now`: one that had it has the new one; one that is slow keeps
    /// its own, as far as that is still allowed.
    pub(crate) const fn share(&mut self, before: u32, now: u32) {
        if self.bound >= before || self.bound > now {
            self.bound = now;
        }
    }

    /// Whether a delivery may pass by the table.
    pub(crate) const fn is_straight(&self) -> bool {
        !self.backlog && !self.taking
    }

    /// Whether a take from it would be of use.
    pub(crate) const fn wants_take(&self) -> bool {
        self.backlog
            && !self.taking
            && !self.queued
            && self.closed_until.is_none()
            && self.rests_until.is_none()
            && self.in_flight < self.bound
    }

    /// What may begin in a second, if that is bounded. While it catches up there is a bound for that as well.
    fn rate(&self, limits: Limits) -> Option<Rate> {
        let catching_up = self.catches_up.then_some(limits.catch_up_per_second);
        let rates = self.per_second.into_iter().chain(catching_up);
        let per_second = rates.min()?;
        Some(Rate {
            per_second,
            nodes: limits.nodes,
        })
    }

    /// How many requests its rate lets begin now.
    pub(crate) fn paced(&self, limits: Limits, now: impl FnOnce() -> Timestamp) -> u32 {
        let Some(rate) = self.rate(limits) else {
            return u32::MAX;
        };
        self.pace.free(rate, now())
    }

    /// So many requests begin.
    pub(crate) fn begin(&mut self, limits: Limits, count: u32, now: impl FnOnce() -> Timestamp) {
        if let Some(rate) = self.rate(limits) {
            self.pace.begin(rate, count, now());
        }
    }

    /// So many of those were not begun after all.
    pub(crate) fn unbegin(&mut self, limits: Limits, count: u32) {
        if let Some(rate) = self.rate(limits) {
            self.pace.undo(rate, count);
        }
    }

    /// Its subscription may have so many a second, as was found with so many that begin.
    pub(crate) fn learn(
        &mut self,
        limits: Limits,
        per_second: Option<u32>,
        began: u32,
        now: Timestamp,
    ) {
        let knew = self.rate(limits).is_some();
        self.per_second = per_second;
        if !knew {
            self.begin(limits, began, || now);
        }
    }

    /// Until when it rests; none if it need not.
    pub(crate) fn rest(&mut self, limits: Limits, now: Timestamp) -> Option<Timestamp> {
        let rate = self.rate(limits)?;
        self.rests_until = (self.pace.free(rate, now) == 0).then(|| self.pace.next_free(rate, now));
        self.rests_until
    }

    /// What was held while its subscription was paused is sent now: one at first, and one more with each that
    /// arrives.
    pub(crate) fn catch_up(&mut self, now: Timestamp) {
        if !self.catches_up {
            self.catches_up = true;
            self.bound = 1;
            self.slowed_at = Some(now);
        }
    }

    pub(crate) const fn stored(&mut self) {
        self.backlog = true;
        self.generation = self.generation.wrapping_add(1);
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// A take that was submitted at `generation` found nothing more.
    pub(crate) const fn drained(&mut self, generation: u64) {
        if self.generation == generation {
            self.backlog = false;
            self.catches_up = false;
        }
    }

    /// Half as many requests, down to one: a probe.
    pub(crate) fn slow(&mut self, now: Timestamp) {
        self.bound = (self.bound / 2).max(1);
        self.slowed_at = Some(now);
        self.failed_in_row = 0;
    }

    /// A request failed at once. As many in a row as may run say that the receiver is at fault, and not an event.
    pub(crate) fn fail(&mut self, now: Timestamp) {
        self.failed_in_row += 1;
        if self.failed_in_row >= self.bound {
            self.slow(now);
        }
    }

    /// One more request, up to the full bound.
    pub(crate) const fn grow(&mut self, full: u32) {
        self.failed_in_row = 0;
        if self.bound < full {
            self.bound += 1;
        }
        if self.bound == full {
            self.slowed_at = None;
        }
    }

    /// Whether nothing would be lost by forgetting it.
    pub(crate) const fn is_idle(&self) -> bool {
        self.in_flight == 0
            && !self.backlog
            && !self.taking
            && !self.queued
            && self.closed_until.is_none()
            && self.slowed_at.is_none()
            // What it has begun counts against its rate.
            && self.pace.is_new()
    }

    /// Forgets what it has begun, once that counts no more.
    pub(crate) fn forget_pace(&mut self, now: Timestamp) {
        if self.pace.is_rested(now) {
            self.pace = Pace::new();
        }
    }
}

/// What bounds how many requests of a lane begin in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Nodes that share it.
    pub(crate) nodes: u32,
    /// While it catches up.
    pub(crate) catch_up_per_second: u32,
}
