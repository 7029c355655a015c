//! What the store shows of its deliveries, beside what it should.

use std::cmp::Reverse;

use domain::{Delivery, DeliveryState};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{DeliveryQuery, DueLane};

use super::{
    course::Course,
    record::{Entry, Standing},
};
use crate::reading;

/// More than a course has.
const ALL: u32 = 1_000;

impl Course {
    /// Checks that list, lanes and logs are as they should be; logs only where they have grown.
    pub(super) async fn compare(&mut self) -> TestCaseResult {
        let logged: Vec<_> = std::mem::take(&mut self.logged).into_iter().collect();
        let team = self.scene.team;
        let ids: Vec<_> = logged.iter().map(|place| self.ids[*place]).collect();
        let look = reading!([team, ids] tx => {
            let query = DeliveryQuery { limit: ALL, ..DeliveryQuery::default() };
            let page = tx.delivery_page(*team, &query).await?;
            let lanes = tx.delivery_lanes(ALL).await?;
            let probe = tx.probe_next().await?;
            let mut records = Vec::new();
            for id in ids {
                records.push(tx.delivery_get(*team, *id).await?);
            }
            Ok((page, lanes, probe, records))
        });
        let (page, lanes, probe, records) = self.world.read(look).await;
        prop_assert_eq!(probe, self.model.next_probe(), "when the next probe is due");
        self.compare_page(&page)?;
        let given = &self.world.lanes;
        let (out, handed) = (given.permits_out(), given.handed().len());
        prop_assert_eq!(
            out,
            handed,
            "each permit is with what was handed over, or back"
        );
        prop_assert_eq!(given.permits_returned_twice(), 0);
        prop_assert_eq!(lanes, self.due_lanes(), "lanes with something to send");
        for (place, found) in logged.into_iter().zip(records) {
            if self.model.records[place].standing == Standing::Forgotten {
                prop_assert!(found.is_none(), "{} is still there", self.ids[place]);
                continue;
            }
            let record = &self.model.records[place];
            prop_assert!(found.is_some(), "{} is lost", self.ids[place]);
            let found = found.expect("it was just looked at");
            let log: Vec<_> = found.attempts.iter().map(Entry::of).collect();
            prop_assert_eq!(&log, &record.log, "the log of {}", self.ids[place]);
            let body = Some(&self.events[record.event].body);
            let body = body.filter(|_| !self.model.bare.contains(&record.event));
            prop_assert_eq!(found.body.as_ref(), body);
            // Counted when it begins, logged when it ends.
            let under_way = u32::from(matches!(record.standing, Standing::Leased(_)));
            let numbers: Vec<_> = log.iter().map(|entry| entry.number).collect();
            let counted: Vec<_> = (1..=found.delivery.attempts - under_way).collect();
            prop_assert_eq!(numbers, counted, "attempts are numbered without gaps");
        }
        Ok(())
    }

    fn compare_page(&mut self, page: &[Delivery]) -> TestCaseResult {
        let mut order: Vec<_> = self.kept().collect();
        order.sort_by_key(|place| Reverse(self.ids[*place]));
        let expected = order.iter().map(|place| self.ids[*place]);
        let found = page.iter().map(|found| found.delivery_id);
        prop_assert_eq!(
            found.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "which deliveries there are, newest first"
        );
        for (place, found) in order.into_iter().zip(page) {
            prop_assert_eq!(found, &self.shown(place, found));
            if found.state == DeliveryState::Delivered {
                self.arrived.insert(place);
            }
            let ended = found.next_attempt_date_time.is_none()
                && !matches!(found.state, DeliveryState::Leased | DeliveryState::Held);
            let undelivered = ended && found.state != DeliveryState::Delivered;
            prop_assert!(
                !(undelivered && self.arrived.contains(&place)),
                "it had arrived: {found:#?}"
            );
        }
        Ok(())
    }

    /// Deliveries that are in the log.
    pub(super) fn kept(&self) -> impl Iterator<Item = usize> {
        let records = self.model.records.iter().enumerate();
        let kept = records.filter(|(_, record)| record.standing != Standing::Forgotten);
        kept.map(|(place, _)| place)
    }

    /// A delivery as it should be shown. Where the store has words of its own, those that it `says` will do.
    fn shown(&self, place: usize, says: &Delivery) -> Delivery {
        let record = &self.model.records[place];
        let (event, lane) = (&self.events[record.event], &self.model.lanes[record.lane]);
        let state = self.model.shown(record);
        let waits = matches!(record.standing, Standing::Waiting(_) | Standing::Behind);
        let of_lane = state == DeliveryState::Held || state == DeliveryState::Cancelled && waits;
        // Why one was stopped that somebody stopped is said in the store's own words.
        let stopped =
            record.cancelled && matches!(state, DeliveryState::Leased | DeliveryState::Cancelled);
        let reason = if of_lane {
            Some(&lane.reason)
        } else if stopped {
            None
        } else {
            record.reason.as_ref()
        };
        let last = record.log.last();
        Delivery {
            delivery_id: self.ids[place],
            event_id: event.id,
            event_type: event.kind,
            subscription_id: self.lanes[record.lane],
            sequence: record.sequence,
            checklist_id: event.checklist,
            state,
            reason: reason.unwrap_or(&says.reason).clone(),
            reason_code: domain::ReasonCode::of(domain::ReasonFacts {
                state,
                subscription: lane.code,
                last_outcome: last.map(|last| last.outcome),
                asked_for: record.manual_by.is_some(),
                cancelled: record.cancelled && !waits,
                behind: record.standing == Standing::Behind,
                unreadable: false,
                paced: false,
            }),
            attempts: record.attempts,
            created_date_time: event.at,
            next_attempt_date_time: match record.standing {
                Standing::Waiting(at) if state == DeliveryState::Waiting => Some(at),
                _ => None,
            },
            last_attempt_date_time: last.map(Entry::ended_at),
            last_outcome: last.map(|last| last.outcome),
            last_status_code: last.and_then(|last| last.status),
            made_by_job_id: record.made_by,
        }
    }

    fn due_lanes(&self) -> Vec<DueLane> {
        let lanes = (0..).zip(&self.lanes).filter_map(|(place, subscription)| {
            let waits = self
                .model
                .records
                .iter()
                .filter_map(|record| match record.standing {
                    Standing::Waiting(at) if record.lane == place => Some(at),
                    _ => None,
                });
            let earliest = waits.min().filter(|_| self.model.lanes[place].sends())?;
            Some(DueLane {
                subscription: *subscription,
                earliest,
                held: (self.model.lanes[place].resumed).is_some_and(|at| earliest < at),
            })
        });
        let mut lanes: Vec<_> = lanes.collect();
        lanes.sort_by_key(|lane| (lane.earliest, lane.subscription));
        lanes
    }
}
