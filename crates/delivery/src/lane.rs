//! One lane: how many requests one subscription may have at once, and whether its deliveries go
//! straight through or by the table.

use domain::Timestamp;

/// The state of a lane. The rules are here, their bookkeeping is in [`crate::lanes`].
#[derive(Debug)]
pub(crate) struct Lane {
    /// Permits that are out.
    pub(crate) in_flight: u32,
    /// Permits that may be out: the full bound, or fewer while the receiver is slow.
    pub(crate) bound: u32,
    /// When the bound was last cut.
    pub(crate) slowed_at: Option<Timestamp>,
    /// No request before this moment.
    pub(crate) closed_until: Option<Timestamp>,
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
            closed_until: None,
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
            && self.in_flight < self.bound
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
        }
    }

    /// Half as many requests, down to one: a probe.
    pub(crate) fn slow(&mut self, now: Timestamp) {
        self.bound = (self.bound / 2).max(1);
        self.slowed_at = Some(now);
    }

    /// One more request, up to the full bound.
    pub(crate) const fn grow(&mut self, full: u32) {
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
    }
}
