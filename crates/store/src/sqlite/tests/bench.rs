//! A writer on the test's own thread, the units it is given, and an engine that remembers.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, RwLock},
    thread,
};

use async_trait::async_trait;
use domain::{NodeId, SubscriptionId, Timestamp};
use uuid::Uuid;

use super::super::{
    LostSync, SqliteLimits,
    checkpoint::Checkpoints,
    open::writer_open,
    queue::Queue,
    syncer::{Commits, wal_sync},
    tx::Core,
    writer::Writer,
};
use crate::{
    Company, Lanes, LeasedDelivery, MasterKey, Node, Permit, Purpose, StatementCount, StoreError,
    Verdict, WriteJob, WriteTx,
    testing::{Still, source_of, things::START},
};

pub(in crate::sqlite) use crate::testing::things::{TEAM, at, event, secrets, subscription};

/// What a unit was told in the end, and how many teams another connection saw at that moment.
pub(in crate::sqlite) type Told = (&'static str, Result<(), String>, i64);

type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;
pub(in crate::sqlite) type Work = Box<dyn for<'a> Fn(&'a mut dyn WriteTx) -> Running<'a> + Send>;

/// Has the compiler see a closure as the work of a unit.
pub(in crate::sqlite) fn work(
    work: impl for<'a> Fn(&'a mut dyn WriteTx) -> Running<'a> + Send + 'static,
) -> Work {
    Box::new(work)
}

/// A unit that tells what it was told.
pub(in crate::sqlite) struct TellTale {
    name: &'static str,
    work: Work,
    look: rusqlite::Connection,
    told: Arc<Mutex<Vec<Told>>>,
}

#[async_trait]
impl WriteJob for TellTale {
    fn about(&self) -> Option<domain::ChecklistId> {
        None
    }

    fn purpose(&self) -> Purpose {
        Purpose::Other
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        (self.work)(tx).await
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let teams = self
            .look
            .query_row("SELECT count(*) FROM team", (), |row| row.get(0));
        let committed = committed.map_err(|error| error.to_string());
        self.told
            .lock()
            .unwrap()
            .push((self.name, committed, teams.unwrap()));
    }
}

/// A fresh database and its writer.
pub(in crate::sqlite) struct Bench {
    pub(in crate::sqlite) folder: tempfile::TempDir,
    pub(in crate::sqlite) core: Arc<Core>,
    pub(in crate::sqlite) writer: Writer,
    pub(in crate::sqlite) engine: Arc<Engine>,
    /// What brings a commit to the disk.
    pub(in crate::sqlite) sync: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
    pub(in crate::sqlite) told: Arc<Mutex<Vec<Told>>>,
    lost_sync: LostSync,
}

impl Bench {
    pub(in crate::sqlite) fn new() -> Self {
        Self::with(
            SqliteLimits::default(),
            Arc::new(|| panic!("no sync was lost")),
        )
    }

    pub(in crate::sqlite) fn with(limits: SqliteLimits, lost_sync: LostSync) -> Self {
        // A test says itself what shares a commit, however slow its machine is.
        let limits = SqliteLimits {
            group_time: std::time::Duration::from_hours(1),
            ..limits
        };
        let folder = tempfile::tempdir().unwrap();
        let source = source_of(&Still::at(START));
        let key = MasterKey::load_or_create(folder.path(), &source).unwrap();
        let conn = writer_open(folder.path(), &key, &source).unwrap();
        let core = Arc::new(Core::new(source, key, StatementCount::default()));
        let sync = Box::new(wal_sync(folder.path()).unwrap());
        let writer = Writer::new(
            conn,
            core.clone(),
            limits,
            lost_sync.clone(),
            Box::new(|| None),
        );
        let engine = Arc::new(Engine::default());
        Self {
            folder,
            core,
            writer,
            engine,
            sync,
            told: Arc::default(),
            lost_sync,
        }
    }

    /// Another connection, as another process has it.
    pub(in crate::sqlite) fn look(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join(crate::sqlite::DATABASE_FILE)).unwrap()
    }

    /// Runs units that have queued up, and answers what they were told, in the order of it.
    pub(in crate::sqlite) fn run(&mut self, units: Vec<(&'static str, Work)>) -> Vec<Told> {
        let queue: Queue<Box<dyn WriteJob>> = Queue::new(units.len());
        for (name, work) in units {
            let (look, told) = (self.look(), self.told.clone());
            let job = Box::new(TellTale {
                name,
                work,
                look,
                told,
            });
            assert!(queue.push(job).is_ok());
        }
        queue.close();
        let lanes: Arc<dyn Lanes> = self.engine.clone();
        let open = Commits::open(&self.core);
        let (commits, writer) = (&self.core.commits, &mut self.writer);
        let (sync, lost, nudge) = (&*self.sync, &self.lost_sync, || queue.nudge());
        thread::scope(|scope| {
            scope.spawn(|| commits.serve(sync, lost, nudge));
            writer.serve(&queue, &RwLock::new(Some(lanes)), &Checkpoints::default());
            drop(open);
        });
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// Runs one unit that must be kept.
    pub(in crate::sqlite) fn keep(&mut self, work: Work) {
        let told = self.run(vec![("keep", work)]);
        assert_eq!(told[0].1, Ok(()), "the unit was not kept");
    }

    /// How many rows a table has.
    pub(in crate::sqlite) fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.look().query_row(&sql, (), |row| row.get(0)).unwrap()
    }
}

/// An engine that gives `free` permits per subscription and remembers what it was told.
#[derive(Default)]
pub(in crate::sqlite) struct Engine {
    pub(in crate::sqlite) free: Mutex<u32>,
    pub(in crate::sqlite) calls: Mutex<Vec<String>>,
    pub(in crate::sqlite) kept: Mutex<Vec<(LeasedDelivery, Permit)>>,
}

pub(in crate::sqlite) const NODE: NodeId = NodeId::new(Uuid::from_u128(77));

impl Node for Engine {
    fn node(&self) -> NodeId {
        NODE
    }

    fn saw(&self, _: &Company) {}
}

impl Lanes for Engine {
    fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.after(std::time::Duration::from_secs(30))
    }

    fn reserve(&self, _: SubscriptionId, _: Option<u32>) -> bool {
        let mut free = self.free.lock().unwrap();
        let had = *free > 0;
        *free = free.saturating_sub(1);
        had
    }

    fn release(&self, _: SubscriptionId) {
        *self.free.lock().unwrap() += 1;
    }

    fn backlog(&self, _: SubscriptionId) {
        self.calls.lock().unwrap().push("backlog".to_owned());
    }

    fn resumed(&self, _: SubscriptionId) {
        self.calls.lock().unwrap().push("backlog".to_owned());
    }

    fn hand_over(&self, deliveries: Vec<(LeasedDelivery, Permit)>) {
        let sequences: Vec<i64> = deliveries
            .iter()
            .map(|(leased, _)| leased.sequence)
            .collect();
        self.calls
            .lock()
            .unwrap()
            .push(format!("hand over {sequences:?}"));
        self.kept.lock().unwrap().extend(deliveries);
    }

    fn wake(&self) {
        self.calls.lock().unwrap().push("wake".to_owned());
    }
}

/// A team, and a subscription to one of its tasks.
pub(in crate::sqlite) fn scene() -> Work {
    work(|tx| {
        Box::pin(async move {
            crate::testing::things::scene(tx).await;
            Verdict::Keep
        })
    })
}
