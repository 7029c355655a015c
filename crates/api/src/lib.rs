//! The JSON door: CheckFlow's HTTP API with what is ours beside it.
//!
//! Called by the binary, which serves the [`router`]. Each group of operations has a file under
//! `operations/`: parse, call a use case, render. No rule of checklists lives here, and nothing of
//! the database is seen from here. Every error answer is a problem with one of the codes of
//! [`Code`]. The table in `routes.rs` makes both the router and the OpenAPI document.

mod ask;
mod code;
mod edge;
mod input;
mod instead;
mod openapi;
mod operations;
mod page;
mod pages;
mod problem;
mod rate;
mod routes;
mod settings;

use std::sync::Arc;

use app::App;
use axum::{Router, extract::FromRef, routing::get};
use tokio::sync::Semaphore;

pub use code::Code;
pub use openapi::{event_schema, openapi};
pub use rate::Peer;
pub use settings::{ApiLimits, ApiSettings, FilesHealth, NotReady, Ready, ReadyProbe};

/// What every operation of this door stands on. Cheap to clone.
#[derive(Clone)]
struct Api {
    app: App,
    settings: Arc<ApiSettings>,
    uploads: Arc<Semaphore>,
}

impl FromRef<Api> for Arc<ApiSettings> {
    fn from_ref(api: &Api) -> Self {
        api.settings.clone()
    }
}

impl Api {
    fn limits(&self) -> &ApiLimits {
        &self.settings.limits
    }
}

/// Everything that this door answers: `/api`, `/swagger`, `/problems`, `/schemas`, `/health`, the public keys under
/// `/.well-known`, and `/`, which leads to `/swagger`.
///
/// Errors of the router itself, panics and requests that take too long are answered as problems
/// too, and every answer has an `x-request-id`.
pub fn router(app: App, settings: ApiSettings) -> Router {
    let uploads = Arc::new(Semaphore::new(settings.limits.uploads_max));
    let api = Api {
        app,
        settings: Arc::new(settings),
        uploads,
    };
    let rates = Arc::new(rate::Rates::new(&api.settings));
    routes::router(&api)
        .layer(axum::middleware::from_fn_with_state(rates, rate::limited))
        .route("/", get(pages::home))
        .route("/swagger", get(pages::home))
        .route("/swagger/", get(pages::swagger_index))
        .route("/swagger/v2/swagger.json", get(pages::document))
        .route("/swagger/{file}", get(pages::swagger_file))
        .route("/problems/{code}", get(pages::problem))
        .route("/schemas/{file}", get(pages::schema))
        .route(
            "/.well-known/checkflow/{team}/jwks.json",
            get(operations::public_keys),
        )
        .route("/health/live", get(pages::live))
        .route("/health/ready", get(pages::ready))
        .layer(axum::middleware::from_fn_with_state(
            api.settings.clone(),
            edge::around,
        ))
        .with_state(api)
}

/// What a node answers that only sends webhooks: `/health`, and to all else that it does not answer that.
pub fn health_router(settings: ApiSettings) -> Router {
    let settings = Arc::new(settings);
    Router::new()
        .route("/health/live", get(pages::live))
        .route("/health/ready", get(pages::ready))
        .fallback(pages::elsewhere)
        .layer(axum::middleware::from_fn_with_state(
            settings.clone(),
            edge::around,
        ))
        .with_state(settings)
}

#[cfg(test)]
mod committed;
#[cfg(test)]
mod tests;
