//! What came of each command, in the store and in the reference.

use std::collections::BTreeSet;

use domain::{DeliveryId, DeliveryState, Event, SubscriptionId, SubscriptionState, Timestamp};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{
    Cancelled, Lease, LeasedDelivery, Node as _, Redelivery, Rescue, Settled, Settlement,
    StandChange, Take, Taken,
};

use super::{
    command::BY,
    course::Course,
    record::{Ended, Hold, Right, Standing},
};
use crate::{LaneCall, Scene, TestLanes};

type Ends = [(Settlement, Option<(SubscriptionId, StandChange)>)];

impl Course {
    pub(super) async fn happened(&mut self, event: Event, calls: &[LaneCall]) -> TestCaseResult {
        let reached = self.model.reached(event.kind);
        let rows = self.world.deliveries(self.scene.team).await;
        let made = rows.iter().filter(|row| row.event_id == event.id);
        prop_assert_eq!(made.count(), reached.len(), "how many the event reached");
        let since = self.world.now();
        let hold = Hold {
            node: self.world.lanes.node(),
            since,
            until: since.after(TestLanes::LEASE),
        };
        // Of those that are still there: after a restart nobody knows of what was forgotten before.
        let others = rows.iter().filter(|row| row.event_id != event.id);
        let last = others.map(|row| row.delivery_id).max();
        let handed = calls.iter().filter_map(|call| match call {
            LaneCall::HandOver(ids) => Some(ids.clone()),
            _ => None,
        });
        let handed: BTreeSet<_> = handed.flatten().collect();
        let mut due = Vec::new();
        let mut known = BTreeSet::new();
        let about = |scene: &Scene| scene.list.head.id == event.checklist;
        let about = self.scenes.iter().position(about);
        let about = about.expect("it is about one of them");
        for lane in reached {
            let subscription = self.lanes[lane];
            let found = rows
                .iter()
                .filter(|row| row.event_id == event.id && row.subscription_id == subscription);
            let ids: Vec<_> = found.map(|row| row.delivery_id).collect();
            prop_assert_eq!(
                ids.len(),
                1,
                "deliveries of an event in a lane that it reaches"
            );
            prop_assert!(Some(ids[0]) > last, "lists go by identifiers, which grow");
            let behind = self.model.is_behind(lane, about);
            let standing = if behind {
                prop_assert!(!handed.contains(&ids[0]), "it goes before its turn");
                Standing::Behind
            } else if handed.contains(&ids[0]) {
                known.insert(ids[0]);
                let sends = self.model.lanes[lane].sends();
                prop_assert!(sends, "it is leased though its subscription does not send");
                let permit = calls.contains(&LaneCall::Reserve(subscription, true));
                prop_assert!(permit, "it is leased though its lane gave no permit");
                Standing::Leased(hold)
            } else {
                let could = calls.contains(&LaneCall::Reserve(subscription, true))
                    && !calls.contains(&LaneCall::Reserve(subscription, false));
                let sends = self.model.lanes[lane].sends();
                let waits = !sends || !could || self.beset;
                prop_assert!(waits, "it waits though its lane gave a permit");
                due.push(lane);
                Standing::Waiting(event.at)
            };
            let number = self.events.len();
            self.model.happen(lane, (number, about), event.at, standing);
            self.ids.push(ids[0]);
        }
        self.events.push(event);
        prop_assert_eq!(&handed, &known, "nothing else is handed over");
        for leased in self.world.lanes.handed() {
            if handed.contains(&leased.lease.delivery) {
                self.leased(leased, hold)?;
            }
        }
        self.announced(&due, calls)
    }

    pub(super) async fn taken(
        &mut self,
        takes: &[Take],
        hold: Hold,
        answer: Taken,
    ) -> TestCaseResult {
        let (mut expected, mut drained, mut let_go) = (Vec::new(), Vec::new(), Vec::new());
        for take in takes {
            let lane = self.lane(take.subscription);
            let took = self.model.take(lane, take.limit, hold);
            expected.extend(took.rights);
            drained.extend(took.drained.then_some(take.subscription));
            let_go.extend(took.let_go);
        }
        let rights: Vec<_> = answer
            .deliveries
            .iter()
            .map(|leased| self.right(&leased.lease))
            .collect();
        let expected: Vec<_> = expected.into_iter().map(Some).collect();
        prop_assert_eq!(rights, expected, "what is taken, in order");
        prop_assert_eq!(&answer.drained, &drained, "which lanes have nothing more");
        for lane in drained {
            // The engine does not forget what it hears of while it takes.
            if !let_go.contains(&self.lane(lane)) {
                self.world.lanes.clear_backlog_of(lane);
            }
        }
        for leased in answer.deliveries {
            self.leased(leased, hold)?;
        }
        self.told_of(&let_go).await
    }

    /// Somebody got a delivery to send.
    pub(super) fn leased(&mut self, leased: LeasedDelivery, hold: Hold) -> TestCaseResult {
        let place = self.place(leased.lease.delivery);
        let record = place.map(|place| &self.model.records[place]);
        prop_assert!(record.is_some(), "nobody knows {leased:?}");
        let record = record.expect("it was just looked at");
        let event = &self.events[record.event];
        let lease = Lease {
            delivery: leased.lease.delivery,
            node: hold.node,
            attempt: record.attempts,
            until: hold.until,
        };
        prop_assert_eq!(leased.lease, lease);
        prop_assert_eq!((leased.event, &leased.body), (event.id, &event.body));
        prop_assert_eq!(leased.sequence, record.sequence);
        prop_assert_eq!(&leased.manual_by, &record.manual_by);
        prop_assert_eq!(leased.replay, record.of_job());
        prop_assert_eq!(leased.delivered_before, record.delivered);
        let destination = (leased.destination.subscription, leased.destination.state);
        let lane = (
            self.lanes[record.lane],
            self.model.lanes[record.lane].state(),
        );
        prop_assert_eq!(destination, lane);
        self.known.push(leased);
        Ok(())
    }

    pub(super) async fn settled(&mut self, ends: &Ends, answers: &[Settled]) -> TestCaseResult {
        prop_assert_eq!(answers.len(), ends.len());
        let mut let_go = Vec::new();
        for ((settlement, end), answer) in ends.iter().zip(answers) {
            let right = self.right(&settlement.lease).expect("it was leased");
            let (expected, next) = self.model.settle(right, Ended::from(settlement));
            prop_assert_eq!(*answer, expected, "{:?}", settlement);
            let_go.extend(next);
            if *answer != Settled::Stored {
                continue;
            }
            self.ended(right)?;
            self.not_used_up_by_a_probe(right)?;
            if let Some((lane, change)) = end {
                let lane = self.lane(*lane);
                self.model.put(lane, change.code, &change.reason, change.at);
            }
        }
        self.told_of(&let_go).await
    }

    /// A probe is never the last attempt.
    fn not_used_up_by_a_probe(&self, right: Right) -> TestCaseResult {
        let record = &self.model.records[right.delivery];
        let used_up = record.standing == Standing::Ended(DeliveryState::Exhausted);
        // Of one that has ended since, nothing is sent any more.
        let ended = self.model.lanes[record.lane].state() == SubscriptionState::Gone;
        prop_assert!(!(record.probe && used_up) || ended, "{record:#?}");
        Ok(())
    }

    /// An attempt has come to its end, which it does once.
    fn ended(&mut self, right: Right) -> TestCaseResult {
        self.logged.insert(right.delivery);
        let first = self.ended.insert((right.delivery, right.attempt));
        prop_assert!(first, "{right:?} has ended twice");
        Ok(())
    }

    pub(super) async fn given_back(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
        calls: &[LaneCall],
    ) -> TestCaseResult {
        let (mut due, mut let_go) = (Vec::new(), Vec::new());
        for lease in leases {
            let right = self.right(lease).expect("it was leased");
            let (given, next) = self.model.give_back(right, now);
            let_go.extend(next);
            let record = &self.model.records[right.delivery];
            if given && matches!(record.standing, Standing::Waiting(_)) {
                due.push(record.lane);
            }
        }
        self.announced(&due, calls)?;
        self.told_of(&let_go).await
    }

    pub(super) async fn cancelled(
        &mut self,
        delivery: DeliveryId,
        answer: Cancelled,
    ) -> TestCaseResult {
        let place = self.place(delivery).expect("it was picked");
        let (expected, next) = self.model.cancel(place);
        prop_assert_eq!(answer, expected);
        self.told_of(next.as_slice()).await
    }

    pub(super) async fn rescued(
        &mut self,
        which: Rescue,
        count: u32,
        calls: &[LaneCall],
    ) -> TestCaseResult {
        let (ended, let_go) = self.model.rescue(which, self.world.now());
        prop_assert_eq!(count as usize, ended.len(), "leases that were ended");
        let mut due = Vec::new();
        for right in ended {
            self.ended(right)?;
            if !self.set_back {
                self.not_used_up_by_a_probe(right)?;
            }
            let record = &self.model.records[right.delivery];
            if matches!(record.standing, Standing::Waiting(_)) {
                due.push(record.lane);
            }
        }
        self.announced(&due, calls)?;
        due.extend(let_go.iter().copied());
        self.told_of(if let_go.is_empty() { &[] } else { &due })
            .await
    }

    pub(super) fn redelivered(
        &mut self,
        delivery: DeliveryId,
        now: Timestamp,
        answer: Redelivery,
        calls: &[LaneCall],
    ) -> TestCaseResult {
        let place = self.place(delivery).expect("it was picked");
        let lane = self.model.records[place].lane;
        let refused = self.model.redeliver(place, BY, now);
        let expected = refused.unwrap_or(Redelivery::Due(self.lanes[lane]));
        prop_assert_eq!(answer, expected);
        let due =
            refused.is_none() && matches!(self.model.records[place].standing, Standing::Waiting(_));
        self.announced(&[lane][..usize::from(due)], calls)
    }
}
