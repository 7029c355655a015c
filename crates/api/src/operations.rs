//! The operations, a file for each group: parse, call a use case, render.

mod assignments;
mod authentication;
mod checklists;
mod deliveries;
mod download;
mod erasing;
mod event_types;
mod explain;
mod feed;
mod fields;
mod groups;
mod health;
mod keys;
mod people;
mod replays;
mod secrets;
mod subscription_changes;
mod subscription_requests;
mod subscriptions;
mod tasks;
mod template_document;
mod templates;
mod upload;

pub(crate) use assignments::*;
pub(crate) use authentication::*;
pub(crate) use checklists::*;
pub(crate) use deliveries::*;
pub(crate) use download::*;
pub(crate) use erasing::*;
pub(crate) use event_types::*;
pub(crate) use explain::*;
pub(crate) use feed::*;
pub(crate) use fields::*;
pub(crate) use groups::*;
pub(crate) use health::*;
pub(crate) use keys::*;
pub(crate) use people::*;
pub(crate) use replays::*;
pub(crate) use secrets::*;
pub(crate) use subscription_changes::*;
pub(crate) use subscriptions::*;
pub(crate) use tasks::*;
pub(crate) use template_document::*;
pub(crate) use templates::*;
pub(crate) use upload::*;

use std::time::Duration;

use axum::Json;

use crate::{Api, instead::Instead, problem::Problem};

/// What waiting for something leaves of the time that a request may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Where a change says for which member it is.
pub(crate) const MODIFIED_BY: &str = "modifiedByUserID";
/// Where what makes something says so.
pub(crate) const CREATED_BY: &str = "createdByUserID";

/// As much of `wait` as the time of a request has room for.
fn wait_within(api: &Api, wait: Duration) -> Duration {
    wait.min(api.limits().request_timeout.saturating_sub(ANSWER_TIME))
}

/// What an operation answers.
pub(crate) type Answer<T> = Result<Json<T>, Instead>;

/// The rows of a list, or the 404 that CheckFlow has for an empty one.
fn rows<T>(rows: Vec<T>, what: &str) -> Answer<Vec<T>> {
    if rows.is_empty() {
        Err(Problem::nothing_found(what).into())
    } else {
        Ok(Json(rows))
    }
}
