//! What the browser noted while a page was open.

use serde_json::Value;

use crate::driver::Browser;

/// Schemes of addresses that never leave the browser. Its own (`chrome:`) are those of the empty
/// page it starts with; a page of ours cannot ask for them.
const WITHIN: [&str; 3] = ["blob:", "chrome:", "data:"];

/// The browser's own account of a page.
#[derive(Debug)]
pub(crate) struct Log {
    /// What stands in the console as an error: a failed request, a script that broke, and each
    /// thing the policy forbade.
    pub(crate) complaints: Vec<String>,
    /// The addresses asked for, whether or not an answer came, but for those [`WITHIN`] the
    /// browser.
    pub(crate) requests: Vec<String>,
}

impl Log {
    /// Takes what was noted since the last time.
    pub(crate) fn of(browser: &Browser) -> Self {
        let complaints = browser
            .noted("browser")
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || is_about_policy(entry))
            .map(ToString::to_string)
            .collect();
        let requests = browser
            .noted("performance")
            .iter()
            .filter_map(request)
            .filter(|url| !WITHIN.iter().any(|scheme| url.starts_with(scheme)))
            .collect();
        Self {
            complaints,
            requests,
        }
    }
}

/// A policy that is only tried out is reported as a warning.
fn is_about_policy(entry: &Value) -> bool {
    let message = entry["message"].as_str().unwrap_or_default();
    message.contains("Content Security Policy") || message.contains("Content-Security-Policy")
}

/// The address in an entry about a request; none in any other.
fn request(entry: &Value) -> Option<String> {
    let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
    let event = &event["message"];
    if event["method"] != "Network.requestWillBeSent" {
        return None;
    }
    Some(event["params"]["request"]["url"].as_str()?.to_owned())
}
