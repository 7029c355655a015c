//! What a key may do.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

/// One kind of things that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Reading templates, checklists, tasks, files and people.
    Read,
    /// Making checklists and working on them.
    Run,
    /// Writing templates.
    Templates,
    /// Subscriptions, their deliveries and the feed.
    Webhooks,
    /// Keys, the audit log, and removing what can't be had back.
    Admin,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Run,
        Self::Templates,
        Self::Webhooks,
        Self::Admin,
    ];

    /// The word for it among the `scopes` of a key.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Templates => "templates",
            Self::Webhooks => "webhooks",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one or more of read, run, templates, webhooks and admin, with commas between")]
pub struct UnknownRight;

impl FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        let found = Self::ALL.into_iter().find(|right| right.word() == text);
        found.ok_or(UnknownRight)
    }
}

/// Some rights, at least one.
///
/// Whoever may do anything may read, and `admin` is all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Every one.
    pub const ALL: Self = Self(Right::Admin.bit());
    /// Those of a key for which nothing was said: all that CheckFlow's own operations need.
    pub const USUAL: Self = Self(Right::Run.bit() | Right::Templates.bit() | Right::Webhooks.bit());

    /// These; nothing for none.
    pub fn of(rights: &[Right]) -> Option<Self> {
        let bits = rights.iter().fold(0, |bits, right| bits | right.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether they include this one.
    pub const fn include(self, right: Right) -> bool {
        matches!(right, Right::Read) || self.0 & (right.bit() | Right::Admin.bit()) != 0
    }

    /// The words, as they were given.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let named = move |right: &Right| self.0 & right.bit() != 0;
        Right::ALL.into_iter().filter(named).map(Right::word)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The words with commas between.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.words().collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for Rights {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        let words = text.split(',').map(|word| word.trim().parse());
        let rights: Vec<Right> = words.collect::<Result<_, _>>()?;
        Self::of(&rights).ok_or(UnknownRight)
    }
}

impl Serialize for Rights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

impl PartialSchema for Rights {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Right::ALL.map(Right::word)));
        let description = "What a key may do. Each includes reading; admin includes all.";
        ArrayBuilder::new()
            .items(word)
            .description(Some(description))
            .into()
    }
}

impl ToSchema for Rights {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_in_one_order() {
        for (given, shown) in [
            ("read", "read"),
            ("webhooks, run", "run,webhooks"),
            ("admin,admin", "admin"),
        ] {
            assert_eq!(given.parse::<Rights>().unwrap().to_string(), shown);
        }
        for bad in ["", ",", "all", "run,", "Run", "run webhooks"] {
            assert_eq!(bad.parse::<Rights>(), Err(UnknownRight), "{bad:?}");
        }
        assert_eq!(Rights::of(&[]), None);
    }

    #[test]
    fn each_includes_reading_and_itself_alone_but_admin() {
        for held in Right::ALL {
            let rights = Rights::of(&[held]).unwrap();
            for asked in Right::ALL {
                let may = asked == Right::Read || asked == held || held == Right::Admin;
                assert_eq!(rights.include(asked), may, "{held} and {asked}");
            }
        }
        let usual = Right::ALL.map(|right| Rights::USUAL.include(right));
        assert_eq!(usual, [true, true, true, true, false]);
        assert!(
            Right::ALL
                .into_iter()
                .all(|right| Rights::ALL.include(right))
        );
    }
}
