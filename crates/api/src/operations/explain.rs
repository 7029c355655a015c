//! What the address rule says of a target.

use app::TargetExplanation;
use axum::{Json, extract::State};

use super::Answer;
use crate::{Api, ask::Ask, input::Input};

/// Explain a target
///
/// Whether webhooks may be sent to it, by which rule, and what the operator would have to set to allow it. Its
/// name is looked up now, and each address that it leads to is judged. Nothing is sent. A target that can't be
/// used is explained as well, with status 200.
#[utoipa::path(
    get,
    path = "/api/web-hook/explain",
    tag = "Webhooks",
    params(("targetUrl" = String, Query, description = "The target.", example = "https://example.com/hooks")),
    responses((status = 200, description = "What the rule decides, and why.", body = TargetExplanation))
)]
pub(crate) async fn explain_target(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<TargetExplanation> {
    let target = ask.input.need("targetUrl", Input::filled);
    let target = ask.input.all(target)?;
    Ok(Json(api.app.explain_target(&ask.caller, &target).await?))
}
