//! Changing a subscription: where to, under which label, and how.

use domain::{
    Actor, Changed, RequestSettings, Right, SettingsChange, Subscription, SubscriptionId,
    SubscriptionRow, SubscriptionSecret, SubscriptionSettings, SubscriptionState, TargetUrl,
    check_target, must_prove,
};
use serde::Serialize;
use serde_json::Value;
use store::{Doing, ReadTx, SubscriptionChange, SubscriptionIdentity, WriteTx};
use utoipa::ToSchema;

use super::{
    get, label,
    proof::{self, Given, ToProve},
    request::{self, Reaches},
    secrets,
    shown::{mends, repeats},
};
use crate::{App, AppError, Caller, Change, Query, emit::audit};

/// `PATCH web-hook/subscription`: what is absent stays as it is.
#[derive(Clone, Debug)]
pub struct ChangeSubscription {
    /// Which one.
    pub id: SubscriptionId,
    /// A new label.
    pub source: Option<String>,
    /// A new address.
    pub target_url: Option<String>,
    /// New settings.
    pub settings: SettingsChange,
    /// What can't be changed and is sent back as it was read, by its names in [`SubscriptionRow`].
    pub repeated: Vec<(&'static str, Value)>,
}

/// A subscription as it is now, with what was made for how it is signed now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAnswer {
    /// The subscription.
    #[serde(flatten)]
    pub row: SubscriptionRow,
    /// The secret that was made for the new `signing` (`whsec_…`), shown this once; not there when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The public key that was made for the new `signing` (`whpk_…`); not there when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl ChangeAnswer {
    fn of(of: &Subscription, made: &[SubscriptionSecret]) -> Self {
        let shown = secrets::shown(made);
        Self {
            row: of.into(),
            secret: shown.secret,
            public_key: shown.public_key,
        }
    }
}

impl App {
    /// Changes a subscription. A new target is looked up and has to prove itself like that of a new subscription: outside
    /// of any transaction, and only for whoever may change the subscription.
    pub async fn change_subscription(
        &self,
        caller: &Caller,
        ask: ChangeSubscription,
    ) -> Result<ChangeAnswer, AppError> {
        let checked = self.query(caller, Check(ask)).await?;
        if let Some(target) = checked.moves_to() {
            let parts = self.parts();
            check_target(&parts.policy, parts.resolver.as_ref(), target).await?;
        }
        self.check_reaches(&checked.reaches).await?;
        let given = match &checked.to_prove {
            Some(what) => {
                let proven = self.prove(what).await?;
                Some(Given::new(proven, &checked.before))
            }
            None => None,
        };
        self.change(caller, Put { checked, given }).await
    }
}

/// Everything about it that can be checked without asking the network.
struct Check(ChangeSubscription);

/// What to change, read.
struct Checked {
    id: SubscriptionId,
    source: Option<String>,
    /// What is asked for, even if it is the one of before: it may be another one by the time that it is written.
    target: Option<TargetUrl>,
    settings: SettingsChange,
    reaches: Reaches,
    before: Subscription,
    to_prove: Option<ToProve>,
}

impl Checked {
    /// The new address, if it is another one than before.
    fn moves_to(&self) -> Option<&TargetUrl> {
        let target = self.target.as_ref();
        target.filter(|target| **target != self.before.target)
    }

    /// What `before` becomes, when its requests are made as `request` says.
    fn after(&self, before: &Subscription, request: RequestSettings) -> Subscription {
        let target = self.target.as_ref().unwrap_or(&before.target);
        Subscription {
            source: self.source.clone().unwrap_or_else(|| before.source.clone()),
            target: target.clone(),
            settings: SubscriptionSettings {
                request,
                ..self.settings.of(&before.settings)
            },
            ..before.clone()
        }
    }

    /// What its target has to prove, if anything, before it becomes that.
    async fn to_prove<T: ReadTx + ?Sized>(
        &self,
        tx: &mut T,
        request: Changed,
    ) -> Result<Option<ToProve>, AppError> {
        let before = &self.before;
        let after = self.after(before, request.settings);
        let old = (&before.target, &before.settings);
        if !must_prove(Some(old), (&after.target, &after.settings)) {
            return Ok(None);
        }
        let credentials = if self.settings.request.is_nothing() {
            request::stored(tx, before).await?
        } else {
            request.credentials
        };
        Ok(Some(ToProve {
            team: after.team,
            style: proof::style(&after.settings, credentials)?,
            target: after.target,
            settings: after.settings,
        }))
    }
}

impl Query for Check {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Checked;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Checked, AppError> {
        let ask = &self.0;
        let found = living(tx, actor, ask.id).await?;
        mends(&found, &ask.settings)?;
        repeats(tx, &found, &ask.repeated).await?;
        let source = ask.source.as_deref().map(label).transpose()?;
        let target = ask.target_url.as_deref().map(TargetUrl::parse);
        let target = target.transpose()?;
        let goes_to = target.as_ref().unwrap_or(&found.target);
        let change = &ask.settings.request;
        let (request, _) = request::next(app, tx, change, (&found, goes_to)).await?;
        let mut checked = Checked {
            id: ask.id,
            source,
            target,
            settings: ask.settings.clone(),
            reaches: change.reaches(&request.settings),
            before: found,
            to_prove: None,
        };
        checked.to_prove = checked.to_prove(tx, request).await?;
        Ok(checked)
    }
}

/// The subscription, which has not ended.
pub(super) async fn living<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<Subscription, AppError> {
    let found = get(tx, actor, id).await?;
    if found.state == SubscriptionState::Gone {
        return Err(AppError::SubscriptionGone(id));
    }
    Ok(found)
}

/// The same, kept from others until the commit. Whatever is written of a subscription follows from what is read
/// here: of two changes at once each is made whole, one after the other.
pub(super) async fn held(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<Subscription, AppError> {
    let held = tx.subscription_hold(actor.team, id).await;
    held.doing::<AppError>("holding a subscription")?;
    living(tx, actor, id).await
}

struct Put {
    checked: Checked,
    given: Option<Given>,
}

impl Change for Put {
    const NEEDS: Right = Right::Webhooks;

    type Answer = ChangeAnswer;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<ChangeAnswer, AppError> {
        const DOING: &str = "changing a subscription";
        let Checked {
            id,
            target,
            settings,
            ..
        } = &self.checked;
        let before = held(tx, actor, *id).await?;
        mends(&before, settings)?;
        let target = target.as_ref().unwrap_or(&before.target);
        let change = &settings.request;
        let (request, kept) = request::next(app, tx, change, (&before, target)).await?;
        let mut after = self.checked.after(&before, request.settings);
        proof::take(self.given.as_ref(), &before, &mut after)?;
        let new_credentials = kept.gives_way_to(request.credentials.as_ref());
        if after == before && !new_credentials {
            return Ok(ChangeAnswer::of(&before, &[]));
        }
        let identity = identity(&after);
        let same = tx
            .subscription_find(&identity)
            .await
            .doing::<AppError>(DOING)?;
        if let Some(same) = same.filter(|same| same.id != *id) {
            return Err(AppError::SubscriptionSame(same.id));
        }
        let change = SubscriptionChange {
            source: after.source.clone(),
            target: after.target.clone(),
            settings: after.settings.clone(),
        };
        let put = tx.subscription_put(*id, &change).await;
        if !put.doing::<AppError>(DOING)? {
            // The receiver said 410 on another node, between the two statements.
            return Err(AppError::SubscriptionGone(*id));
        }
        let mut made = Vec::new();
        if after.settings.signing != before.settings.signing || before.settings.unreadable {
            made = secrets::supply(app, tx, &after).await?;
        }
        if new_credentials {
            let put = tx.credentials_put(*id, request.credentials.as_ref()).await;
            put.doing::<AppError>(DOING)?;
        }
        let subject = ("subscription.change", id.to_string());
        let mut detail = changed(&before, &after, &made);
        if new_credentials {
            detail.extend(["credentials".to_owned()]);
        }
        let detail = detail.join(", ");
        audit(tx, actor, app.source().now(), subject, detail).await?;
        Ok(ChangeAnswer::of(&after, &made))
    }
}

fn identity(of: &Subscription) -> SubscriptionIdentity {
    SubscriptionIdentity {
        team: of.team,
        source: of.source.clone(),
        event_type: of.event_type,
        scope: of.scope,
        target: of.target.clone(),
    }
}

/// What changed, for the audit log: names and new values.
pub(super) fn changed(
    before: &Subscription,
    after: &Subscription,
    made: &[SubscriptionSecret],
) -> Vec<String> {
    let (old, new) = (&before.settings, &after.settings);
    let rate = |rate: Option<u32>| rate.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
    let lines = [
        (
            before.source != after.source,
            format!("source {}", after.source),
        ),
        (
            before.target != after.target,
            format!("targetUrl {}", after.target),
        ),
        (
            old.ordering != new.ordering,
            format!("ordering {}", new.ordering),
        ),
        (
            old.rate_per_second != new.rate_per_second,
            format!("ratePerSecond {}", rate(new.rate_per_second)),
        ),
        (
            old.signing != new.signing,
            format!("signing {}", new.signing),
        ),
        (
            old.unreadable && !new.unreadable,
            "settings anew".to_owned(),
        ),
        (old.proof != new.proof, format!("proof {}", new.proof)),
        (
            old.proven_at != new.proven_at && new.proven_at.is_some(),
            "proven".to_owned(),
        ),
        (
            old.forgets_answer != new.forgets_answer,
            format!("keepAnswer {}", !new.forgets_answer),
        ),
        (
            old.mask_response_headers != new.mask_response_headers,
            format!("maskResponseHeaders {}", new.mask_response_headers.text()),
        ),
        (
            old.delete_body_on_success != new.delete_body_on_success,
            format!("deleteBodyOnSuccess {}", new.delete_body_on_success),
        ),
    ];
    let request = request::audited(&old.request, &new.request);
    let lines = lines.into_iter().chain(request);
    let lines = lines.filter(|(changed, _)| *changed);
    let made = made
        .iter()
        .map(|made| format!("made {} {}", made.secret.kind(), made.id));
    lines.map(|(_, line)| line).chain(made).collect()
}
