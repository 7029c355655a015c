//! What the address rule says of a target, before anything is sent there.

use std::net::IpAddr;

use domain::{
    AddressPolicy, ForbiddenAddress, JudgedTarget, TargetRefusal, TargetUrl, judge_target,
    special_range,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Validate};

/// What the address rule decides of a target, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetExplanation {
    /// The target in its normal form; as it was given where it can't be read.
    #[serde(rename = "targetURL")]
    pub target_url: String,
    /// Whether webhooks are sent there.
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

impl App {
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
        // No name is looked up for somebody without a key.
        self.query(caller, Validate(caller.clone())).await?;
        let target = match TargetUrl::parse(target) {
            Ok(target) => target,
            Err(refusal) => return Ok(unreadable(target.trim(), &refusal)),
        };
        let parts = self.parts();
        let judged = judge_target(&parts.policy, parts.resolver.as_ref(), &target).await;
        Ok(explained(&parts.policy, &target, &judged))
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
        reason: refusal.map_or_else(
            || "webhooks may be sent there".to_owned(),
            ToString::to_string,
        ),
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
