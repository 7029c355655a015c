//! How long the log of deliveries and its parts are kept.

use std::{fmt, time::Duration};

use anyhow::bail;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Origin, span::Span};

/// What is kept without end.
const FOREVER: &str = "forever";
/// Least time: a delivery that waits for its second or third attempt is not to expire.
const LEAST: Duration = Duration::from_hours(1);
/// Most time that is written as one.
const MOST: Duration = Duration::from_hours(3_650 * 24);

/// How long something is kept: a length of time, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept(pub(crate) Option<Duration>);

/// How long the log of deliveries is kept: [`delivery::Keeping`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keeping {
    pub(crate) log: Kept,
    pub(crate) bodies: Kept,
    pub(crate) answers: Kept,
}

impl Default for Keeping {
    fn default() -> Self {
        let delivery::Keeping {
            log,
            bodies,
            answers,
        } = delivery::Keeping::default();
        Self {
            log: Kept(log),
            bodies: Kept(bodies),
            answers: Kept(answers),
        }
    }
}

impl Keeping {
    /// Keeps the defaults of what `is_set` denies within the log, so that whoever keeps that shorter need not know
    /// of the others.
    pub(crate) fn fit(&mut self, is_set: impl Fn(&str) -> bool) {
        for (name, part) in [("bodies", &mut self.bodies), ("answers", &mut self.answers)] {
            if !is_set(name) && part.outlasts(self.log) {
                *part = self.log;
            }
        }
    }

    /// The same, as the pruner takes it.
    pub(super) fn settings(&self, origin: &Origin) -> anyhow::Result<delivery::Keeping> {
        let parts = [("bodies", self.bodies), ("answers", self.answers)];
        for (name, kept) in [("log", self.log)].into_iter().chain(parts) {
            let from = origin.of(&format!("keeping.{name}"));
            if kept.0.is_some_and(|time| !(LEAST..=MOST).contains(&time)) {
                let (least, most) = (Span(LEAST), Span(MOST));
                bail!("{from}keeping.{name} is {kept}: write {least} to {most}, or \"{FOREVER}\"");
            }
            if kept.outlasts(self.log) {
                bail!(
                    "{from}keeping.{name} is {kept}, which is longer than keeping.log ({}): {name} go with the log \
                     at the latest",
                    self.log
                );
            }
        }
        Ok(delivery::Keeping {
            log: self.log.0,
            bodies: self.bodies.0,
            answers: self.answers.0,
        })
    }
}

impl Kept {
    fn outlasts(self, other: Self) -> bool {
        let time = |kept: Self| kept.0.unwrap_or(Duration::MAX);
        time(self) > time(other)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => Span(time).fmt(f),
            None => f.write_str(FOREVER),
        }
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeptVisitor)
    }
}

struct KeptVisitor;

impl de::Visitor<'_> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a length of time such as \"30d\", or \"{FOREVER}\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Kept, E> {
        if text.trim().eq_ignore_ascii_case(FOREVER) {
            return Ok(Kept(None));
        }
        let time: Result<Span, _> = text.parse();
        time.map(|Span(time)| Kept(Some(time)))
            .map_err(|error| wrong(format_args!("{text:?}"), error))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Kept, E> {
        Err(wrong(number, super::span::NotASpan))
    }
}

fn wrong<E: de::Error>(written: impl fmt::Display, error: impl fmt::Display) -> E {
    E::custom(format_args!(
        "{written} is no length of time: {error}, or \"{FOREVER}\""
    ))
}
