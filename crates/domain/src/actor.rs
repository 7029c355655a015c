//! Who acts, through which door, and the trace that every change leaves.

use crate::{ApiKeyId, MemberId, Person, Rights, Role, TeamId, Timestamp};

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its identifier.
    pub id: ApiKeyId,
    /// Whose things it opens.
    pub team: TeamId,
    /// What people call it.
    pub name: String,
    /// The beginning of the secret, to tell keys apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked; it opens nothing from then on.
    pub revoked_at: Option<Timestamp>,
    /// What it may do.
    pub rights: Rights,
    /// When it opens nothing any more; never, if not said.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within [`KEY_USED_EVERY`].
    pub used_at: Option<Timestamp>,
}

/// How long a key's `used_at` may lag behind, so that using a key seldom writes.
pub const KEY_USED_EVERY: std::time::Duration = std::time::Duration::from_mins(5);

impl ApiKey {
    /// Whether it has run out by `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether it is to be noted that it is used at `now`.
    pub fn is_used_anew(&self, now: Timestamp) -> bool {
        self.used_at
            .is_none_or(|at| now >= at.after(KEY_USED_EVERY))
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its number.
    pub id: TeamId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Through which door a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The HTTP API.
    Api,
    /// The command line, beside the database.
    CommandLine,
    /// The server itself.
    System,
}

impl Door {
    /// The word for it in the audit log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::CommandLine => "cli",
            Self::System => "system",
        }
    }
}

/// The member for whom a key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Who.
    pub id: MemberId,
    /// What kind of member they are.
    pub role: Role,
}

/// Who acts, once it is known that they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// In which team.
    pub team: TeamId,
    /// With which key; none for the operator at the command line and for the server itself.
    pub key: Option<ApiKeyId>,
    /// For which member; none where the key itself acts.
    pub member: Option<Acting>,
    /// As others get to see them.
    pub person: Person,
    /// Through which door.
    pub door: Door,
    /// What they may do.
    pub rights: Rights,
}

/// The trace of one change, written in its transaction and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done, as `noun.verb`: `task.complete`.
    pub action: &'static str,
    /// To what: an identifier.
    pub subject: String,
    /// What else is worth knowing, in words; empty when nothing is.
    pub detail: String,
}
