//! Finding out who asks.

use domain::{Actor, Door, KeyHash, Person, Team, TeamId};
use store::{Doing, ReadTx};

use crate::{App, AppError, Query};

/// Whoever asks, as the door knows them: by the hash of the key they hold.
#[derive(Clone, Debug)]
pub struct Caller {
    hash: KeyHash,
}

impl Caller {
    /// Whoever holds this key.
    pub fn key(secret: &str) -> Self {
        Self {
            hash: KeyHash::of(secret),
        }
    }

    pub(crate) async fn authenticate<T: ReadTx + ?Sized>(
        &self,
        tx: &mut T,
    ) -> Result<Actor, AppError> {
        self.identify(tx).await.map(|(actor, _)| actor)
    }

    async fn identify<T: ReadTx + ?Sized>(&self, tx: &mut T) -> Result<(Actor, Team), AppError> {
        let found = tx
            .api_key_get(&self.hash)
            .await
            .doing::<AppError>("looking a key up")?;
        let (key, team) = found.ok_or(AppError::KeyUnknown)?;
        if key.revoked_at.is_some() {
            return Err(AppError::KeyRevoked(key.name));
        }
        let person = Person {
            name: key.name,
            email: None,
        };
        Ok((
            Actor {
                team: team.id,
                key: Some(key.id),
                person,
                door: Door::Api,
            },
            team,
        ))
    }
}

/// `GET authentication/validate`: whose key it is.
pub struct Validate(pub Caller);

/// The team that a key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// Its number.
    pub team_id: TeamId,
    /// Its name.
    pub team_name: String,
}

impl Query for Validate {
    type Answer = Validated;

    async fn run(&self, _: &App, _: &Actor, tx: &mut dyn ReadTx) -> Result<Validated, AppError> {
        let (_, team) = self.0.identify(tx).await?;
        Ok(Validated {
            team_id: team.id,
            team_name: team.name,
        })
    }
}
