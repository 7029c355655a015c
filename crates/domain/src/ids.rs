//! Identifiers: a type for each, so that one can't be taken for another.
//!
//! `...Key` is a GUID of CheckFlow's API, `...Id` over a UUID is ours and sorts by time, and `...Id`
//! over an integer is one of CheckFlow's numbers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID such as 0192f3a4-5b6c-7d8e-9f01-23456789abcd")]
pub struct NotAGuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// The all-zero GUID, which the API writes where a key does not apply.
            pub const ZERO: Self = Self(Uuid::nil());

            /// Takes a UUID for one of these.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID in it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Whether this is the all-zero GUID.
            pub const fn is_zero(self) -> bool {
                self.0.is_nil()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAGuid;

            fn from_str(text: &str) -> Result<Self, NotAGuid> {
                Uuid::try_parse(text.trim()).map(Self).map_err(|_| NotAGuid)
            }
        }
    )*};
}

uuid_ids! {
    /// A template; stays the same across its edits.
    TemplateKey;
    /// A task of a template; stays the same across edits and in every checklist.
    TaskKey;
    /// A control of a task; stays the same across edits and in every checklist.
    ControlKey;
    /// A checklist.
    ChecklistKey;
    /// A stored file.
    FileKey;
    /// One edition of a template; never changed once made.
    VersionId;
    /// An API key (not its secret).
    ApiKeyId;
    /// Who wants to know of events.
    SubscriptionId;
    /// What signs a subscription's deliveries; the `kid` of a public key.
    SecretId;
    /// One event for one subscription.
    DeliveryId;
    /// What a team is told of a subscription.
    NoticeId;
    /// A redelivery job.
    ReplayJobId;
    /// One start of one server process.
    NodeId;
}

/// The mark of a test in its identifier.
const TEST_MARK: &str = "test_";

/// Something that happened, or a test of how it would be told. The identifier of a test is written with a mark,
/// so that the mark is signed with it, and differs in its version from others, so that it needs no other place to
/// be kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, example = "019ab0c2-5b6c-7d8e-9f01-23456789abcd")]
pub struct EventId(Uuid);

impl EventId {
    /// Takes a UUID for one of these.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The same moment and chance for a test: version 8, which is free for such use (RFC 9562, section 5.8).
    pub const fn test(uuid: Uuid) -> Self {
        Self(uuid::Builder::from_custom_bytes(*uuid.as_bytes()).into_uuid())
    }

    /// The UUID in it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Whether it is a test's.
    pub const fn is_test(self) -> bool {
        self.0.get_version_num() == 8
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_test() {
            f.write_str(TEST_MARK)?;
        }
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let text = text.trim();
        let uuid = text.strip_prefix(TEST_MARK).unwrap_or(text);
        Uuid::try_parse(uuid).map(Self).map_err(|_| NotAGuid)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! integer_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = i64)]
        pub struct $name(i64);

        impl $name {
            /// Takes a number for one of these.
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The number in it.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_ids! {
    /// The tenant: owns keys, templates, checklists and subscriptions.
    TeamId;
    /// A checklist.
    ChecklistId;
    /// A task of one checklist (`taskId`).
    TaskId;
    /// A control of a template (`contentID`).
    ControlId;
    /// A control of one checklist (`taskContentID`).
    FieldId;
    /// A line of the audit log.
    AuditNumber;
    /// A member of a team.
    MemberId;
    /// A group of members.
    GroupId;
}

/// Bits for the place of a task in its number.
pub(crate) const TASK_BITS: u32 = 10;
/// Bits for the place of a control in its number.
pub(crate) const FIELD_BITS: u32 = 12;

// The number of a task says which checklist it is of and its place there. So a task is found by its
// primary key and a checklist's tasks lie side by side, without a second index. A snapshot never
// changes its order, which makes the place a safe part of the number (docs/adr/0002).
impl TaskId {
    /// The task at `index` (from 0) of a checklist.
    pub fn of(checklist: ChecklistId, index: usize) -> Self {
        Self(number(checklist, TASK_BITS, index))
    }

    /// The least and the greatest number that a task of the checklist can have.
    pub fn bounds(checklist: ChecklistId) -> (Self, Self) {
        (
            Self::of(checklist, 0),
            Self::of(checklist, (1 << TASK_BITS) - 1),
        )
    }

    /// The checklist that the task is of.
    pub const fn checklist(self) -> ChecklistId {
        ChecklistId(self.0 >> TASK_BITS)
    }

    /// The place (from 0) of the task in its checklist.
    pub fn index(self) -> usize {
        place(self.0, TASK_BITS)
    }
}

impl FieldId {
    /// The control at `index` (from 0, counted over the whole checklist).
    pub fn of(checklist: ChecklistId, index: usize) -> Self {
        Self(number(checklist, FIELD_BITS, index))
    }

    /// The least and the greatest number that a control of the checklist can have.
    pub fn bounds(checklist: ChecklistId) -> (Self, Self) {
        (
            Self::of(checklist, 0),
            Self::of(checklist, (1 << FIELD_BITS) - 1),
        )
    }

    /// The checklist that the control is in.
    pub const fn checklist(self) -> ChecklistId {
        ChecklistId(self.0 >> FIELD_BITS)
    }

    /// The place (from 0) of the control in its checklist.
    pub fn index(self) -> usize {
        place(self.0, FIELD_BITS)
    }
}

/// The number of the part at `index` of a checklist.
fn number(checklist: ChecklistId, bits: u32, index: usize) -> i64 {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    debug_assert!(
        index < 1 << bits,
        "templates hold less than there is room for"
    );
    checklist.0.saturating_mul(1 << bits).saturating_add(index)
}

/// The place in a number.
fn place(number: i64, bits: u32) -> usize {
    usize::try_from(number & ((1 << bits) - 1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_number_tells_its_checklist_and_place() {
        let task = TaskId::of(ChecklistId::new(7), 1023);
        assert_eq!(
            (task.checklist(), task.index()),
            (ChecklistId::new(7), 1023)
        );
        let field = FieldId::of(ChecklistId::new(7), 0);
        assert_eq!((field.checklist(), field.index()), (ChecklistId::new(7), 0));
        // Numbers that nobody gave out belong to no checklist, and do not panic.
        assert_eq!(TaskId::new(-1).checklist(), ChecklistId::new(-1));
        assert_eq!(TaskId::new(i64::MIN).index(), 0);
    }

    #[test]
    fn the_identifier_of_a_test_is_marked_wherever_it_is_written() {
        let uuid: Uuid = "0192f3a4-5b6c-7d8e-9f01-23456789abcd".parse().unwrap();
        let (event, test) = (EventId::new(uuid), EventId::test(uuid));
        assert_eq!(event.to_string(), uuid.to_string());
        assert_eq!(
            test.to_string(),
            "test_0192f3a4-5b6c-8d8e-9f01-23456789abcd"
        );
        assert_eq!(serde_json::to_value(test).unwrap(), test.to_string());
        assert_eq!((event.is_test(), test.is_test()), (false, true));
        for id in [event, test] {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(EventId::new(id.uuid()), id, "it is kept as a UUID");
        }
    }

    #[test]
    fn a_guid_may_stand_in_braces_or_capitals() {
        let key: TaskKey = "0192F3A4-5B6C-7D8E-9F01-23456789ABCD".parse().unwrap();
        assert_eq!(key.to_string(), "0192f3a4-5b6c-7d8e-9f01-23456789abcd");
        assert_eq!("{0192f3a4-5b6c-7d8e-9f01-23456789abcd}".parse(), Ok(key));
        assert_eq!("7".parse::<TaskKey>(), Err(NotAGuid));
    }
}
