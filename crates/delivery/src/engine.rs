//! The engine as the binary sees it: started, asked how it stands, stopped.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{AddressPolicy, NodeId, Resolver, Source};
use store::{Node as _, Store};
use tokio::{sync::mpsc, task::JoinHandle, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    BadSetting, DeliverySettings, Peers,
    attempt::Attempter,
    chains::ChainKeeper,
    client::Client,
    counters::{Counters, EngineStats},
    lanes::{Gate, LaneTable},
    prober::Prober,
    rescue::Rescuer,
    sender::Sender,
    settler::Settler,
    standing::Judge,
    taker::Taker,
    tls::Tls,
};

/// How long the last outcomes may take to reach the disk, beyond the time that stopping was given.
const SETTLE_GRACE: Duration = Duration::from_secs(2);

/// How long the settler may take to drop what it can't store.
const GIVE_UP_GRACE: Duration = Duration::from_secs(1);

/// Turns deliveries into attempts, from [`Engine::start`] to [`Engine::stop`].
pub struct Engine {
    lanes: Arc<LaneTable>,
    attempter: Arc<Attempter>,
    counters: Arc<Counters>,
    signals: Signals,
    tasks: Mutex<Option<Tasks>>,
}

#[derive(Default)]
struct Signals {
    /// Begin nothing more.
    stop: CancellationToken,
    /// End the attempts that still run.
    cut: CancellationToken,
    /// Begin nothing, and give back what still comes.
    end_sending: CancellationToken,
    /// No attempt ends any more.
    end_settling: CancellationToken,
    /// Keep nothing that can't be stored.
    give_up: CancellationToken,
}

struct Tasks {
    taker: JoinHandle<()>,
    prober: JoinHandle<()>,
    sender: JoinHandle<()>,
    settler: JoinHandle<()>,
    attempts: TaskTracker,
}

impl Tasks {
    fn spawn(
        (taker, prober): (Taker, Prober),
        sender: Sender,
        settler: Settler,
        attempts: TaskTracker,
    ) -> Self {
        Self {
            taker: tokio::spawn(taker.run()),
            prober: tokio::spawn(prober.run()),
            sender: tokio::spawn(sender.run()),
            settler: tokio::spawn(settler.run()),
            attempts,
        }
    }

    fn are_running(&self) -> bool {
        ![&self.taker, &self.prober, &self.sender, &self.settler]
            .into_iter()
            .any(JoinHandle::is_finished)
    }
}

/// What an engine is made of.
pub struct Parts<'a> {
    /// Where deliveries are.
    pub store: Store,
    /// Where time and randomness come from.
    pub source: Source,
    /// The node that it sends for, and what is known of others.
    pub peers: Arc<Peers>,
    /// What an operator may set.
    pub settings: &'a DeliverySettings,
    /// Which addresses may be connected to.
    pub policy: AddressPolicy,
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
}

impl Engine {
    /// Attaches itself to the store, ends the leases of earlier lives, and then sends what is due.
    ///
    /// Runs on the tokio runtime that calls it. Nothing is sent before the leases of earlier lives
    /// are ended; [`EngineStats::is_open`] says when that is done.
    ///
    /// # Errors
    /// A setting is out of its bounds.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(parts: Parts<'_>) -> Result<Self, BadSetting> {
        let Parts {
            store,
            source,
            peers,
            settings,
            policy,
            resolver,
        } = parts;
        settings.check()?;
        let node = peers.id();
        let (lanes, handed) = LaneTable::new(peers.clone(), settings, source.clone());
        let counters = Arc::new(Counters::default());
        let signals = Signals::default();
        let (finished, queue) = mpsc::channel(count(settings.settle_queue_max));
        let judge = Judge::new(&settings.health, &source);
        let attempter = Arc::new(Attempter {
            client: Client::new(settings, policy, resolver, Tls::of_this_machine()),
            schedule: settings.schedule.clone(),
            judge: judge.clone(),
            source: source.clone(),
            lanes: lanes.clone(),
            peers,
            counters: counters.clone(),
            finished,
            cut: signals.cut.clone(),
        });
        store.attach(lanes.clone());
        let attempts = TaskTracker::new();
        let taker = Taker {
            store: store.clone(),
            source: source.clone(),
            lanes: lanes.clone(),
            rescuer: Rescuer::new(&store, &source, node, settings, &counters),
            chains: ChainKeeper::new(&store),
            scan_interval: settings.scan_interval,
            stop: signals.stop.clone(),
        };
        let prober = Prober::new(&store, &judge, &lanes, &signals.stop);
        let sender = Sender {
            store: store.clone(),
            source,
            lanes: lanes.clone(),
            attempter: attempter.clone(),
            attempts: attempts.clone(),
            handed,
            lease_left_min: settings.lease_left_min(),
            counters: counters.clone(),
            end: signals.end_sending.clone(),
        };
        let settler = Settler {
            store,
            lanes: lanes.clone(),
            judge,
            queue,
            batch_max: count(settings.settle_batch_max),
            counters: counters.clone(),
            end: signals.end_settling.clone(),
            give_up: signals.give_up.clone(),
        };
        let tasks = Tasks::spawn((taker, prober), sender, settler, attempts);
        Ok(Self {
            lanes,
            attempter,
            counters,
            signals,
            tasks: Mutex::new(Some(tasks)),
        })
    }

    /// Looks at the table now: something may have become due, or somebody else changed it.
    pub fn wake(&self) {
        self.lanes.look();
    }

    /// Judges new connections by `policy`. Open ones end, once a request that uses them is over.
    pub fn set_policy(&self, policy: AddressPolicy) {
        self.attempter.client.set_policy(policy);
    }

    /// What it calls itself in its leases.
    pub fn node(&self) -> NodeId {
        self.lanes.node()
    }

    /// How it stands.
    pub fn stats(&self) -> EngineStats {
        let lanes = self.lanes.figures();
        let counters = &self.counters;
        EngineStats {
            is_open: lanes.is_open && self.is_running(),
            in_flight: lanes.in_flight,
            lanes: lanes.lanes,
            lanes_waiting: lanes.waiting,
            lanes_closed: lanes.closed,
            unsettled: counters.unsettled.get(),
            delivered: counters.delivered.get(),
            failed: counters.failed.get(),
            settled: counters.settled.get(),
            lease_lost: counters.lease_lost.get(),
            dropped: counters.dropped.get(),
            given_back: counters.given_back.get(),
            rescued: counters.rescued.get(),
        }
    }

    /// Whether its tasks are alive; one that panicked makes the node unready.
    fn is_running(&self) -> bool {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.as_ref().is_some_and(Tasks::are_running)
    }

    /// Stops: begins nothing more, lets requests that run come to their end for as long as `within`,
    /// stores their outcomes, and gives back what was not begun, its attempt not counted.
    ///
    /// What still runs then is cut and stored as an attempt with outcome `unknown`, because it may
    /// have been received. That is what the rescue at the next start would write, only sooner and
    /// with what is known of the attempt. Two seconds more are given to the store for this; what it
    /// does not take by then is left to that rescue.
    ///
    /// Whatever brings events should be stopped before: what is handed over afterwards keeps its
    /// lease until the next start. A second call returns at once.
    pub async fn stop(&self, within: Duration) {
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(tasks) = tasks else { return };
        let deadline = time::Instant::now() + within;
        self.lanes.shut(Gate::Stopping);
        self.signals.stop.cancel();
        join("take", tasks.taker, deadline + SETTLE_GRACE).await;
        join("probe", tasks.prober, deadline + SETTLE_GRACE).await;
        tasks.attempts.close();
        let ran_out = time::timeout_at(deadline, tasks.attempts.wait())
            .await
            .is_err();
        if ran_out {
            tracing::warn!(
                count = tasks.attempts.len(),
                "requests are cut: stopping took too long"
            );
        }
        self.signals.end_sending.cancel();
        self.signals.cut.cancel();
        let last = deadline + SETTLE_GRACE;
        join("send", tasks.sender, last).await;
        // An attempt that waits for room among the outcomes gets it when the settler gives up.
        if time::timeout_at(last, tasks.attempts.wait()).await.is_err() {
            self.signals.give_up.cancel();
        }
        self.signals.end_settling.cancel();
        let mut settler = tasks.settler;
        if time::timeout_at(last, &mut settler).await.is_err() {
            self.signals.give_up.cancel();
            join("settle", settler, time::Instant::now() + GIVE_UP_GRACE).await;
        }
        tasks.attempts.wait().await;
        self.attempter.client.close().await;
    }
}

/// So that nothing runs on for ever when it was not stopped.
impl Drop for Engine {
    fn drop(&mut self) {
        let signals = &self.signals;
        for signal in [
            &signals.stop,
            &signals.cut,
            &signals.end_sending,
            &signals.end_settling,
            &signals.give_up,
        ] {
            signal.cancel();
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Waits for a task, and ends it when it takes too long.
async fn join(task: &'static str, mut handle: JoinHandle<()>, deadline: time::Instant) {
    let ended = if let Ok(ended) = time::timeout_at(deadline, &mut handle).await {
        ended
    } else {
        tracing::error!(task, "a task of the delivery engine did not stop in time");
        handle.abort();
        handle.await
    };
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(task, %error, "a task of the delivery engine had panicked");
    }
}

fn count(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}
