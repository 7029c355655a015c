//! What the store answers to each command, and what it tells the lanes, beside what the reference says.

use domain::{DeliveryId, StateCode, SubscriptionId, Timestamp};
use proptest::{prelude::*, test_runner::TestCaseResult};
use store::Lease;

use super::{
    command::{Answer, Asked, Command},
    course::Course,
    record::{Hold, Right},
};
use crate::{LaneCall, Refused, TestLanes};

impl Course {
    /// Does it to the store and to the reference.
    pub(super) async fn change(&mut self, command: Command) -> TestCaseResult {
        let answer = self.ask(command.clone(), false).await?;
        self.agree(command, answer).await
    }

    /// Does it while units are under way that refuse: as if those had never been.
    pub(super) async fn change_amid(
        &mut self,
        command: Command,
        undone: [Command; 2],
    ) -> TestCaseResult {
        let [before, behind] = undone;
        let (before, behind) = (self.ask(before, true), self.ask(behind, true));
        let asked = self.ask(command.clone(), false);
        let (before, answer, behind) = if self.world.is_one_line() {
            // Asked for in this order, so that they may share a commit.
            tokio::join!(before, asked, behind)
        } else {
            (before.await, asked.await, behind.await)
        };
        for undone in [before?, behind?] {
            prop_assert!(
                undone.is_none(),
                "a unit that refused was answered {undone:?}"
            );
        }
        // The one behind may have taken what is new, before it could be leased, and refused only then.
        self.beset = !self.world.is_one_line();
        let agreed = self.agree(command, answer?).await;
        self.beset = false;
        agreed
    }

    async fn agree(&mut self, command: Command, answer: Option<Answer>) -> TestCaseResult {
        // A backend may lease after its answer what got a permit.
        let settled = |lanes: &TestLanes| lanes.permits_out() == lanes.handed().len();
        let what = "what got a permit to be handed over";
        self.world.lanes.wait_until(what, settled).await;
        let calls = self.news();
        match (command, answer) {
            (Command::Happen(event), Some(Answer::Happened)) => self.happened(event, &calls).await,
            (
                Command::Take {
                    takes,
                    node,
                    now,
                    until,
                },
                Some(Answer::Taken(taken)),
            ) => {
                let hold = Hold {
                    node,
                    since: now,
                    until,
                };
                self.taken(&takes, hold, taken).await
            }
            (Command::Settle(ends), Some(Answer::Settled(answers))) => {
                self.settled(&ends, &answers).await
            }
            (Command::GiveBack { leases, now }, Some(Answer::GivenBack)) => {
                self.given_back(&leases, now, &calls).await
            }
            (Command::Rescue { which, .. }, Some(Answer::Rescued(count))) => {
                self.rescued(which, count, &calls).await
            }
            (Command::Redeliver { delivery, now, .. }, Some(Answer::Redelivered(answer))) => {
                self.redelivered(delivery, now, answer, &calls)
            }
            (Command::Cancel { delivery, .. }, Some(Answer::Cancelled(answer))) => {
                self.cancelled(delivery, answer).await
            }
            (Command::Order(order), Some(Answer::Ordered)) => {
                let lane = self.lane(order.subscription);
                self.model.lanes[lane].ordered = order.ordered;
                Ok(())
            }
            (Command::Put(lane, change), Some(Answer::Put(changed))) => {
                let code = StateCode::by_person(change.state);
                let change = (code, change.reason.as_str(), change.at);
                self.put_to(lane, change, changed, &calls)
            }
            (Command::GiveUp(lane, change), Some(Answer::Put(changed))) => {
                let change = (change.code, change.reason.as_str(), change.at);
                self.put_to(lane, change, changed, &calls)
            }
            (Command::Probe(take), Some(Answer::Probed(leased))) => {
                self.probed(&take, leased).await
            }
            (Command::Less(less), Some(Answer::Less(slimmed))) => {
                self.lessened(&less, slimmed).await
            }
            (Command::MakeJob(new), Some(Answer::JobMade)) => self.job_made(new).await,
            (Command::Step(step), Some(Answer::Stepped(job))) => {
                self.stepped(&step, job, &calls).await
            }
            (Command::PutJob(_, job, put), Some(Answer::JobPut(answer))) => {
                self.job_put(job, &put, answer)
            }
            (command, answer) => Err(TestCaseError::fail(format!("{answer:?} to {command:?}"))),
        }
    }

    fn put_to(
        &mut self,
        lane: SubscriptionId,
        (code, reason, at): (StateCode, &str, Timestamp),
        changed: bool,
        calls: &[LaneCall],
    ) -> TestCaseResult {
        let lane = self.lane(lane);
        let before = self.model.lanes[lane].state();
        let expected = self.model.put(lane, code, reason, at);
        prop_assert_eq!(changed, expected, "whether the state changed");
        let resumed = changed && code.state().sends() && !before.sends();
        let due = resumed && !self.model.waiting(lane).is_empty();
        self.announced(&[lane][..usize::from(due)], calls)
    }

    /// Does it in a unit that refuses: as if it had never been.
    pub(super) async fn undo(&mut self, command: Command) -> TestCaseResult {
        let answer = self.ask(command, true).await?;
        prop_assert!(
            answer.is_none(),
            "a unit that refused was answered {answer:?}"
        );
        let calls = self.news();
        let handed = calls
            .iter()
            .any(|call| matches!(call, LaneCall::HandOver(_)));
        prop_assert!(!handed, "what was undone was handed over: {calls:?}");
        Ok(())
    }

    /// None when the unit refused.
    pub(super) async fn ask(
        &self,
        command: Command,
        refuses: bool,
    ) -> Result<Option<Answer>, TestCaseError> {
        match self.world.store.write(Asked { command, refuses }).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Refused::Because(_)) => Ok(None),
            Err(Refused::Store(error)) => Err(TestCaseError::fail(format!("{error:?}"))),
        }
    }

    /// What the lanes were told since this was asked last.
    pub(super) fn news(&mut self) -> Vec<LaneCall> {
        self.heard_before = self.heard;
        let news = self.world.lanes.calls().split_off(self.heard);
        self.heard += news.len();
        news
    }

    /// What was let go in these lanes is told of, once for each: a backend may let it go after its answer.
    pub(super) async fn told_of(&mut self, let_go: &[usize]) -> TestCaseResult {
        if let_go.is_empty() {
            return Ok(());
        }
        let (lanes, before) = (&self.lanes, self.heard_before);
        let told = |calls: &[LaneCall]| {
            // Up to where they were woken last: what a unit that refused had kept for its lane wakes nobody.
            let woken = calls[before..]
                .iter()
                .rposition(|call| *call == LaneCall::Wake);
            let calls = &calls[before..][..woken.map_or(0, |last| last + 1)];
            let often = |lane: usize| let_go.iter().filter(|other| **other == lane).count();
            let heard = |lane: usize| {
                let of = |call: &&LaneCall| **call == LaneCall::Backlog(lanes[lane]);
                calls.iter().filter(of).count()
            };
            let_go.iter().all(|lane| heard(*lane) >= often(*lane))
        };
        let what = "what was let go to be told of";
        self.world
            .lanes
            .wait_until(what, |given| told(&given.calls()))
            .await;
        let calls = self.world.lanes.calls().split_off(self.heard_before);
        self.news();
        self.announced(let_go, &calls)
    }

    /// Whoever sends is told of lanes in which something has become due.
    pub(super) fn announced(&self, due: &[usize], calls: &[LaneCall]) -> TestCaseResult {
        let mut sending = due
            .iter()
            .filter(|lane| self.model.lanes[**lane].sends())
            .peekable();
        if sending.peek().is_some() {
            prop_assert!(
                calls.contains(&LaneCall::Wake),
                "nobody was woken: {calls:?}"
            );
        }
        for lane in sending {
            let known = self.world.lanes.has_backlog(self.lanes[*lane]);
            prop_assert!(known, "what is new would go before what is due: {calls:?}");
        }
        Ok(())
    }

    pub(super) fn lane(&self, subscription: SubscriptionId) -> usize {
        let found = self.lanes.iter().position(|lane| *lane == subscription);
        found.expect("there are no other lanes")
    }

    pub(super) fn place(&self, delivery: DeliveryId) -> Option<usize> {
        self.ids.iter().position(|id| *id == delivery)
    }

    /// A lease as the reference has it.
    pub(super) fn right(&self, lease: &Lease) -> Option<Right> {
        Some(Right {
            delivery: self.place(lease.delivery)?,
            node: lease.node,
            attempt: lease.attempt,
        })
    }
}
