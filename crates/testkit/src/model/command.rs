//! What an operation asks of the store, as one unit of work.

use domain::{DeliveryId, Event, NodeId, SubscriptionId, TeamId, Timestamp};
use store::{
    Cancelled, Lease, Redelivery, Rescue, Settled, Settlement, StateChange, StoreError, Take,
    Taken, Write, WriteTx,
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
    /// Attempts and, where the receiver wants nothing more, the end of its subscription.
    Settle(Vec<(Settlement, Option<(SubscriptionId, StateChange)>)>),
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
}

/// Who asks for deliveries to be sent again, or not to be.
pub(super) const BY: &str = "Ann";

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
                        tx.subscription_state_put(*lane, change).await?;
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
        })
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
