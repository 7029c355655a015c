//! When tasks are due: rules that say so from the start of a checklist, from what was completed, or from a
//! date that it holds.
//!
//! When a task is due follows from the state of its checklist and is worked out anew each time
//! ([`Checklist::due_at`](crate::Checklist::due_at)), unless somebody set it by hand. Days and months are
//! those of UTC.

use jiff::{
    Span, Timestamp as Moment,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// Most months of an offset.
pub const DUE_MONTHS_MAX: u32 = 1_200;
/// Most days of an offset.
pub const DUE_DAYS_MAX: u32 = 36_500;
/// Most hours of an offset.
pub const DUE_HOURS_MAX: u32 = 87_600;
/// Most minutes of an offset.
pub const DUE_MINUTES_MAX: u32 = 525_600;

/// When in the day something is due of which only the day is said.
const DAY_END: Time = Time::constant(23, 59, 0, 0);

/// From what a due date counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DueFrom {
    /// The start of the checklist.
    #[default]
    Start,
    /// The completion of the task before, passing over headings and what is hidden.
    Previous,
    /// The completion of a named task.
    Task,
    /// The date in a control.
    Control,
}

impl DueFrom {
    /// The words for them in documents.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("start", Self::Start),
        ("previous", Self::Previous),
        ("task", Self::Task),
        ("control", Self::Control),
    ];
}

/// Which of the days of a kind a due date is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DuePlace {
    /// The next one after the day that is counted from.
    #[default]
    Next,
    /// The first of a month.
    First,
    /// The second of a month.
    Second,
    /// The third of a month.
    Third,
    /// The fourth of a month.
    Fourth,
    /// The last of a month.
    Last,
}

impl DuePlace {
    /// The words for them in documents.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("next", Self::Next),
        ("first", Self::First),
        ("second", Self::Second),
        ("third", Self::Third),
        ("fourth", Self::Fourth),
        ("last", Self::Last),
    ];
}

/// A kind of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the days of the week")]
pub enum DueDay {
    /// Any day.
    #[default]
    Day,
    /// Monday to Friday.
    Weekday,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl DueDay {
    /// The words for them in documents.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("day", Self::Day),
        ("weekday", Self::Weekday),
        ("monday", Self::Monday),
        ("tuesday", Self::Tuesday),
        ("wednesday", Self::Wednesday),
        ("thursday", Self::Thursday),
        ("friday", Self::Friday),
        ("saturday", Self::Saturday),
        ("sunday", Self::Sunday),
    ];

    fn is(self, date: Date) -> bool {
        let day = date.weekday();
        match self {
            Self::Day => true,
            Self::Weekday => !matches!(day, Weekday::Saturday | Weekday::Sunday),
            Self::Monday => day == Weekday::Monday,
            Self::Tuesday => day == Weekday::Tuesday,
            Self::Wednesday => day == Weekday::Wednesday,
            Self::Thursday => day == Weekday::Thursday,
            Self::Friday => day == Weekday::Friday,
            Self::Saturday => day == Weekday::Saturday,
            Self::Sunday => day == Weekday::Sunday,
        }
    }
}

/// From which part of a checklist a due date counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its start.
    Start,
    /// The completion of the task before.
    Previous,
    /// The completion of the task at this place.
    Task(usize),
    /// The date in the control at this place, counted over the whole template.
    Control(usize),
}

/// How far from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// So much later or, if `before`, earlier: months first, then the rest.
    Offset {
        /// Whether it is earlier.
        before: bool,
        /// Months.
        months: u32,
        /// Days.
        days: u32,
        /// Hours.
        hours: u32,
        /// Minutes.
        minutes: u32,
    },
    /// At a place in the calendar.
    Calendar(DuePlace, DueDay),
}

/// When a task is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRule {
    /// Counted from where.
    pub anchor: Anchor,
    /// How far.
    pub distance: Distance,
    /// When in the day; none for that of the anchor, or the end of the day where only days are said.
    pub time: Option<Time>,
}

impl DueRule {
    /// The moment, counted from `anchor`, of which only the day counts unless `has_time`. None beyond
    /// the end of the calendar.
    pub(crate) fn at(&self, anchor: Timestamp, has_time: bool) -> Option<Timestamp> {
        let from = Moment::from_millisecond(anchor.as_millis()).ok()?;
        let from = TimeZone::UTC.to_datetime(from);
        let (due, to_the_minute) = match self.distance {
            Distance::Calendar(place, day) => (
                in_calendar(from.date(), place, day)?.to_datetime(from.time()),
                false,
            ),
            Distance::Offset {
                before,
                months,
                days,
                hours,
                minutes,
            } => {
                let span = Span::new().try_months(months).ok()?;
                let span = span.try_days(days).ok()?.try_hours(hours).ok()?;
                let span = span.try_minutes(minutes).ok()?;
                let due = if before {
                    from.checked_sub(span)
                } else {
                    from.checked_add(span)
                };
                (due.ok()?, has_time || hours > 0 || minutes > 0)
            }
        };
        let due = match self.time {
            Some(time) => due.date().to_datetime(time),
            None if to_the_minute => due,
            None => due.date().to_datetime(DAY_END),
        };
        moment(due)
    }
}

fn moment(due: DateTime) -> Option<Timestamp> {
    let due = TimeZone::UTC.to_timestamp(due).ok()?;
    Some(Timestamp::from_millis(due.as_millisecond()))
}

/// The first day at that place which is not before `from`; for the next one, which is after it.
fn in_calendar(from: Date, place: DuePlace, day: DueDay) -> Option<Date> {
    if place == DuePlace::Next {
        let mut date = from.tomorrow().ok()?;
        while !day.is(date) {
            date = date.tomorrow().ok()?;
        }
        return Some(date);
    }
    let mut month = from.first_of_month();
    loop {
        let days = (0..month.days_in_month()).map(|days| month.checked_add(Span::new().days(days)));
        let mut days = days.filter_map(Result::ok).filter(|date| day.is(*date));
        let found = match place {
            DuePlace::Next | DuePlace::First => days.next(),
            DuePlace::Second => days.nth(1),
            DuePlace::Third => days.nth(2),
            DuePlace::Fourth => days.nth(3),
            DuePlace::Last => days.next_back(),
        };
        // The month after has a later one, so that this ends with the second round.
        if let Some(found) = found.filter(|found| *found >= from) {
            return Some(found);
        }
        month = month.checked_add(Span::new().months(1)).ok()?;
    }
}
