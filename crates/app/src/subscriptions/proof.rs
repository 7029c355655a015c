//! Having a target prove that it wants webhooks: before a subscription is made, before it is changed, and on demand.
//!
//! Three steps, so that no transaction is open while the request runs: what is needed is read, the handshake is made, and
//! what is then written checks that all it relied on is still so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    Actor, CREDENTIALS_UNREADABLE, Changed, Credentials, Granted, Handshake, RequestStyle, Right,
    Subscription, SubscriptionId, SubscriptionRow, SubscriptionSettings, TargetUrl, TeamId,
    Timestamp, must_prove,
};
use store::{Doing, ReadTx, SubscriptionChange, SubscriptionIdentity, WriteTx};

use super::{
    change::{changed, held, living},
    readable,
    request::stored,
};
use crate::{App, AppError, Caller, Change, Query, emit::audit};

/// Most handshakes of one team at once, so that targets which hang hold up nobody else.
pub const PROOFS_OF_TEAM_MAX: usize = 4;
/// Most handshakes at once on one node.
pub const PROOFS_MAX: usize = 64;

/// The handshakes that are under way.
#[derive(Default)]
pub(crate) struct Proofs(Mutex<HashMap<TeamId, usize>>);

impl Proofs {
    fn begin(self: &Arc<Self>, team: TeamId) -> Result<UnderWay, AppError> {
        let mut counts = self.lock();
        let of_team = counts.get(&team).copied().unwrap_or(0);
        let of_all: usize = counts.values().sum();
        for (count, max) in [(of_team, PROOFS_OF_TEAM_MAX), (of_all, PROOFS_MAX)] {
            if count >= max {
                return Err(AppError::ProofsUnderWay { max });
            }
        }
        counts.insert(team, of_team + 1);
        let proofs = Arc::clone(self);
        Ok(UnderWay { proofs, team })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TeamId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handshake that is counted until it ends, however it does.
struct UnderWay {
    proofs: Arc<Proofs>,
    team: TeamId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.proofs.lock();
        if let Some(count) = counts.get_mut(&self.team) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.team);
            }
        }
    }
}

/// What is to be proven, read.
pub(super) struct ToProve {
    pub(super) team: TeamId,
    pub(super) target: TargetUrl,
    pub(super) settings: SubscriptionSettings,
    pub(super) style: Option<RequestStyle>,
}

/// What a handshake has come to.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    at: Timestamp,
    origin: Option<String>,
    granted: Granted,
}

impl Proven {
    /// Puts it into the settings that it was asked for.
    pub(super) fn put(&self, settings: &mut SubscriptionSettings) {
        settings.proven_at = Some(self.at);
        settings.proven_as.clone_from(&self.origin);
        settings.rate_per_second = self.granted.rate(settings.rate_per_second);
    }
}

/// How the requests of a subscription are made.
pub(super) fn style(
    settings: &SubscriptionSettings,
    credentials: Option<Credentials>,
) -> Result<Option<RequestStyle>, AppError> {
    let style = RequestStyle::of(&settings.request, credentials);
    style.map_err(|_| AppError::SubscriptionUnreadable(CREDENTIALS_UNREADABLE.to_owned()))
}

/// What the target of a new subscription has to prove, if anything: nothing where the same one is there already.
pub(super) async fn of_new(
    tx: &mut dyn ReadTx,
    identity: &SubscriptionIdentity,
    settings: SubscriptionSettings,
    request: &Changed,
) -> Result<Option<ToProve>, AppError> {
    if !must_prove(None, (&identity.target, &settings)) {
        return Ok(None);
    }
    let same = tx.subscription_find(identity).await;
    if same
        .doing::<AppError>("looking for the same subscription")?
        .is_some()
    {
        return Ok(None);
    }
    Ok(Some(ToProve {
        team: identity.team,
        target: identity.target.clone(),
        style: style(&settings, request.credentials.clone())?,
        settings,
    }))
}

impl App {
    /// Makes the handshake that `what` asks for.
    pub(super) async fn prove(&self, what: &ToProve) -> Result<Proven, AppError> {
        let _under_way = self.proofs().begin(what.team)?;
        let parts = self.parts();
        let origin = parts.public_url.host();
        let handshake = Handshake::of(&what.settings, &origin, &parts.source);
        let handshake = handshake.ok_or(AppError::NothingToProve)?;
        let style = what.style.as_ref();
        let proving = parts.prover.prove(&what.target, style, &handshake);
        let granted = proving.await?;
        let at = parts.source.now();
        let origin = handshake.origin().map(ToOwned::to_owned);
        Ok(Proven {
            at,
            origin,
            granted,
        })
    }
}

/// A proof that was given for what a subscription was to become.
pub(super) struct Given {
    proven: Proven,
    /// How the subscription was, by which it was decided what to prove.
    before: (TargetUrl, SubscriptionSettings),
}

impl Given {
    pub(super) fn new(proven: Proven, before: &Subscription) -> Self {
        let before = (before.target.clone(), before.settings.clone());
        Self { proven, before }
    }

    fn is_of(&self, before: &Subscription) -> bool {
        self.before.0 == before.target && self.before.1 == before.settings
    }
}

/// Puts the proof that was given into what a subscription becomes.
///
/// # Errors
/// The subscription is not as it was when it was decided what to prove, or nothing was proven and would have to be now.
pub(super) fn take(
    given: Option<&Given>,
    before: &Subscription,
    after: &mut Subscription,
) -> Result<(), AppError> {
    let old = (&before.target, &before.settings);
    match given {
        None if must_prove(Some(old), (&after.target, &after.settings)) => {
            Err(AppError::SubscriptionChanged)
        }
        None => Ok(()),
        Some(given) if given.is_of(before) => {
            given.proven.put(&mut after.settings);
            Ok(())
        }
        Some(_) => Err(AppError::SubscriptionChanged),
    }
}

impl App {
    /// `POST web-hook/prove`: has the target of a subscription prove again, by its kind of proof, that it wants webhooks.
    /// One that does not stays as it was, and goes on being sent to.
    ///
    /// # Errors
    /// The subscription is not there, has ended or asks for no proof, or the target does not give it.
    pub async fn prove_subscription(
        &self,
        caller: &Caller,
        id: SubscriptionId,
    ) -> Result<SubscriptionRow, AppError> {
        let (before, what) = self.query(caller, Load(id)).await?;
        let proven = self.prove(&what).await?;
        let given = Given::new(proven, &before);
        self.change(caller, Put { id, given }).await
    }
}

struct Load(SubscriptionId);

impl Query for Load {
    const NEEDS: Right = Right::Webhooks;

    type Answer = (Subscription, ToProve);

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<(Subscription, ToProve), AppError> {
        let found = living(tx, actor, self.0).await?;
        readable(&found)?;
        if found.settings.proof.is_none() {
            return Err(AppError::NothingToProve);
        }
        let stored = stored(tx, &found).await?;
        let what = ToProve {
            team: actor.team,
            target: found.target.clone(),
            settings: found.settings.clone(),
            style: style(&found.settings, stored)?,
        };
        Ok((found, what))
    }
}

struct Put {
    id: SubscriptionId,
    given: Given,
}

impl Change for Put {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscriptionRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SubscriptionRow, AppError> {
        let before = held(tx, actor, self.id).await?;
        let mut after = before.clone();
        take(Some(&self.given), &before, &mut after)?;
        let change = SubscriptionChange {
            source: after.source.clone(),
            target: after.target.clone(),
            settings: after.settings.clone(),
        };
        let put = tx.subscription_put(self.id, &change).await;
        if !put.doing::<AppError>("storing a proof")? {
            // The receiver said 410 on another node, between the two statements.
            return Err(AppError::SubscriptionGone(self.id));
        }
        let subject = ("subscription.prove", self.id.to_string());
        let detail = changed(&before, &after, &[]).join(", ");
        audit(tx, actor, app.source().now(), subject, detail).await?;
        Ok((&after).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_a_bound_on_handshakes_beside_that_of_each_team() {
        let proofs = Arc::new(Proofs::default());
        let teams = (1..).map(TeamId::new).take(PROOFS_MAX / PROOFS_OF_TEAM_MAX);
        let of_team = |team| std::iter::repeat_n(team, PROOFS_OF_TEAM_MAX);
        let begun = teams.flat_map(of_team).map(|team| proofs.begin(team));
        let mut begun: Vec<_> = begun.map(|one| one.expect("there is room")).collect();
        let most = |team| match proofs.begin(TeamId::new(team)) {
            Err(AppError::ProofsUnderWay { max }) => Some(max),
            _ => None,
        };
        assert_eq!(most(1), Some(PROOFS_OF_TEAM_MAX));
        assert_eq!(most(1_000), Some(PROOFS_MAX));
        begun.pop();
        assert_eq!(most(1_000), None);
        begun.clear();
        assert!(proofs.lock().is_empty(), "nothing is left of who has none");
    }
}
