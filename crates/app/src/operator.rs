//! What the operator does at the command line, beside a running server: teams and keys.

use domain::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, AuditEntry, Door, NAME_CHARS_MAX, NameRefusal, Person,
    Source, Team, TeamId, name,
};
use store::{Read, ReadTx, Revoked, Store, StoreError, Write, WriteTx};

/// Why the operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The name can't be taken.
    #[error("the name {0}")]
    Name(#[from] NameRefusal),
    /// No such team.
    #[error("there is no team {0}; `checkflow team create` makes one")]
    TeamMissing(TeamId),
    /// No such key in that team.
    #[error("team {0} has no key {1}; `checkflow key list` shows those it has")]
    KeyMissing(TeamId, ApiKeyId),
    /// The database failed.
    #[error("the database did not do it")]
    Storage(#[from] StoreError),
}

/// A key that was made just now.
pub struct KeyMade {
    /// The key as it is listed.
    pub key: ApiKey,
    /// The secret, shown this once.
    pub secret: ApiKeySecret,
}

fn trace(source: &Source, team: TeamId, action: &'static str, subject: String) -> AuditEntry {
    let person = Person {
        name: "operator".to_owned(),
        email: None,
    };
    let actor = Actor {
        team,
        key: None,
        person,
        door: Door::CommandLine,
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
    called: &str,
) -> Result<KeyMade, OperatorError> {
    let called = name(called, NAME_CHARS_MAX)?;
    let secret = ApiKeySecret::generate(source);
    let key = ApiKey {
        id: ApiKeyId::new(source.uuid()),
        team,
        name: called,
        prefix: secret.prefix().to_owned(),
        created_at: source.now(),
        revoked_at: None,
    };
    let hash = secret.hash();
    store
        .write(CreateKey {
            source: source.clone(),
            key: key.clone(),
            hash,
        })
        .await?;
    Ok(KeyMade { key, secret })
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
        tx.team_get(team)
            .await?
            .ok_or(OperatorError::TeamMissing(team))?;
        tx.api_key_insert(&self.key, &self.hash).await?;
        let entry = trace(&self.source, team, "key.create", self.key.id.to_string());
        Ok(tx.audit_append(&entry).await?)
    }
}

/// The keys of a team, oldest first, revoked ones included.
pub async fn list_keys(store: &Store, team: TeamId) -> Result<Vec<ApiKey>, OperatorError> {
    store.read(ListKeys(team)).await
}

struct ListKeys(TeamId);

impl Read for ListKeys {
    type Done = Vec<ApiKey>;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<ApiKey>, OperatorError> {
        tx.team_get(self.0)
            .await?
            .ok_or(OperatorError::TeamMissing(self.0))?;
        Ok(tx.api_key_list(self.0).await?)
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
        .write(RevokeKey {
            source: source.clone(),
            team,
            key,
        })
        .await
}

struct RevokeKey {
    source: Source,
    team: TeamId,
    key: ApiKeyId,
}

impl Write for RevokeKey {
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
