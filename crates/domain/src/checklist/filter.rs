//! Which checklists a list is about, by how they stand.

use std::str::FromStr;

/// The `status` filter of the checklist lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecklistFilter {
    /// Every one.
    #[default]
    All,
    /// Those that wait for their schedule.
    Scheduled,
    /// Those with an open task.
    InProgress,
    /// Those whose last task was done within [`RECENTLY`].
    RecentlyComplete,
    /// Those whose tasks are all done.
    Complete,
}

/// How long a checklist counts as recently complete. The original's figure is not on record.
pub const RECENTLY: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// The word is no `status` filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be ALL, SCHEDULED, INPROGRESS, RECENTLYCOMPLETE or COMPLETE")]
pub struct UnknownFilter;

impl FromStr for ChecklistFilter {
    type Err = UnknownFilter;

    fn from_str(text: &str) -> Result<Self, UnknownFilter> {
        match text.to_ascii_uppercase().as_str() {
            "ALL" => Ok(Self::All),
            "SCHEDULED" => Ok(Self::Scheduled),
            "INPROGRESS" => Ok(Self::InProgress),
            "RECENTLYCOMPLETE" => Ok(Self::RecentlyComplete),
            "COMPLETE" => Ok(Self::Complete),
            _ => Err(UnknownFilter),
        }
    }
}
