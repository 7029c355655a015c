//! Random deliveries, with what is old removed meanwhile.

use std::{collections::BTreeMap, time::Duration};

use domain::{Delivery, DeliveryId, DeliveryState, EventId, SubscriptionId, Timestamp};
use proptest::{
    prelude::RngExt as _,
    test_runner::{RngAlgorithm, TestRng},
};
use store::{LeasedDelivery, Settled};

use super::{KIND, find, forget, one_lane, remove_bodies, walk};
use crate::{Scene, World, trials::seed, world::retry};

/// How old events become.
const RETENTION: Duration = Duration::from_mins(10);

/// Random deliveries, with all that is older than [`RETENTION`] removed now and then.
struct Life<'a> {
    world: &'a World,
    scene: Scene,
    lanes: Vec<SubscriptionId>,
    at: BTreeMap<EventId, Timestamp>,
    out: Vec<LeasedDelivery>,
    /// What is known to have been delivered.
    delivered: BTreeMap<DeliveryId, EventId>,
    dice: TestRng,
}

impl Life<'_> {
    async fn step(&mut self) {
        match self.dice.random_range(0..10) {
            0..4 => {
                let event = self.world.happen(&self.scene, KIND).await;
                self.at.insert(event.id, event.at);
            }
            4..6 => {
                let lane = self.lanes[self.dice.random_range(0..self.lanes.len())];
                let most = self.dice.random_range(1..4);
                self.out.extend(self.world.take(lane, most).await);
            }
            6..8 => self.settle_one().await,
            8 => {
                let minutes = self.dice.random_range(0..4);
                self.world.clock.advance(Duration::from_mins(minutes));
            }
            _ => self.prune().await,
        }
    }

    async fn settle_one(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let at = self.dice.random_range(0..self.out.len());
        let leased = self.out.swap_remove(at);
        let now = self.world.now();
        if self.dice.random_bool(0.6) {
            self.world.deliver(&leased).await;
            self.delivered.insert(leased.lease.delivery, leased.event);
        } else {
            let due = now.after(Duration::from_mins(self.dice.random_range(0..5)));
            let settled = self.world.settle(&[retry(&leased, now, due)]).await;
            assert_eq!(settled, [Settled::Stored], "it was being sent, and so kept");
        }
    }

    /// Removes what is old, in slices of a random size, and looks at what is left.
    async fn prune(&mut self) {
        let cutoff = self.world.now().before(RETENTION);
        let all = walk(self.world, None).await;
        let old: Vec<_> = all
            .iter()
            .take_while(|event| event.at < cutoff)
            .map(|event| event.place)
            .collect();
        let most = self.dice.random_range(1..6);
        if self.dice.random_bool(0.5) {
            while remove_bodies(self.world, &old, most).await.more {}
        }
        while forget(self.world, &old, most).await.more {}
        self.check(cutoff).await;
    }

    async fn check(&self, cutoff: Timestamp) {
        let rows = self.world.deliveries(self.scene.team).await;
        let of = |event: &EventId| -> Vec<&Delivery> {
            let rows = rows.iter().filter(|row| row.event_id == *event);
            rows.collect()
        };
        for (event, at) in &self.at {
            let rows = of(event);
            if *at >= cutoff {
                assert_eq!(rows.len(), self.lanes.len(), "a young event lost something");
                for row in rows {
                    assert_ne!(row.state, DeliveryState::Expired);
                    let taken = self.delivered.contains_key(&row.delivery_id);
                    assert_eq!(taken, row.state == DeliveryState::Delivered);
                }
                continue;
            }
            for row in rows {
                let is_out = |leased: &LeasedDelivery| leased.lease.delivery == row.delivery_id;
                assert!(
                    self.out.iter().any(is_out),
                    "{row:?} is old and nobody sends it"
                );
            }
        }
        for leased in &self.out {
            let record = find(self.world, self.scene.team, leased.lease.delivery).await;
            let record = record.expect("what is being sent is there");
            assert_eq!(record.delivery.state, DeliveryState::Leased);
        }
    }
}

pub(in crate::conformance) async fn nothing_young_is_lost_whatever_is_sent_meanwhile(
    world: &World,
) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let (scene, lane) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    let mut life = Life {
        world,
        scene,
        lanes: vec![lane, other],
        at: BTreeMap::new(),
        out: Vec::new(),
        delivered: BTreeMap::new(),
        dice: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
    };
    for _ in 0..300 {
        life.step().await;
    }
    life.prune().await;
    // Whatever happened, no number was given twice or passed over.
    let event = world.happen(&life.scene, KIND).await;
    let rows = world.deliveries(life.scene.team).await;
    let newest = rows.iter().filter(|row| row.event_id == event.id);
    let numbers: Vec<_> = newest.map(|row| row.sequence).collect();
    let next = i64::try_from(life.at.len()).expect("few") + 1;
    assert_eq!(numbers, [next, next]);
}
