//! Controls: the blocks of a task that show something or take a value.

mod check;
mod date;
mod members;
mod pattern;

use std::{fmt, str::FromStr};

use crate::{ControlId, ControlKey};
pub use check::{Unsatisfied, ValueRefusal};
pub(crate) use check::{has_control_characters, is_email, is_website};
pub(crate) use date::{date_has_time, date_moment, date_order};
pub use members::member_ids;
pub use pattern::{PATTERN_CHARS_MAX, PATTERNS_BYTES_MAX, Pattern};

/// Longest value of a Short Text, Email or Website, in characters.
pub const SHORT_VALUE_CHARS_MAX: usize = 1_000;
/// Longest value of a Long Text, in characters.
pub const LONG_VALUE_CHARS_MAX: usize = 50_000;
/// Most options of a Drop Down or Multi Choice.
pub const OPTIONS_MAX: usize = 200;
/// Most members in one Members control.
pub const CHOSEN_MEMBERS_MAX: usize = 100;
/// Longest address of a File or Image, in characters.
pub const LINK_CHARS_MAX: usize = 2_000;
/// Most files of one File Upload control in one checklist.
pub const FILES_MAX: u32 = 100;

/// The type of a control, by the word and the number that the API has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// Shows a text.
    Text,
    /// Takes one line.
    ShortText,
    /// Takes several lines.
    LongText,
    /// Takes one of several options.
    DropDown,
    /// Takes any of several options.
    MultiChoice,
    /// Takes a date, with a time if wanted.
    Date,
    /// Takes an email address.
    Email,
    /// Takes the address of a web page.
    Website,
    /// Takes files.
    FileUpload,
    /// Takes members of the team.
    Members,
    /// Shows a file.
    File,
    /// Shows a picture.
    Image,
}

impl ControlType {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Text,
        Self::ShortText,
        Self::LongText,
        Self::DropDown,
        Self::MultiChoice,
        Self::Date,
        Self::Email,
        Self::Website,
        Self::FileUpload,
        Self::Members,
        Self::File,
        Self::Image,
    ];

    /// The word of the API's `type` and `contentType`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::ShortText => "ShortText",
            Self::LongText => "LongText",
            Self::DropDown => "DropDown",
            Self::MultiChoice => "MultiChoice",
            Self::Date => "Date",
            Self::Email => "Email",
            Self::Website => "Website",
            Self::FileUpload => "FileUpload",
            Self::Members => "Members",
            Self::File => "File",
            Self::Image => "Image",
        }
    }

    /// The number that `task/update-task-content` answers as `contentType`. The original's numbers
    /// are not on record; these are ours and stay.
    pub const fn number(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::ShortText => 2,
            Self::LongText => 3,
            Self::DropDown => 4,
            Self::MultiChoice => 5,
            Self::Date => 6,
            Self::Email => 7,
            Self::Website => 8,
            Self::FileUpload => 9,
            Self::Members => 10,
            Self::File => 11,
            Self::Image => 12,
        }
    }

    /// Whether people fill it in.
    pub const fn is_input(self) -> bool {
        !matches!(self, Self::Text | Self::File | Self::Image)
    }
}

impl fmt::Display for ControlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word names no control type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a control type; there are Text, ShortText, LongText, DropDown, MultiChoice, Date, Email, \
     Website, FileUpload, Members, File and Image"
)]
pub struct UnknownControlType;

impl FromStr for ControlType {
    type Err = UnknownControlType;

    fn from_str(text: &str) -> Result<Self, UnknownControlType> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownControlType)
    }
}

/// What a control is, with the settings of its type.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlKind {
    /// Shows `text`.
    Text {
        /// What it shows.
        text: String,
    },
    /// Takes one line.
    ShortText {
        /// What the whole value must match.
        pattern: Option<Pattern>,
    },
    /// Takes several lines.
    LongText {
        /// What the whole value must match.
        pattern: Option<Pattern>,
    },
    /// Takes one of the options.
    DropDown {
        /// What may be chosen.
        options: Vec<String>,
    },
    /// Takes any of the options.
    MultiChoice {
        /// What may be chosen.
        options: Vec<String>,
    },
    /// Takes a date.
    Date {
        /// Whether it must have a time, or must not; none where both will do.
        with_time: Option<bool>,
    },
    /// Takes an email address.
    Email,
    /// Takes the address of a web page.
    Website,
    /// Takes members of the team.
    Members {
        /// Whether it takes several.
        multiple: bool,
    },
    /// Shows a file.
    File {
        /// Where it is.
        url: String,
    },
    /// Shows a picture.
    Image {
        /// Where it is.
        url: String,
    },
    /// Takes files.
    FileUpload {
        /// Fewest files for the task to be completed.
        min_files: u32,
        /// Most files that may be there.
        max_files: u32,
    },
}

impl ControlKind {
    /// The type without its settings.
    pub const fn kind(&self) -> ControlType {
        match self {
            Self::Text { .. } => ControlType::Text,
            Self::ShortText { .. } => ControlType::ShortText,
            Self::LongText { .. } => ControlType::LongText,
            Self::DropDown { .. } => ControlType::DropDown,
            Self::MultiChoice { .. } => ControlType::MultiChoice,
            Self::Date { .. } => ControlType::Date,
            Self::Email => ControlType::Email,
            Self::Website => ControlType::Website,
            Self::FileUpload { .. } => ControlType::FileUpload,
            Self::Members { .. } => ControlType::Members,
            Self::File { .. } => ControlType::File,
            Self::Image { .. } => ControlType::Image,
        }
    }
}

/// A control of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Stays the same across edits and in every checklist.
    pub key: ControlKey,
    /// The number that the API calls `contentID`.
    pub id: ControlId,
    /// The label.
    pub name: String,
    /// Whether the task can't be completed while it is empty.
    pub required: bool,
    /// Whether it is hidden unless a condition shows it.
    pub hidden: bool,
    /// What it begins with in a new checklist, with the names of parameters in it; empty for nothing.
    pub value: String,
    /// The type and its settings.
    pub kind: ControlKind,
}
