//! Why a use case did not do what it was asked, named for what the caller can do about it.

use std::fmt;

use domain::{
    FieldError, ProofRefusal, Refusal, ReplayState, Right, Rights, SecretRefusal,
    SubscriptionState, TargetRefusal, TaskKey, ValueRefusal,
};
use store::{FileStoreError, StoreError};

/// Something that was asked for by key or number and is not there, or is another team's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A template.
    #[error("there is no template {0}")]
    Template(domain::TemplateKey),
    /// A task of a template.
    #[error("there is no task {0}")]
    TaskKey(TaskKey),
    /// A task of a checklist, by its number.
    #[error("there is no task {0}")]
    Task(domain::TaskId),
    /// A task of a checklist, by its key.
    #[error("checklist {0} has no task {1}")]
    TaskOf(domain::ChecklistId, TaskKey),
    /// A control of a template.
    #[error("there is no control {0}")]
    Control(domain::ControlKey),
    /// A control of a checklist.
    #[error("there is no control {0} in any checklist")]
    Field(domain::FieldId),
    /// An API key.
    #[error("there is no API key {0}")]
    Key(domain::ApiKeyId),
    /// A checklist.
    #[error("there is no checklist {0}")]
    Checklist(domain::ChecklistId),
    /// A file.
    #[error("there is no file {0}")]
    File(domain::FileKey),
    /// A subscription.
    #[error("there is no subscription {0}")]
    Subscription(domain::SubscriptionId),
    /// A redelivery job.
    #[error("there is no redelivery job {0}")]
    ReplayJob(domain::ReplayJobId),
    /// A secret of a subscription.
    #[error("the subscription has no secret {0}, or it has run out")]
    Secret(domain::SecretId),
    /// A delivery.
    #[error("there is no delivery {0}")]
    Delivery(domain::DeliveryId),
    /// An event.
    #[error("there is no event {0}")]
    Event(domain::EventId),
    /// A member.
    #[error("there is no member {0}")]
    Member(domain::MemberId),
    /// A member, by their address.
    #[error("there is no member with the address {0:?}")]
    MemberOf(String),
    /// A group.
    #[error("there is no group {0}")]
    Group(domain::GroupId),
}

/// A key that would have fitted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fit {
    /// The key.
    pub key: String,
    /// What people call it.
    pub name: String,
}

/// What is done with the file store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileWork {
    /// A file is taken in. Should that fail, no file is there: its row comes last.
    Storing,
    /// A file is given out.
    Reading,
    /// Bytes that nobody has a row for are removed.
    Sweeping,
}

impl fmt::Display for FileWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storing => "storing a file",
            Self::Reading => "reading a file",
            Self::Sweeping => "sweeping files",
        })
    }
}

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The key opens nothing here.
    #[error("the API key is not known; check that it was copied whole and belongs to this server")]
    KeyUnknown,
    /// The key was revoked.
    #[error("the API key {0:?} was revoked; ask an administrator for another one")]
    KeyRevoked(String),
    /// The key has run out.
    #[error("the API key {0:?} has expired; ask an administrator for another one")]
    KeyExpired(String),
    /// The key may not do this.
    #[error(
        "the API key {key:?} has the scopes {has}, and this needs {needs}; ask an administrator for a key that has it"
    )]
    RightMissing {
        /// The key's name.
        key: String,
        /// What it may do.
        has: Rights,
        /// What this takes.
        needs: Right,
    },
    /// The role of the member for whom it is asked does not include it.
    #[error("a {role} {what}; leave it to somebody else, or ask an administrator for another role")]
    RoleForbids {
        /// The role.
        role: domain::Role,
        /// What it does or does not include.
        what: &'static str,
    },
    /// The task is others', exclusively.
    #[error("the task is assigned exclusively to others; leave it to them, or assign it anew")]
    AssignedToOthers,
    /// It was done before, and this was answered.
    #[error("it was done before, under the same Idempotency-Key")]
    Answered(Vec<u8>),
    /// Something else was asked for under the same key.
    #[error(
        "the Idempotency-Key was used for something else within a day; take a new one for each change"
    )]
    KeyReused,
    /// What was asked for is not there.
    #[error("{0}")]
    Missing(#[from] Missing),
    /// A rule of checklists forbids it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The control does not take the value.
    #[error("{name:?} {reason}")]
    Value {
        /// The control's label.
        name: String,
        /// Why not.
        reason: ValueRefusal,
    },
    /// Parts of the request are wrong.
    #[error("the request is not right: {}", summary(.0))]
    Invalid(Vec<FieldError>),
    /// A subscription's scope does not fit.
    #[error("{message}")]
    Scope {
        /// Which parameter.
        field: &'static str,
        /// What is wrong with it, and what to do.
        message: String,
        /// Up to ten keys that would fit.
        fits: Vec<Fit>,
    },
    /// Webhooks may not go there.
    #[error("{0}")]
    Target(#[from] TargetRefusal),
    /// Webhooks may not go by there.
    #[error("{}", refusal.about(domain::UrlOf::member(member)))]
    Reached {
        /// The member that says where.
        member: &'static str,
        /// Why not.
        refusal: Box<TargetRefusal>,
    },
    /// The target does not prove that it wants webhooks.
    #[error("the target is not proven: {0}")]
    NotProven(#[from] ProofRefusal),
    /// As many handshakes are under way as may be.
    #[error(
        "{max} handshakes with targets are under way, as many as there may be at once; send the request again when one has ended"
    )]
    ProofsUnderWay {
        /// The most.
        max: usize,
    },
    /// The subscription asks for no proof.
    #[error(
        "the subscription asks for no proof; set its proof to options or echo, which has its target proven at once"
    )]
    NothingToProve,
    /// A subscription is not as it was when its target was proven.
    #[error(
        "the subscription was changed or ended by somebody else while its target was proven; look at it, and send the request again"
    )]
    SubscriptionChanged,
    /// The team has as many of something as it may.
    #[error("the team has {max} {what}, which is the most; delete some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// The most.
        max: u64,
    },
    /// Another attempt can't be made at the moment.
    #[error("the delivery is being sent at this moment; look at it again in a few seconds")]
    BeingSent,
    /// There are no retries to stop.
    #[error("the delivery is {0}, so there is nothing to stop")]
    DeliverySettled(domain::DeliveryState),
    /// Another attempt can't be made for this subscription.
    #[error("the subscription is {0}, so nothing is sent to it")]
    SubscriptionNotSending(SubscriptionState),
    /// What is stored of the subscription can't be read.
    #[error("{0}")]
    SubscriptionUnreadable(String),
    /// There is no template that a sample could be made from.
    #[error(
        "no sample can be made: the team has no template with a task yet; make one with PUT /api/template"
    )]
    NothingToSample,
    /// A redelivery job does not change any more.
    #[error("the redelivery job is {0}, so nothing can be changed about it; make another one")]
    ReplayEnded(ReplayState),
    /// There is nothing left to send.
    #[error("the body of the delivery is no longer kept, so it can't be sent again")]
    BodyGone,
    /// The subscription has ended.
    #[error("the subscription {0} has ended, and what has ended is not changed; subscribe anew")]
    SubscriptionGone(domain::SubscriptionId),
    /// The subscription would be the same as another one.
    #[error(
        "the subscription {0} has this source, event, scope and target already; change that one, or end it first"
    )]
    SubscriptionSame(domain::SubscriptionId),
    /// Another member has the address.
    #[error("{email:?} is the address of member {by}{}", if *active { "; each has one of their own" } else {
        ", who is no longer active; PATCH /api/team/member with isActive=true has them back"
    })]
    EmailTaken {
        /// The address.
        email: String,
        /// Who has it.
        by: domain::MemberId,
        /// Whether they are active.
        active: bool,
    },
    /// Another group is called so.
    #[error("{name:?} is the name of group {by}; each has one of its own")]
    GroupNameTaken {
        /// The name.
        name: String,
        /// Which group.
        by: domain::GroupId,
    },
    /// Nobody would be left who administers the team.
    #[error(
        "they are the only active Administrator, and one always remains; make somebody else one first"
    )]
    LastAdministrator,
    /// The rules of secrets forbid it.
    #[error("{0}")]
    Secret(#[from] SecretRefusal),
    /// The file is larger than allowed.
    #[error("the file is larger than {max} bytes, the most that is taken")]
    FileTooLarge {
        /// The most, in bytes.
        max: u64,
    },
    /// The upload ended before the file did.
    #[error("the upload ended before the file was whole; send it again")]
    UploadInterrupted,
    /// The asked range is not in the file.
    #[error("the file has {size} bytes; the asked range is not in it")]
    RangeNotThere {
        /// Its size in bytes.
        size: u64,
    },
    /// The database failed.
    #[error("storage failed while {doing}")]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// How it failed.
        #[source]
        source: StoreError,
    },
    /// The file store failed.
    #[error("the file store failed while {doing}")]
    Files {
        /// What was being done.
        doing: FileWork,
        /// How it failed.
        #[source]
        source: FileStoreError,
    },
}

fn summary(errors: &[FieldError]) -> String {
    let Some(first) = errors.first() else {
        return String::new();
    };
    let first = format!("{} {}", first.field, first.message);
    match errors.len() {
        1 => first,
        more => format!("{first} (and {} more)", more - 1),
    }
}

impl AppError {
    /// One part of the request is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// Whether what was asked for may be done all the same.
    pub(crate) const fn is_unsure(&self) -> bool {
        matches!(
            self,
            Self::Storage {
                source: StoreError::Unsure(_),
                ..
            }
        )
    }
}

impl From<(&'static str, StoreError)> for AppError {
    fn from((doing, source): (&'static str, StoreError)) -> Self {
        Self::Storage { doing, source }
    }
}

// The store itself, outside any use case: it could not begin or commit.
impl From<StoreError> for AppError {
    fn from(source: StoreError) -> Self {
        Self::Storage {
            doing: "beginning or committing",
            source,
        }
    }
}
