//! What an operation asks of the store, with what there is when its turn comes.

use domain::{DeliveryId, DeliveryState, NodeId, StateCode, SubscriptionId, SubscriptionState};
use store::{
    LeasedDelivery, Node as _, ProbeTake, Rescue, Settlement, StandChange, StateChange, Take,
};

use super::{
    command::{BY, Command, Lessening, Of, What},
    course::{ALL, Course},
    end::End,
    operation::{Less, Operation, Pick},
    probing::{first_probe, settings},
    record::Standing,
};
use crate::{SeedOrder, TestLanes, world::settlement};

impl Course {
    /// What an operation asks of the store; none where there is nothing to ask for.
    pub(super) fn command(&self, operation: &Operation) -> Option<Command> {
        let now = self.world.now();
        Some(match operation {
            Operation::Happen(kind, list) => Command::Happen(self.event(*kind, *list)),
            Operation::Order(lane, ordered) => Command::Order(SeedOrder {
                team: self.scene.team,
                subscription: self.lanes[usize::from(*lane) % self.lanes.len()],
                ordered: *ordered,
            }),
            Operation::Take {
                lanes,
                limit,
                other,
            } => {
                let own = self.world.lanes.node();
                self.take(if *other { self.other } else { own }, *lanes, *limit)
            }
            Operation::Settle(picks) => {
                let picked = picks
                    .iter()
                    .filter_map(|(pick, end)| Some((self.pick(*pick)?, *end)));
                let ends: Vec<_> = picked.map(|(one, end)| self.attempt(one, end)).collect();
                Some(Command::Settle(ends)).filter(|_| !self.known.is_empty())?
            }
            Operation::GiveBack(picks) => {
                let picked = picks.iter().filter_map(|pick| self.pick(*pick));
                let leases = picked.map(|leased| leased.lease).collect();
                Command::GiveBack { leases, now }
            }
            Operation::Rescue => self.rescue(Rescue::Lapsed, ALL),
            Operation::Redeliver(pick) => self.redeliver(*picked(&self.ids, *pick)?),
            Operation::Cancel(pick) => Command::Cancel {
                team: self.scene.team,
                delivery: *picked(&self.ids, *pick)?,
            },
            Operation::Put(lane, state) => self.put(usize::from(*lane) % self.lanes.len(), *state),
            Operation::GiveUp(lane) => {
                let lane = self.lanes[usize::from(*lane) % self.lanes.len()];
                Command::GiveUp(lane, self.to(StateCode::PausedBySystem))
            }
            Operation::Probe(_) => self.probe(),
            Operation::Less(less, slice) => Command::Less(self.less(*less, *slice)?),
            Operation::Replay(choice, to) => self.job(*choice, *to),
            Operation::Step(job, _) => {
                Command::Step(picked(&self.jobs, *job)?.found.as_ref()?.step.clone())
            }
            Operation::PutJob(job, state) => self.put_job(picked(&self.jobs, *job)?, *state),
            _ => return None,
        })
    }

    pub(super) fn redeliver(&self, delivery: DeliveryId) -> Command {
        Command::Redeliver {
            team: self.scene.team,
            delivery,
            now: self.world.now(),
        }
    }

    pub(super) fn probe(&self) -> Command {
        let now = self.world.now();
        Command::Probe(ProbeTake {
            node: self.world.lanes.node(),
            now,
            until: now.after(TestLanes::LEASE),
            settings: settings(),
            limit: ALL,
        })
    }

    fn less(&self, less: Less, slice: u32) -> Option<Lessening> {
        let until = |event: u8| {
            let at = picked(&self.events, event)?.at;
            Some(Of::Before(at.after(std::time::Duration::from_millis(1))))
        };
        let bodies = |state| What::Bodies(Lessening::ending(state));
        let (of, what) = match less {
            Less::Bodies(event) => (until(event)?, bodies(DeliveryState::Expired)),
            Less::Log(event, which) => (until(event)?, What::Deliveries(which)),
            Less::Told(list) => {
                let list = self.scenes[list].list.head.id;
                (Of::List(list), bodies(DeliveryState::Cancelled))
            }
        };
        Some(Lessening {
            team: self.scene.team,
            of,
            what,
            slice,
        })
    }

    pub(super) fn take(&self, node: NodeId, lanes: u8, limit: u32) -> Command {
        let wanted = (0..)
            .zip(&self.lanes)
            .filter(|(bit, _)| lanes >> bit & 1 == 1);
        let take = |(_, lane): (u8, &SubscriptionId)| Take {
            subscription: *lane,
            limit,
        };
        let now = self.world.now();
        Command::Take {
            takes: wanted.map(take).collect(),
            node,
            now,
            until: now.after(TestLanes::LEASE),
        }
    }

    pub(super) fn rescue(&self, which: Rescue, limit: u32) -> Command {
        Command::Rescue {
            which,
            now: self.world.now(),
            attempts_max: self.model.schedule.attempts(),
            limit,
        }
    }

    pub(super) fn put(&self, lane: usize, state: SubscriptionState) -> Command {
        let change = StateChange {
            state,
            reason: format!("it was put to {state}"),
            by: BY.to_owned(),
            at: self.world.now(),
        };
        Command::Put(self.lanes[lane], change)
    }

    fn to(&self, code: StateCode) -> StandChange {
        let at = self.world.now();
        StandChange {
            code,
            reason: format!("it is {}", code.word()),
            by: BY.to_owned(),
            at,
            probe_at: (code == StateCode::PausedBySystem).then(|| first_probe(at)),
        }
    }

    /// An attempt that ends now.
    fn attempt(
        &self,
        leased: &LeasedDelivery,
        end: End,
    ) -> (Settlement, Option<(SubscriptionId, StandChange)>) {
        let now = self.world.now();
        // As the engine has it: nothing else is leased of one that is paused.
        let probe = leased.destination.state == SubscriptionState::Paused;
        let number = (leased.lease.attempt, probe);
        let (state, due_at) = end.comes_to(&self.model.schedule, number, now);
        let settlement = Settlement {
            due_at,
            ..settlement(leased, end.outcome(), state, now)
        };
        let lane = leased.destination.subscription;
        let change = end.makes_of_lane(probe).map(|code| (lane, self.to(code)));
        (settlement, change)
    }

    fn pick(&self, pick: Pick) -> Option<&LeasedDelivery> {
        let (number, fits): (u8, &dyn Fn(&LeasedDelivery) -> bool) = match pick {
            Pick::Any(number) => (number, &|_| true),
            Pick::Held(number) => (number, &|one| self.holds(one)),
            Pick::Lost(number) => (number, &|one| self.is_lost(one)),
        };
        let fitting: Vec<_> = self.known.iter().filter(|one| fits(one)).collect();
        picked(&fitting, number).copied()
    }

    /// Whether somebody has the delivery leased, and this is not the lease.
    fn is_lost(&self, leased: &LeasedDelivery) -> bool {
        let right = self.right(&leased.lease);
        let standing = right.map(|right| self.model.records[right.delivery].standing);
        matches!(standing, Some(Standing::Leased(_))) && !self.holds(leased)
    }

    fn holds(&self, leased: &LeasedDelivery) -> bool {
        self.right(&leased.lease)
            .is_some_and(|right| self.model.holds(right))
    }

    /// Of the deliveries that are held, one in three arrives, one fails each time, and one takes its server with
    /// it each time, so that its lease lapses. Whoever had one before says what came of it as well, too late.
    pub(super) fn last_attempts(&self) -> Command {
        let late = self.known.iter().filter(|one| self.is_lost(one));
        let late = late.map(|leased| self.attempt(leased, End::Delivered));
        let held = self.known.iter().filter(|one| self.holds(one));
        let ends = held.filter_map(|leased| {
            let right = self.right(&leased.lease)?;
            match right.delivery % 3 {
                0 => Some(self.attempt(leased, End::Delivered)),
                1 => Some(self.attempt(leased, End::TimedOut)),
                _ => None,
            }
        });
        Command::Settle(late.chain(ends).collect())
    }
}

pub(super) fn picked<T>(from: &[T], number: u8) -> Option<&T> {
    from.get(usize::from(number).checked_rem(from.len())?)
}
