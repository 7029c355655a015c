//! API keys: making one, listing and revoking them. The operator at the command line makes them by the same rules.

use std::time::Duration;

use domain::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, NAME_CHARS_MAX, NameRefusal, Right, Rights, Source,
    TeamId, Timestamp, name,
};
use serde::Serialize;
use store::{Doing, ReadTx, Revoked, WriteTx};
use utoipa::ToSchema;

use crate::{App, AppError, Change, Missing, Query, emit::audit};

/// Most keys of a team, those that open nothing any more included: the audit log speaks of them.
pub const KEYS_MAX: u64 = 1_000;
/// Most keys on a page.
pub const KEYS_PAGE_MAX: u32 = 100;
/// Longest that a key which ends may be good for.
const EXPIRES_WITHIN_MAX: Duration = Duration::from_hours(10 * 365 * 24);

const DOING: &str = "changing keys";

/// A key as it is to be.
#[derive(Clone, Debug)]
pub struct KeyWish {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub rights: Rights,
    /// When it opens nothing any more; never, if not said.
    pub expires_at: Option<Timestamp>,
}

/// Why a key can't be made so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Its name.
    #[error("the name {0}")]
    Name(#[from] NameRefusal),
    /// Its end.
    #[error("the end must be in the future, and within ten years")]
    End,
}

/// A key that was made just now.
pub struct KeyMade {
    /// The key as it is listed.
    pub key: ApiKey,
    /// The secret, shown this once.
    pub secret: ApiKeySecret,
}

impl KeyWish {
    /// The key, if the wish is one that can be met.
    pub(crate) fn make(&self, team: TeamId, source: &Source) -> Result<KeyMade, KeyRefusal> {
        let now = source.now();
        let is_end = |at: Timestamp| at > now && at <= now.after(EXPIRES_WITHIN_MAX);
        if !self.expires_at.is_none_or(is_end) {
            return Err(KeyRefusal::End);
        }
        let secret = ApiKeySecret::generate(source);
        let key = ApiKey {
            id: ApiKeyId::new(source.uuid()),
            team,
            name: name(&self.name, NAME_CHARS_MAX)?,
            prefix: secret.prefix().to_owned(),
            created_at: now,
            revoked_at: None,
            rights: self.rights,
            expires_at: self.expires_at,
            used_at: None,
        };
        Ok(KeyMade { key, secret })
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRow {
    /// Its identifier.
    pub key_id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// The beginning of the secret, to tell keys apart.
    #[schema(example = "ck_7Qd2")]
    pub prefix: String,
    /// What it may do.
    pub scopes: Rights,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// When it opens nothing any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date_time: Option<Timestamp>,
    /// When it was last used, to within five minutes.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_date_time: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_date_time: Option<Timestamp>,
}

impl From<&ApiKey> for KeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            key_id: key.id,
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: key.rights,
            created_date_time: key.created_at,
            expires_date_time: key.expires_at,
            last_used_date_time: key.used_at,
            revoked_date_time: key.revoked_at,
        }
    }
}

/// A new key, with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeKey {
    /// The key.
    #[serde(flatten)]
    pub row: KeyRow,
    /// The key itself, for `X-API-KEY`: shown in this answer alone.
    #[schema(example = "ck_7Qd2…")]
    pub key: String,
}

/// Some keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyPage {
    /// The keys, oldest first.
    pub items: Vec<KeyRow>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next_cursor: Option<ApiKeyId>,
}

/// `POST key`: a new key of the team.
#[derive(Clone, Debug)]
pub struct MakeKey(pub KeyWish);

impl Change for MakeKey {
    const NEEDS: Right = Right::Admin;

    type Answer = MadeKey;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<MadeKey, AppError> {
        let made = self.0.make(actor.team, app.source());
        let KeyMade { key, secret } = made.map_err(|refusal| match refusal {
            KeyRefusal::Name(name) => AppError::invalid("name", name.to_string()),
            KeyRefusal::End => {
                AppError::invalid("expiresAt", "must be in the future, and within ten years")
            }
        })?;
        let count = tx.api_key_count(actor.team).await;
        if count.doing::<AppError>(DOING)? >= KEYS_MAX {
            let (what, max) = ("API keys, revoked ones included", KEYS_MAX);
            return Err(AppError::Full { what, max });
        }
        let stored = tx.api_key_insert(&key, &secret.hash()).await;
        stored.doing::<AppError>(DOING)?;
        let subject = ("key.create", key.id.to_string());
        let detail = format!("{:?} with {}", key.name, key.rights);
        audit(tx, actor, key.created_at, subject, detail).await?;
        Ok(MadeKey {
            row: (&key).into(),
            key: secret.reveal().to_owned(),
        })
    }
}

/// `GET key/keys`: the team's keys, oldest first, revoked ones included.
#[derive(Clone, Copy, Debug)]
pub struct ListKeys {
    /// The last of the page before.
    pub after: Option<ApiKeyId>,
    /// Rows on a page, from 1 to [`KEYS_PAGE_MAX`].
    pub limit: u32,
}

impl Query for ListKeys {
    const NEEDS: Right = Right::Admin;

    type Answer = KeyPage;

    async fn run(&self, _: &App, actor: &Actor, tx: &mut dyn ReadTx) -> Result<KeyPage, AppError> {
        let limit = self.limit.clamp(1, KEYS_PAGE_MAX);
        // One more tells whether there is another page.
        let found = tx.api_key_list(actor.team, self.after, limit + 1).await;
        let mut found = found.doing::<AppError>("listing keys")?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Ok(KeyPage {
            next_cursor: found.last().filter(|_| more).map(|last| last.id),
            items: found.iter().map(KeyRow::from).collect(),
        })
    }
}

/// `DELETE key`: it opens nothing from the answer on.
#[derive(Clone, Copy, Debug)]
pub struct RevokeKey(pub ApiKeyId);

impl Change for RevokeKey {
    const NEEDS: Right = Right::Admin;

    type Answer = bool;

    async fn run(&self, app: &App, actor: &Actor, tx: &mut dyn WriteTx) -> Result<bool, AppError> {
        let (id, now) = (self.0, app.source().now());
        let revoked = tx.api_key_revoke(actor.team, id, now).await;
        match revoked.doing::<AppError>(DOING)? {
            Revoked::NotThere => return Err(Missing::Key(id).into()),
            Revoked::Before => return Ok(false),
            Revoked::Now => {}
        }
        let subject = ("key.revoke", id.to_string());
        audit(tx, actor, now, subject, String::new()).await?;
        Ok(true)
    }
}
