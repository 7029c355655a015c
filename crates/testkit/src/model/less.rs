//! What keeping less comes to, in the store and in the reference.

use std::time::Duration;

use domain::DeliveryState;
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::{EventQuery, Forget, Rescue, Slimmed};

use super::{
    command::{Command, Lessening, Of, What},
    course::{ALL, Course},
    record::Standing,
};
use crate::reading;

impl Course {
    /// What was made less of comes to what it should.
    pub(super) async fn lessened(&mut self, less: &Lessening, answer: Slimmed) -> TestCaseResult {
        let old = |(_, event): &(usize, &domain::Event)| match less.of {
            Of::Before(limit) => event.at < limit,
            Of::List(list) => event.checklist == list,
        };
        let events = self.events.iter().enumerate().filter(old);
        let events = events.map(|(place, _)| place);
        let events: Vec<_> = events
            .filter(|place| !self.model.gone.contains(place))
            .collect();
        let gone = match &less.what {
            What::Bodies(ending) => {
                let stops = ending.stopped_by.is_some();
                let ended = (ending.state, ending.reason.as_str());
                let gone = self.model.strip(&events, ended, stops);
                prop_assert_eq!(answer.events, gone.events, "bodies that are gone");
                gone
            }
            What::Deliveries(which) => {
                let gone = self.model.forget(&events, *which);
                self.events_gone(&events).await?;
                gone
            }
        };
        prop_assert_eq!(answer.rows, gone.rows, "deliveries that ended");
        self.told_of(&gone.let_go).await
    }

    /// Of these events those are gone that have no delivery left; save the newest, which may stay.
    async fn events_gone(&mut self, events: &[usize]) -> TestCaseResult {
        let team = self.scene.team;
        let look = reading!([team] tx => {
            let query = EventQuery { limit: ALL, ..EventQuery::default() };
            tx.event_page(*team, &query).await
        });
        let left = self.world.read(look).await;
        for (place, event) in self.events.iter().enumerate() {
            let is_left = left.iter().any(|row| row.event_id == event.id);
            let needed = self
                .kept()
                .any(|kept| self.model.records[kept].event == place);
            let known = is_left != self.model.gone.contains(&place);
            if needed || !events.contains(&place) {
                prop_assert!(known, "whether event {} is there: {}", place, is_left);
            } else if !is_left {
                self.model.gone.insert(place);
            } else {
                prop_assert_eq!(place + 1, self.events.len(), "it has no delivery any more");
            }
        }
        Ok(())
    }

    /// Nothing is sent any more, and all becomes too old: also what had arrived, and waits because somebody wants it
    /// sent again.
    pub(super) async fn end_by_age(&mut self) -> TestCaseResult {
        let arrived = self.kept().filter(|place| {
            self.model.records[*place].standing == Standing::Ended(DeliveryState::Delivered)
        });
        for place in arrived.collect::<Vec<_>>() {
            self.change(self.redeliver(self.ids[place])).await?;
        }
        // What is being sent goes only once its lease has lapsed.
        for _ in 0..2 {
            self.change(self.all(What::Bodies(Lessening::ending(DeliveryState::Expired))))
                .await?;
            self.compare().await?;
            let lapsed = self.model.lapses(self.world.now()).max();
            let held = self
                .kept()
                .any(|place| matches!(self.model.records[place].standing, Standing::Leased(_)));
            if let Some(lapsed) = lapsed {
                self.world.clock.set(lapsed);
            }
            if held {
                self.change(self.rescue(Rescue::Lapsed, ALL)).await?;
            }
        }
        let through = |place: usize| self.model.records[place].standing.is_through();
        prop_assert!(self.kept().all(through), "it never ends: {:#?}", self.model);
        Ok(())
    }

    /// All that has ended goes from the log, and with it the log.
    pub(super) async fn forget_all(&mut self) -> TestCaseResult {
        self.change(self.all(What::Deliveries(Forget::All))).await?;
        prop_assert_eq!(
            self.kept().count(),
            0,
            "deliveries that are never forgotten"
        );
        Ok(())
    }

    fn all(&self, what: What) -> Command {
        let last = self.events.iter().map(|event| event.at).max();
        let last = last.unwrap_or_default().after(Duration::from_millis(1));
        Command::Less(Lessening {
            team: self.scene.team,
            of: Of::Before(last),
            what,
            slice: ALL,
        })
    }
}
