//! The catalogue of problems: every `code` that an error answer can carry, with its status, its
//! title and what to do about it.
//!
//! Scripts may rely on the words, so they never change and are never given a second meaning.
//! `docs/errors.md` and the pages at `/problems/{code}` are made from this table.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident $word:literal, $title:literal, $remedy:literal;)*) => {
        /// What went wrong, in a word that stays.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in the answer's `code`.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The status of the answer.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The kind of problem in a few words, always the same.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// When it is answered, and what to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    /// Parameters or members are missing or wrong.
    InvalidRequest = BAD_REQUEST "invalid_request", "The request is not right",
        "Parameters or members of the body are missing or wrong. `errors[]` names each by `field` and says what it must be; mend them all and send the request again.";
    /// The query is not percent-encoded UTF-8.
    MalformedQuery = BAD_REQUEST "malformed_query", "The query can't be read",
        "The part after `?` is not percent-encoded UTF-8. Encode names and values with your HTTP library rather than by hand.";
    /// The body is not JSON.
    MalformedJson = BAD_REQUEST "malformed_json", "The body is not JSON",
        "The body can't be read as JSON; `detail` gives the line and column where reading stopped.";
    /// The body is not multipart.
    MalformedMultipart = BAD_REQUEST "malformed_multipart", "The upload can't be read",
        "The body is not `multipart/form-data` as RFC 7578 has it, has no field `file`, or has more than 20 fields before it. Let your HTTP library write it: `curl -F file=@scan.pdf`.";
    /// The connection broke during an upload.
    UploadInterrupted = BAD_REQUEST "upload_interrupted", "The upload ended too early",
        "The upload stopped before the file was whole, so nothing was stored. Send it again.";
    /// An unknown `X-API-VERSION`.
    VersionUnknown = BAD_REQUEST "version_unknown", "There is no such API version",
        "`X-API-VERSION` must be `1.0` or `2.0`, or be left out; all three mean the same here.";
    /// The scope of a subscription does not fit.
    ScopeInvalid = BAD_REQUEST "scope_invalid", "The keys do not say what to subscribe to",
        "A key is missing, unknown, or does not fit the event. `errors[]` says which and why. Where another key of that kind would help, `fits[]` lists up to ten; it is empty where none would, or where there is none.";
    /// Webhooks may not go to the target.
    TargetRefused = BAD_REQUEST "target_refused", "Webhooks are not sent there",
        "`rule` names the rule that refuses the address in the member that `errors` names: `targetUrl`, `proxy.url` or `authorization.tokenUrl`. Where the operator can allow it, `setting` is the line of configuration that does.";
    /// No key.
    KeyMissing = UNAUTHORIZED "key_missing", "The API key is missing",
        "Send the team's API key in the header `X-API-KEY`. The operator makes one with `checkflow key create`.";
    /// A key that is not known.
    KeyUnknown = UNAUTHORIZED "key_unknown", "The API key is not known",
        "The key belongs to no team of this server. Check that it was copied whole (it begins with `ck_`) and that this is the right server.";
    /// A revoked key.
    KeyRevoked = UNAUTHORIZED "key_revoked", "The API key was revoked",
        "The key was valid once and was revoked. Ask an administrator for another one.";
    /// A key that has run out.
    KeyExpired = UNAUTHORIZED "key_expired", "The API key has expired",
        "The key was good until its `expiresAt`. Ask an administrator for another one.";
    /// A key that may not do this.
    ScopeMissing = FORBIDDEN "scope_missing", "The API key may not do this",
        "`needs` is the scope that this takes, `scopes` are those of the key. Ask an administrator for a key that has it: `POST /api/key`, or `checkflow key create --scopes`.";
    /// A member whose role does not include this.
    RoleInsufficient = FORBIDDEN "role_insufficient", "The member's role does not include this",
        "The call names a member (`modifiedByUserID`, `createdByUserID`) whose `role` does not include it: a `Guest` works on the tasks that are assigned to them and on nothing else. Name somebody else, or 0 for the API key itself.";
    /// Others do the task.
    AssignedExclusively = FORBIDDEN "assigned_exclusively", "The task is others' alone",
        "The task is assigned exclusively (`isAssignedExclusively`), and the member in `modifiedByUserID` is none of its assignees, nor in a group that is. Leave it to them, or assign it anew with `PUT /api/task/assignments`.";
    /// No such path.
    RouteMissing = NOT_FOUND "route_missing", "There is nothing at this path",
        "No operation has this path. `/swagger` lists those there are; paths are written exactly so, without a slash at the end.";
    /// A list without rows.
    NothingFound = NOT_FOUND "nothing_found", "Nothing was found",
        "The list is empty: nothing matches, or the page is past the last one. CheckFlow answers empty lists so, and scripts rely on it.";
    /// No such template.
    TemplateMissing = NOT_FOUND "template_missing", "There is no such template",
        "The team has no template with this key. `GET /api/template/templates` lists those it has.";
    /// No such task.
    TaskMissing = NOT_FOUND "task_missing", "There is no such task",
        "The team has no task with this key or number. Keys come from `GET /api/template/tasks`, numbers (`taskId`) from `GET /api/checklist/details`.";
    /// No such control.
    ControlMissing = NOT_FOUND "control_missing", "There is no such control",
        "The team has no control with this key or number. Keys come from `GET /api/template/task-content`, numbers (`taskContentID`) from the `fields[]` of a task.";
    /// No such API key.
    ApiKeyMissing = NOT_FOUND "api_key_missing", "There is no such API key",
        "The team has no API key with this identifier. `GET /api/key/keys` lists those it has.";
    /// No such member.
    MemberMissing = NOT_FOUND "member_missing", "There is no such member",
        "The team has no member with this number or address. `GET /api/team/members` lists those who are active.";
    /// No such group.
    GroupMissing = NOT_FOUND "group_missing", "There is no such group",
        "The team has no group with this number, or it was removed. `GET /api/team/groups` lists those it has.";
    /// No such checklist.
    ChecklistMissing = NOT_FOUND "checklist_missing", "There is no such checklist",
        "The team has no checklist with this number. `GET /api/checklist/find` lists those of a template.";
    /// No such file.
    FileMissing = NOT_FOUND "file_missing", "There is no such file",
        "The team has no file with this key. `GET /api/checklist/uploaded-files` lists those of a control.";
    /// No such subscription.
    SubscriptionMissing = NOT_FOUND "subscription_missing", "There is no such subscription",
        "The team has no subscription with this identifier. `GET /api/web-hook/subscriptions` lists those it has.";
    /// No such secret.
    SecretMissing = NOT_FOUND "secret_missing", "There is no such secret",
        "The subscription has no secret with this identifier, or it has run out. `GET /api/web-hook/secrets` lists those it has.";
    /// No such delivery.
    DeliveryMissing = NOT_FOUND "delivery_missing", "There is no such delivery",
        "The team has no delivery with this identifier. `GET /api/web-hook/deliveries` lists those it has.";
    /// No such event.
    EventMissing = NOT_FOUND "event_missing", "There is no such event",
        "The team has no event with this identifier. `GET /api/web-hook/event-log` lists those it has.";
    /// No such redelivery job.
    RedeliveryJobMissing = NOT_FOUND "redelivery_job_missing", "There is no such redelivery job",
        "The team has no redelivery job with this identifier. `GET /api/web-hook/redelivery-jobs` lists those it has; those that have ended are listed for as long as the log is kept.";
    /// An `Idempotency-Key` for something else.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency_key_reused", "The Idempotency-Key was used for something else",
        "The key in `Idempotency-Key` was used within the last 24 hours for a request to the same operation with another query or body. Make a new key for each change, and use it again only to send that same request again.";
    /// The path has no such method.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed", "The path does not take this method",
        "The header `Allow` lists the methods that the path takes.";
    /// The request came too slowly.
    RequestTimeout = REQUEST_TIMEOUT "request_timeout", "The request came too slowly",
        "The body stopped coming for too long. Check the connection and send the request again.";
    /// Halted.
    TaskHalted = CONFLICT "task_halted", "The task waits for another one",
        "A task before this one halts it. `detail` names it, `waitsFor` gives its key; complete that first.";
    /// Hidden.
    Hidden = CONFLICT "hidden", "The task or control is hidden",
        "A condition of the template hides it, by what the controls of the checklist hold. `detail` names it. What is hidden doesn't change; set the controls that show it first.";
    /// The task is done.
    TaskDone = CONFLICT "task_done", "The task is done",
        "What is in a task that is complete or not applicable stays as it is. Set the task to `Incomplete` first.";
    /// A heading.
    TaskIsHeading = CONFLICT "task_is_heading", "The task is a heading",
        "A heading only groups the tasks below it and has no status. Complete those.";
    /// Archived.
    ChecklistArchived = CONFLICT "checklist_archived", "The checklist is archived",
        "Nothing in an archived checklist can be changed.";
    /// The address is somebody else's.
    EmailTaken = CONFLICT "email_taken", "Another member has the address",
        "An address is one member's in a team, whatever its case; `memberId` is theirs. If they are no longer active, have them back with `PATCH /api/team/member` and `isActive`.";
    /// The name is another group's.
    GroupNameTaken = CONFLICT "group_name_taken", "Another group is called so",
        "A name is one group's in a team, whatever its case, so that tasks can be assigned by it; `groupId` is that group's. Choose another.";
    /// Nobody would administer the team.
    LastAdministrator = CONFLICT "last_administrator", "One Administrator always remains",
        "The member is the only active Administrator of the team, and one always remains once there is one. Make somebody else one first.";
    /// As many files as it takes.
    FilesFull = CONFLICT "files_full", "The control takes no more files",
        "The control holds as many files as its template allows (`maxFiles`).";
    /// As many of something as a team may have.
    TeamFull = CONFLICT "team_full", "The team has as many as it may",
        "The team reached a ceiling of this server; `detail` says of what. Delete some first, or ask the operator to raise it.";
    /// The delivery is being sent.
    DeliveryBeingSent = CONFLICT "delivery_being_sent", "The delivery is being sent",
        "An attempt is under way. Look at the delivery again in a few seconds.";
    /// There is nothing to stop.
    DeliverySettled = CONFLICT "delivery_settled", "The delivery is settled",
        "It is delivered, or given up, so there are no retries to stop. Nothing was changed.";
    /// The subscription sends nothing.
    SubscriptionNotSending = CONFLICT "subscription_not_sending", "The subscription sends nothing",
        "The subscription is paused or ended, so no attempt can be made. Resume it, or subscribe anew.";
    /// What is stored of the subscription can't be read.
    SubscriptionUnreadable = CONFLICT "subscription_unreadable", "The subscription can't be read",
        "What is stored of the subscription is damaged, so nothing is sent to it; its events wait. `detail` says which part it is and what to do: give it anew with `PATCH /api/web-hook/subscription`, or end the subscription.";
    /// Nothing to make a sample from.
    NothingToSample = CONFLICT "nothing_to_sample", "There is nothing to make a sample from",
        "A test of a subscription to the whole team is made from one of its templates, and none has a task yet. Make a template first (`PUT /api/template`).";
    /// The body of the delivery is gone.
    DeliveryBodyGone = CONFLICT "delivery_body_gone", "There is nothing left to send",
        "The body of the event is no longer kept: it is older than the operator keeps bodies, or was erased. What happened is in the checklist itself, as it stands now.";
    /// The subscription has ended.
    SubscriptionGone = CONFLICT "subscription_gone", "The subscription has ended",
        "It was unsubscribed, or its receiver answered 410. What has ended stays so and is not changed. Subscribe anew.";
    /// It would be the same as another one.
    SubscriptionSame = CONFLICT "subscription_same", "Another subscription is the same",
        "With this `source` and `targetUrl` it would be the same as the subscription that `subscriptionId` names, and get everything twice. Change that one, or end it first.";
    /// It changed while its target was proven.
    SubscriptionChanged = CONFLICT "subscription_changed", "The subscription changed meanwhile",
        "While the target was proven somebody else changed the subscription, or ended it, so that the proof is of something else. Nothing was changed. Look at it (`GET /api/web-hook/subscription`), and send the request again.";
    /// There is no proof to ask for.
    NothingToProve = CONFLICT "nothing_to_prove", "The subscription asks for no proof",
        "Its `proof` is `none`. Set it with `PATCH /api/web-hook/subscription`, which has the target proven at once.";
    /// As many secrets as there may be.
    SecretsFull = CONFLICT "secrets_full", "The subscription has as many secrets as it may",
        "Ten secrets of a subscription may sign at once. `GET /api/web-hook/secrets` lists them; revoke one that no receiver needs any more with `POST /api/web-hook/revoke-secret`, or roll with a `keepOldFor` of 0.";
    /// Deliveries could not be signed without it.
    SecretInUse = CONFLICT "secret_in_use", "Webhooks are signed with the secret",
        "It has no end and is of a kind that `signing` asks for, so nothing could be signed without it. Roll first, with `POST /api/web-hook/roll-secret`: that puts a new one in its place, at once with a `keepOldFor` of 0.";
    /// The redelivery job does not change any more.
    RedeliveryJobEnded = CONFLICT "redelivery_job_ended", "The redelivery job has ended",
        "The job is done or was cancelled. Make another one; what this one has made due is under way.";
    /// The body is too large.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large", "The body is too large",
        "`detail` says how many bytes are taken. Send less at once.";
    /// The file is too large.
    FileTooLarge = PAYLOAD_TOO_LARGE "file_too_large", "The file is too large",
        "`detail` says how many bytes a file may have. Send a smaller one, or ask the operator to raise the limit.";
    /// The query is too long.
    QueryTooLong = URI_TOO_LONG "query_too_long", "The query is too long",
        "`detail` says how many bytes are taken. Operations that take a JSON body take the same names there.";
    /// Not JSON, or not multipart.
    MediaTypeUnsupported = UNSUPPORTED_MEDIA_TYPE "media_type_unsupported", "The body has the wrong media type",
        "Send JSON with `Content-Type: application/json`; files as `multipart/form-data`. Templates are taken as JSON.";
    /// The range is not in the file.
    RangeNotSatisfiable = RANGE_NOT_SATISFIABLE "range_not_satisfiable", "The range is not in the file",
        "The header `Content-Range` gives the size of the file. Ask for bytes that are in it.";
    /// A node that only sends webhooks.
    NotServedHere = NOT_FOUND "not_served_here", "This server only sends webhooks",
        "The server runs with the role `deliver`: it sends webhooks and answers nothing but `/health/live` and `/health/ready`. Send requests to one that runs with the role `all` or `api`.";
    /// Controls are not as they must be.
    ControlsUnsatisfied = UNPROCESSABLE_ENTITY "controls_unsatisfied", "The task can't be completed yet",
        "`errors[]` has every control that keeps the task from being completed: its key (`field`), its `taskContentID` and `name`, a `code` and what it must be. Set them, then complete the task.";
    /// The control does not take the value.
    ValueRefused = UNPROCESSABLE_ENTITY "value_refused", "The control does not take this value",
        "`detail` says what the control takes.";
    /// Not a File Upload.
    NotAnUpload = UNPROCESSABLE_ENTITY "not_an_upload", "The control takes no files",
        "Only a `FileUpload` control takes files. `GET /api/template/task-content?contentType=FileUpload` lists those of a task.";
    /// The target does not prove itself.
    TargetNotProven = UNPROCESSABLE_ENTITY "target_not_proven", "The target does not prove that it wants webhooks",
        "The subscription has a `proof`, and the handshake with its target went wrong: `detail` says what came of it and what the receiver must answer. Nothing was made or changed. What is sent and must come back stands in `docs/webhooks.md`.";
    /// Too many requests.
    RateLimited = TOO_MANY_REQUESTS "rate_limited", "Too many requests within a minute",
        "This key, or this address, has sent as many requests as it may within a minute; `detail` says which. Nothing was made or changed. Send the request again after the seconds in `Retry-After`. Every answer says in `RateLimit` how many requests are left (`r`).";
    /// Too many handshakes.
    ProofsUnderWay = TOO_MANY_REQUESTS "proofs_under_way", "Too many targets are being proven at once",
        "As many handshakes with targets are under way as a team, or the server, may have at once. Nothing was made or changed. Send the request again after the seconds in `Retry-After`.";
    /// A mistake of ours.
    Internal = INTERNAL_SERVER_ERROR "internal", "The server made a mistake",
        "Something failed that should not. Tell the operator the answer's `x-request-id`; the log has the rest under it.";
    /// The database is not there at the moment.
    Unavailable = SERVICE_UNAVAILABLE "unavailable", "The server can't answer at the moment",
        "The database is away, or too much is asked of it at once. Send the request again after the seconds in `Retry-After`. Nothing was changed, save where the answer has `mayBeDone`: then the database went away before it said whether the change was stored, and you should look first. `detail` says which of the two it is.";
    /// The file store is not there at the moment, or does not let us in.
    FilesUnavailable = SERVICE_UNAVAILABLE "files_unavailable", "The server can't get at its files at the moment",
        "The store that the server keeps files in is away, or does not let the server in, which its operator has to mend; `detail` says which. Of an upload that is answered so, no file was stored. Send the request again after the seconds in `Retry-After`; everything but uploads and downloads is served meanwhile.";
    /// Too many at once.
    Overloaded = SERVICE_UNAVAILABLE "overloaded", "Too many uploads at once",
        "As many files are being uploaded as the server takes at once. Send the request again after the seconds in `Retry-After`.";
    /// It took too long.
    TimedOut = SERVICE_UNAVAILABLE "timed_out", "The answer took too long",
        "The server gave up on the request, which may or may not have been carried out. Look before you send it again, after the seconds in `Retry-After`.";
    /// The server is not ready.
    NotReady = SERVICE_UNAVAILABLE "not_ready", "The server is not ready",
        "Answered by `/health/ready` alone, while the server starts, stops or has lost its database; `detail` says which.";
    /// The disk is full.
    StorageFull = INSUFFICIENT_STORAGE "storage_full", "The server's disk is full",
        "Nothing was changed, and reading goes on. The operator must make room; service returns by itself then.";
}

impl Code {
    /// The code with this word.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }

    /// `docs/errors.md`, whole.
    pub fn catalogue() -> String {
        use std::fmt::Write;
        let mut text = String::from(CATALOGUE_HEAD);
        for code in Self::ALL {
            let (word, status) = (code.word(), code.status().as_u16());
            let (title, remedy) = (code.title(), code.remedy());
            write!(
                text,
                "\n## `{word}`\n\nStatus {status}. {title}.\n\n{remedy}\n"
            )
            .expect("writing to a string");
        }
        text
    }
}

const CATALOGUE_HEAD: &str = "# Errors

Every error answer of the API is `application/problem+json` (RFC 9457):

```json
{
  \"type\": \"/problems/invalid_request\",
  \"title\": \"The request is not right\",
  \"status\": 400,
  \"detail\": \"templateKey must be given\",
  \"code\": \"invalid_request\",
  \"errors\": [{\"field\": \"templateKey\", \"message\": \"must be given\"}]
}
```

`code` is what scripts should look at: it never changes its meaning. `detail` is for people and may be
reworded. `type` leads to the text below, on the server itself. `errors[]`, `fits[]`, `rule`, `setting`,
`waitsFor`, `subscriptionId`, `memberId`, `groupId` and `mayBeDone` are there where the text names them. The header `x-request-id` is in every answer and finds the
request in the server's log.

This page is generated from the table of codes (`crates/api/src/code.rs`); a test compares the two, and
`CHECKFLOW_UPDATE=1 cargo test -p api` writes it anew.
";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_are_unique_snake_case_and_found_by_their_text() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let word = code.word();
            assert!(seen.insert(word), "{word} is there twice");
            assert!(
                word.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{word}"
            );
            assert_eq!(Code::read(word), Some(*code));
        }
        assert_eq!(Code::read("nope"), None);
    }

    #[test]
    fn every_code_is_an_error_with_a_title_and_a_remedy() {
        for code in Code::ALL {
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{code:?}"
            );
            assert!(
                !code.title().is_empty() && !code.title().ends_with('.'),
                "{code:?}"
            );
            assert!(code.remedy().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn the_document_of_errors_is_the_table() {
        crate::committed::check("../../docs/errors.md", &Code::catalogue());
    }
}
