//! What the address rule says of a target, before anything is sent there.

use std::net::IpAddr;

use domain::{
    Actor, AddressPolicy, ForbiddenAddress, HttpsOnly, JudgedTarget, Right, Subscription,
    SubscriptionId, TargetRefusal, TargetUrl, UrlOf, judge_reach, judge_target, special_range,
};
use serde::Serialize;
use store::{Doing, ReadTx};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Missing, Query, subscriptions::readable};

/// What the address rule decides of a target, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetExplanation {
    /// The target in its normal form; as it was given where it can't be read.
    #[serde(rename = "targetURL")]
    pub target_url: String,
    /// Whether webhooks are sent there: of a subscription, also by way of its proxy and with a token from where its tokens
    /// are from. The first of these that is refused gives `rule`, `reason` and `setting` where the target itself is allowed.
    pub allowed: bool,
    /// The rule that refuses; null when allowed.
    #[schema(example = "private")]
    pub rule: Option<&'static str>,
    /// Why, in words.
    pub reason: String,
    /// What the operator would have to set to allow it; null when allowed, or when no setting would.
    #[schema(example = "webhook.allow_targets = [\"hooks.internal\"]")]
    pub setting: Option<String>,
    /// The name that was looked up; null when the target names an address itself.
    pub host: Option<String>,
    /// The port that is connected to; null when the target can't be read.
    pub port: Option<u16>,
    /// What the name resolves to at this moment, each judged, in the order in which they are connected to.
    pub addresses: Vec<ExplainedAddress>,
}

/// One address of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedAddress {
    /// The address.
    #[schema(value_type = String, example = "10.0.0.7")]
    pub address: IpAddr,
    /// Whether it may be connected to.
    pub allowed: bool,
    /// The word of the special range that it lies in; null when it is of the public internet.
    #[schema(example = "private")]
    pub range: Option<&'static str>,
    /// That range in words, with the document that sets it aside.
    #[schema(example = "a private address (10.0.0.0/8, RFC 1918)")]
    pub range_description: Option<String>,
    /// The operator's entry that opens it; null when none is needed or none does.
    pub opened_by: Option<String>,
}

impl TargetExplanation {
    /// The same where requests reach `reaches` as well: no webhook comes to a target if one of them is refused.
    fn with(mut self, reaches: &[ExplainedReach]) -> Self {
        let refused = reaches.iter().find(|reach| !reach.explanation.allowed);
        if let Some(refused) = refused.filter(|_| self.allowed) {
            let (member, why) = (refused.member, &refused.explanation);
            self.allowed = false;
            self.rule = why.rule;
            self.reason = if why.reason.contains(member) {
                why.reason.clone()
            } else {
                format!("{member}: {}", why.reason)
            };
            self.setting.clone_from(&why.setting);
        }
        self
    }
}

/// What the address rule decides of all that a webhook reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    /// The target.
    #[serde(flatten)]
    pub target: TargetExplanation,
    /// What requests to it reach beside it, by the wishes of the subscription that was asked about: its proxy, and where
    /// its tokens are from. Each must be allowed as well.
    pub reaches: Vec<ExplainedReach>,
}

/// Something that requests reach beside their target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedReach {
    /// The member of the subscription that says so.
    #[schema(example = "proxy.url")]
    pub member: &'static str,
    /// What is decided of it.
    #[serde(flatten)]
    pub explanation: TargetExplanation,
}

/// The subscription by whose wishes a target is explained.
struct Wishes(SubscriptionId);

impl Query for Wishes {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Subscription;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Subscription, AppError> {
        let found = tx.subscription_get(actor.team, self.0).await;
        let found = found.doing::<AppError>("loading a subscription")?;
        Ok(found.ok_or(Missing::Subscription(self.0))?)
    }
}

impl App {
    /// `GET web-hook/explain` of a subscription: what the address rule decides of `target`, or of the subscription's
    /// own, and of all else that its requests reach.
    ///
    /// # Errors
    /// Whoever asks is not known, or the subscription is not there.
    pub async fn explain_subscription(
        &self,
        caller: &Caller,
        id: SubscriptionId,
        target: Option<&str>,
    ) -> Result<Explanation, AppError> {
        let found = self.query(caller, Wishes(id)).await?;
        readable(&found)?;
        let target = target.unwrap_or(found.target.as_str());
        let request = &found.settings.request;
        let target = match TargetUrl::parse(target) {
            Ok(target) if request.https_only && !target.is_https() => {
                let by = HttpsOnly::Subscription;
                unreadable(target.as_str(), &TargetRefusal::NotHttps { by })
            }
            _ => self.explain_target(caller, target).await?,
        };
        let parts = self.parts();
        let mut reaches = Vec::new();
        for (member, url) in request.reaches() {
            let judged = judge_reach(&parts.policy, parts.resolver.as_ref(), member, &url).await;
            let explanation = explained(&parts.policy, &url, &judged, UrlOf::member(member));
            reaches.push(ExplainedReach {
                member,
                explanation,
            });
        }
        Ok(Explanation {
            target: target.with(&reaches),
            reaches,
        })
    }

    /// `GET web-hook/explain`: what the address rule decides of a target, and why, by the function that decides
    /// when a target is saved and when it is connected to. Nothing is connected to, and nothing stored.
    ///
    /// # Errors
    /// Whoever asks is not known.
    pub async fn explain_target(
        &self,
        caller: &Caller,
        target: &str,
    ) -> Result<TargetExplanation, AppError> {
        // No name is looked up for somebody who may not ask.
        self.authorize(caller, Right::Webhooks).await?;
        let target = match TargetUrl::parse(target) {
            Ok(target) => target,
            Err(refusal) => return Ok(unreadable(target.trim(), &refusal)),
        };
        let parts = self.parts();
        let judged = judge_target(&parts.policy, parts.resolver.as_ref(), &target).await;
        Ok(explained(&parts.policy, &target, &judged, UrlOf::Target))
    }
}

fn unreadable(target: &str, refusal: &TargetRefusal) -> TargetExplanation {
    TargetExplanation {
        target_url: target.to_owned(),
        allowed: false,
        rule: Some(refusal.rule()),
        reason: refusal.to_string(),
        setting: refusal.setting(),
        host: None,
        port: None,
        addresses: Vec::new(),
    }
}

fn explained(
    policy: &AddressPolicy,
    target: &TargetUrl,
    judged: &JudgedTarget,
    of: UrlOf,
) -> TargetExplanation {
    let host = target.host_name();
    let addresses = judged.addresses.iter();
    let addresses =
        addresses.map(|(address, verdict)| explained_address(policy, host, *address, *verdict));
    let refusal = judged.decision.as_ref().err();
    TargetExplanation {
        target_url: target.to_string(),
        allowed: refusal.is_none(),
        rule: refusal.map(TargetRefusal::rule),
        reason: refusal.map_or_else(|| of.allowed().to_owned(), |refusal| refusal.about(of)),
        setting: refusal.and_then(TargetRefusal::setting),
        host: host.map(ToOwned::to_owned),
        port: Some(target.port()),
        addresses: addresses.collect(),
    }
}

fn explained_address(
    policy: &AddressPolicy,
    host: Option<&str>,
    address: IpAddr,
    verdict: Result<(), ForbiddenAddress>,
) -> ExplainedAddress {
    let range = verdict
        .err()
        .map_or_else(|| special_range(address), |found| Some(found.range));
    ExplainedAddress {
        address,
        allowed: verdict.is_ok(),
        range: range.map(|range| range.kind().word()),
        range_description: range.map(|range| range.to_string()),
        opened_by: verdict
            .ok()
            .and_then(|()| policy.opening_entry(host, address)),
    }
}
