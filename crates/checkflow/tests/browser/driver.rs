//! A headless Chromium, spoken to through chromedriver as <https://www.w3.org/TR/webdriver2/> says.
//!
//! By hand, because the dozen commands needed are a request of JSON each, and the crates that speak
//! it bring a second `http`, a second ICU and two dozen others.

use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    thread,
    time::Instant,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use testkit::PATIENCE;

use crate::{
    http,
    process::Process,
    tools::{self, MISSING},
};

/// The line in which the driver says that it can answer, up to its port.
const STARTED: &str = "was started successfully on port ";

/// What the driver calls an element in its answers, by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Nothing of the machine's owner, nothing in the background, and no host but this machine, so that
/// what a page asks for is all there is. The sandbox does not start for root, as in a container,
/// and there `/dev/shm` is too small besides.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--window-size=1280,1600",
];

/// A browser with one window; dropping it closes it, after a last picture into `target/browser`.
pub(crate) struct Browser {
    address: SocketAddr,
    session: String,
    picture: &'static str,
    // Before the folder, so that nobody writes there any more when it goes.
    _driver: Process,
    _folder: TempDir,
}

/// What the driver answers when it cannot do a thing.
#[derive(Debug)]
struct Refusal {
    /// One of the standard's words.
    error: String,
    message: String,
}

impl Refusal {
    /// Whether it may go away by itself: React draws elements anew while we look at them, and one
    /// may be covered until something else has been closed.
    fn passes(&self) -> bool {
        [
            "element click intercepted",
            "element not interactable",
            "stale element reference",
        ]
        .contains(&self.error.as_str())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

impl Browser {
    /// Starts a browser with a profile of its own. `picture` names what it leaves in
    /// `target/browser`.
    pub(crate) fn start(picture: &'static str) -> Self {
        let (driver, chromium) = (tools::chromedriver(), tools::chromium());
        let folder = tempdir().unwrap();
        let mut command = Command::new(driver);
        // All that either of them leaves lying about goes with the folder.
        command
            .arg("--port=0")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path());
        let (driver, port) = Process::start(&mut command, STARTED, MISSING);
        let port = port.trim_end_matches('.').parse().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let wanted = capabilities(&chromium, &folder.path().join("profile"));
        let begun = command_to(address, "POST /session", &wanted)
            .unwrap_or_else(|refusal| panic!("{} does not start: {refusal}", chromium.display()));
        Self {
            address,
            session: begun["sessionId"].as_str().unwrap().to_owned(),
            picture,
            _driver: driver,
            _folder: folder,
        }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = format!("{method} /session/{}{path}", self.session);
        command_to(self.address, &request, body)
    }

    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        self.command(method, path, body)
            .unwrap_or_else(|refusal| panic!("{path} {body}: {refusal}"))
    }

    /// Goes to `url` and waits until the page is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.done("POST", "/url", &json!({ "url": url }));
    }

    /// Runs a script that calls its last argument with the result, and answers that.
    pub(crate) fn script(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.done("POST", "/execute/async", &body)
    }

    fn run(&self, script: &str, element: &str) -> Result<Value, Refusal> {
        let body = json!({ "script": script, "args": [{ ELEMENT: element }] });
        self.command("POST", "/execute/sync", &body)
    }

    /// What the browser noted of this kind since the last time. Not in the standard; chromedriver's.
    pub(crate) fn noted(&self, kind: &str) -> Vec<Value> {
        let noted = self.done("POST", "/se/log", &json!({ "type": kind }));
        noted.as_array().unwrap().clone()
    }

    /// Presses the element that `css` finds, as soon as it can be pressed.
    pub(crate) fn click(&self, css: &str) {
        self.at(css, |element| {
            self.command("POST", &format!("/element/{element}/click"), &json!({}))
        });
    }

    /// Types `text` into a field in place of what is there.
    pub(crate) fn type_over(&self, css: &str, text: &str) {
        self.at(css, |element| {
            // Selected by script: the keys for it differ between systems.
            self.run("arguments[0].focus(); arguments[0].select();", element)?;
            let keys = json!({ "text": text });
            self.command("POST", &format!("/element/{element}/value"), &keys)
        });
    }

    /// The text of the element that `css` finds, once it is there. It is scrolled to, as a reader
    /// would, so that the picture shows it.
    pub(crate) fn text(&self, css: &str) -> String {
        let text = self.at(css, |element| {
            self.run("arguments[0].scrollIntoView({ block: 'center' });", element)?;
            self.command("GET", &format!("/element/{element}/text"), &Value::Null)
        });
        text.as_str().unwrap().to_owned()
    }

    /// Does something to an element, again while the refusal may pass. Waiting for the element to
    /// be there is the driver's part (`implicit` in [`capabilities`]).
    fn at(&self, css: &str, act: impl Fn(&str) -> Result<Value, Refusal>) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let find = json!({ "using": "css selector", "value": css });
        loop {
            let found = self.command("POST", "/element", &find);
            let acted = found.and_then(|found| act(found[ELEMENT].as_str().unwrap()));
            match acted {
                Ok(value) => return value,
                Err(refusal) if refusal.passes() && Instant::now() < deadline => {}
                Err(refusal) => panic!("{css}: {refusal}"),
            }
        }
    }

    /// Keeps a picture of the window; a test that failed leaves it under another name. Says where
    /// it is only then.
    fn keep_picture(&self) {
        let failed = thread::panicking();
        let Ok(picture) = self.command("GET", "/screenshot", &Value::Null) else {
            return;
        };
        let Ok(picture) = BASE64_STANDARD.decode(picture.as_str().unwrap_or_default()) else {
            return;
        };
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let folder = target.unwrap_or(Path::new("target")).join("browser");
        let suffix = if failed { "-failed" } else { "" };
        let file = folder.join(format!("{}{suffix}.png", self.picture));
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, picture));
        if failed && kept.is_ok() {
            eprintln!("what the browser showed: {}", file.display());
        }
    }
}

impl Drop for Browser {
    /// Nothing in here may panic: it may be a failed test that ends.
    fn drop(&mut self) {
        self.keep_picture();
        // The driver answers when Chromium is gone; killing the driver alone would leave it behind.
        let _ = self.command("DELETE", "", &Value::Null);
    }
}

fn capabilities(chromium: &Path, profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let flags: Vec<_> = FLAGS.into_iter().chain([profile.as_str()]).collect();
    let wait_ms = u64::try_from(PATIENCE.as_millis()).unwrap();
    json!({ "capabilities": { "alwaysMatch": {
        "timeouts": { "implicit": wait_ms, "pageLoad": wait_ms, "script": wait_ms },
        "goog:chromeOptions": { "binary": chromium, "args": flags },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    }}})
}

fn command_to(address: SocketAddr, request: &str, body: &Value) -> Result<Value, Refusal> {
    let lost = |error: std::io::Error| Refusal {
        error: "no answer".to_owned(),
        message: error.to_string(),
    };
    let answer = http::ask(address, request, "", body).map_err(lost)?;
    let value = answer.body["value"].clone();
    if answer.status == 200 {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Refusal {
        error: text("error"),
        message: text("message"),
    })
}
