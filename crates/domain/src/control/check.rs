//! What a control's value must be: to be stored, and for its task to be completed.

use super::{
    Control, ControlKind, ControlType, LONG_VALUE_CHARS_MAX, SHORT_VALUE_CHARS_MAX, date_has_time,
    members::members,
};

/// Why a value can't be stored in a control.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueRefusal {
    /// The control takes no value.
    #[error("{0} takes no value{hint}", hint = if *.0 == ControlType::FileUpload {
        "; upload files with POST /api/task/upload-file" } else { "" })]
    NoValue(ControlType),
    /// Longer than allowed.
    #[error("must be at most {max} characters long")]
    TooLong {
        /// Characters allowed.
        max: usize,
    },
    /// A line break in a one-line value.
    #[error("must be one line")]
    Lines,
    /// A control character other than a line break or tab.
    #[error("must be text without control characters")]
    ControlCharacters,
    /// Not one of the options.
    #[error("{given:?} is not an option; there are {}", quoted(.options))]
    NotAnOption {
        /// What was given.
        given: String,
        /// What may be chosen.
        options: Vec<String>,
    },
    /// Not a JSON array of strings.
    #[error("must be a JSON array of options in a string, such as [\"A\",\"B\"]")]
    NotAList,
    /// Not a date.
    #[error(
        "must be a date such as 2026-11-23, or with a time and offset 2026-11-23T09:30:00+01:00"
    )]
    NotADate,
    /// A date without the time that the control wants.
    #[error("must be a date with a time and offset, such as 2026-11-23T09:30:00+01:00")]
    NoTime,
    /// A date with a time that the control does not want.
    #[error("must be a date without a time, such as 2026-11-23")]
    Time,
    /// Not a list of members.
    #[error("must be a JSON array of numbers of members in a string, such as [3,7]")]
    NotMembers,
    /// More members than it takes.
    #[error("takes at most {max} member{s}", s = if *.max == 1 { "" } else { "s" })]
    TooManyMembers {
        /// Members allowed.
        max: usize,
    },
}

/// Whether there is a character in `text` that is neither shown nor a line break or tab.
pub(crate) fn has_control_characters(text: &str) -> bool {
    text.chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn quoted(options: &[String]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
    quoted.join(", ")
}

/// Why a control keeps its task from being completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsatisfied {
    /// Required and empty.
    #[error("is required")]
    Required,
    /// The value does not match the pattern.
    #[error("must match {0}")]
    Pattern(String),
    /// Not an email address.
    #[error("must be an email address such as ann@example.com")]
    NotAnEmail,
    /// Not the address of a web page.
    #[error("must be a web address such as https://example.com")]
    NotAWebsite,
    /// Too few files.
    #[error("needs at least {min} file{s}, has {has}", s = if *.min == 1 { "" } else { "s" })]
    TooFewFiles {
        /// Fewest files.
        min: u32,
        /// Files there are.
        has: u32,
    },
    /// Too many files.
    #[error("takes at most {max} file{s}, has {has}", s = if *.max == 1 { "" } else { "s" })]
    TooManyFiles {
        /// Most files.
        max: u32,
        /// Files there are.
        has: u32,
    },
    /// A stored value that is no longer an option, or not a value of this type.
    #[error("{0}")]
    Value(#[from] ValueRefusal),
}

impl Unsatisfied {
    /// The stable word for it in error answers.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Pattern(_) => "pattern",
            Self::NotAnEmail => "email",
            Self::NotAWebsite => "website",
            Self::TooFewFiles { .. } => "min_files",
            Self::TooManyFiles { .. } => "max_files",
            Self::Value(_) => "value",
        }
    }
}

impl Control {
    /// Takes `value` for this control, in the form it is stored in. An empty value clears it.
    ///
    /// What people may still be typing (pattern, email, website) is checked on completion.
    pub fn accept(&self, value: &str) -> Result<String, ValueRefusal> {
        if value.is_empty() && self.kind.kind().is_input() {
            return match self.kind {
                ControlKind::FileUpload { .. } => {
                    Err(ValueRefusal::NoValue(ControlType::FileUpload))
                }
                _ => Ok(String::new()),
            };
        }
        match &self.kind {
            ControlKind::Text { .. }
            | ControlKind::File { .. }
            | ControlKind::Image { .. }
            | ControlKind::FileUpload { .. } => Err(ValueRefusal::NoValue(self.kind.kind())),
            ControlKind::LongText { .. } => bounded(value, LONG_VALUE_CHARS_MAX),
            ControlKind::ShortText { .. } | ControlKind::Email | ControlKind::Website => {
                if value.contains(['\n', '\r']) {
                    return Err(ValueRefusal::Lines);
                }
                bounded(value, SHORT_VALUE_CHARS_MAX)
            }
            ControlKind::DropDown { options } => option(value, options),
            ControlKind::MultiChoice { options } => choices(value, options),
            ControlKind::Date { with_time } => day(value, *with_time),
            ControlKind::Members { multiple } => members(value, *multiple),
        }
    }

    /// Whether a task with this control may be completed when it holds `value` and `files` files.
    pub fn check(&self, value: &str, files: u32) -> Result<(), Unsatisfied> {
        if let ControlKind::FileUpload {
            min_files,
            max_files,
        } = self.kind
        {
            // A required upload wants a file even where its author left the minimum at none.
            let min = min_files.max(u32::from(self.required));
            return match files {
                has if has < min => Err(Unsatisfied::TooFewFiles { min, has }),
                has if has > max_files => Err(Unsatisfied::TooManyFiles {
                    max: max_files,
                    has,
                }),
                _ => Ok(()),
            };
        }
        if !self.kind.kind().is_input() {
            return Ok(());
        }
        if value.trim().is_empty() {
            return if self.required {
                Err(Unsatisfied::Required)
            } else {
                Ok(())
            };
        }
        self.accept(value)?;
        match &self.kind {
            ControlKind::ShortText {
                pattern: Some(pattern),
            }
            | ControlKind::LongText {
                pattern: Some(pattern),
            } if !pattern.matches(value) => Err(Unsatisfied::Pattern(pattern.text().to_owned())),
            ControlKind::Email if !is_email(value) => Err(Unsatisfied::NotAnEmail),
            ControlKind::Website if !is_website(value) => Err(Unsatisfied::NotAWebsite),
            _ => Ok(()),
        }
    }
}

fn bounded(value: &str, max: usize) -> Result<String, ValueRefusal> {
    if has_control_characters(value) {
        return Err(ValueRefusal::ControlCharacters);
    }
    if value.chars().count() > max {
        return Err(ValueRefusal::TooLong { max });
    }
    Ok(value.to_owned())
}

fn option(value: &str, options: &[String]) -> Result<String, ValueRefusal> {
    if options.iter().any(|option| option == value) {
        return Ok(value.to_owned());
    }
    let given: String = value.chars().take(SHORT_VALUE_CHARS_MAX).collect();
    Err(ValueRefusal::NotAnOption {
        given,
        options: options.to_vec(),
    })
}

/// Several choices, as a JSON array in the order of the options, each once; empty when none.
fn choices(value: &str, options: &[String]) -> Result<String, ValueRefusal> {
    let given: Vec<String> = serde_json::from_str(value).map_err(|_| ValueRefusal::NotAList)?;
    for choice in &given {
        option(choice, options)?;
    }
    let chosen: Vec<&String> = options
        .iter()
        .filter(|option| given.contains(option))
        .collect();
    if chosen.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(&chosen).map_err(|_| ValueRefusal::NotAList)
}

/// A date, or a date with time and offset (RFC 3339), as it was given.
fn day(value: &str, with_time: Option<bool>) -> Result<String, ValueRefusal> {
    match (date_has_time(value), with_time) {
        (None, _) => Err(ValueRefusal::NotADate),
        (Some(false), Some(true)) => Err(ValueRefusal::NoTime),
        (Some(true), Some(false)) => Err(ValueRefusal::Time),
        (Some(_), _) => Ok(value.to_owned()),
    }
}

/// What browsers take for an email address (the HTML standard, `input type=email`), in short: one
/// `@`, something before it, labels of letters, digits and hyphens after it.
pub(crate) fn is_email(value: &str) -> bool {
    let Some((local, host)) = value.trim().split_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_ok && host.contains('.') && host.split('.').all(label_ok)
}

pub(crate) fn is_website(value: &str) -> bool {
    let value = value.trim();
    url::Url::parse(value)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests;
