//! What the operator does at the command line, beside a running server: teams, keys and members.

mod members;

pub use members::{add_member, deactivate_member, list_members};

use domain::{
    Actor, ApiKey, ApiKeyId, AuditEntry, Door, NAME_CHARS_MAX, NameRefusal, Person, Rights, Source,
    Team, TeamId, name,
};
use store::{Read, ReadTx, Revoked, Store, StoreError, Write, WriteTx};

use crate::{AppError, KEYS_MAX, KeyMade, KeyWish, keys::KeyRefusal};

/// Why the operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The name can't be taken.
    #[error("the name {0}")]
    Name(#[from] NameRefusal),
    /// No such team.
    #[error("there is no team {0}; `checkflow team create` makes one")]
    TeamMissing(TeamId),
    /// The key can't be made so.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// As many keys as there may be.
    #[error("team {0} has {KEYS_MAX} API keys, revoked ones included, which is the most")]
    KeysFull(TeamId),
    /// No such key in that team.
    #[error("team {0} has no key {1}; `checkflow key list` shows those it has")]
    KeyMissing(TeamId, ApiKeyId),
    /// The rules of members forbid it.
    #[error(transparent)]
    Member(#[from] AppError),
    /// The database failed.
    #[error("the database did not do it")]
    Storage(#[from] StoreError),
}

/// Whether the team is there.
async fn there<T: ReadTx + ?Sized>(tx: &mut T, team: TeamId) -> Result<(), OperatorError> {
    let found = tx.team_get(team).await?;
    found.map(|_| ()).ok_or(OperatorError::TeamMissing(team))
}

fn trace(source: &Source, team: TeamId, action: &'static str, subject: String) -> AuditEntry {
    let person = Person {
        name: "operator".to_owned(),
        email: None,
    };
    let actor = Actor {
        team,
        key: None,
        member: None,
        person,
        door: Door::CommandLine,
        rights: Rights::ALL,
    };
    AuditEntry {
        at: source.now(),
        actor,
        action,
        subject,
        detail: String::new(),
    }
}

/// Makes a team with nothing in it.
pub async fn create_team(
    store: &Store,
    source: &Source,
    called: &str,
) -> Result<Team, OperatorError> {
    let called = name(called, NAME_CHARS_MAX)?;
    store
        .write(CreateTeam {
            source: source.clone(),
            called,
        })
        .await
}

struct CreateTeam {
    source: Source,
    called: String,
}

impl Write for CreateTeam {
    type Done = Team;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Team, OperatorError> {
        let created_at = self.source.now();
        let id = tx.team_insert(&self.called, created_at).await?;
        tx.audit_append(&trace(&self.source, id, "team.create", id.to_string()))
            .await?;
        Ok(Team {
            id,
            name: self.called.clone(),
            created_at,
        })
    }
}

/// Makes an API key of a team.
pub async fn create_key(
    store: &Store,
    source: &Source,
    team: TeamId,
    wish: &KeyWish,
) -> Result<KeyMade, OperatorError> {
    let made = wish.make(team, source)?;
    let (key, hash) = (made.key.clone(), made.secret.hash());
    let source = source.clone();
    store.write(CreateKey { source, key, hash }).await?;
    Ok(made)
}

struct CreateKey {
    source: Source,
    key: ApiKey,
    hash: domain::KeyHash,
}

impl Write for CreateKey {
    type Done = ();
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), OperatorError> {
        let team = self.key.team;
        there(tx, team).await?;
        if tx.api_key_count(team).await? >= KEYS_MAX {
            return Err(OperatorError::KeysFull(team));
        }
        tx.api_key_insert(&self.key, &self.hash).await?;
        let mut entry = trace(&self.source, team, "key.create", self.key.id.to_string());
        entry.detail = format!("{:?} with {}", self.key.name, self.key.rights);
        Ok(tx.audit_append(&entry).await?)
    }
}

/// The keys of a team, oldest first, revoked ones included.
pub async fn list_keys(store: &Store, team: TeamId) -> Result<Vec<ApiKey>, OperatorError> {
    store.read(AllKeys(team)).await
}

struct AllKeys(TeamId);

impl Read for AllKeys {
    type Done = Vec<ApiKey>;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<ApiKey>, OperatorError> {
        there(tx, self.0).await?;
        // Nobody has more than these, save those that had before there was a most.
        let all = u32::try_from(KEYS_MAX).unwrap_or(u32::MAX);
        Ok(tx.api_key_list(self.0, None, all).await?)
    }
}

/// Ends a key: it opens nothing from the answer on. Ending it again changes nothing.
pub async fn revoke_key(
    store: &Store,
    source: &Source,
    team: TeamId,
    key: ApiKeyId,
) -> Result<Revoked, OperatorError> {
    store
        .write(EndKey {
            source: source.clone(),
            team,
            key,
        })
        .await
}

struct EndKey {
    source: Source,
    team: TeamId,
    key: ApiKeyId,
}

impl Write for EndKey {
    type Done = Revoked;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Revoked, OperatorError> {
        let (team, key) = (self.team, self.key);
        let revoked = tx.api_key_revoke(team, key, self.source.now()).await?;
        match revoked {
            Revoked::NotThere => return Err(OperatorError::KeyMissing(team, key)),
            Revoked::Before => {}
            Revoked::Now => {
                let entry = trace(&self.source, team, "key.revoke", key.to_string());
                tx.audit_append(&entry).await?;
            }
        }
        Ok(revoked)
    }
}
