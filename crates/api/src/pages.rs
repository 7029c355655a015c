//! What is readable without a key: the OpenAPI document, Swagger UI, the pages of problems, health.

use std::sync::{Arc, LazyLock};

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use domain::EventType;
use http::{HeaderName, header};
use serde_json::{Value, json};
use utoipa_swagger_ui::Config;

use crate::{
    Api, ApiSettings, Code, Ready,
    openapi::{event_schema, openapi},
    problem::Problem,
};

/// Where the document is.
const DOCUMENT: &str = "/swagger/v2/swagger.json";

/// Lets Swagger UI run from its own files and talk to this server, and nothing else. Its style
/// sheet brings pictures as `data:`, and it writes styles into its elements.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'";

/// Swagger UI's files change with the server alone.
const SWAGGER_CACHE: &str = "no-cache";

static DOCUMENT_BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let document = serde_json::to_vec(&openapi()).expect("a JSON value");
    Bytes::from(document)
});

static SWAGGER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from(DOCUMENT)
        .validator_url("none")
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_request_duration(true)
        .doc_expansion("list")
        .deep_linking(true);
    Arc::new(config)
});

/// `/` and `/swagger`.
pub(crate) async fn home() -> Redirect {
    Redirect::temporary("/swagger/")
}

/// `/swagger/`.
pub(crate) async fn swagger_index() -> Response {
    swagger("index.html")
}

/// `/swagger/{file}`.
pub(crate) async fn swagger_file(Path(file): Path<String>) -> Response {
    swagger(&file)
}

fn swagger(file: &str) -> Response {
    match utoipa_swagger_ui::serve(file, Arc::clone(&SWAGGER)) {
        Ok(Some(file)) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type.as_str()),
                (header::CONTENT_SECURITY_POLICY, SWAGGER_POLICY),
                (header::CACHE_CONTROL, SWAGGER_CACHE),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::new(Code::RouteMissing).into_response(),
        Err(error) => Problem::new(Code::Internal)
            .caused_by(error.to_string())
            .into_response(),
    }
}

/// `/swagger/v2/swagger.json`.
pub(crate) async fn document() -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, SWAGGER_CACHE),
    ];
    (headers, DOCUMENT_BYTES.clone()).into_response()
}

/// `/schemas/{file}`: the JSON Schemas of what receivers get.
pub(crate) async fn schema(State(api): State<Api>, Path(file): Path<String>) -> Response {
    let word = file.strip_suffix(".json");
    let kind = word.and_then(|word| EventType::ALL.into_iter().find(|kind| kind.word() == word));
    let Some(kind) = kind else {
        return Problem::new(Code::RouteMissing).into_response();
    };
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "application/schema+json"),
        (header::CACHE_CONTROL, SWAGGER_CACHE),
    ];
    let schema = event_schema(kind, api.app.public_url()).to_string();
    (headers, schema).into_response()
}

/// `/problems/{code}`: what the `type` of a problem leads to.
pub(crate) async fn problem(Path(word): Path<String>) -> Response {
    let Some(code) = Code::read(&word) else {
        return Problem::new(Code::RouteMissing).into_response();
    };
    let (status, title, remedy) = (code.status(), code.title(), code.remedy());
    format!("{word} ({status})\n\n{title}.\n\n{remedy}\n").into_response()
}

/// `/health/live`: the process answers.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({"status": "live"}))
}

#[derive(serde::Serialize)]
struct IsReady {
    status: &'static str,
    #[serde(flatten)]
    ready: Ready,
}

/// `/health/ready`: requests can be served.
pub(crate) async fn ready(State(settings): State<Arc<ApiSettings>>) -> Response {
    match (settings.ready)() {
        Ok(ready) => Json(IsReady {
            status: "ready",
            ready,
        })
        .into_response(),
        Err(why) => Problem::new(Code::NotReady).detail(why).into_response(),
    }
}

/// Everything else, at a node that only sends webhooks.
pub(crate) async fn elsewhere() -> Response {
    Problem::new(Code::NotServedHere).into_response()
}
