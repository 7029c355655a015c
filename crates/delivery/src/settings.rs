//! What an operator may set about sending, and the bounds that it must keep.
//!
//! The binary fills [`DeliverySettings`] from its configuration and [`crate::Engine::start`] checks
//! it. What follows from a setting (the lease) is computed here and can't be set, because a lease
//! shorter than a request would send everything twice.

use std::{ops::RangeInclusive, time::Duration};

use domain::{HealthSettings, RetrySchedule};

/// How long a taken delivery may wait until its request begins.
pub(crate) const LEASE_START_MAX: Duration = Duration::from_secs(5);

/// How long it may take from the end of a request until its outcome is on disk.
pub(crate) const LEASE_SETTLE_MAX: Duration = Duration::from_secs(15);

/// How requests are sent, and how many at once.
///
/// Every duration is bounded below and above by [`DeliverySettings::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// When a delivery that failed is tried again.
    pub schedule: RetrySchedule,
    /// How long a receiver may do nothing but fail. Each of the first three a minute to 90 days, and not before the
    /// one above it; the first wait for a probe a minute to a day, the longest up to 7 days.
    pub health: HealthSettings,
    /// The whole exchange: connecting, sending, and reading the answer to its end. 1 s to 30 s.
    pub request_timeout: Duration,
    /// Looking the name up, connecting and securing the connection. 100 ms to the request timeout.
    pub connect_timeout: Duration,
    /// Requests of this node at once. 1 to 32,768.
    pub in_flight_max: u32,
    /// Requests to one subscription at once. 1 to 1,024 and at most `in_flight_max`.
    pub in_flight_per_subscription_max: u32,
    /// Requests to one subscription that begin in a second while what was held during a pause is sent, on all nodes
    /// together. 1 to 10,000.
    pub catch_up_per_second_max: u32,
    /// Deliveries taken from the table in one transaction. 1 to 4,096.
    pub take_batch_max: u32,
    /// Outcomes stored in one transaction. 1 to 4,096.
    pub settle_batch_max: u32,
    /// Outcomes that wait to be stored; when it is full, requests keep their permits. 1 to 16,384.
    pub settle_queue_max: u32,
    /// How long a connection is used at most, so that a name which moved is looked up again. 1 s to
    /// an hour.
    pub connection_max_age: Duration,
    /// How long a connection is kept without a request. 1 s to 10 min.
    pub connection_idle_max: Duration,
    /// Connections without a request that are kept to one host. 0 to 1,024.
    pub idle_per_host_max: u32,
    /// How often the table is looked at without a signal. 10 ms to 1 min.
    pub scan_interval: Duration,
    /// How often leases that lapsed are looked for. 100 ms to 10 min.
    pub rescue_interval: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            schedule: RetrySchedule::default(),
            health: HealthSettings::default(),
            request_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            in_flight_max: 1_024,
            in_flight_per_subscription_max: 64,
            catch_up_per_second_max: 100,
            take_batch_max: 256,
            settle_batch_max: 256,
            settle_queue_max: 1_024,
            connection_max_age: Duration::from_mins(5),
            connection_idle_max: Duration::from_mins(1),
            // As many as may run to one host when several subscriptions share it. With 64, ten busy
            // subscriptions opened a connection for every second request.
            idle_per_host_max: 512,
            scan_interval: Duration::from_secs(1),
            rescue_interval: Duration::from_secs(10),
        }
    }
}

/// A setting that is out of its bounds, and what may be written instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// A duration.
    #[error("delivery.{name} is {value:?}: write {least:?} to {most:?}")]
    Duration {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: Duration,
        /// The least that is taken.
        least: Duration,
        /// The most that is taken.
        most: Duration,
    },
    /// A number.
    #[error("delivery.{name} is {value}: write {least} to {most}")]
    Count {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: u32,
        /// The least that is taken.
        least: u32,
        /// The most that is taken.
        most: u32,
    },
}

impl DeliverySettings {
    /// Whether everything is within its bounds; tells of the first that is not.
    pub fn check(&self) -> Result<(), BadSetting> {
        let seconds = Duration::from_secs;
        let millis = Duration::from_millis;
        for (name, value, range) in [
            (
                "request_timeout",
                self.request_timeout,
                seconds(1)..=seconds(30),
            ),
            (
                "connect_timeout",
                self.connect_timeout,
                millis(100)..=self.request_timeout,
            ),
            (
                "connection_max_age",
                self.connection_max_age,
                seconds(1)..=seconds(3_600),
            ),
            (
                "connection_idle_max",
                self.connection_idle_max,
                seconds(1)..=seconds(600),
            ),
            (
                "scan_interval",
                self.scan_interval,
                millis(10)..=seconds(60),
            ),
            (
                "rescue_interval",
                self.rescue_interval,
                millis(100)..=seconds(600),
            ),
        ] {
            duration(name, value, &range)?;
        }
        self.check_health()?;
        let lane_most = self.in_flight_max.min(1_024);
        for (name, value, range) in [
            ("in_flight_max", self.in_flight_max, 1..=32_768),
            (
                "in_flight_per_subscription_max",
                self.in_flight_per_subscription_max,
                1..=lane_most,
            ),
            (
                "catch_up_per_second_max",
                self.catch_up_per_second_max,
                1..=10_000,
            ),
            ("take_batch_max", self.take_batch_max, 1..=4_096),
            ("settle_batch_max", self.settle_batch_max, 1..=4_096),
            ("settle_queue_max", self.settle_queue_max, 1..=16_384),
            ("idle_per_host_max", self.idle_per_host_max, 0..=1_024),
        ] {
            count(name, value, &range)?;
        }
        Ok(())
    }

    fn check_health(&self) -> Result<(), BadSetting> {
        const LEAST: Duration = Duration::from_mins(1);
        const MOST: Duration = Duration::from_hours(90 * 24);
        let health = &self.health;
        for (name, value, range) in [
            ("warn_after", health.warn_after, LEAST..=MOST),
            (
                "warn_again_after",
                health.warn_again_after,
                health.warn_after..=MOST,
            ),
            (
                "pause_after",
                health.pause_after,
                health.warn_again_after..=MOST,
            ),
            // No second probe begins while one may run: a lease is shorter.
            (
                "probe_after",
                health.probe_after,
                LEAST..=Duration::from_hours(24),
            ),
            (
                "probe_wait_max",
                health.probe_wait_max,
                health.probe_after..=Duration::from_hours(7 * 24),
            ),
        ] {
            duration(name, value, &range)?;
        }
        Ok(())
    }

    /// How long a lease lasts: long enough to begin, to run into the timeout and to be settled.
    pub(crate) fn lease(&self) -> Duration {
        LEASE_START_MAX + self.lease_left_min()
    }

    /// What must be left of a lease when a request begins.
    pub(crate) fn lease_left_min(&self) -> Duration {
        self.request_timeout + LEASE_SETTLE_MAX
    }
}

fn duration(
    name: &'static str,
    value: Duration,
    range: &RangeInclusive<Duration>,
) -> Result<(), BadSetting> {
    let (least, most) = (*range.start(), *range.end());
    if range.contains(&value) {
        return Ok(());
    }
    Err(BadSetting::Duration {
        name,
        value,
        least,
        most,
    })
}

fn count(name: &'static str, value: u32, range: &RangeInclusive<u32>) -> Result<(), BadSetting> {
    let (least, most) = (*range.start(), *range.end());
    if range.contains(&value) {
        return Ok(());
    }
    Err(BadSetting::Count {
        name,
        value,
        least,
        most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut DeliverySettings)) -> String {
        let mut settings = DeliverySettings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_within_their_own_bounds() {
        assert_eq!(DeliverySettings::default().check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_bounds_is_named_with_what_may_be_written() {
        assert_eq!(
            refused(|settings| settings.request_timeout = Duration::from_secs(31)),
            "delivery.request_timeout is 31s: write 1s to 30s"
        );
        assert_eq!(
            refused(|settings| settings.connect_timeout = Duration::from_secs(16)),
            "delivery.connect_timeout is 16s: write 100ms to 15s"
        );
        assert_eq!(
            refused(|settings| settings.in_flight_max = 0),
            "delivery.in_flight_max is 0: write 1 to 32768"
        );
        assert_eq!(
            refused(|settings| settings.in_flight_max = 8),
            "delivery.in_flight_per_subscription_max is 64: write 1 to 8"
        );
    }

    #[test]
    fn a_lease_outlasts_the_longest_request_with_room_to_begin_and_to_settle() {
        let settings = DeliverySettings::default();
        assert!(settings.lease() > settings.lease_left_min());
        assert!(settings.lease_left_min() > settings.request_timeout);
    }
}
