//! PostgreSQL behind the seam: a pool of connections, and as many nodes on one database as are wanted.
//!
//! Opened by the binary, and by tests. What the statements are is in the file of each kind of data, side by
//! side with the twin for SQLite; how what is committed reaches the delivery engine is in `hints`.

mod address;
mod answers;
mod asking;
mod assignments;
mod bodies;
mod chains;
mod checklists;
mod chores;
mod copying;
mod core;
mod credentials;
mod deliveries;
mod destinations;
mod events;
mod fault;
mod feed;
mod groups;
mod health;
mod hints;
mod hosts;
mod keeping;
mod keys;
mod lent;
mod marks;
mod migrations;
mod nodes;
mod open;
mod overview;
mod people;
mod promises;
mod refusal;
mod replays;
mod secrets;
mod sign;
mod subscriptions;
mod teams;
mod templates;
mod tls;
mod tx;
mod units;
mod values;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_postgres::Pool;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, JoinSet},
};
use tokio_util::task::TaskTracker;

use self::core::Core;
use crate::{Backend, Lanes, Node, ReadJob, StoreError, WriteJob};
pub use address::database_without_password;
pub(crate) use address::shown;
pub(crate) use copying::{CopySource, CopyTarget};
use groups::{Groups, Unit};
use hints::{Hints, hint_loop};
use hosts::Hosts;
pub(crate) use keys::key_in;
pub(crate) use migrations::schema;
use nodes::Nodes;
pub(crate) use open::open_holding;
pub use open::{LeaseClock, PostgresAccess, PostgresLimits, PostgresOptions, open_postgres};
pub use refusal::PostgresError;
use sign::Sign;

/// A transaction that reads, on one view of the data. A statement in it may take so many milliseconds.
fn begin_read(time: Duration) -> String {
    let millis = time.as_millis().max(1);
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {millis};
        SET LOCAL idle_in_transaction_session_timeout = '30s'"
    )
}

/// What all tasks of one open database share.
struct Shared {
    core: Arc<Core>,
    /// For units of work.
    pool: Pool,
    hints: Hints,
    groups: Groups,
    nodes: Nodes,
    hosts: Hosts,
    begin_read: String,
    read_time: Duration,
}

/// An open database.
struct Postgres {
    shared: Arc<Shared>,
    runtime: Handle,
    units: TaskTracker,
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// None behind a pooler, which has a client wait for its turn, and so says nothing of the server by its silence.
    sign: Option<Sign>,
    hinting: Mutex<Option<JoinHandle<()>>>,
    /// What goes on for as long as the store is open.
    tasks: Mutex<JoinSet<()>>,
    lock: Mutex<Option<File>>,
}

impl Postgres {
    /// Starts working on `pool`, on the present runtime.
    fn start(
        core: Arc<Core>,
        pool: Pool,
        hosts: Hosts,
        limits: PostgresLimits,
        lock: Option<File>,
    ) -> Self {
        let (hints, received) = Hints::new();
        let sign = (!core.pooled).then(|| Sign::new(hosts.clone(), limits.connect_time));
        let shared = Arc::new(Shared {
            core,
            pool,
            hints,
            groups: Groups::default(),
            nodes: Nodes::default(),
            hosts,
            begin_read: begin_read(limits.read_time),
            read_time: limits.read_time,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(nodes::tell(shared.clone()));
        let hinting = tokio::spawn(hint_loop(shared.clone(), received));
        Self {
            shared,
            runtime: Handle::current(),
            units: TaskTracker::new(),
            writes: Arc::new(Semaphore::new(limits.writes_waiting_max)),
            reads: Arc::new(Semaphore::new(limits.reads_waiting_max)),
            sign,
            hinting: Mutex::new(Some(hinting)),
            tasks: Mutex::new(tasks),
            lock: Mutex::new(lock),
        }
    }
}

impl Backend for Postgres {
    fn write(&self, job: Box<dyn WriteJob>) {
        let Some(admitted) = admit(&self.writes) else {
            return job.finish(Err(StoreError::Unavailable(None)));
        };
        let shared = self.shared.clone();
        let unit = Unit { job, admitted };
        let run = async move { shared.write(unit).await };
        self.units.spawn_on(run, &self.runtime);
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        let Some(admitted) = admit(&self.reads) else {
            return job.finish(Err(StoreError::Unavailable(None)));
        };
        let shared = self.shared.clone();
        let run = async move {
            shared.read(job).await;
            drop(admitted);
        };
        self.units.spawn_on(run, &self.runtime);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        let _runtime = self.runtime.enter();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        nodes::join(&self.shared, lanes.clone(), true, &mut tasks);
        nodes::attach(&self.shared, &lanes, &mut tasks);
        self.shared.hints.attach(lanes);
    }

    fn join(&self, node: Arc<dyn Node>) {
        let _runtime = self.runtime.enter();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        nodes::join(&self.shared, node, false, &mut tasks);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            match &self.sign {
                Some(sign) => sign.is_given().await,
                None => true,
            }
        })
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.writes.close();
            self.reads.close();
            self.units.close();
            self.units.wait().await;
            self.shared.hints.close();
            let hinting = {
                let mut hinting = self.hinting.lock().unwrap_or_else(PoisonError::into_inner);
                hinting.take()
            };
            if let Some(hinting) = hinting
                && hinting.await.is_err()
            {
                tracing::error!("the task that leases what was committed panicked");
            }
            let tasks = {
                let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *tasks)
            };
            self.shared.nodes.close(tasks).await;
            drop(self.shared.hints.detach());
            if let Err(error) = nodes::leave(&self.shared).await {
                tracing::debug!(%error, "the other nodes could not be told of the end of this one");
            }
            if let Some(sign) = &self.sign {
                sign.end().await;
            }
            self.shared.pool.close();
            self.shared.core.side.close();
            let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            drop(lock.take());
        })
    }
}

/// The right to run one more unit, unless there are too many or the store stops.
fn admit(to: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    to.clone().try_acquire_owned().ok()
}
