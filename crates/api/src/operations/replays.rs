//! Redelivery jobs.

use app::{
    GetReplay, ListReplays, MakeReplay, PutReplay, REPLAY_JOBS_PAGE_MAX, ReplayAsk, ReplayCount,
    ReplayJobPage,
};
use axum::{Json, extract::State};
use domain::{
    ChecklistId, REPLAY_RATE_DEFAULT, REPLAY_RATE_MAX, ReplayFilter, ReplayJob, ReplayState,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{
    Api,
    ask::Ask,
    input::Input,
    openapi::words::{AnyEventType, AnyState},
};

/// Rows on a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// The job, or what it would do.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ReplayAnswer {
    /// The job that was made.
    Job(Box<ReplayJob>),
    /// What a job would do, where `dryRun` asked for it.
    Count(ReplayCount),
}

/// Send many deliveries again
///
/// A job makes what fits all that is given due, oldest first, and works in the background; it outlives restarts.
/// What is sent is the same delivery with the next attempt number, the same body, `webhook-id` and sequence; one that was
/// delivered stays so. With `toSubscriptionId` the *events* go to that subscription instead, whatever it subscribed
/// to: as new deliveries with sequences of its own and the same `webhook-id`. Events that went to nobody are among them;
/// those it has already are passed over. At least one of the filters has to be given.
#[utoipa::path(
    post,
    path = "/api/web-hook/redelivery-job",
    tag = "Webhooks",
    params(
        ("since" = Option<String>, Query, format = DateTime, description = "Whose event happened then or later."),
        ("until" = Option<String>, Query, format = DateTime, description = "Whose event happened before then."),
        ("eventType" = inline(Option<AnyEventType>), Query, description = "Of these events; `ALL` (the default) for any."),
        ("checklistId" = Option<i64>, Query, description = "Of this checklist."),
        ("subscriptionId" = Option<String>, Query, format = Uuid, description = "That went to this subscription."),
        ("state" = inline(Option<AnyState>), Query, description = "That stand so when the job comes to them; `ALL` (the default) \
            for any, the delivered included."),
        ("neverAttempted" = Option<bool>, Query, description = "Of which no attempt was made yet."),
        ("toSubscriptionId" = Option<String>, Query, format = Uuid, description = "Another subscription of the team that gets the events."),
        ("ratePerSecond" = Option<u32>, Query, description = "How many are made due in a second at most, 50 by default.", minimum = 1, maximum = 1000),
        ("dryRun" = Option<bool>, Query, description = "Answer how many there are and show the first, and make no job."),
    ),
    responses((status = 200, description = "The job; or, with `dryRun`, what it would do.", body = ReplayAnswer))
)]
pub(crate) async fn make_replay(State(api): State<Api>, mut ask: Ask) -> Answer<ReplayAnswer> {
    let input = &mut ask.input;
    let filter = ReplayFilter {
        since: input.moment("since"),
        until: input.moment("until"),
        event_type: input.word_or_all("eventType"),
        checklist_id: input.number("checklistId").map(ChecklistId::new),
        subscription_id: input.key("subscriptionId"),
        state: input.word_or_all("state"),
        never_attempted: input.flag("neverAttempted").unwrap_or(false),
    };
    let wanted = ReplayAsk {
        filter,
        to_subscription: input.key("toSubscriptionId"),
    };
    let rate = input.number_in("ratePerSecond", 1, REPLAY_RATE_MAX);
    let dry_run = input.flag("dryRun").unwrap_or(false);
    input.done()?;
    if dry_run {
        let count = api.app.try_replay(&ask.caller, wanted).await?;
        return Ok(Json(ReplayAnswer::Count(count)));
    }
    let make = MakeReplay {
        ask: wanted,
        rate_per_second: rate.unwrap_or(REPLAY_RATE_DEFAULT),
    };
    let job = api.app.change(&ask.caller, make).await?;
    Ok(Json(ReplayAnswer::Job(Box::new(job))))
}

/// Get a redelivery job
///
/// With how far it is.
#[utoipa::path(
    get,
    path = "/api/web-hook/redelivery-job",
    tag = "Webhooks",
    params(("jobId" = String, Query, format = Uuid, description = "The job.")),
    responses((status = 200, description = "The job.", body = ReplayJob))
)]
pub(crate) async fn get_replay(State(api): State<Api>, mut ask: Ask) -> Answer<ReplayJob> {
    let id = ask.input.need("jobId", Input::key);
    let id = ask.input.all(id)?;
    Ok(Json(api.app.query(&ask.caller, GetReplay(id)).await?))
}

/// Cancel a redelivery job
///
/// What it has made due stays so. Cancelling it again changes nothing.
#[utoipa::path(
    delete,
    path = "/api/web-hook/redelivery-job",
    tag = "Webhooks",
    params(("jobId" = String, Query, format = Uuid, description = "The job.")),
    responses((status = 200, description = "The job as it is now.", body = ReplayJob))
)]
pub(crate) async fn cancel_replay(api: State<Api>, ask: Ask) -> Answer<ReplayJob> {
    put(api, ask, ReplayState::Cancelled).await
}

/// Pause a redelivery job
///
/// It waits, at the place it has reached, until it is resumed.
#[utoipa::path(
    post,
    path = "/api/web-hook/redelivery-job/pause",
    tag = "Webhooks",
    params(("jobId" = String, Query, format = Uuid, description = "The job.")),
    responses((status = 200, description = "The job as it is now.", body = ReplayJob))
)]
pub(crate) async fn pause_replay(api: State<Api>, ask: Ask) -> Answer<ReplayJob> {
    put(api, ask, ReplayState::Paused).await
}

/// Resume a redelivery job
///
/// It goes on from where it was.
#[utoipa::path(
    post,
    path = "/api/web-hook/redelivery-job/resume",
    tag = "Webhooks",
    params(("jobId" = String, Query, format = Uuid, description = "The job.")),
    responses((status = 200, description = "The job as it is now.", body = ReplayJob))
)]
pub(crate) async fn resume_replay(api: State<Api>, ask: Ask) -> Answer<ReplayJob> {
    put(api, ask, ReplayState::Running).await
}

async fn put(State(api): State<Api>, mut ask: Ask, state: ReplayState) -> Answer<ReplayJob> {
    let job = ask.input.need("jobId", Input::key);
    let job = ask.input.all(job)?;
    let put = PutReplay { job, state };
    Ok(Json(api.app.change(&ask.caller, put).await?))
}

/// List redelivery jobs
///
/// The team's, newest first; those that have ended for as long as the log is kept.
#[utoipa::path(
    get,
    path = "/api/web-hook/redelivery-jobs",
    tag = "Webhooks",
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Rows on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The jobs.", body = ReplayJobPage))
)]
pub(crate) async fn list_replays(State(api): State<Api>, mut ask: Ask) -> Answer<ReplayJobPage> {
    let input = &mut ask.input;
    let list = ListReplays {
        before: input.key("cursor"),
        limit: input
            .number_in("limit", 1, REPLAY_JOBS_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(api.app.query(&ask.caller, list).await?))
}
