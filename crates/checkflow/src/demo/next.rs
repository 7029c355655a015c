//! What a person may do when the demo's story is told: three lines to copy.

use super::client::{Client, with_query};

/// What a person may do next.
pub(crate) struct NextSteps {
    pub(crate) server: String,
    pub(crate) key: String,
    /// What each does, and the line itself.
    pub(crate) curls: [(&'static str, String); 3],
}

impl NextSteps {
    /// Lines that speak of this template and this subscription.
    pub(crate) fn new(client: &Client, template: &str, subscription: &str) -> Self {
        let (address, key) = (client.address(), client.key());
        let curl = |method: &str, path: &str, query: &[(&str, &str)]| {
            let path = with_query(path, query);
            format!("curl -sS {method}-H 'X-API-KEY: {key}' 'http://{address}{path}'")
        };
        let list = [("templateKey", template), ("checklistName", "Invoice 2043")];
        let of_subscription = [("subscriptionId", subscription)];
        Self {
            server: format!("http://{address}"),
            key: key.to_owned(),
            curls: [
                (
                    "another checklist; its webhook shows up here",
                    curl("-X POST ", "/api/checklist", &list),
                ),
                (
                    "the deliveries of the first subscription",
                    curl("", "/api/web-hook/deliveries", &of_subscription),
                ),
                (
                    "all subscriptions",
                    curl("", "/api/web-hook/subscriptions", &[]),
                ),
            ],
        }
    }
}
