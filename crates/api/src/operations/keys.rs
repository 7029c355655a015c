//! API keys and the audit log: who may do what, and who did.

use app::{
    AUDIT_PAGE_MAX, AuditPage, KEYS_PAGE_MAX, KeyPage, KeyWish, ListKeys, MadeKey, MakeKey,
    ReadAudit, RevokeKey,
};
use axum::{Json, extract::State};
use domain::{ApiKeyId, AuditNumber, MemberId, Rights};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{Api, ask::Ask, input::Input};

/// Rows on a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// Make an API key
///
/// It works at once, and is shown in this answer alone. Scopes: `read` for templates, checklists, tasks, files and
/// people; `run` to make checklists and work on them; `templates` to write templates; `webhooks` for everything under
/// `web-hook`; `admin` for keys, the audit log and erasing. Each includes `read`, and `admin` includes all.
#[utoipa::path(
    post,
    path = "/api/key",
    tag = "Keys",
    params(
        ("name" = String, Query, description = "What people call it.", example = "warehouse scanner"),
        ("scopes" = Option<String>, Query, description = "What it may do, with commas between: `run,templates,webhooks` \
            when it is left out.", example = "run"),
        ("expiresAt" = Option<String>, Query, format = DateTime, description = "When it opens nothing any more; never, \
            when it is left out."),
    ),
    responses((status = 200, description = "The key.", body = MadeKey))
)]
pub(crate) async fn make_key(State(api): State<Api>, mut ask: Ask) -> Answer<MadeKey> {
    let input = &mut ask.input;
    // A key that may do more, or for longer, than was meant is one that nobody looks at again.
    input.known(&["name", "scopes", "expiresAt"]);
    input.not_empty(
        "scopes",
        "can't be empty: leave it out for run,templates,webhooks, or say what the key may do",
    );
    input.not_empty(
        "expiresAt",
        "can't be empty: leave it out for a key without an end, or say when it ends",
    );
    let name = input.need("name", Input::filled);
    let rights = input.word::<Rights>("scopes");
    let expires_at = input.moment("expiresAt");
    let name = input.all(name)?;
    let wish = KeyWish {
        name,
        rights: rights.unwrap_or(Rights::USUAL),
        expires_at,
    };
    Ok(Json(api.app.change(&ask.caller, MakeKey(wish)).await?))
}

/// List API keys
///
/// The team's, oldest first, revoked and expired ones included. The keys themselves are nowhere, only their beginnings.
#[utoipa::path(
    get,
    path = "/api/key/keys",
    tag = "Keys",
    params(
        ("cursor" = Option<String>, Query, format = Uuid, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Rows on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The keys.", body = KeyPage))
)]
pub(crate) async fn list_keys(State(api): State<Api>, mut ask: Ask) -> Answer<KeyPage> {
    let input = &mut ask.input;
    input.known(&["cursor", "limit"]);
    let list = ListKeys {
        after: input.key("cursor"),
        limit: input
            .number_in("limit", 1, KEYS_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(api.app.query(&ask.caller, list).await?))
}

/// What came of revoking a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyRevoked {
    /// The key.
    key_id: ApiKeyId,
    /// Whether it was this call that revoked it.
    revoked_now: bool,
}

/// Revoke an API key
///
/// It opens nothing from the answer on. Revoking it again changes nothing. A key may revoke itself.
#[utoipa::path(
    delete,
    path = "/api/key",
    tag = "Keys",
    params(("keyId" = String, Query, format = Uuid, description = "The key's `keyId`.")),
    responses((status = 200, description = "It is revoked.", body = KeyRevoked))
)]
pub(crate) async fn revoke_key(State(api): State<Api>, mut ask: Ask) -> Answer<KeyRevoked> {
    ask.input.known(&["keyId"]);
    let id = ask.input.need("keyId", Input::key);
    let key_id = ask.input.all(id)?;
    let revoked_now = api.app.change(&ask.caller, RevokeKey(key_id)).await?;
    Ok(Json(KeyRevoked {
        key_id,
        revoked_now,
    }))
}

/// Read the audit log
///
/// Who changed what, when, and through which door: the team's, newest first. Nothing changes it or takes from it. A page
/// may have fewer lines than asked for, or none, though more are to come: go on while there is a `nextCursor`.
#[utoipa::path(
    get,
    path = "/api/audit/log",
    tag = "Keys",
    params(
        ("since" = Option<String>, Query, format = DateTime, description = "From then on."),
        ("until" = Option<String>, Query, format = DateTime, description = "Before then."),
        ("action" = Option<String>, Query, description = "What was done, such as `task.complete`, or its noun: `task`."),
        ("subject" = Option<String>, Query, description = "To what: the identifier, as the lines have it."),
        ("keyId" = Option<String>, Query, format = Uuid, description = "With this API key."),
        ("memberId" = Option<i64>, Query, description = "For this member."),
        ("cursor" = Option<i64>, Query, description = "The `nextCursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Lines on a page, 1 to 100, 20 by default.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "The lines.", body = AuditPage))
)]
pub(crate) async fn read_audit(State(api): State<Api>, mut ask: Ask) -> Answer<AuditPage> {
    let input = &mut ask.input;
    input.known(&[
        "since", "until", "action", "subject", "keyId", "memberId", "cursor", "limit",
    ]);
    let trimmed = |text: String| text.trim().to_owned();
    let read = ReadAudit {
        since: input.moment("since"),
        until: input.moment("until"),
        action: input.filled("action").map(trimmed),
        subject: input.filled("subject").map(trimmed),
        key: input.key("keyId"),
        member: input.number("memberId").map(MemberId::new),
        before: input.number("cursor").map(AuditNumber::new),
        limit: input
            .number_in("limit", 1, AUDIT_PAGE_MAX)
            .unwrap_or(LIMIT_DEFAULT),
    };
    input.done()?;
    Ok(Json(api.app.query(&ask.caller, read).await?))
}
