//! Secrets of a subscription: listing them, rolling, revoking one. Each change is one commit, in which the subscription
//! is held first, so that the rules see what is there and what is taken afterwards is signed by what is then there.

use std::time::Duration;

use domain::{
    Actor, MakingRoom, PUBLISHED_KEYS_MAX, PublicKey, Right, SecretHead, SecretId, SecretKind,
    SecretRow, Signing, SigningSecret, Subscription, SubscriptionId, SubscriptionSecret, TeamId,
    Timestamp, add, kept_until, lacking, revoke, roll,
};
use serde::Serialize;
use store::{Doing, Read, ReadTx, WriteTx};
use utoipa::ToSchema;

use super::{change::living, get, readable};
use crate::{App, AppError, Change, Missing, Query, emit::audit};

/// How long a public key stays published after its end: receivers take what was signed so long ago.
const PUBLISHED_AFTER_END: Duration = Duration::from_mins(5);

const DOING: &str = "changing the secrets of a subscription";

/// Secrets of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretPage {
    /// Those that sign or can, newest first; ten at most.
    pub items: Vec<SecretRow>,
    /// Null: there is no further page.
    pub next_cursor: Option<String>,
}

impl SecretPage {
    fn of(held: &[SecretHead], at: Timestamp) -> Self {
        let valid = held.iter().filter(|head| head.is_valid(at));
        Self {
            items: valid.map(SecretRow::from).collect(),
            next_cursor: None,
        }
    }
}

/// `GET web-hook/secrets`: those of a subscription that have not run out.
pub struct ListSecrets(pub SubscriptionId);

impl Query for ListSecrets {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SecretPage;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<SecretPage, AppError> {
        get(tx, actor, self.0).await?;
        let held = tx.secret_list(actor.team, self.0).await;
        let held = held.doing::<AppError>("listing secrets")?;
        Ok(SecretPage::of(&held, app.source().now()))
    }
}

/// `POST web-hook/roll-secret`: puts a new secret beside those of its kind, and gives those an end.
#[derive(Clone, Debug)]
pub struct RollSecret {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Of which kind; where it is absent that of `secret`, or else the one that signs.
    pub kind: Option<SecretKind>,
    /// The new one, if somebody brings it along.
    pub secret: Option<SigningSecret>,
    /// For how many seconds the old ones go on signing; 0 to revoke them.
    pub keep_old_seconds: u32,
}

/// A secret that was made just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollAnswer {
    /// What may be known of it.
    #[serde(flatten)]
    pub row: SecretRow,
    /// The secret itself (`whsec_…`), shown this once; null for `ed25519`, of which the receiver needs the public key.
    pub secret: Option<String>,
}

impl Change for RollSecret {
    const NEEDS: Right = Right::Webhooks;

    type Answer = RollAnswer;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<RollAnswer, AppError> {
        let of = hold(tx, actor, self.subscription).await?;
        let kind = self.kind(of.settings.signing)?;
        let new = match &self.secret {
            Some(secret) => SubscriptionSecret::new(secret.clone(), app.source()),
            None => SubscriptionSecret::generate(kind, app.source()),
        };
        let held = tx.secret_list(of.team, of.id).await;
        let held = held.doing::<AppError>(DOING)?;
        if self.secret.is_some() {
            refuse_same(tx, &of, &held, &new).await?;
        }
        let until = kept_until(new.created_at, self.keep_old_seconds);
        let room = roll(&held, kind, new.created_at, until)?;
        put(tx, &of, &room, until, &new).await?;
        let detail = match (room.end.len(), self.keep_old_seconds) {
            (_, 0) => format!("{kind} {}, older ones revoked", new.id),
            (older, _) => format!("{kind} {}, {older} older until {until}", new.id),
        };
        let subject = ("subscription.roll-secret", of.id.to_string());
        audit(tx, actor, new.created_at, subject, detail).await?;
        Ok(RollAnswer {
            row: (&new.head()).into(),
            secret: shown(&[new]).secret,
        })
    }
}

/// A secret that signs already is no new one: whoever rolls because it leaked would believe that it is gone.
async fn refuse_same(
    tx: &mut dyn WriteTx,
    of: &Subscription,
    held: &[SecretHead],
    new: &SubscriptionSecret,
) -> Result<(), AppError> {
    let same = tx.secret_same(of.team, of.id, &new.secret).await;
    let same = same.doing::<AppError>(DOING)?;
    let signs = |head: &SecretHead| head.is_valid(new.created_at) && same.contains(&head.id);
    match held.iter().find(|head| signs(head)) {
        None => Ok(()),
        Some(found) => Err(AppError::invalid(
            "secret",
            format!(
                "is a secret of this subscription already (id {}): give another one, or leave it out to have one made",
                found.id
            ),
        )),
    }
}

impl RollSecret {
    fn kind(&self, signing: Signing) -> Result<SecretKind, AppError> {
        match (self.kind, &self.secret, signing.kinds()) {
            (Some(kind), Some(secret), _) if secret.kind() != kind => Err(AppError::invalid(
                "secret",
                format!("is of the kind {}, and kind is {kind}", secret.kind()),
            )),
            (Some(kind), ..) => Ok(kind),
            (None, Some(secret), _) => Ok(secret.kind()),
            (None, None, [kind]) => Ok(*kind),
            (None, None, _) => Err(AppError::invalid(
                "kind",
                "must be hmac or ed25519: the subscription is signed with both",
            )),
        }
    }
}

/// `POST web-hook/revoke-secret`: one signs no longer, at once.
#[derive(Clone, Copy, Debug)]
pub struct RevokeSecret {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Which.
    pub secret: SecretId,
}

impl Change for RevokeSecret {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SecretPage;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SecretPage, AppError> {
        let of = hold(tx, actor, self.subscription).await?;
        let now = app.source().now();
        let held = tx.secret_list(of.team, of.id).await;
        let mut held = held.doing::<AppError>(DOING)?;
        let is_it = |head: &SecretHead| head.id == self.secret && head.is_valid(now);
        let Some(at) = held.iter().position(is_it) else {
            return Err(Missing::Secret(self.secret).into());
        };
        let found = held.remove(at);
        revoke(&found, of.settings.signing)?;
        let removed = tx.secret_remove(of.id, &[found.id]).await;
        removed.doing::<AppError>(DOING)?;
        let subject = ("subscription.revoke-secret", of.id.to_string());
        let detail = format!("{} {}", found.kind, found.id);
        audit(tx, actor, now, subject, detail).await?;
        Ok(SecretPage::of(&held, now))
    }
}

/// The subscription, which has not ended, held until the commit.
async fn hold(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<Subscription, AppError> {
    let held = tx.secret_hold(actor.team, id).await;
    let held = held.doing::<AppError>(DOING)?;
    let found = living(tx, actor, id).await?;
    // Which of its secrets signs is among what can't be read.
    readable(&found)?;
    if held {
        Ok(found)
    } else {
        Err(AppError::SubscriptionGone(id))
    }
}

/// Makes what a subscription, which this unit has changed already, needs for how it is signed now. Answers what was
/// made.
pub(super) async fn supply(
    app: &App,
    tx: &mut dyn WriteTx,
    of: &Subscription,
) -> Result<Vec<SubscriptionSecret>, AppError> {
    let mut made = Vec::new();
    loop {
        let held = tx.secret_list(of.team, of.id).await;
        let held = held.doing::<AppError>(DOING)?;
        let Some(kind) = lacking(&held, of.settings.signing).first().copied() else {
            return Ok(made);
        };
        let new = SubscriptionSecret::generate(kind, app.source());
        let room = add(&held, new.created_at)?;
        put(tx, of, &room, new.created_at, &new).await?;
        made.push(new);
    }
}

async fn put(
    tx: &mut dyn WriteTx,
    of: &Subscription,
    room: &MakingRoom,
    until: Timestamp,
    new: &SubscriptionSecret,
) -> Result<(), AppError> {
    let removed = tx.secret_remove(of.id, &room.remove).await;
    removed.doing::<AppError>(DOING)?;
    let ended = tx.secret_end(of.id, &room.end, until).await;
    ended.doing::<AppError>(DOING)?;
    let stored = tx.secret_insert(of.team, of.id, new).await;
    stored.doing::<AppError>(DOING)
}

/// The secrets of a new subscription that is signed so: the one that was brought along, and those made for the rest.
pub(super) fn first(
    app: &App,
    signing: Signing,
    own: Option<&SigningSecret>,
) -> Result<Vec<SubscriptionSecret>, AppError> {
    if let Some(own) = own.filter(|own| !signing.kinds().contains(&own.kind())) {
        return Err(AppError::invalid(
            "secret",
            format!("is of the kind {}, and signing is {signing}", own.kind()),
        ));
    }
    let made = signing.kinds().iter().map(|kind| {
        let own = own.filter(|own| own.kind() == *kind).cloned();
        let secret = own.unwrap_or_else(|| SigningSecret::generate(*kind, app.source()));
        SubscriptionSecret::new(secret, app.source())
    });
    Ok(made.collect())
}

/// What is shown of secrets that were made just now.
#[derive(Default)]
pub(super) struct Shown {
    /// The secret that both sides need.
    pub(super) secret: Option<String>,
    /// The half of a key that the receiver needs.
    pub(super) public_key: Option<String>,
}

pub(super) fn shown(made: &[SubscriptionSecret]) -> Shown {
    let mut shown = Shown::default();
    for secret in made.iter().map(|made| &made.secret) {
        match secret.public_key() {
            Some(key) => shown.public_key = Some(key.to_string()),
            None => shown.secret = Some(secret.reveal()),
        }
    }
    shown
}

impl App {
    /// The public keys that signatures of the team's deliveries are verified with, newest first; none for a team that
    /// has none or is not there. Anybody may ask.
    ///
    /// # Errors
    /// The database failed.
    pub async fn published_keys(
        &self,
        team: TeamId,
    ) -> Result<Vec<(SecretId, PublicKey)>, AppError> {
        let after = self.source().now().before(PUBLISHED_AFTER_END);
        self.parts().store.read(Published { team, after }).await
    }
}

struct Published {
    team: TeamId,
    after: Timestamp,
}

impl Read for Published {
    type Done = Vec<(SecretId, PublicKey)>;
    type Error = AppError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Self::Done, AppError> {
        let found = tx.secret_published(self.team, self.after, PUBLISHED_KEYS_MAX);
        found.await.doing("reading public keys")
    }
}
