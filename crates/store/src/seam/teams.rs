//! Teams, their API keys, and the trace of what was changed.

use async_trait::async_trait;
use domain::{
    ApiKey, ApiKeyId, AuditEntry, AuditNumber, KeyHash, MemberId, Team, TeamId, Timestamp,
};

use crate::StoreError;

/// What came of revoking a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It opens nothing from this commit on.
    Now,
    /// It had been revoked before.
    Before,
    /// The team has no such key.
    NotThere,
}

/// One line of the audit log as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// With which key, if one was used.
    pub key: Option<ApiKeyId>,
    /// For which member, if for one.
    pub member: Option<MemberId>,
    /// The name of who acted.
    pub by: String,
    /// Through which door.
    pub door: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What else was noted.
    pub detail: String,
    /// Its number, higher than that of each older line of the team.
    pub number: AuditNumber,
}

/// Reading teams and keys.
#[async_trait]
pub trait ReadTeams: Send {
    /// A team.
    async fn team_get(&mut self, id: TeamId) -> Result<Option<Team>, StoreError>;

    /// The key with this hash and its team, revoked or not.
    async fn api_key_get(&mut self, hash: &KeyHash) -> Result<Option<(ApiKey, Team)>, StoreError>;

    /// The `limit` keys of a team that are newer than `after`, oldest first, revoked ones included.
    async fn api_key_list(
        &mut self,
        team: TeamId,
        after: Option<ApiKeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError>;

    /// How many keys a team has, revoked ones included.
    async fn api_key_count(&mut self, team: TeamId) -> Result<u64, StoreError>;

    /// The newest `limit` lines of a team's audit log that are older than the line `before`, newest first.
    async fn audit_list(
        &mut self,
        team: TeamId,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditLine>, StoreError>;
}

/// Changing teams and keys.
#[async_trait]
pub trait WriteTeams: Send {
    /// Makes a team without anything in it.
    async fn team_insert(&mut self, name: &str, at: Timestamp) -> Result<TeamId, StoreError>;

    /// Stores a key by the hash of its secret.
    async fn api_key_insert(&mut self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError>;

    /// Ends a key.
    async fn api_key_revoke(
        &mut self,
        team: TeamId,
        id: ApiKeyId,
        at: Timestamp,
    ) -> Result<Revoked, StoreError>;

    /// Notes that a key was used.
    async fn api_key_touch(&mut self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError>;

    /// Adds to the audit log.
    async fn audit_append(&mut self, entry: &AuditEntry) -> Result<(), StoreError>;
}
