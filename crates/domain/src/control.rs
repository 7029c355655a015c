//! Controls: the blocks of a task that show something or take a value.

mod check;
mod date;
mod members;

use std::{fmt, str::FromStr};

pub use check::{Unsatisfied, ValueRefusal};
pub(crate) use check::{has_control_characters, is_website};
pub(crate) use date::{date_has_time, date_moment, date_order};
pub use members::member_ids;
use regex::Regex;

use crate::{ControlId, ControlKey};

/// Longest value of a Short Text, Email or Website, in characters.
pub const SHORT_VALUE_CHARS_MAX: usize = 1_000;
/// Longest value of a Long Text, in characters.
pub const LONG_VALUE_CHARS_MAX: usize = 50_000;
/// Most options of a Drop Down or Multi Choice.
pub const OPTIONS_MAX: usize = 200;
/// Most members in one Members control.
pub const MEMBERS_MAX: usize = 100;
/// Longest address of a File or Image, in characters.
pub const LINK_CHARS_MAX: usize = 2_000;
/// Most files of one File Upload control in one checklist.
pub const FILES_MAX: u32 = 100;
/// Longest pattern, in characters.
pub const PATTERN_CHARS_MAX: usize = 1_000;
/// Most memory that one compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Least that a compiled pattern counts, in bytes.
const PATTERN_BYTES_MIN: usize = 1024;
/// Most memory that all patterns of one template may take, in bytes. Compiling them takes some 30 ms
/// then, which is the longest that completing a task can be held up by them.
pub const PATTERNS_BYTES_MAX: usize = 4 * 1024 * 1024;

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

/// A pattern that the whole of a value must match, in the syntax of Rust's `regex`.
///
/// Compiled when it is used and not kept: a simple one takes microseconds, and a thousand kept ones
/// that are not would take more memory than everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern that [`Pattern::check`] has passed, or will.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// How many bytes it takes when it is compiled, rounded up to a power of two. The error says in
    /// one line what is wrong with it.
    pub fn check(&self) -> Result<usize, String> {
        if self.0.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!(
                "must be at most {PATTERN_CHARS_MAX} characters long"
            ));
        }
        let mut bytes = PATTERN_BYTES_MIN;
        loop {
            // On its own first: `a)|(b` would be a valid pattern inside the added brackets.
            match compile(&self.0, bytes).and_then(|_| self.compile(bytes)) {
                Ok(_) => return Ok(bytes),
                Err(regex::Error::CompiledTooBig(_)) if bytes < PATTERN_BYTES_MAX => bytes *= 2,
                Err(regex::Error::CompiledTooBig(_)) => {
                    let message = "stands for too many texts; write it with fewer repetitions, or \
                        with [0-9] for \\d and [A-Za-z0-9_] for \\w";
                    return Err(message.to_owned());
                }
                Err(error) => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    let reason = last.trim_start_matches("error: ");
                    return Err(format!("is not a pattern: {reason}"));
                }
            }
        }
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.compile(PATTERN_BYTES_MAX)
            .is_ok_and(|regex| regex.is_match(value))
    }

    fn compile(&self, bytes: usize) -> Result<Regex, regex::Error> {
        // `\z` and not `$`: no flag in the pattern can make it match before a line's end.
        compile(&format!(r"\A(?:{})\z", self.0), bytes)
    }
}

fn compile(pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(bytes).build()
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
