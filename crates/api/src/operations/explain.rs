//! What the address rule says of a target.

use app::Explanation;
use axum::{Json, extract::State};

use super::Answer;
use crate::{Api, ask::Ask, input::Input};

/// Explain a target
///
/// Whether webhooks may be sent to it, by which rule, and what the operator would have to set to allow it. Its
/// name is looked up now, and each address that it leads to is judged. Nothing is sent. A target that can't be
/// used is explained as well, with status 200. With a `subscriptionId`, it is explained as that subscription is sent to,
/// its own target if no other is given, and `reaches` tells the same of its proxy and of where its tokens are from.
#[utoipa::path(
    get,
    path = "/api/web-hook/explain",
    tag = "Webhooks",
    params(
        ("targetUrl" = Option<String>, Query, description = "The target; may be left out with a `subscriptionId`.",
            example = "https://example.com/hooks"),
        ("subscriptionId" = Option<String>, Query, format = Uuid, description = "The subscription's `id`."),
    ),
    responses((status = 200, description = "What the rule decides, and why.", body = Explanation))
)]
pub(crate) async fn explain_target(State(api): State<Api>, mut ask: Ask) -> Answer<Explanation> {
    if let Some(id) = ask.input.key("subscriptionId") {
        let target = ask.input.filled("targetUrl");
        ask.input.done()?;
        let explained = api
            .app
            .explain_subscription(&ask.caller, id, target.as_deref());
        return Ok(Json(explained.await?));
    }
    let target = ask.input.need("targetUrl", Input::filled);
    let target = ask.input.all(target)?;
    let target = api.app.explain_target(&ask.caller, &target).await?;
    Ok(Json(Explanation {
        target,
        reaches: Vec::new(),
    }))
}
