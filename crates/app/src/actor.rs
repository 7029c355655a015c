//! Finding out who asks, and whether they may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Acting, Actor, ApiKey, ApiKeyId, Door, KEY_USED_EVERY, KeyHash, Member, MemberId, Person,
    Right, Team, TeamId, Timestamp,
};
use store::{Doing, Read, ReadTx, StoreError, Write, WriteTx};

use crate::{App, AppError, Once, Query};

/// Most keys whose last use is remembered. Beyond that all are forgotten, which costs a write for each.
const REMEMBERED_MAX: usize = 10_000;

/// Whoever asks, as the door knows them: by the hash of the key they hold, and by the number of the member for whom they
/// use it, if for one.
#[derive(Clone, Debug)]
pub struct Caller {
    hash: KeyHash,
    member: Option<(MemberId, &'static str)>,
    once: Option<Arc<Once>>,
}

impl Caller {
    /// Whoever holds this key.
    pub fn key(secret: &str) -> Self {
        Self {
            hash: KeyHash::of(secret),
            member: None,
            once: None,
        }
    }

    /// The same, who wants what is asked for to be done once.
    #[must_use]
    pub fn with_once(self, once: Arc<Once>) -> Self {
        Self {
            once: Some(once),
            ..self
        }
    }

    /// The same, who acts for a member, whose number was given as `named`.
    #[must_use]
    pub fn acting_for(self, member: MemberId, named: &'static str) -> Self {
        Self {
            member: Some((member, named)),
            ..self
        }
    }

    pub(crate) const fn once(&self) -> Option<&Arc<Once>> {
        self.once.as_ref()
    }

    /// Who it is, if they may do what needs `right`. The only place where that is decided.
    pub(crate) async fn authenticate<T: ReadTx + ?Sized>(
        &self,
        tx: &mut T,
        now: Timestamp,
        right: Right,
    ) -> Result<(Actor, Used), AppError> {
        let (key, team) = self.identify(tx).await?;
        if key.revoked_at.is_some() {
            return Err(AppError::KeyRevoked(key.name));
        }
        if key.is_expired(now) {
            return Err(AppError::KeyExpired(key.name));
        }
        if !key.rights.include(right) {
            return Err(AppError::RightMissing {
                key: key.name,
                has: key.rights,
                needs: right,
            });
        }
        let used = Used {
            key: key.id,
            at: now,
            anew: key.is_used_anew(now),
        };
        let member = self.member(tx, team.id, right).await?;
        let person = member.as_ref().map(Member::person);
        let person = person.unwrap_or(Person {
            name: key.name,
            email: None,
        });
        let acting = |member: &Member| Acting {
            id: member.id,
            role: member.role,
        };
        let actor = Actor {
            team: team.id,
            key: Some(key.id),
            member: member.as_ref().map(acting),
            person,
            door: Door::Api,
            rights: key.rights,
        };
        Ok((actor, used))
    }

    /// The member for whom it is done, if for one, who must be active and of a role that may do what needs `right`.
    async fn member<T: ReadTx + ?Sized>(
        &self,
        tx: &mut T,
        team: TeamId,
        right: Right,
    ) -> Result<Option<Member>, AppError> {
        let Some((id, named)) = self.member else {
            return Ok(None);
        };
        let found = tx.member_get(team, id).await;
        let found = found.doing::<AppError>("looking a member up")?;
        let member = found.ok_or_else(|| {
            let message = format!(
                "{id} is no member of the team; give one of GET /api/team/members, or 0, which stands for the API key itself"
            );
            AppError::invalid(named, message)
        })?;
        if !member.is_active() {
            let message = format!(
                "{id} is no longer active; PATCH /api/team/member with isActive=true changes that"
            );
            return Err(AppError::invalid(named, message));
        }
        if !member.role.includes(right) {
            return Err(AppError::RoleForbids {
                role: member.role,
                what: "may not do this",
            });
        }
        Ok(Some(member))
    }

    async fn identify<T: ReadTx + ?Sized>(&self, tx: &mut T) -> Result<(ApiKey, Team), AppError> {
        let found = tx.api_key_get(&self.hash).await;
        let found = found.doing::<AppError>("looking a key up")?;
        found.ok_or(AppError::KeyUnknown)
    }
}

/// That a key was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    key: ApiKeyId,
    at: Timestamp,
    /// Whether it was noted long ago.
    anew: bool,
}

/// When which key was last noted to be used, so that of many requests at once one writes it down.
#[derive(Default)]
pub(crate) struct LastUsed(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl LastUsed {
    /// Whether this use is to be written down, which is then said to be done.
    pub(crate) fn claim(&self, used: Used) -> bool {
        if !used.anew {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = noted.get(&used.key);
        if before.is_some_and(|at| used.at < at.after(KEY_USED_EVERY)) {
            return false;
        }
        if noted.len() >= REMEMBERED_MAX {
            noted.clear();
        }
        noted.insert(used.key, used.at);
        true
    }
}

/// Writes down that a key was used.
impl Write for Used {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.api_key_touch(self.key, self.at).await
    }
}

impl App {
    /// Whether the caller may do what needs `right`, for a door that refuses something before a use case runs.
    ///
    /// # Errors
    /// The caller may not, or the store failed.
    pub async fn authorize(&self, caller: &Caller, right: Right) -> Result<(), AppError> {
        let (caller, app) = (caller.clone(), self.clone());
        self.parts()
            .store
            .read(Authorize { app, caller, right })
            .await
    }
}

struct Authorize {
    app: App,
    caller: Caller,
    right: Right,
}

impl Read for Authorize {
    type Done = ();
    type Error = AppError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<(), AppError> {
        let now = self.app.source().now();
        self.caller.authenticate(tx, now, self.right).await?;
        Ok(())
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
    /// The key.
    pub key: ApiKey,
}

impl Query for Validate {
    // Which every key has.
    const NEEDS: Right = Right::Read;

    type Answer = Validated;

    async fn run(&self, _: &App, _: &Actor, tx: &mut dyn ReadTx) -> Result<Validated, AppError> {
        let (key, team) = self.0.identify(tx).await?;
        Ok(Validated {
            team_id: team.id,
            team_name: team.name,
            key,
        })
    }
}
