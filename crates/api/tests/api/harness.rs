//! A server of one test: an empty store, two teams with a key each, and requests to it.

use std::{io, net::IpAddr, pin::Pin, sync::Arc};

use api::{ApiLimits, ApiSettings};
use app::{App, Limits, Parts};
use axum::{Router, body::Body};
use domain::{AddressPolicy, PublicUrl, Resolver, TeamId};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use store::{FileStore, MasterKey, SqliteOptions, Store, open_sqlite};
use testkit::{TestClock, TestProver, test_source};
use tower::ServiceExt;

/// Largest file of the server of a test, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 200_000;

/// Knows two names and no other.
struct Names;

impl Resolver for Names {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        let found: io::Result<Vec<IpAddr>> = match host.trim_end_matches('.') {
            "example.com" => Ok(vec![IpAddr::from([93, 184, 215, 14])]),
            "intranet.example.com" => Ok(vec![IpAddr::from([10, 0, 0, 7])]),
            _ => Err(io::Error::other("no such name")),
        };
        Box::pin(std::future::ready(found))
    }
}

/// The server of one test.
pub(crate) struct Server {
    router: Router,
    pub(crate) app: App,
    pub(crate) store: Store,
    pub(crate) source: domain::Source,
    pub(crate) clock: TestClock,
    pub(crate) prover: TestProver,
    pub(crate) team: TeamId,
    pub(crate) key: String,
    pub(crate) other_key: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose settings `change` has changed.
    pub(crate) async fn with(change: impl FnOnce(&mut ApiSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, clock) = test_source();
        let key = MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let store = open_sqlite(SqliteOptions::new(folder.path(), key, source.clone())).unwrap();
        let prover = TestProver::default();
        let app = App::new(Parts {
            store: store.clone(),
            files: FileStore::open(folder.path()).unwrap(),
            source: source.clone(),
            public_url: PublicUrl::new("https://checks.example.com").unwrap(),
            policy: AddressPolicy::new::<&str>(&[]).unwrap(),
            resolver: Arc::new(Names),
            prover: Arc::new(prover.clone()),
            tls: Arc::new(testkit::TestTls),
            limits: Limits {
                file_bytes_max: FILE_BYTES_MAX,
                ..Limits::default()
            },
        });
        let mut settings = ApiSettings::new(source.clone());
        settings.limits = ApiLimits {
            json_bytes_max: 100_000,
            query_bytes_max: 2_000,
            // What is left of a minute's requests stands in every answer, and depends on how fast this machine is.
            requests_per_minute_per_key: 0,
            requests_per_minute_per_address: 0,
            ..settings.limits
        };
        change(&mut settings);
        let mut keys = Vec::new();
        let mut teams = Vec::new();
        for name in ["Accounting", "Another team"] {
            let team = app::create_team(&store, &source, name).await.unwrap().id;
            let wish = app::KeyWish {
                name: "script".to_owned(),
                rights: domain::Rights::ALL,
                expires_at: None,
            };
            let made = app::create_key(&store, &source, team, &wish).await.unwrap();
            keys.push(made.secret.reveal().to_owned());
            teams.push(team);
        }
        let (other_key, key) = (keys.remove(1), keys.remove(0));
        let router = api::router(app.clone(), settings);
        Self {
            router,
            app,
            store,
            source,
            clock,
            prover,
            team: teams[0],
            key,
            other_key,
            folder,
        }
    }

    /// Where everything is kept.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A request with the key of the first team.
    pub(crate) fn ask(&self, method: &str, target: &str) -> Ask<'_> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("x-api-key", &self.key);
        Ask {
            server: self,
            request,
            body: Body::empty(),
        }
    }

    pub(crate) fn get(&self, target: &str) -> Ask<'_> {
        self.ask("GET", target)
    }

    pub(crate) fn post(&self, target: &str) -> Ask<'_> {
        self.ask("POST", target)
    }

    pub(crate) fn put(&self, target: &str, body: &Value) -> Ask<'_> {
        self.ask("PUT", target).json(body)
    }

    /// The template of most tests; answers its document.
    pub(crate) async fn template(&self) -> Value {
        let document = serde_json::to_value(testkit::invoice_review()).unwrap();
        self.put("/api/template", &document).answer().await.ok()
    }

    /// A checklist of `template`; answers its row.
    pub(crate) async fn checklist(&self, template: &Value) -> Value {
        let key = text(&template["templateKey"]);
        let target = format!("/api/checklist?templateKey={key}&checklistName=Invoice+4711");
        self.post(&target).answer().await.ok()
    }

    /// Uploads `bytes` under `name` into the control with this number.
    pub(crate) fn upload(&self, field: &Value, name: &str, bytes: &[u8]) -> Ask<'_> {
        self.post(&format!("/api/task/upload-file?taskContentID={field}"))
            .form(name, bytes)
    }

    /// Sets the status of a task.
    pub(crate) fn status(&self, task: &Value, status: &str) -> Ask<'_> {
        let body = json!({"taskId": task, "status": status, "modifiedByUserID": 0});
        self.put("/api/task/status", &body)
    }
}

/// A request on its way.
pub(crate) struct Ask<'a> {
    server: &'a Server,
    request: http::request::Builder,
    body: Body,
}

impl Ask<'_> {
    /// Sets a header, or takes it away when `value` is empty.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let headers = self.request.headers_mut().unwrap();
        headers.remove(name);
        if !value.is_empty() {
            headers.insert(name, value.parse().unwrap());
        }
        self
    }

    /// Adds what the listener tells of a connection.
    pub(crate) fn extension(mut self, value: impl Clone + Send + Sync + 'static) -> Self {
        self.request.extensions_mut().unwrap().insert(value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// A form with one file, as curl writes it.
    pub(crate) fn form(self, name: &str, bytes: &[u8]) -> Self {
        let mut body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/pdf\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        self.header("content-type", "multipart/form-data; boundary=edge")
            .body(body)
    }

    pub(crate) async fn answer(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let response = self.server.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .unwrap()
            .to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The `code` of the problem that is answered, with its status.
    pub(crate) async fn refusal(self) -> (u16, String) {
        let answer = self.answer().await;
        (
            answer.status.as_u16(),
            text(&answer.problem()["code"]).to_owned(),
        )
    }
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body of a good answer.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.shown());
        self.value()
    }

    /// The body of a problem, which has all that every problem has.
    pub(crate) fn problem(&self) -> Value {
        let shown = self.shown();
        let problem = self.value();
        assert!(
            self.status.is_client_error() || self.status.is_server_error(),
            "{shown}"
        );
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{shown}"
        );
        assert_eq!(problem["status"], self.status.as_u16(), "{shown}");
        for member in ["type", "title", "detail", "code"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{member}: {shown}"
            );
        }
        let known = api::Code::read(text(&problem["code"])).expect("a code of the catalogue");
        assert_eq!(known.status(), self.status, "{shown}");
        problem
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    /// The whole answer, as a person would write it down.
    pub(crate) fn shown(&self) -> String {
        let mut lines = vec![self.status.to_string()];
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.sort();
        lines.extend(headers);
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        lines.push(String::new());
        lines.push(body);
        lines.join("\n")
    }
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"))
}

/// The errors of a problem, as `field message`.
pub(crate) fn errors(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().expect("a list of errors");
    errors
        .iter()
        .map(|error| format!("{} {}", text(&error["field"]), text(&error["message"])))
        .collect()
}

/// A GUID that nothing has.
pub(crate) const NOBODY: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";
/// The GUID for what does not apply.
pub(crate) const ZERO: &str = "00000000-0000-0000-0000-000000000000";
