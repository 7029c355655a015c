//! Erasing what was told of a checklist.

use app::Erased;
use axum::{Json, extract::State};
use domain::ChecklistId;

use super::Answer;
use crate::{Api, ask::Ask, input::Input};

/// Erase what was told of a checklist
///
/// Removes from the log, at once and for good, the bodies of all events of the checklist so far and what receivers
/// answered to them, for all subscriptions. What waits to be sent of it is cancelled. The deliveries stay listed, and the checklist itself is
/// not changed. Asking again erases what came since.
#[utoipa::path(
    post,
    path = "/api/web-hook/erase",
    tag = "Webhooks",
    params(("checklistId" = i64, Query, description = "The checklist.")),
    responses((status = 200, description = "How much was erased.", body = Erased))
)]
pub(crate) async fn erase(State(api): State<Api>, mut ask: Ask) -> Answer<Erased> {
    let id = ask.input.need("checklistId", Input::number);
    let id = ChecklistId::new(ask.input.all(id)?);
    Ok(Json(api.app.erase(&ask.caller, id).await?))
}
