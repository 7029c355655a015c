//! People: the members of a team, what their roles let them do, and groups of them.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use crate::{
    GroupId, MemberId, NAME_CHARS_MAX, NameRefusal, Person, Right, TeamId, Timestamp,
    control::is_email, name,
};

/// Most members of a team, those who are no longer active included: the audit log speaks of them.
pub const MEMBERS_MAX: u64 = 1_000;
/// Most groups of a team.
pub const GROUPS_MAX: u64 = 200;
/// Most members of a group.
pub const GROUP_MEMBERS_MAX: usize = 200;
/// Longest email address of a member, in characters.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Longest text that a group shows in the place of a picture, in characters.
pub const AVATAR_CHARS_MAX: usize = 2;

/// What kind of member somebody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Does everything. One who is active always remains, once there is one.
    Administrator,
    /// Works on every checklist.
    #[default]
    Member,
    /// Works on the tasks that are assigned to them, and on nothing else.
    Guest,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Member, Self::Guest];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administrator => "Administrator",
            Self::Member => "Member",
            Self::Guest => "Guest",
        }
    }

    /// Whether somebody of this role may do what needs `right`, by a key that may.
    pub const fn includes(self, right: Right) -> bool {
        match self {
            Self::Administrator => true,
            Self::Member | Self::Guest => matches!(right, Right::Read | Right::Run),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Administrator, Member or Guest")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::ALL
            .into_iter()
            .find(|role| role.word().eq_ignore_ascii_case(text));
        found.ok_or(UnknownRole)
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.map(Self::word)))
            .description(Some("What kind of member somebody is."))
            .into()
    }
}

impl ToSchema for Role {}

/// Why an email address can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an email address such as ann@example.com, of at most {EMAIL_CHARS_MAX} characters"
)]
pub struct EmailRefusal;

/// Takes `text` for an email address, as it is written.
pub fn email(text: &str) -> Result<String, EmailRefusal> {
    let text = text.trim();
    if is_email(text) && text.chars().count() <= EMAIL_CHARS_MAX {
        Ok(text.to_owned())
    } else {
        Err(EmailRefusal)
    }
}

/// Somebody in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number; other members never have it.
    pub id: MemberId,
    /// In which team.
    pub team: TeamId,
    /// The full name.
    pub name: String,
    /// The address, which no other member of the team has, whatever its case.
    pub email: String,
    /// What kind of member they are.
    pub role: Role,
    /// Since when they are one.
    pub created_at: Timestamp,
    /// Since when they are no longer active. What they did stays theirs.
    pub deactivated_at: Option<Timestamp>,
}

impl Member {
    /// Whether they can do anything.
    pub const fn is_active(&self) -> bool {
        self.deactivated_at.is_none()
    }

    /// Whether they are an Administrator who can do anything.
    pub fn is_administrator(&self) -> bool {
        self.is_active() && self.role == Role::Administrator
    }

    /// As others get to see them.
    pub fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            email: Some(self.email.clone()),
        }
    }
}

/// Members who are spoken of together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number; other groups never have it.
    pub id: GroupId,
    /// In which team.
    pub team: TeamId,
    /// What people call it; no other group of the team is called so, whatever the case.
    pub name: String,
    /// Shown in the place of a picture.
    pub avatar: String,
    /// The colour behind that.
    pub colour: Colour,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// Who is in it, those who are no longer active included, by number.
    pub members: Vec<MemberId>,
}

/// Why a group's avatar can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one or two characters")]
pub struct AvatarRefusal;

/// Takes `text` for what a group shows in the place of a picture.
pub fn avatar(text: &str) -> Result<String, AvatarRefusal> {
    name(text, AVATAR_CHARS_MAX).map_err(|_| AvatarRefusal)
}

/// What a group called `name` shows where nothing was said: the first letters of its first two words, or of its only one.
pub fn avatar_of(name: &str) -> String {
    let mut words = name.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let letters: String = match second {
        Some(second) => first
            .chars()
            .take(1)
            .chain(second.chars().take(1))
            .collect(),
        None => first.chars().take(AVATAR_CHARS_MAX).collect(),
    };
    // Some letters become two in capitals.
    letters
        .to_uppercase()
        .chars()
        .take(AVATAR_CHARS_MAX)
        .collect()
}

/// Takes `text` for the name of a member or group.
pub fn people_name(text: &str) -> Result<String, NameRefusal> {
    name(text, NAME_CHARS_MAX)
}

/// A colour, as the web writes it: `#1f6feb`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "#1f6feb")]
pub struct Colour(String);

/// The text is no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a colour such as #1f6feb")]
pub struct NotAColour;

impl Default for Colour {
    fn default() -> Self {
        Self("#57606a".to_owned())
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Colour {
    type Err = NotAColour;

    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits = text.strip_prefix('#').ok_or(NotAColour)?;
        if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAColour)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_whatever_its_case_and_narrows_what_a_key_may() {
        assert_eq!("administrator".parse(), Ok(Role::Administrator));
        assert_eq!("Boss".parse::<Role>(), Err(UnknownRole));
        let may = |role: Role| -> Vec<&str> {
            let may = Right::ALL.into_iter().filter(|right| role.includes(*right));
            may.map(Right::word).collect()
        };
        assert_eq!(may(Role::Administrator), Right::ALL.map(Right::word));
        assert_eq!(may(Role::Member), ["read", "run"]);
        assert_eq!(may(Role::Guest), ["read", "run"]);
    }

    #[test]
    fn an_address_is_looked_at_for_its_shape() {
        assert_eq!(email(" Ann@Example.com "), Ok("Ann@Example.com".to_owned()));
        let long = format!("{}@example.com", "a".repeat(EMAIL_CHARS_MAX));
        for bad in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "a b@example.com",
            "ann@example",
            &long,
        ] {
            assert_eq!(email(bad), Err(EmailRefusal), "{bad}");
        }
    }

    #[test]
    fn a_group_shows_letters_of_its_name_where_nothing_is_said() {
        for (name, shown) in [
            ("crew", "CR"),
            ("Night shift two", "NS"),
            ("é", "É"),
            ("straße", "ST"),
            ("ß", "SS"),
        ] {
            assert_eq!(avatar_of(name), shown, "{name}");
        }
        assert_eq!(avatar(" ab "), Ok("ab".to_owned()));
        assert_eq!(avatar("abc"), Err(AvatarRefusal));
        assert_eq!(avatar(" "), Err(AvatarRefusal));
    }

    #[test]
    fn a_colour_is_six_digits() {
        assert_eq!(
            "#1F6FEB".parse::<Colour>().map(|colour| colour.to_string()),
            Ok("#1f6feb".to_owned())
        );
        for bad in ["", "1f6feb", "#1f6fe", "#1f6febb", "#1f6feg", "red"] {
            assert_eq!(bad.parse::<Colour>(), Err(NotAColour), "{bad}");
        }
    }
}
