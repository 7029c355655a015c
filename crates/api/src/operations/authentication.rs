//! `authentication/validate`.

use app::Validate;
use axum::{Json, extract::State};
use domain::{Rights, TeamId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{Api, ask::Ask};

/// The team that a key opens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidateAnswer {
    /// Always true: a key that is not valid gets 401.
    #[schema(example = true)]
    is_valid: bool,
    /// The team's number.
    #[schema(example = 1)]
    team_id: TeamId,
    /// The team's name.
    #[schema(example = "Accounting")]
    team_name: String,
    /// What the key may do.
    scopes: Rights,
    /// When it opens nothing any more; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_date_time: Option<Timestamp>,
}

/// Check a key
///
/// Answers the team that the key belongs to.
#[utoipa::path(
    get,
    path = "/api/authentication/validate",
    tag = "Authentication",
    responses((status = 200, description = "The key is good.", body = ValidateAnswer))
)]
pub(crate) async fn validate(State(api): State<Api>, ask: Ask) -> Answer<ValidateAnswer> {
    let team = api
        .app
        .query(&ask.caller, Validate(ask.caller.clone()))
        .await?;
    Ok(Json(ValidateAnswer {
        is_valid: true,
        team_id: team.team_id,
        team_name: team.team_name,
        scopes: team.key.rights,
        expires_date_time: team.key.expires_at,
    }))
}
