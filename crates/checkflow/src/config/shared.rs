//! Which settings the nodes on one database have to have in common, as each tells the others of them.
//!
//! Those that decide what is sent and what becomes of it, and those that a receiver or a caller sees. Not those
//! that fit a node to its machine, nor what the start itself compares (the master key, the files). A
//! node tells only of what it uses: one that sends has no use for the address that links begin with.

use delivery::DeliverySettings;
use domain::{ALLOW_TARGETS_SETTING, HTTPS_ONLY_SETTING, PublicUrl};
use store::NodeSettings;

use super::{Settings, keeping::Kept};

impl Settings {
    /// What this node tells the others, with `public_url` as it is in effect.
    pub(crate) fn shared(&self, public_url: &PublicUrl) -> NodeSettings {
        // Sorted, and written in one way, whatever the order and the spelling in the configuration.
        let mut shared =
            NodeSettings::default().with(ALLOW_TARGETS_SETTING, &self.policy.entries().join(" "));
        let mut tell = |name: &str, value: &str| {
            shared = std::mem::take(&mut shared).with(name, value);
        };
        tell(HTTPS_ONLY_SETTING, &self.policy.is_https_only().to_string());
        let keeping = &self.keeping;
        for (name, kept) in [
            ("keeping.log", keeping.log),
            ("keeping.bodies", keeping.bodies),
            ("keeping.answers", keeping.answers),
        ] {
            tell(name, &Kept(kept).to_string());
        }
        if self.role.sends() {
            let delivery = &self.delivery;
            let steps = delivery.schedule.steps().iter();
            let steps: Vec<String> = steps.map(|step| step.as_millis().to_string()).collect();
            tell("delivery.schedule", &steps.join(" "));
            for (name, value) in of_sending(delivery) {
                tell(name, &value.to_string());
            }
        }
        if self.role.answers() {
            tell("public_url", &public_url.to_string());
            let limits = &self.limits;
            for (name, value) in [
                ("api.json_bytes_max", self.api.json_bytes_max.to_string()),
                ("api.query_bytes_max", self.api.query_bytes_max.to_string()),
                ("limits.file_bytes_max", limits.file_bytes_max.to_string()),
                ("limits.templates_max", limits.templates_max.to_string()),
                (
                    "limits.subscriptions_max",
                    limits.subscriptions_max.to_string(),
                ),
            ] {
                tell(name, &value);
            }
        }
        shared
    }
}

/// What decides how deliveries are sent and what becomes of them, as numbers.
fn of_sending(delivery: &DeliverySettings) -> [(&'static str, u128); 8] {
    let health = &delivery.health;
    [
        (
            "delivery.request_timeout",
            delivery.request_timeout.as_millis(),
        ),
        (
            "delivery.connect_timeout",
            delivery.connect_timeout.as_millis(),
        ),
        ("delivery.warn_after", health.warn_after.as_millis()),
        (
            "delivery.warn_again_after",
            health.warn_again_after.as_millis(),
        ),
        ("delivery.pause_after", health.pause_after.as_millis()),
        ("delivery.probe_after", health.probe_after.as_millis()),
        ("delivery.probe_wait_max", health.probe_wait_max.as_millis()),
        (
            "delivery.in_flight_per_subscription_max",
            delivery.in_flight_per_subscription_max.into(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use domain::{AddressPolicy, HealthSettings};

    use super::*;
    use crate::config::{Role, defaults};

    fn url(text: &str) -> PublicUrl {
        PublicUrl::new(text).unwrap()
    }

    fn differing(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let one = defaults().unwrap();
        let mut other = one.clone();
        change(&mut other);
        let url = url("https://checks.example.com");
        one.shared(&url).differing(&other.shared(&url))
    }

    #[test]
    fn the_same_rule_is_the_same_however_it_is_written() {
        let of = |entries: &[&str]| {
            let mut settings = defaults().unwrap();
            settings.policy = AddressPolicy::new(entries).unwrap();
            settings.shared(&url("https://checks.example.com"))
        };
        assert_eq!(
            of(&["hooks.internal", "10.0.0.0/8"]),
            of(&["10.0.0.0/8", "HOOKS.internal."])
        );
        assert_eq!(
            of(&["hooks.internal"]).differing(&of(&[])),
            ["webhook.allow_targets"]
        );
    }

    #[test]
    fn nodes_tell_whether_they_ask_https_of_every_target() {
        let asks = |settings: &mut Settings| {
            settings.policy = settings.policy.clone().with_https_only(true);
        };
        assert_eq!(differing(asks), ["webhook.https_only"]);
    }

    #[test]
    fn what_decides_or_is_seen_is_compared_and_what_fits_a_machine_is_not() {
        let seconds = std::time::Duration::from_secs;
        for (name, differing) in [
            (
                "delivery.schedule",
                differing(|to| {
                    to.delivery.schedule = domain::RetrySchedule::new(&[seconds(0)]).unwrap();
                }),
            ),
            (
                "delivery.request_timeout",
                differing(|to| to.delivery.request_timeout = seconds(7)),
            ),
            (
                "delivery.connect_timeout",
                differing(|to| to.delivery.connect_timeout = seconds(1)),
            ),
            (
                "delivery.in_flight_per_subscription_max",
                differing(|to| to.delivery.in_flight_per_subscription_max = 1),
            ),
            ("keeping.log", differing(|to| to.keeping.log = None)),
            ("keeping.bodies", differing(|to| to.keeping.bodies = None)),
            (
                "keeping.answers",
                differing(|to| to.keeping.answers = Some(seconds(86_400))),
            ),
            (
                "api.json_bytes_max",
                differing(|to| to.api.json_bytes_max += 1),
            ),
            (
                "api.query_bytes_max",
                differing(|to| to.api.query_bytes_max += 1),
            ),
            (
                "limits.file_bytes_max",
                differing(|to| to.limits.file_bytes_max += 1),
            ),
            (
                "limits.templates_max",
                differing(|to| to.limits.templates_max += 1),
            ),
            (
                "limits.subscriptions_max",
                differing(|to| to.limits.subscriptions_max += 1),
            ),
        ] {
            assert_eq!(differing, [name]);
        }
        let own = differing(|to| {
            to.delivery.in_flight_max += 1;
            to.delivery.scan_interval = seconds(2);
            to.api.uploads_max += 1;
            to.postgres.connections += 1;
        });
        assert!(own.is_empty(), "{own:?}");
    }

    #[test]
    fn how_long_a_receiver_may_fail_is_compared() {
        type Of = fn(&mut HealthSettings) -> &mut std::time::Duration;
        let second = std::time::Duration::from_secs(1);
        let changes: [(&str, Of); 5] = [
            ("delivery.warn_after", |to| &mut to.warn_after),
            ("delivery.warn_again_after", |to| &mut to.warn_again_after),
            ("delivery.pause_after", |to| &mut to.pause_after),
            ("delivery.probe_after", |to| &mut to.probe_after),
            ("delivery.probe_wait_max", |to| &mut to.probe_wait_max),
        ];
        for (name, of) in changes {
            let found = differing(|to| *of(&mut to.delivery.health) += second);
            assert_eq!(found, [name]);
        }
    }

    #[test]
    fn a_node_tells_of_what_it_uses() {
        let told = |role, link: &str| {
            let mut settings = defaults().unwrap();
            settings.role = role;
            settings.shared(&url(link))
        };
        let answers = told(Role::Api, "http://one.example.com");
        let others = told(Role::All, "http://two.example.com");
        assert_eq!(answers.differing(&others), ["public_url"]);
        let sends = told(Role::Deliver, "http://127.0.0.1:8080");
        assert!(sends.differing(&others).is_empty());
        assert!(sends.differing(&answers).is_empty());
    }
}
