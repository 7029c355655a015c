//! What is stored of a checklist's parts: who did what, and what is there.

use std::{fmt, str::FromStr};

use crate::{FieldId, FileKey, Timestamp};

/// Who did something, as others get to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// A member's full name, or the name of an API key.
    pub name: String,
    /// A member's address; keys have none.
    pub email: Option<String>,
}

/// When something was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The moment.
    pub at: Timestamp,
    /// The person or key.
    pub by: Person,
}

/// What was decided about a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskStatus {
    /// To be done.
    #[default]
    Incomplete,
    /// Done.
    Complete,
    /// Need not be done; counts as done.
    NotApplicable,
}

impl TaskStatus {
    /// The API's words, in the order of the variants.
    pub const ALL: [Self; 3] = [Self::Incomplete, Self::Complete, Self::NotApplicable];

    /// The word that the API has for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "Incomplete",
            Self::Complete => "Complete",
            Self::NotApplicable => "NotApplicable",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Complete, Incomplete or NotApplicable")]
pub struct UnknownTaskStatus;

impl FromStr for TaskStatus {
    type Err = UnknownTaskStatus;

    fn from_str(text: &str) -> Result<Self, UnknownTaskStatus> {
        let found = Self::ALL
            .into_iter()
            .find(|status| status.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownTaskStatus)
    }
}

/// The stored state of one task of a checklist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// What was decided about it.
    pub status: TaskStatus,
    /// When and by whom it was completed or found not applicable; none while it is incomplete.
    pub done: Option<Done>,
    /// How often it has been completed, so that receivers can tell a second time from a retry.
    pub completions: u32,
    /// When it is due, if somebody said so by hand.
    pub due_at: Option<Timestamp>,
}

impl TaskState {
    /// Whether it holds nobody up: complete or not applicable.
    pub fn is_done(&self) -> bool {
        self.status != TaskStatus::Incomplete
    }
}

/// A file that lies in a File Upload control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The file's key.
    pub key: FileKey,
    /// Where it lies.
    pub field: FieldId,
    /// Its name, as its owner gave it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, as its owner gave it.
    pub media_type: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// When it was stored, and by whom.
    pub uploaded: Done,
}

/// What one control of a checklist holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldState {
    /// The value; empty when there is none.
    pub value: String,
    /// The files, oldest first.
    pub files: Vec<StoredFile>,
}

impl FieldState {
    pub(super) fn file_count(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }
}
