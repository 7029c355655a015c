//! What an operation asks of the store, as one unit of work.

use domain::{
    ChecklistId, DeliveryId, DeliveryState, Event, NodeId, ReplayFilter, ReplayJob, ReplayJobId,
    SubscriptionId, TeamId, Timestamp,
};
use store::{
    Cancelled, Ending, EventPlace, Forget, Lease, LeasedDelivery, NewReplay, ProbeTake, Redelivery,
    ReplayChanged, ReplayLook, ReplayPut, ReplayStep, Rescue, Settled, Settlement, Slimmed,
    StandChange, StateChange, StoreError, Take, Taken, Write, WriteTx,
};

use crate::{Refused, SeedOrder};

/// One change.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Happen(Event),
    Take {
        takes: Vec<Take>,
        node: NodeId,
        now: Timestamp,
        until: Timestamp,
    },
    /// Attempts and, where one changes that of its subscription, the state.
    Settle(Vec<(Settlement, Option<(SubscriptionId, StandChange)>)>),
    GiveBack {
        leases: Vec<Lease>,
        now: Timestamp,
    },
    Rescue {
        which: Rescue,
        now: Timestamp,
        attempts_max: u32,
        limit: u32,
    },
    Redeliver {
        team: TeamId,
        delivery: DeliveryId,
        now: Timestamp,
    },
    Cancel {
        team: TeamId,
        delivery: DeliveryId,
    },
    Put(SubscriptionId, StateChange),
    Order(SeedOrder),
    GiveUp(SubscriptionId, StandChange),
    Probe(ProbeTake),
    Less(Lessening),
    MakeJob(NewJob),
    Step(ReplayStep),
    PutJob(TeamId, ReplayJobId, ReplayPut),
}

/// A redelivery job that is to be made.
#[derive(Clone, Debug)]
pub(super) struct NewJob {
    pub(super) id: ReplayJobId,
    pub(super) team: TeamId,
    pub(super) filter: ReplayFilter,
    pub(super) to: Option<SubscriptionId>,
    pub(super) now: Timestamp,
}

/// What goes, in slices of `slice` deliveries.
#[derive(Clone, Debug)]
pub(super) struct Lessening {
    pub(super) team: TeamId,
    pub(super) of: Of,
    pub(super) what: What,
    pub(super) slice: u32,
}

/// Of which events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// Those that happened before then.
    Before(Timestamp),
    /// Those of a checklist.
    List(ChecklistId),
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Bodies(Ending),
    Deliveries(Forget),
}

/// What the store answers to it.
#[derive(Debug)]
pub(super) enum Answer {
    Happened,
    Taken(Taken),
    Settled(Vec<Settled>),
    GivenBack,
    Rescued(u32),
    Redelivered(Redelivery),
    Cancelled(Cancelled),
    Put(bool),
    Ordered,
    Probed(Vec<LeasedDelivery>),
    Less(Slimmed),
    JobMade,
    Stepped(Option<ReplayJob>),
    JobPut(ReplayChanged),
}

/// Who asks for deliveries to be sent again, or not to be.
pub(super) const BY: &str = "Ann";
/// Deliveries that a job makes due in a second; nobody waits for that here.
const RATE: u32 = 50;
/// More than a course has.
const ALL: u32 = 1_000;

impl Command {
    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Answer, StoreError> {
        Ok(match self {
            Self::Happen(event) => {
                tx.event_append(event).await?;
                Answer::Happened
            }
            Self::Take {
                takes,
                node,
                now,
                until,
            } => Answer::Taken(tx.delivery_take(takes, *node, *now, *until).await?),
            Self::Settle(ends) => {
                let settlements: Vec<_> = ends.iter().map(|(one, _)| one.clone()).collect();
                let answers = tx.delivery_settle(&settlements).await?;
                for (answer, (_, end)) in answers.iter().zip(ends) {
                    // As the engine does: an attempt that is not stored changes nothing else either.
                    if let (Settled::Stored, Some((lane, change))) = (answer, end) {
                        tx.stand_put(*lane, change).await?;
                    }
                }
                Answer::Settled(answers)
            }
            Self::GiveBack { leases, now } => {
                tx.delivery_give_back(leases, *now).await?;
                Answer::GivenBack
            }
            Self::Rescue {
                which,
                now,
                attempts_max,
                limit,
            } => {
                let ended = tx.delivery_rescue(*which, *now, *attempts_max, *limit);
                Answer::Rescued(ended.await?)
            }
            Self::Redeliver {
                team,
                delivery,
                now,
            } => {
                let answer = tx.delivery_redeliver(*team, *delivery, BY, *now).await?;
                Answer::Redelivered(answer)
            }
            Self::Cancel { team, delivery } => {
                Answer::Cancelled(tx.delivery_cancel(*team, *delivery, BY).await?)
            }
            Self::Order(order) => {
                order.run(tx).await?;
                Answer::Ordered
            }
            Self::Put(lane, change) => Answer::Put(tx.subscription_state_put(*lane, change).await?),
            Self::GiveUp(lane, change) => Answer::Put(tx.stand_put(*lane, change).await?),
            Self::Probe(take) => Answer::Probed(tx.probe_take(take).await?),
            Self::Less(less) => Answer::Less(less.run(tx).await?),
            Self::MakeJob(new) => {
                new.run(tx).await?;
                Answer::JobMade
            }
            Self::Step(step) => Answer::Stepped(tx.replay_step(step).await?),
            Self::PutJob(team, id, put) => Answer::JobPut(tx.replay_put(*team, *id, put).await?),
        })
    }
}

impl NewJob {
    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let look = ReplayLook {
            team: self.team,
            filter: self.filter.clone(),
            events: self.to.is_some(),
            made_at: self.now,
            bound: tx.replay_bound(self.team).await?,
        };
        let new = NewReplay {
            id: self.id,
            made_by: BY.to_owned(),
            to_subscription: self.to,
            rate_per_second: RATE,
            look,
        };
        tx.replay_insert(&new).await
    }
}

impl Lessening {
    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Slimmed, StoreError> {
        let mut events = match self.of {
            Of::Before(_) => tx.event_walk(None, ALL).await?,
            Of::List(list) => tx.event_walk_of(self.team, list, None, ALL).await?,
        };
        if let Of::Before(limit) = self.of {
            events.retain(|event| event.at < limit);
        }
        let places: Vec<EventPlace> = events.iter().map(|event| event.place).collect();
        let mut sum = Slimmed::default();
        loop {
            let slice = match &self.what {
                What::Bodies(ending) => tx.event_body_remove(&places, ending, self.slice).await?,
                What::Deliveries(which) => tx.event_forget(&places, *which, self.slice).await?,
            };
            sum.events += slice.events;
            sum.rows += slice.rows;
            if !slice.more {
                return Ok(sum);
            }
        }
    }

    /// How what waits ends, where a body goes: because it is too old, or because somebody wants it so.
    pub(super) fn ending(state: DeliveryState) -> Ending {
        let erased = state == DeliveryState::Cancelled;
        Ending {
            state,
            reason: format!("it is {state}, for its body is gone"),
            stopped_by: erased.then(|| BY.to_owned()),
        }
    }
}

/// A command as a unit of work, which may refuse after all.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) command: Command,
    pub(super) refuses: bool,
}

impl Write for Asked {
    type Done = Answer;
    type Error = Refused;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Answer, Refused> {
        let answer = self.command.run(tx).await?;
        if self.refuses {
            return Err(Refused::Because("it was to be undone"));
        }
        Ok(answer)
    }
}
