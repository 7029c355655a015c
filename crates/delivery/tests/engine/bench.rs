//! What the engine's tests share: a store in a folder of its own, a clock that is moved by hand, and
//! a receiver that answers what it is told, when it is told.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use delivery::{DeliverySettings, Engine, Parts, Peers};
use domain::{
    AddressPolicy, Answer, ChecklistId, Clock, ControlKey, Delivery, DeliveryId, Entropy, Event,
    EventId, EventType, Resolver, Scope, SecretKind, SigningSecret, Source, StateCode,
    Subscription, SubscriptionId, SubscriptionSecret, SubscriptionState, TargetUrl, TaskKey,
    TeamId, TemplateKey, Timestamp,
};
use store::{
    DeliveryRecord, LeasedDelivery, MasterKey, NodeSettings, SqliteOptions, StandChange, Store,
    Take, open_sqlite,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{mpsc, oneshot},
    time,
};
use uuid::Uuid;

use crate::{
    units::{Audit, EndLeases, Get, Happen, Log, MakeTeam, Page, Pause, Subscribe, TakeAs},
    weather::Weather,
};

/// How long a test waits for what must come. Nothing waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Default)]
struct Count(AtomicU64);

impl Entropy for Count {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        bytes.fill(0);
        let start = bytes.len().saturating_sub(count.len());
        let part = bytes.len() - start;
        bytes[start..].copy_from_slice(&count[count.len() - part..]);
    }
}

struct NoNames;

impl Resolver for NoNames {
    fn resolve<'a>(&'a self, _: &'a str) -> Answer<'a> {
        Box::pin(async { Ok(Vec::<IpAddr>::new()) })
    }
}

/// A store with a team, and where its events go.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) source: Source,
    pub(crate) clock: TestClock,
    pub(crate) team: TeamId,
    /// What befalls the engine's writes.
    pub(crate) weather: Weather,
    folder: TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let clock = TestClock(Arc::new(AtomicI64::new(1_795_455_715_120)));
        let source = Source::new(clock.clone(), Count::default());
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), &source);
        let team = store.write(MakeTeam(source.now())).await.unwrap();
        Self {
            store,
            source,
            clock,
            team,
            weather: Weather::default(),
            folder,
        }
    }

    /// As after the end of the process: the store is opened again.
    pub(crate) async fn reopen(&mut self) {
        self.store.stop().await;
        self.store = open(self.folder.path(), &self.source);
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine_with(&DeliverySettings::default())
    }

    pub(crate) fn engine_with(&self, settings: &DeliverySettings) -> Engine {
        self.engine_of(&self.peers(), settings)
    }

    /// A node that is told of no others.
    pub(crate) fn peers(&self) -> Arc<Peers> {
        Peers::new(NodeSettings::default(), self.source.clone())
    }

    /// The engine of such a node.
    pub(crate) fn engine_of(&self, peers: &Arc<Peers>, settings: &DeliverySettings) -> Engine {
        let parts = Parts {
            store: self.weather.over(&self.store),
            source: self.source.clone(),
            peers: peers.clone(),
            settings,
            policy: AddressPolicy::new(&["127.0.0.0/8"]).unwrap(),
            resolver: Arc::new(NoNames),
        };
        Engine::start(parts).unwrap()
    }

    /// An engine that has ended what earlier lives left, and so hands over at once.
    pub(crate) async fn open_engine(&self) -> Engine {
        let engine = self.engine();
        until("the engine is open", async || engine.stats().is_open).await;
        engine
    }

    /// Subscribes to every task of the team.
    pub(crate) async fn subscribe(&self, target: &str) -> (SubscriptionId, SigningSecret) {
        self.subscribe_to(EventType::TaskCompleted, target).await
    }

    /// Subscribes to what of this type happens in the team.
    pub(crate) async fn subscribe_to(
        &self,
        event_type: EventType,
        target: &str,
    ) -> (SubscriptionId, SigningSecret) {
        let now = self.source.now();
        let subscription = Subscription {
            id: SubscriptionId::new(self.source.uuid()),
            team: self.team,
            source: "tests".to_owned(),
            event_type,
            scope: Scope::Team,
            target: TargetUrl::parse(target).unwrap(),
            state: SubscriptionState::Active,
            state_reason: "made".to_owned(),
            state_since: now,
            state_by: "Ann".to_owned(),
            created_at: now,
            settings: domain::SubscriptionSettings::default(),
        };
        let (id, secret) = (
            subscription.id,
            SubscriptionSecret::generate(SecretKind::Hmac, &self.source),
        );
        let unit = Subscribe {
            subscription,
            secrets: vec![secret.clone()],
        };
        self.store.write(unit).await.unwrap();
        (id, secret.secret)
    }

    /// Pauses a subscription, as the system or as a person.
    pub(crate) async fn pause(&self, id: SubscriptionId, by_system: bool) {
        let change = StandChange {
            code: if by_system {
                StateCode::PausedBySystem
            } else {
                StateCode::PausedByPerson
            },
            reason: "it is".to_owned(),
            by: "tests".to_owned(),
            at: self.source.now(),
            probe_at: by_system.then(|| self.source.now()),
        };
        assert!(self.store.write(Pause(id, change)).await.unwrap());
    }

    /// A task is completed.
    pub(crate) async fn happen(&self, body: &str) -> EventId {
        let event = self.event(body);
        let id = event.id;
        self.store.write(Happen(event)).await.unwrap();
        id
    }

    /// A task is completed, and the clock moves on before anything in memory gets to know of it.
    pub(crate) async fn happen_before(&self, pass: Duration) {
        let mut happening = Box::pin(self.store.write(Happen(self.event("{}"))));
        let polled = happening
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        // The one thread of the test waits here for the commit, so that no task of the engine runs.
        thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(self.until("it is stored", |all| !all.is_empty()));
            });
        });
        self.clock.advance(pass);
        happening.await.unwrap();
    }

    /// Whoever holds a lease loses it.
    pub(crate) async fn end_leases(&self) -> u32 {
        self.store
            .write(EndLeases(self.source.now()))
            .await
            .unwrap()
    }

    fn event(&self, body: &str) -> Event {
        Event {
            id: EventId::new(self.source.uuid()),
            team: self.team,
            kind: EventType::TaskCompleted,
            at: self.source.now(),
            checklist: ChecklistId::new(1),
            about: None,
            template: TemplateKey::new(Uuid::from_u128(1)),
            task: TaskKey::new(Uuid::from_u128(2)),
            control: ControlKey::ZERO,
            body: Bytes::from(body.to_owned()),
        }
    }

    /// Another node takes what is due, and is never heard of again.
    pub(crate) async fn take_and_vanish(
        &self,
        subscription: SubscriptionId,
    ) -> Vec<LeasedDelivery> {
        let take = Take {
            subscription,
            limit: 10,
        };
        let now = self.source.now();
        self.store.write(TakeAs { take, now }).await.unwrap()
    }

    /// Oldest first.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let mut found = self.store.read(Page(self.team)).await.unwrap();
        found.reverse();
        found
    }

    pub(crate) async fn log(&self, id: DeliveryId) -> DeliveryRecord {
        self.store.read(Log(self.team, id)).await.unwrap().unwrap()
    }

    pub(crate) async fn subscription(&self, id: SubscriptionId) -> Subscription {
        self.store.read(Get(self.team, id)).await.unwrap().unwrap()
    }

    /// What the audit log says was done, oldest first.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let mut lines = self.store.read(Audit(self.team)).await.unwrap();
        lines.reverse();
        lines
    }

    /// Several writers at once let tasks be completed, so many each.
    pub(crate) async fn happen_at_once(&self, writers: u32, each: u32) {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..writers {
            let store = self.store.clone();
            let events: Vec<Event> = (0..each).map(|_| self.event("{}")).collect();
            set.spawn(async move {
                for event in events {
                    store.write(Happen(event)).await.unwrap();
                }
            });
        }
        set.join_all().await;
    }

    /// Waits until the deliveries are as `are` wants them.
    pub(crate) async fn until(
        &self,
        what: &str,
        are: impl Fn(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        until(what, async || are(&self.deliveries().await)).await;
        self.deliveries().await
    }
}

fn open(folder: &Path, source: &Source) -> Store {
    let key = MasterKey::from_text(&format!("{}=", "A".repeat(43))).unwrap();
    open_sqlite(SqliteOptions::new(folder, key, source.clone())).unwrap()
}

/// Waits until `holds` does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        time::timeout(PATIENCE, waiting).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// A request that waits for its answer.
pub(crate) struct Asked {
    /// Head and body as they came.
    pub(crate) text: String,
    answer: oneshot::Sender<String>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self
            .text
            .lines()
            .find(|line| line.starts_with(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.text))
            .split_once(": ")
            .unwrap()
            .1
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    pub(crate) fn answer(self, status: &str) {
        self.answer_with(status, "");
    }

    /// `headers` are whole lines.
    pub(crate) fn answer_with(self, status: &str, headers: &str) {
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
        // The client may have given up, which is what some tests are about.
        let _ = self.answer.send(text);
    }
}

/// A receiver whose requests are answered by the test, one by one.
pub(crate) struct Receiver {
    pub(crate) url: String,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tell.clone()));
            }
        });
        Self { url, asked }
    }

    pub(crate) async fn asked(&mut self) -> Asked {
        let asked = time::timeout(PATIENCE, self.asked.recv()).await;
        asked.expect("waited in vain for a request").unwrap()
    }

    pub(crate) fn asked_already(&mut self) -> usize {
        std::iter::from_fn(|| self.asked.try_recv().ok()).count()
    }
}

/// Answers every request with 200, and counts them.
pub(crate) async fn willing_receiver() -> (String, Arc<AtomicU64>) {
    let mut receiver = Receiver::start().await;
    let (url, count) = (receiver.url.clone(), Arc::new(AtomicU64::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Some(asked) = receiver.asked.recv().await {
            counted.fetch_add(1, Ordering::SeqCst);
            asked.answer("200 OK");
        }
    });
    (url, count)
}

async fn serve(mut stream: TcpStream, tell: mpsc::UnboundedSender<Asked>) -> std::io::Result<()> {
    loop {
        let Some(text) = read_request(&mut stream).await? else {
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        let _ = tell.send(Asked { text, answer });
        let Ok(answer) = answered.await else {
            return Ok(());
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().parse::<usize>().unwrap() {
            return Ok(Some(text.into_owned()));
        }
    }
}
