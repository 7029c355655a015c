//! Stores what came of attempts, many in one transaction.
//!
//! One batch is written at a time; what ends meanwhile makes up the next, so that batches grow with
//! the load and an idle engine settles each outcome at once. Nothing is given up because the store
//! fails: the batch is kept and tried again, and the lanes take nothing new until it is stored.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::{DeliveryId, TeamId};
use store::{Lease, Purpose, PutOff, Settled, Settlement, Store, StoreError, Write, WriteTx};
use tokio::{sync::mpsc, time};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, Chain, is_told, pause, warn_once},
    counters::Counters,
    lanes::{Gate, LaneTable},
    standing::{Judge, Standing},
};

/// Least time between two batches. Nobody waits for an outcome to be stored, while each batch is a
/// commit that the answers behind it wait for.
const GATHER_TIME: Duration = Duration::from_millis(5);

/// What has become of a lease.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(crate) enum Finished {
    /// Its attempt has ended.
    Attempt {
        /// Whose delivery it was.
        team: TeamId,
        settlement: Settlement,
        standing: Option<Standing>,
        /// Whether the body of its event may go, as far as its subscription is asked.
        drops_body: bool,
    },
    /// There was no attempt.
    PutOff(PutOff),
}

/// What goes into one transaction. Shared with the unit of work, because a failed one is tried again.
#[derive(Debug, Default)]
struct Batch {
    settlements: Vec<Settlement>,
    /// Whose they are, one after the other.
    teams: Vec<TeamId>,
    /// Changes of subscriptions, each with the place of its settlement.
    standings: Vec<(usize, Standing)>,
    put_off: Vec<PutOff>,
    /// Those settled here whose event's body may go.
    bodies: Vec<DeliveryId>,
}

impl Batch {
    fn of(finished: Vec<Finished>) -> Self {
        let mut batch = Self::default();
        for one in finished {
            match one {
                Finished::Attempt {
                    team,
                    settlement,
                    standing,
                    drops_body,
                } => {
                    batch.teams.push(team);
                    let body = drops_body.then_some(settlement.lease.delivery);
                    batch.bodies.extend(body);
                    let place = batch.settlements.len();
                    let standing = standing.map(|standing| (place, standing));
                    batch.standings.extend(standing);
                    batch.settlements.push(settlement);
                }
                Finished::PutOff(put_off) => batch.put_off.push(put_off),
            }
        }
        batch
    }

    fn leases(&self) -> impl Iterator<Item = Lease> {
        let settled = self.settlements.iter().map(|one| one.lease);
        settled.chain(self.put_off.iter().map(|one| one.lease))
    }

    /// Whether the log has this very attempt.
    async fn is_logged(&self, place: usize, tx: &mut dyn WriteTx) -> Result<bool, StoreError> {
        let (settlement, team) = (&self.settlements[place], self.teams[place]);
        let found = tx.delivery_get(team, settlement.lease.delivery).await?;
        let attempt = &settlement.attempt;
        // One that another has ended in its place is logged as unknown, with nothing of what was answered.
        Ok(found.is_some_and(|found| {
            found.attempts.iter().any(|one| {
                (one.number, one.outcome, one.duration_ms)
                    == (attempt.number, attempt.outcome, attempt.duration_ms)
            })
        }))
    }

    fn halves(&self) -> [Self; 2] {
        let middle = self.settlements.len() / 2;
        let (first_off, second_off) = self.put_off.split_at(self.put_off.len().div_ceil(2));
        let (first, second) = self.settlements.split_at(middle);
        let (first_teams, second_teams) = self.teams.split_at(middle);
        let standings = |second: bool| {
            let part = self
                .standings
                .iter()
                .filter(move |(place, _)| (*place >= middle) == second);
            let from = if second { middle } else { 0 };
            part.map(|(place, standing)| (place - from, standing.clone()))
                .collect()
        };
        let bodies = |of: &[Settlement]| {
            let is_of = |id: &&DeliveryId| of.iter().any(|one| one.lease.delivery == **id);
            self.bodies.iter().filter(is_of).copied().collect()
        };
        [
            Self {
                settlements: first.to_vec(),
                teams: first_teams.to_vec(),
                standings: standings(false),
                put_off: first_off.to_vec(),
                bodies: bodies(first),
            },
            Self {
                settlements: second.to_vec(),
                teams: second_teams.to_vec(),
                standings: standings(true),
                put_off: second_off.to_vec(),
                bodies: bodies(second),
            },
        ]
    }
}

/// The task that settles.
pub(crate) struct Settler {
    pub(crate) store: Store,
    pub(crate) lanes: Arc<LaneTable>,
    pub(crate) judge: Arc<Judge>,
    pub(crate) queue: mpsc::Receiver<Finished>,
    pub(crate) batch_max: usize,
    pub(crate) counters: Arc<Counters>,
    /// From then on no attempt ends any more.
    pub(crate) end: CancellationToken,
    /// From then on a batch that can't be stored is left to the rescue of the next start.
    pub(crate) give_up: CancellationToken,
}

impl Settler {
    /// Settles until the end, and then what is left.
    pub(crate) async fn run(mut self) {
        loop {
            let mut finished = Vec::new();
            let count = tokio::select! {
                biased;
                count = self.queue.recv_many(&mut finished, self.batch_max) => count,
                () = self.end.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            let begun = time::Instant::now();
            self.store_all(Arc::new(Batch::of(finished))).await;
            self.counters.unsettled.take_off(count);
            if count < self.batch_max {
                self.gather(begun + GATHER_TIME).await;
            }
        }
    }

    /// Lets outcomes come together until `until`.
    async fn gather(&self, until: time::Instant) {
        tokio::select! {
            () = time::sleep_until(until) => {}
            () = self.end.cancelled() => {}
        }
    }

    async fn store_all(&self, batch: Arc<Batch>) {
        let mut backoff = Backoff::default();
        let mut left = VecDeque::from([batch]);
        // Whether the front one may have been stored by a commit of which no answer came.
        let mut in_doubt = false;
        while let Some(batch) = left.pop_front() {
            match self
                .store
                .write(Settle {
                    batch: batch.clone(),
                    judge: self.judge.clone(),
                    in_doubt,
                })
                .await
            {
                Ok(answers) => {
                    backoff.reset();
                    self.stored(&batch, &answers);
                    in_doubt = false;
                }
                Err(error) if error.is_transient() => {
                    left.push_front(batch);
                    in_doubt = true;
                    if self.give_up.is_cancelled() {
                        self.leave(&left, &error);
                        break;
                    }
                    self.lanes.shut(Gate::Choked);
                    let again = is_told(&error) || backoff.goes_on();
                    let wait = backoff.next();
                    warn_once!(
                        again,
                        error = %Chain(&error), retry_in = ?wait,
                        "nothing new is sent: the outcomes of attempts can't be stored"
                    );
                    pause(&self.give_up, wait).await;
                }
                Err(error) => self.split(&batch, &error, &mut left),
            }
        }
        self.lanes.open_if_shut(Gate::Choked);
    }

    fn stored(&self, batch: &Batch, answers: &[Outcome]) {
        let mut late = 0;
        for (settlement, answer) in batch.settlements.iter().zip(answers) {
            if *answer == Outcome::Late {
                late += 1;
                tracing::debug!(
                    delivery.id = %settlement.lease.delivery,
                    attempt = settlement.lease.attempt,
                    "an outcome came after its lease"
                );
            }
        }
        self.counters.settled.add(answers.len() - late);
        if late > 0 {
            self.counters.lease_lost.add(late);
            let since_start = self.counters.lease_lost.get();
            tracing::warn!(
                count = late,
                since_start,
                "outcomes of attempts came after their leases and were refused: whoever has taken the \
                 deliveries over settles them"
            );
        }
        self.release_ended(batch);
        let due = batch.settlements.iter().filter_map(|one| one.due_at);
        if let Some(at) = due.chain(batch.put_off.iter().map(|one| one.due_at)).min() {
            self.lanes.expect(at);
        }
    }

    /// Something in the batch can't be stored, whatever is done. The halves are tried by
    /// themselves, so that it takes nobody else's outcome with it. Its delivery is not lost: its
    /// lease lapses, and the rescue goes on from there.
    fn split(&self, batch: &Batch, error: &StoreError, left: &mut VecDeque<Arc<Batch>>) {
        let leases: Vec<Lease> = batch.leases().take(2).collect();
        if let [lease] = leases[..] {
            self.counters.dropped.add(1);
            tracing::error!(
                delivery.id = %lease.delivery,
                attempt = lease.attempt,
                error = %Chain(error),
                "the outcome of an attempt can't be stored: it will count as unknown"
            );
            self.release_ended(batch);
            return;
        }
        let [first, second] = batch.halves();
        left.push_front(Arc::new(second));
        left.push_front(Arc::new(first));
    }

    fn leave(&self, left: &VecDeque<Arc<Batch>>, error: &StoreError) {
        let count: usize = left.iter().map(|batch| batch.leases().count()).sum();
        self.counters.dropped.add(count);
        tracing::error!(
            count, error = %Chain(error),
            "stopped with outcomes that could not be stored: they will count as unknown"
        );
    }

    fn release_ended(&self, batch: &Batch) {
        for (_, standing) in batch
            .standings
            .iter()
            .filter(|(_, standing)| standing.is_end())
        {
            self.lanes.end_settled(standing.subscription);
        }
    }
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Stored,
    /// Another took the delivery over, and settles it.
    Late,
}

struct Settle {
    batch: Arc<Batch>,
    judge: Arc<Judge>,
    /// Whether it may have been stored already, by a commit of which no answer came.
    in_doubt: bool,
}

impl Write for Settle {
    const PURPOSE: Purpose = Purpose::Settlement;

    type Done = Vec<Outcome>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Vec<Outcome>, StoreError> {
        let batch = &self.batch;
        let answers = tx.delivery_settle(&batch.settlements).await?;
        // In one order on all nodes, so that they do not wait for each other.
        let mut standings: Vec<_> = batch.standings.iter().collect();
        standings.sort_by_key(|(_, standing)| standing.subscription);
        for (place, standing) in standings {
            // An attempt that was not stored changes nothing else either.
            if answers.get(*place) == Some(&Settled::Stored) {
                standing.apply(tx, &self.judge).await?;
            }
        }
        if !batch.put_off.is_empty() {
            tx.delivery_put_off(&batch.put_off).await?;
        }
        if !batch.bodies.is_empty() {
            tx.event_body_drop(&batch.bodies).await?;
        }
        let mut outcomes = Vec::with_capacity(answers.len());
        for (place, answer) in answers.into_iter().enumerate() {
            let stored =
                answer == Settled::Stored || self.in_doubt && batch.is_logged(place, tx).await?;
            outcomes.push(if stored {
                Outcome::Stored
            } else {
                Outcome::Late
            });
        }
        Ok(outcomes)
    }
}
