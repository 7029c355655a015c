//! From a commit to the delivery engine of this node: what can be sent at once is leased and numbered in
//! one short transaction for many commits, and handed over.
//!
//! The numbers of a subscription's deliveries are given here, or where a take or a reading finds one
//! without: never in the transaction of the work, whose commit all others of that subscription would
//! wait for. Whatever is lost on the way from the commit to here is due in the table.

use std::sync::{Arc, PoisonError, RwLock};

use domain::{DeliveryId, SubscriptionId};
use tokio::sync::mpsc;

use super::{Shared, deliveries::LeaseTerms};
use crate::{Chain, Lanes, Permit};

/// Deliveries leased in one transaction.
const BATCH_MAX: usize = 256;

/// What a committed transaction has for the delivery engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    /// A delivery that is due now, of a subscription that sends, and how many a second that wants at most.
    Delivery(DeliveryId, SubscriptionId, Option<u32>),
    /// Something of the subscription is due in the table.
    Due(SubscriptionId),
    /// The subscription sends again.
    Resumed(SubscriptionId),
    /// One of the chain came to it behind another, or is through: its first may have to be let go.
    Chain(Chain),
}

/// A delivery with the permit to send it.
pub(super) struct Hint {
    delivery: DeliveryId,
    permit: Permit,
}

/// What is to be done right after a commit.
pub(super) enum Task {
    /// Lease and hand over.
    Lease(Hint),
    /// Let the first go.
    LetGo(Chain),
}

/// The way from commits to the task that leases.
pub(super) struct Hints {
    // Hints are never more than there are permits: each holds one. Chains are those of the units that are answered
    // meanwhile. None once the store stops.
    sent: RwLock<Option<mpsc::UnboundedSender<Task>>>,
    lanes: RwLock<Option<Arc<dyn Lanes>>>,
}

impl Hints {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Task>) {
        let (sent, hints) = mpsc::unbounded_channel();
        let this = Self {
            sent: RwLock::new(Some(sent)),
            lanes: RwLock::default(),
        };
        (this, hints)
    }

    pub(super) fn attach(&self, lanes: Arc<dyn Lanes>) {
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Some(lanes);
    }

    /// The engine may hold a store in turn.
    pub(super) fn detach(&self) -> Option<Arc<dyn Lanes>> {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.take()
    }

    /// Nothing more is committed.
    pub(super) fn close(&self) {
        *self.sent.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn send(&self, task: Task) -> bool {
        let sent = self.sent.read().unwrap_or_else(PoisonError::into_inner);
        sent.as_ref().is_some_and(|sent| sent.send(task).is_ok())
    }

    fn lanes(&self) -> Option<Arc<dyn Lanes>> {
        self.lanes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A transaction is committed. Answers whether something is due that this node does not send at
    /// once, for which other nodes should look.
    pub(super) fn committed(&self, fresh: &[Fresh]) -> bool {
        if fresh.is_empty() {
            return false;
        }
        for one in fresh {
            if let Fresh::Chain(chain) = one {
                // Lost once the store stops; whoever looks for chains that are stuck finds it.
                self.send(Task::LetGo(*chain));
            }
        }
        let Some(lanes) = self.lanes() else {
            return fresh.iter().any(|one| !matches!(one, Fresh::Chain(_)));
        };
        let mut due = false;
        for one in fresh {
            let waits = match *one {
                Fresh::Delivery(delivery, subscription, per_second) => {
                    let permit = Permit::reserve(&lanes, subscription, per_second);
                    let hint = permit.map(|permit| Hint { delivery, permit });
                    let sent = hint.is_some_and(|hint| self.send(Task::Lease(hint)));
                    (!sent).then_some(subscription)
                }
                Fresh::Due(subscription) => Some(subscription),
                Fresh::Resumed(subscription) => {
                    lanes.resumed(subscription);
                    due = true;
                    None
                }
                Fresh::Chain(_) => None,
            };
            if let Some(subscription) = waits {
                lanes.backlog(subscription);
                due = true;
            }
        }
        if due {
            lanes.wake();
        }
        due
    }
}

/// Leases what hints name, in their order, and lets the first of chains go, until nobody sends any more.
pub(super) async fn hint_loop(shared: Arc<Shared>, mut tasks: mpsc::UnboundedReceiver<Task>) {
    let mut batch = Vec::new();
    while tasks.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (mut hints, mut chains) = (Vec::with_capacity(batch.len()), Vec::new());
        for task in batch.drain(..) {
            match task {
                Task::Lease(hint) => hints.push(hint),
                Task::LetGo(chain) => chains.push(chain),
            }
        }
        if !chains.is_empty() {
            let_go(&shared, chains).await;
        }
        if let Some(lanes) = shared.hints.lanes().filter(|_| !hints.is_empty()) {
            hand_over(&shared, &lanes, hints).await;
        }
    }
}

/// Lets the first of each chain go, and has it be sent.
async fn let_go(shared: &Shared, mut chains: Vec<Chain>) {
    chains.sort_unstable();
    chains.dedup();
    let lanes = shared
        .core
        .beside(async |tx| tx.let_first_go(&chains).await)
        .await;
    let lanes = lanes.unwrap_or_else(|error| {
        if error.is_away() {
            tracing::debug!(%error, "deliveries whose turn it is were not let go; the next look finds them");
        } else {
            tracing::warn!(%error, "deliveries whose turn it is could not be let go; the next look finds them");
        }
        Vec::new()
    });
    let due: Vec<Fresh> = lanes.into_iter().map(Fresh::Due).collect();
    shared.committed(&due);
}

async fn hand_over(shared: &Shared, lanes: &Arc<dyn Lanes>, hints: Vec<Hint>) {
    let now = shared.core.source.now();
    let terms = LeaseTerms {
        node: lanes.node(),
        now,
        until: lanes.lease_until(now),
    };
    let ids: Vec<_> = hints.iter().map(|hint| hint.delivery.uuid()).collect();
    let leased = shared
        .core
        .beside(async |tx| {
            let leased = tx.lease_named(&ids, terms).await?;
            Ok((leased, std::mem::take(&mut tx.fresh)))
        })
        .await;
    let (leased, fresh) = leased.unwrap_or_else(|error| {
        if error.is_away() {
            // Told of by whoever looks after the database.
            tracing::debug!(%error, "deliveries were not leased at once; the next look finds them");
        } else {
            tracing::warn!(%error, "deliveries could not be leased at once; the next look finds them");
        }
        (Vec::new(), Vec::new())
    });
    shared.committed(&fresh);
    let mut leased = leased.into_iter().peekable();
    let mut handed = Vec::with_capacity(hints.len());
    let mut passed_over = Vec::new();
    for hint in hints {
        // Both are in the order of the hints.
        match leased.next_if(|leased| leased.lease.delivery == hint.delivery) {
            Some(leased) => handed.push((leased, hint.permit)),
            None => passed_over.push(hint),
        }
    }
    if !handed.is_empty() {
        lanes.hand_over(handed);
    }
    if !passed_over.is_empty() {
        // Somebody else has got it, or held a lock on it and may yet let it go: it is looked for once more, before
        // a permit that comes back lets anything newer go first.
        for hint in &passed_over {
            lanes.backlog(hint.permit.subscription());
        }
        lanes.wake();
    }
}
