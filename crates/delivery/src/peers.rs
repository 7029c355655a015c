//! The other nodes on the database, as far as this one has to mind them: whether they were given the same settings.
//!
//! One that was not may refuse for good what others were told to send. So while there is such a one, and for a
//! while after, a refusal by the address rule is no node's last word. Made by the binary, which shows what
//! differs; told by the store; asked by each attempt that was refused.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{ALLOW_TARGETS_SETTING, HTTPS_ONLY_SETTING, NodeId, Source, Timestamp};
use store::{Company, Differing, Node, NodeSettings};
use tokio::sync::watch;

/// The settings that the address rule is made of.
const OF_THE_RULE: [&str; 2] = [ALLOW_TARGETS_SETTING, HTTPS_ONLY_SETTING];

/// For how long all nodes must have been seen to have the same address rule before a refusal by it is final. Nodes
/// that start at the same time do not see each other at once, and those that are started again with
/// another rule one after the other are not all there at each moment.
const DOUBT: Duration = Duration::from_secs(10);

/// After how long what was seen last no longer counts: a node that stood still knows nothing.
const SEEN: Duration = Duration::from_secs(10);

/// Most nodes that a line of the log names.
const NAMED_MAX: usize = 8;

/// What this node knows of the others.
pub struct Peers {
    node: NodeId,
    settings: NodeSettings,
    source: Source,
    known: Mutex<Known>,
    /// Whether the others were seen.
    seen: watch::Sender<bool>,
}

#[derive(Default)]
struct Known {
    /// When the others were last seen; none where there can't be any.
    seen_at: Option<Timestamp>,
    /// When there was last a reason to doubt that all have the same address rule.
    doubted_at: Timestamp,
    differing: Vec<Differing>,
}

impl Peers {
    /// A node of its own that was given `settings`.
    pub fn new(settings: NodeSettings, source: Source) -> Arc<Self> {
        Arc::new(Self {
            node: NodeId::new(source.uuid()),
            settings,
            source,
            known: Mutex::default(),
            seen: watch::Sender::new(false),
        })
    }

    /// What the node is called.
    pub const fn id(&self) -> NodeId {
        self.node
    }

    /// The names of the settings of which a node that is alive was given another value, in their order.
    pub fn differing(&self) -> Vec<String> {
        let known = self.known();
        let names: BTreeSet<&String> = names(&known.differing).collect();
        names.into_iter().cloned().collect()
    }

    /// Resolves once this node has told the others of itself and seen them; at once where there can't be any.
    pub async fn seen(&self) {
        if self.known().seen_at.is_some() {
            // The sender lives as long as `self`.
            let _ = self.seen.subscribe().wait_for(|seen| *seen).await;
        }
    }

    /// Why a refusal by the address rule is not final at this moment; none when it is.
    pub(crate) fn doubt(&self, now: Timestamp) -> Option<&'static str> {
        let known = self.known();
        let seen_at = known.seen_at?;
        let differs = |of: &str| names(&known.differing).any(|name| name == of);
        if differs(ALLOW_TARGETS_SETTING) {
            return Some("other nodes have another webhook.allow_targets");
        }
        if differs(HTTPS_ONLY_SETTING) {
            return Some("other nodes have another webhook.https_only");
        }
        let lately = |at: Timestamp, within| now < at || now.since(at) < within;
        let sure = lately(seen_at, SEEN) && !lately(known.doubted_at, DOUBT);
        (!sure)
            .then_some("other nodes had another webhook.allow_targets lately, or are not known yet")
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing here panics half-way through a change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node for Peers {
    fn node(&self) -> NodeId {
        self.node
    }

    fn settings(&self) -> NodeSettings {
        self.settings.clone()
    }

    fn joined(&self) {
        let now = self.source.now();
        let mut known = self.known();
        known.seen_at = Some(now);
        known.doubted_at = now;
    }

    fn saw(&self, company: &Company) {
        let now = self.source.now();
        let mut known = self.known();
        let missed = known.seen_at.is_some_and(|at| now.since(at) >= SEEN);
        if missed || names(&company.differing).any(|name| OF_THE_RULE.contains(&name.as_str())) {
            known.doubted_at = now;
        }
        known.seen_at = Some(now);
        let before = std::mem::replace(&mut known.differing, company.differing.clone());
        drop(known);
        self.seen.send_replace(true);
        tell(self.node, &before, &company.differing);
    }
}

/// Says in the log that others began to differ, and that none does any more; each once.
fn tell(own: NodeId, before: &[Differing], now: &[Differing]) {
    let new: Vec<&Differing> = now.iter().filter(|other| !before.contains(other)).collect();
    if !new.is_empty() {
        let nodes: Vec<String> = new.iter().map(|other| other.node.to_string()).collect();
        let settings: BTreeSet<&String> = new.iter().flat_map(|other| &other.settings).collect();
        let settings = settings.into_iter().cloned().collect::<Vec<_>>().join(", ");
        let others = nodes[..nodes.len().min(NAMED_MAX)].join(", ");
        let (count, more) = (nodes.len(), nodes.len().saturating_sub(NAMED_MAX));
        tracing::warn!(
            node.id = %own, settings, others, count, more,
            "nodes on this database were given other settings than this one: give all of them the same, and start \
             again those that have the wrong ones. What the address rule refuses is tried again as long as nodes \
             differ in webhook.allow_targets"
        );
    } else if now.is_empty() && !before.is_empty() {
        tracing::info!(
            node.id = %own,
            "all nodes on this database have the same settings again"
        );
    }
}

fn names(differing: &[Differing]) -> impl Iterator<Item = &String> {
    differing.iter().flat_map(|other| &other.settings)
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers")
            .field("node", &self.node)
            .field("differing", &self.differing())
            .finish_non_exhaustive()
    }
}
