//! What tests do with deliveries: take them, settle them, look at them.

use bytes::Bytes;
use domain::{
    Attempt, Delivery, DeliveryId, DeliveryState, NodeId, Outcome, SubscriptionId, TeamId,
    Timestamp,
};
use store::{
    DeliveryQuery, DeliveryRecord, LeasedDelivery, Node as _, Settled, Settlement, Take, Taken,
};

use super::World;
use crate::{TestLanes, reading, writing};

impl World {
    /// A node that is not the one of the lanes.
    pub fn other_node(&self) -> NodeId {
        NodeId::new(self.source.uuid())
    }

    /// Takes what is due now, as `node`, for as long as the lanes lease.
    pub async fn take_as(&self, node: NodeId, takes: &[Take]) -> Taken {
        let takes = takes.to_vec();
        let now = self.now();
        let until = now.after(TestLanes::LEASE);
        let unit = writing!([takes, node, now, until] tx => {
            tx.delivery_take(takes, *node, *now, *until).await
        });
        self.write(unit).await
    }

    /// Takes at most `limit` of what is due now in one lane, as the node of the lanes.
    pub async fn take(&self, subscription: SubscriptionId, limit: u32) -> Vec<LeasedDelivery> {
        let takes = [Take {
            subscription,
            limit,
        }];
        self.take_as(self.lanes.node(), &takes).await.deliveries
    }

    /// Takes the one delivery that is due in the lane.
    pub async fn take_one(&self, subscription: SubscriptionId) -> LeasedDelivery {
        let mut taken = self.take(subscription, 10).await;
        assert_eq!(taken.len(), 1, "one delivery is due: {taken:?}");
        taken.remove(0)
    }

    /// Stores what came of attempts.
    pub async fn settle(&self, settlements: &[Settlement]) -> Vec<Settled> {
        let settlements = settlements.to_vec();
        self.write(writing!([settlements] tx => tx.delivery_settle(settlements).await))
            .await
    }

    /// Settles one as delivered; fails when its lease is lost.
    pub async fn deliver(&self, leased: &LeasedDelivery) {
        let settled = self.settle(&[delivered(leased, self.now())]).await;
        assert_eq!(settled, [Settled::Stored], "the lease is ours");
    }

    /// Lists deliveries.
    pub async fn page(&self, team: TeamId, query: DeliveryQuery) -> Vec<Delivery> {
        self.read(reading!([team, query] tx => tx.delivery_page(*team, query).await))
            .await
    }

    /// Lists the newest deliveries of a team.
    pub async fn deliveries(&self, team: TeamId) -> Vec<Delivery> {
        self.page(
            team,
            DeliveryQuery {
                limit: 1_000,
                ..DeliveryQuery::default()
            },
        )
        .await
    }

    /// A delivery with its log.
    pub async fn log(&self, team: TeamId, id: DeliveryId) -> DeliveryRecord {
        self.read(reading!([team, id] tx => tx.delivery_get(*team, *id).await))
            .await
            .expect("the delivery is there")
    }
}

/// What the log keeps of an attempt that began at `at`, with every part of it filled in.
fn attempt(leased: &LeasedDelivery, outcome: Outcome, at: Timestamp) -> Attempt {
    let status = match outcome {
        Outcome::Delivered => Some(204),
        Outcome::RefusedStatus => Some(503),
        Outcome::Gone => Some(410),
        _ => None,
    };
    Attempt {
        number: leased.lease.attempt,
        manual_by: leased.manual_by.clone(),
        replay: leased.replay,
        started_at: at,
        duration_ms: 42,
        outcome,
        status,
        error: if status.is_some() {
            String::new()
        } else {
            format!("it was {outcome}")
        },
        target: leased.destination.target.to_string(),
        signature: format!("v1,signature of attempt {}", leased.lease.attempt),
        response_headers: "content-type: text/plain\nx-answer: grüß".to_owned(),
        response_body: Bytes::from_static(b"not \xff text\0"),
        response_truncated: status.is_some(),
    }
}

/// A settlement as delivered.
pub(crate) fn delivered(leased: &LeasedDelivery, at: Timestamp) -> Settlement {
    settlement(leased, Outcome::Delivered, DeliveryState::Delivered, at)
}

/// A settlement that is final, by an attempt that began at `at`.
pub(crate) fn settlement(
    leased: &LeasedDelivery,
    outcome: Outcome,
    state: DeliveryState,
    at: Timestamp,
) -> Settlement {
    Settlement {
        lease: leased.lease,
        attempt: attempt(leased, outcome, at),
        state,
        reason: format!("{state} after {outcome}"),
        due_at: None,
    }
}

/// A settlement after which the delivery waits until `due_at`.
pub(crate) fn retry(leased: &LeasedDelivery, at: Timestamp, due_at: Timestamp) -> Settlement {
    Settlement {
        due_at: Some(due_at),
        ..settlement(leased, Outcome::RefusedStatus, DeliveryState::Waiting, at)
    }
}
