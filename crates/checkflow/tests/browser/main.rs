//! Swagger UI in a real browser, against the real binary: what people do by hand must work by hand.
//!
//! No other test runs the page's scripts, under the policy the server sends with them. Chromium is
//! driven through chromedriver; `cargo xtask test` installs both where they are missing, and
//! without them these tests fail. Nothing here sleeps. Left out: the API's rules, which the tests
//! of `api` and the end-to-end tests hold.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod driver;
mod http;
mod log;
mod process;
mod stage;
mod tools;

use std::{io::ErrorKind, net::TcpListener};

use serde_json::Value;

use crate::{driver::Browser, log::Log, stage::Stage};

/// What Swagger UI draws for `POST /api/web-hook/subscribe`.
const SUBSCRIBE: &str = "#operations-Webhooks-subscribe";

/// Where the webhooks would go. Nobody listens there, and nothing is sent: nothing happens in the
/// team.
const TARGET: &str = "http://127.0.0.1:9/by-hand";

/// Presses Authorize and gives Swagger UI the key, as the padlock in the page asks for it.
fn authorize(browser: &Browser, key: &str) {
    browser.click(".auth-wrapper .authorize");
    browser.type_over("#api_key_value", key);
    browser.click(".auth-container:has(#api_key_value) button.authorize");
    // The button that forgets the key is there only once it has been taken.
    browser.text(".dialog-ux button[aria-label='Remove authorization']");
    browser.click(".dialog-ux .btn-done");
}

/// Opens the operation and fills in its parameters. There is no "Try it out" to press: the server's
/// settings open the fields at once.
fn fill_in(browser: &Browser, parameters: &[(&str, &str)]) {
    browser.click(&format!("{SUBSCRIBE} .opblock-summary-control"));
    for (name, value) in parameters {
        let row = format!("{SUBSCRIBE} tr[data-param-name='{name}']");
        if *name == "eventType" {
            // Its words are known, so that the page has them to choose from.
            browser.click(&format!("{row} select option[value='{value}']"));
        } else {
            browser.type_over(&format!("{row} input"), value);
        }
    }
}

/// Presses Execute; the status and the body that the page then shows.
fn execute(browser: &Browser) -> (String, Value) {
    browser.click(&format!("{SUBSCRIBE} button.execute"));
    let answer = format!("{SUBSCRIBE} .live-responses-table tr.response");
    let status = browser.text(&format!("{answer} .response-col_status"));
    let body = browser.text(&format!("{answer} .response-col_description .microlight"));
    let body = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: {body}"));
    (status, body)
}

#[test]
fn a_subscription_is_made_by_hand_in_swagger_ui() {
    let stage = Stage::set();
    let template = stage.template();
    let browser = Browser::start("subscribed");
    browser.open(&stage.url("/swagger"));
    authorize(&browser, &stage.key);
    let wanted = [
        ("eventType", "task_completed"),
        ("source", "by-hand"),
        ("targetUrl", TARGET),
        ("templateKey", &template),
    ];
    fill_in(&browser, &wanted);

    let (status, shown) = execute(&browser);
    assert_eq!(status.lines().next(), Some("200"), "{shown}");
    assert_eq!(shown["isNew"], true, "{shown}");
    let secret = shown["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{shown}");

    let kept = stage.ask("GET", "/api/web-hook/subscriptions", &Value::Null);
    let [kept] = &kept.as_array().unwrap()[..] else {
        panic!("not one: {kept}")
    };
    assert_eq!(kept["id"], shown["id"]);
    for (parameter, value) in wanted {
        // The answers spell this one as CheckFlow's do, otherwise than its requests.
        let member = match parameter {
            "targetUrl" => "targetURL",
            same => same,
        };
        assert_eq!(kept[member], value, "{kept}");
    }

    let log = Log::of(&browser);
    assert_eq!(log.complaints, [""; 0], "the page runs without complaint");
    let asked = stage.url("/api/web-hook/subscribe?");
    assert!(
        log.requests.iter().any(|url| url.starts_with(&asked)),
        "what the browser asks for is seen: {:#?}",
        log.requests
    );
    let own = stage.url("/");
    let foreign: Vec<_> = log
        .requests
        .iter()
        .filter(|url| !url.starts_with(&own))
        .collect();
    assert_eq!(foreign, [""; 0], "nobody but this server is asked");
}

#[test]
fn a_script_in_swagger_ui_cannot_call_another_server() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let stage = Stage::set();
    let browser = Browser::start("walled-in");
    browser.open(&stage.url("/swagger"));
    browser.text(SUBSCRIBE);

    let outside = format!("http://{}/", elsewhere.local_addr().unwrap());
    let call = format!(
        "const done = arguments[0];
        document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));
        fetch('{outside}', {{ mode: 'no-cors' }}).then(() => done('it went out'), () => {{}});"
    );
    assert_eq!(browser.script(&call), "connect-src");
    let arrived = elsewhere.accept().map(|(_, address)| address);
    assert_eq!(arrived.unwrap_err().kind(), ErrorKind::WouldBlock);
    // So the other test would have seen it, had the page asked for anything it may not have.
    let log = Log::of(&browser);
    let complaint = |line: &String| line.contains("Content Security Policy");
    assert!(log.complaints.iter().any(complaint), "{log:#?}");
}
