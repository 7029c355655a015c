//! The public face of each error of the use cases.

use std::time::Duration;

use app::{AppError, FileStoreError, FileWork, Missing, StoreError};
use domain::{ControlFailure, FieldError, Refusal, SecretRefusal, TargetRefusal};
use http::{HeaderValue, header};
use serde_json::json;

use super::Problem;
use crate::Code;

/// How long a caller is asked to wait when the database or the file store is not there.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The same when somebody has to mend it first.
const RETRY_AFTER_MENDED: Duration = Duration::from_mins(1);

/// What is said when nothing was done, for sure.
const UNDONE: &str = "The database is away, or too much is asked of it at once. Nothing was changed: send the request \
    again after the seconds in Retry-After.";

/// What is said when a change may have been made.
const UNSURE: &str = "The database went away before it said whether the change was stored. It is, or nothing of it is: \
    look after the seconds in Retry-After, before you send the request again.";

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        // No `_` arm: a new error does not compile until it has a public face.
        let problem = match &error {
            AppError::KeyUnknown => said(Code::KeyUnknown, &error),
            AppError::KeyRevoked(_) => said(Code::KeyRevoked, &error),
            AppError::KeyExpired(_) => said(Code::KeyExpired, &error),
            AppError::RightMissing { has, needs, .. } => said(Code::ScopeMissing, &error)
                .with("scopes", has)
                .with("needs", needs.word()),
            AppError::RoleForbids { role, .. } => {
                said(Code::RoleInsufficient, &error).with("role", role)
            }
            AppError::AssignedToOthers => said(Code::AssignedExclusively, &error),
            // A door answers it as it was answered before.
            AppError::Answered(_) => Self::new(Code::Internal),
            AppError::KeyReused => said(Code::IdempotencyKeyReused, &error),
            AppError::Missing(missing) => said(missing_code(missing), &error),
            AppError::Refused(refusal) => refused(refusal),
            AppError::Value { .. } => said(Code::ValueRefused, &error),
            AppError::Invalid(errors) => Self::invalid(errors),
            AppError::Scope {
                field,
                message,
                fits,
            } => {
                let errors = [FieldError::new(*field, message.clone())];
                said(Code::ScopeInvalid, &error)
                    .with("errors", errors)
                    .with("fits", fits)
            }
            AppError::Target(refusal) => target("targetUrl", refusal, refusal.to_string()),
            AppError::Reached { member, refusal } => target(member, refusal, error.to_string()),
            AppError::NotProven(_) => {
                let errors = [FieldError::new("targetUrl", error.to_string())];
                said(Code::TargetNotProven, &error).with("errors", errors)
            }
            AppError::ProofsUnderWay { .. } => {
                said(Code::ProofsUnderWay, &error).retry_after(RETRY_AFTER)
            }
            AppError::NothingToProve => said(Code::NothingToProve, &error),
            AppError::SubscriptionChanged => said(Code::SubscriptionChanged, &error),
            AppError::Full { .. } => said(Code::TeamFull, &error),
            AppError::NothingToSample => said(Code::NothingToSample, &error),
            AppError::BeingSent => said(Code::DeliveryBeingSent, &error),
            AppError::ReplayEnded(_) => said(Code::RedeliveryJobEnded, &error),
            AppError::BodyGone => said(Code::DeliveryBodyGone, &error),
            AppError::DeliverySettled(_) => said(Code::DeliverySettled, &error),
            AppError::SubscriptionNotSending(_) => said(Code::SubscriptionNotSending, &error),
            AppError::SubscriptionUnreadable(_) => said(Code::SubscriptionUnreadable, &error),
            AppError::SubscriptionGone(_) => said(Code::SubscriptionGone, &error),
            AppError::SubscriptionSame(same) => {
                said(Code::SubscriptionSame, &error).with("subscriptionId", same)
            }
            AppError::EmailTaken { by, .. } => said(Code::EmailTaken, &error).with("memberId", by),
            AppError::GroupNameTaken { by, .. } => {
                said(Code::GroupNameTaken, &error).with("groupId", by)
            }
            AppError::LastAdministrator => said(Code::LastAdministrator, &error),
            AppError::Secret(SecretRefusal::Full) => said(Code::SecretsFull, &error),
            AppError::Secret(SecretRefusal::InUse(_)) => said(Code::SecretInUse, &error),
            AppError::FileTooLarge { .. } => said(Code::FileTooLarge, &error),
            AppError::UploadInterrupted => said(Code::UploadInterrupted, &error),
            AppError::RangeNotThere { size } => {
                let whole = HeaderValue::try_from(format!("bytes */{size}"));
                let whole = whole.unwrap_or(HeaderValue::from_static("bytes */*"));
                said(Code::RangeNotSatisfiable, &error).header(header::CONTENT_RANGE, whole)
            }
            AppError::Storage { source, .. } => stored(source),
            AppError::Files { doing, source } => of_files(*doing, source),
        };
        problem.for_known_caller().caused_by(error)
    }
}

fn said(code: Code, error: &AppError) -> Problem {
    Problem::new(code).detail(error.to_string())
}

const fn missing_code(missing: &Missing) -> Code {
    match missing {
        Missing::Template(_) => Code::TemplateMissing,
        Missing::TaskKey(_) | Missing::Task(_) | Missing::TaskOf(..) => Code::TaskMissing,
        Missing::Control(_) | Missing::Field(_) => Code::ControlMissing,
        Missing::Key(_) => Code::ApiKeyMissing,
        Missing::Checklist(_) => Code::ChecklistMissing,
        Missing::File(_) => Code::FileMissing,
        Missing::Subscription(_) => Code::SubscriptionMissing,
        Missing::Secret(_) => Code::SecretMissing,
        Missing::Delivery(_) => Code::DeliveryMissing,
        Missing::Event(_) => Code::EventMissing,
        Missing::Member(_) | Missing::MemberOf(_) => Code::MemberMissing,
        Missing::Group(_) => Code::GroupMissing,
        Missing::ReplayJob(_) => Code::RedeliveryJobMissing,
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let problem = match refusal {
        Refusal::ChecklistArchived => Problem::new(Code::ChecklistArchived),
        Refusal::TaskIsHeading(_) => Problem::new(Code::TaskIsHeading),
        Refusal::TaskHalted { key, .. } => Problem::new(Code::TaskHalted).with("waitsFor", key),
        Refusal::TaskHidden(_) | Refusal::ControlHidden(_) => Problem::new(Code::Hidden),
        Refusal::TaskDone(_) => Problem::new(Code::TaskDone),
        Refusal::ControlsUnsatisfied(failures) => {
            let errors: Vec<_> = failures.iter().map(failure).collect();
            Problem::new(Code::ControlsUnsatisfied).with("errors", errors)
        }
        Refusal::FilesFull { .. } => Problem::new(Code::FilesFull),
        Refusal::NotAnUpload(_) => Problem::new(Code::NotAnUpload),
    };
    problem.detail(refusal.to_string())
}

fn failure(failure: &ControlFailure) -> serde_json::Value {
    json!({
        "field": failure.key,
        "taskContentID": failure.field,
        "name": failure.name,
        "code": failure.reason.code(),
        "message": failure.reason.to_string(),
    })
}

fn target(field: &str, refusal: &TargetRefusal, said: String) -> Problem {
    let errors = [FieldError::new(field, said.clone())];
    let problem = Problem::new(Code::TargetRefused)
        .detail(said)
        .with("errors", errors)
        .with("rule", refusal.rule());
    match refusal.setting() {
        Some(setting) => problem.with("setting", setting),
        None => problem,
    }
}

fn stored(error: &StoreError) -> Problem {
    match error {
        StoreError::Full(_) => Problem::new(Code::StorageFull),
        StoreError::Unavailable(_) => Problem::new(Code::Unavailable)
            .detail(UNDONE)
            .retry_after(RETRY_AFTER),
        StoreError::Unsure(_) => Problem::new(Code::Unavailable)
            .detail(UNSURE)
            .with("mayBeDone", true)
            .retry_after(RETRY_AFTER),
        StoreError::Corrupt { .. } | StoreError::Failed(_) | StoreError::Panicked => {
            Problem::new(Code::Internal)
        }
    }
}

fn of_files(doing: FileWork, error: &FileStoreError) -> Problem {
    match error {
        FileStoreError::Full(_) => Problem::new(Code::StorageFull),
        FileStoreError::Away(_) => files_away(doing, "The file store is away.", RETRY_AFTER),
        // Not a 500: the request is right, and the same one goes well once the operator has mended what the log names.
        FileStoreError::Denied(_) => {
            let why = "The file store does not let the server in, which the server's operator has to mend.";
            files_away(doing, why, RETRY_AFTER_MENDED)
        }
        FileStoreError::TooLarge { .. }
        | FileStoreError::Interrupted(_)
        | FileStoreError::NotThere
        | FileStoreError::OutOfRange
        | FileStoreError::Failed(_) => Problem::new(Code::Internal),
    }
}

fn files_away(doing: FileWork, why: &str, wait: Duration) -> Problem {
    let come_back = match doing {
        FileWork::Storing => "No file was stored: send it again after the seconds in Retry-After.",
        FileWork::Reading | FileWork::Sweeping => "Ask again after the seconds in Retry-After.",
    };
    Problem::new(Code::FilesUnavailable)
        .detail(format!("{why} {come_back}"))
        .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use domain::Unsatisfied;

    use super::*;

    fn code(error: impl Into<AppError>) -> Code {
        Problem::from(error.into()).code()
    }

    #[test]
    fn a_failure_of_the_database_says_whether_to_come_back() {
        for (error, expected) in [
            (StoreError::Unavailable(None), Code::Unavailable),
            (StoreError::Unsure(None), Code::Unavailable),
            (StoreError::Full(None), Code::StorageFull),
            (StoreError::Failed("SECRET".into()), Code::Internal),
            (StoreError::Panicked, Code::Internal),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(code(error), expected, "{shown}");
        }
        let corrupt = StoreError::Corrupt {
            table: "t",
            column: "c",
            row: String::new(),
        };
        assert_eq!(code(corrupt), Code::Internal);
    }

    #[test]
    fn a_failure_of_the_file_store_is_told_like_one_of_the_database() {
        let failed = |source| AppError::Files {
            doing: FileWork::Storing,
            source,
        };
        assert_eq!(
            code(failed(FileStoreError::Full("disk".into()))),
            Code::StorageFull
        );
        assert_eq!(code(failed(FileStoreError::NotThere)), Code::Internal);
    }

    /// The detail of the answer, and after how many seconds to come back.
    fn put_off(error: AppError, code: Code) -> (String, String) {
        let problem = Problem::from(error);
        assert_eq!(problem.code(), code);
        let answer = problem.into_response();
        let wait = answer.headers()[header::RETRY_AFTER].to_str().unwrap();
        let wait = wait.to_owned();
        let body = crate::tests::now(axum::body::to_bytes(answer.into_body(), usize::MAX));
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        (body["detail"].as_str().unwrap().to_owned(), wait)
    }

    #[test]
    fn a_file_store_that_is_away_is_told_in_its_own_words() {
        let told = |doing, source| {
            let (detail, wait) = put_off(AppError::Files { doing, source }, Code::FilesUnavailable);
            assert!(
                !detail.contains("database") && !detail.contains("SECRET"),
                "{detail}"
            );
            let stored = detail.contains("No file was stored");
            assert_eq!(stored, doing == FileWork::Storing, "{detail}");
            (detail, wait)
        };
        for doing in [FileWork::Storing, FileWork::Reading] {
            let (detail, wait) = told(doing, FileStoreError::Away("SECRET".into()));
            assert!(detail.contains("is away") && wait == "2", "{detail} {wait}");
            let (detail, wait) = told(doing, FileStoreError::Denied("SECRET".into()));
            assert!(
                detail.contains("operator") && wait == "60",
                "{detail} {wait}"
            );
        }
    }

    #[test]
    fn a_database_that_is_away_says_whether_anything_may_be_done() {
        let told = |error: StoreError| put_off(error.into(), Code::Unavailable);
        let (undone, _) = told(StoreError::Unavailable(None));
        assert!(
            undone.contains("Nothing was changed: send the request again"),
            "{undone}"
        );
        assert!(!undone.contains("mayBeDone"), "{undone}");
        let (unsure, _) = told(StoreError::Unsure(None));
        assert!(unsure.contains("look after the seconds"), "{unsure}");
        assert!(!unsure.contains("Nothing was changed"), "{unsure}");
    }

    #[test]
    fn each_rule_of_checklists_has_a_code_of_its_own() {
        let key = domain::TaskKey::ZERO;
        let halted = Refusal::TaskHalted {
            waits_for: "A".to_owned(),
            key,
            and_before: true,
        };
        let failure = ControlFailure {
            key: domain::ControlKey::ZERO,
            field: domain::FieldId::new(1),
            name: "A".to_owned(),
            reason: Unsatisfied::Required,
        };
        for (refusal, expected) in [
            (Refusal::ChecklistArchived, Code::ChecklistArchived),
            (Refusal::TaskIsHeading("A".to_owned()), Code::TaskIsHeading),
            (halted, Code::TaskHalted),
            (Refusal::TaskHidden("Pay".to_owned()), Code::Hidden),
            (Refusal::ControlHidden("Note".to_owned()), Code::Hidden),
            (
                Refusal::TaskDone(domain::TaskStatus::Complete),
                Code::TaskDone,
            ),
            (
                Refusal::ControlsUnsatisfied(vec![failure]),
                Code::ControlsUnsatisfied,
            ),
            (
                Refusal::FilesFull {
                    name: "A".to_owned(),
                    max: 1,
                },
                Code::FilesFull,
            ),
            (Refusal::NotAnUpload("A".to_owned()), Code::NotAnUpload),
        ] {
            assert_eq!(code(refusal), expected);
        }
        assert_eq!(code(AppError::BeingSent), Code::DeliveryBeingSent);
        assert_eq!(code(AppError::BodyGone), Code::DeliveryBodyGone);
        let done = domain::ReplayState::Done;
        assert_eq!(code(AppError::ReplayEnded(done)), Code::RedeliveryJobEnded);
        let paused = domain::SubscriptionState::Paused;
        assert_eq!(
            code(AppError::SubscriptionNotSending(paused)),
            Code::SubscriptionNotSending
        );
        assert_eq!(
            code(AppError::Full {
                what: "templates",
                max: 1
            }),
            Code::TeamFull
        );
    }
}
