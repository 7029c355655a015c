//! Past and waiting deliveries, written straight into a store while no server runs on it.
//!
//! Ten million deliveries through the API would take hours. They are written by the `store` crate
//! itself, by the same calls that the server makes, so the rows are those that it would have written;
//! only the requests in between are left out.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    Attempt, ChecklistId, Clock as _, ControlKey, DeliveryState, Event, EventId, EventType, NodeId,
    Outcome, Source, SubscriptionId, SubscriptionState, SystemClock, TaskKey, TeamId, TemplateKey,
    Timestamp,
};
use store::{
    Company, Lanes, LeasedDelivery, MasterKey, Node, Permit, Settlement, SqliteOptions,
    StateChange, Store, open_sqlite,
};
use testkit::{CountingEntropy, TestClock, writing};
use tokio::sync::mpsc;

use super::{body::Bodies, report::say, server::MASTER_KEY, stage::Stage};

/// Events of one commit.
const BATCH: usize = 500;
/// How far back the first event lies.
const PAST: Duration = Duration::from_hours(30 * 24);
/// How often the filling says how far it is, in events.
const SAID_EVERY: usize = 100_000;

/// What the events are about.
pub(crate) struct Subject {
    team: TeamId,
    template: TemplateKey,
    task: TaskKey,
}

impl Subject {
    /// The first task of the stage's template.
    pub(crate) fn of(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            team: TeamId::new(stage.team),
            template: stage.template.key.parse()?,
            task: stage.template.tasks[0].parse()?,
        })
    }

    /// A task of another template: of interest only to those who want to hear of the whole team.
    pub(crate) fn elsewhere(stage: &Stage) -> Self {
        Self {
            team: TeamId::new(stage.team),
            template: TemplateKey::ZERO,
            task: TaskKey::ZERO,
        }
    }
}

/// A store that is filled, and the time in it.
struct Filling {
    store: Store,
    source: Source,
    clock: TestClock,
    bodies: Bodies,
}

impl Filling {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let clock = TestClock::default();
        clock.set(SystemClock.now().before(PAST));
        let source = Source::new(clock.clone(), CountingEntropy::default());
        let options = SqliteOptions::new(folder, MasterKey::from_text(MASTER_KEY)?, source.clone());
        Ok(Self {
            store: open_sqlite(options)?,
            source,
            clock,
            bodies: Bodies::new()?,
        })
    }

    /// The next events, up to `to`; time passes meanwhile so that the last one is of the present.
    fn events(&self, subject: &Subject, from: usize, to: usize, all: usize) -> Arc<Vec<Event>> {
        let gap = PAST.as_millis() / all.max(1) as u128;
        let gap = Duration::from_millis(u64::try_from(gap).unwrap_or(0));
        let event = |number: usize| {
            let number = number as u64;
            Event {
                id: EventId::new(self.source.uuid()),
                team: subject.team,
                kind: EventType::TaskCompleted,
                at: self.clock.advance(gap),
                checklist: ChecklistId::new(i64::try_from(number / 10 + 1).unwrap_or(1)),
                about: None,
                template: subject.template,
                task: subject.task,
                control: ControlKey::ZERO,
                body: Bytes::from(self.bodies.of(number)),
            }
        };
        Arc::new((from..to).map(event).collect())
    }

    async fn append(&self, events: Arc<Vec<Event>>) -> anyhow::Result<()> {
        let unit = writing!([events] tx => {
            for event in events.iter() {
                tx.event_append(event).await?;
            }
            Ok::<_, store::StoreError>(())
        });
        Ok(self.store.write(unit).await?)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> anyhow::Result<()> {
        let settlements = Arc::new(settlements);
        let unit = writing!([settlements] tx => tx.delivery_settle(settlements).await);
        self.store.write(unit).await?;
        Ok(())
    }
}

/// Has `events` happen in the past, each delivered to so many subscriptions by its first attempt.
pub(crate) async fn delivered(
    folder: &Path,
    subject: &Subject,
    (events, subscriptions): (usize, usize),
) -> anyhow::Result<()> {
    let filling = Filling::open(folder)?;
    let (handed, mut coming) = mpsc::unbounded_channel();
    let lanes = Keep {
        node: NodeId::new(filling.source.uuid()),
        handed,
    };
    filling.store.attach(Arc::new(lanes));
    for from in (0..events).step_by(BATCH) {
        let to = events.min(from + BATCH);
        let batch = filling.events(subject, from, to, events);
        filling.append(batch).await?;
        let expected = (to - from) * subscriptions;
        let mut settlements = Vec::with_capacity(expected);
        while settlements.len() < expected {
            let Some(leased) = coming.recv().await else {
                anyhow::bail!("the store has let go of its lanes");
            };
            settlements.extend(leased.iter().map(|one| taken(one, filling.source.now())));
        }
        filling.settle(settlements).await?;
        if to.is_multiple_of(SAID_EVERY) {
            say("fill", &format!("{to} of {events} past events"));
        }
    }
    filling.store.stop().await;
    Ok(())
}

/// Pauses a subscription, then has `events` happen that wait for it.
pub(crate) async fn held(
    folder: &Path,
    subscription: &str,
    subject: &Subject,
    events: usize,
) -> anyhow::Result<()> {
    let filling = Filling::open(folder)?;
    let id: SubscriptionId = subscription.parse()?;
    let change = StateChange {
        state: SubscriptionState::Paused,
        reason: "for the benchmark".to_owned(),
        by: "bench".to_owned(),
        at: filling.source.now(),
    };
    let unit = writing!([id, change] tx => tx.subscription_state_put(*id, change).await);
    let paused = filling.store.write(unit).await;
    paused.map_err(|error: store::StoreError| error)?;
    for from in (0..events).step_by(BATCH) {
        let to = events.min(from + BATCH);
        let batch = filling.events(subject, from, to, events);
        filling.append(batch).await?;
        if to.is_multiple_of(SAID_EVERY) {
            say("fill", &format!("{to} of {events} held deliveries"));
        }
    }
    filling.store.stop().await;
    Ok(())
}

/// The receiver took it at once.
fn taken(leased: &LeasedDelivery, at: Timestamp) -> Settlement {
    let attempt = Attempt {
        number: 1,
        manual_by: None,
        replay: None,
        started_at: at,
        duration_ms: 3,
        outcome: Outcome::Delivered,
        status: Some(200),
        error: String::new(),
        target: leased.destination.target.as_str().to_owned(),
        signature: format!("v1,{MASTER_KEY}"),
        response_headers: "content-length: 0\n".to_owned(),
        response_body: Bytes::new(),
        response_truncated: false,
    };
    Settlement {
        lease: leased.lease,
        attempt,
        state: DeliveryState::Delivered,
        reason: String::new(),
        due_at: None,
    }
}

/// Lanes with room for everything, that pass on what they are handed.
struct Keep {
    node: NodeId,
    handed: mpsc::UnboundedSender<Vec<LeasedDelivery>>,
}

impl Node for Keep {
    fn node(&self) -> NodeId {
        self.node
    }

    fn saw(&self, _: &Company) {}
}

impl Lanes for Keep {
    fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.after(Duration::from_mins(1))
    }

    fn reserve(&self, _: SubscriptionId, _: Option<u32>) -> bool {
        true
    }

    fn release(&self, _: SubscriptionId) {}

    fn backlog(&self, _: SubscriptionId) {}

    fn resumed(&self, _: SubscriptionId) {}

    fn hand_over(&self, deliveries: Vec<(LeasedDelivery, Permit)>) {
        let leased = deliveries.into_iter().map(|(leased, _)| leased).collect();
        // Nobody waits for it once the filling has failed.
        let _ = self.handed.send(leased);
    }

    fn wake(&self) {}
}
