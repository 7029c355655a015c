//! SQLite behind the seam: one file in the data folder, one thread that writes, a few that read.
//!
//! Opened by the binary, and by tests. A server holds the folder's lock; command-line tools work
//! beside it. What the statements are is in the file of each kind of data; how units of work share
//! a commit is in `writer`.

mod answers;
mod assignments;
mod bodies;
mod chains;
mod checklists;
mod checkpoint;
mod chores;
mod copying;
mod credentials;
mod deliveries;
mod destinations;
mod events;
mod fault;
mod feed;
mod health;
mod keeping;
mod marks;
mod migrations;
mod once;
mod open;
mod overview;
mod people;
mod queue;
mod readers;
mod replays;
mod secrets;
mod subscriptions;
mod syncer;
mod teams;
mod templates;
mod tx;
mod values;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use domain::Source;
use tokio::sync::oneshot;

use crate::{
    Backend, Lanes, MasterKey, Node, ReadJob, StatementCount, Store, StoreError, WriteJob,
};
use checkpoint::{Checkpoints, checkpoint_loop};
use open::{connection_open, open_lock, refused, wal_take_up, writer_open};
use queue::Queue;
use readers::{ReadLimits, read_loop};
use syncer::{Commits, wal_sync};
use tx::Core;
use wal::room_of;
use writer::Writer;

pub(crate) use copying::{CopySource, CopyTarget};
pub(crate) use migrations::schema;
pub use open::{DATABASE_FILE, OpenError};
pub(crate) use open::{folder_make, not_writable, refuse_leftover, server_lock};

/// How long reads may still run once the store stops.
const STOP_READS: Duration = Duration::from_secs(2);

/// How a SQLite store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The data folder; made if it is not there.
    pub folder: PathBuf,
    /// Whether this is the server, of which a folder has one. Tools work beside it.
    pub exclusive: bool,
    /// What secrets are encrypted with.
    pub key: MasterKey,
    /// Where time and randomness come from.
    pub source: Source,
    /// Bounds.
    pub limits: SqliteLimits,
    /// Counts the statements of units of work.
    pub statements: StatementCount,
}

impl SqliteOptions {
    /// Options for a server on `folder`.
    pub fn new(folder: impl Into<PathBuf>, key: MasterKey, source: Source) -> Self {
        Self {
            folder: folder.into(),
            exclusive: true,
            key,
            source,
            limits: SqliteLimits::default(),
            statements: StatementCount::default(),
        }
    }
}

/// The bounds of a SQLite store.
#[derive(Clone, Copy, Debug)]
pub struct SqliteLimits {
    /// Writes that may wait; more are told that the store is not available.
    pub writes_waiting_max: usize,
    /// Writes that share one commit.
    pub group_max: usize,
    /// How long a group takes in more writes before it commits.
    pub group_time: Duration,
    /// Threads that read.
    pub readers: usize,
    /// Reads that may wait.
    pub reads_waiting_max: usize,
    /// How long a read may take.
    pub read_time: Duration,
    /// How large the WAL may grow before writing waits for a checkpoint.
    pub wal_bytes_max: u64,
}

impl Default for SqliteLimits {
    fn default() -> Self {
        Self {
            writes_waiting_max: 4_096,
            group_max: 256,
            group_time: Duration::from_millis(20),
            readers: 4,
            reads_waiting_max: 1_024,
            read_time: Duration::from_secs(10),
            wal_bytes_max: 256 * 1024 * 1024,
        }
    }
}

/// Opens the database of a folder, or makes one.
pub fn open_sqlite(options: SqliteOptions) -> Result<Store, OpenError> {
    // No state of the process can be trusted to be on disk any more, so nothing tidies up.
    Ok(Store::new(open(options, || std::process::exit(1))?))
}

/// Opens it; `lost_sync` ends the process when the disk has failed to keep a write.
fn open(
    options: SqliteOptions,
    lost_sync: impl Fn() + Send + Sync + 'static,
) -> Result<Sqlite, OpenError> {
    let folder = options.folder.clone();
    folder_make(&folder)?;
    let lock = if options.exclusive {
        Some(server_lock(&folder)?)
    } else {
        None
    };
    let opening = open_lock(&folder)?;
    let conn = writer_open(&folder, &options.key, &options.source)?;
    if options.exclusive {
        wal_take_up(&conn, &folder)?;
    }
    let sqlite = Sqlite::start(options, conn, lock, Arc::new(lost_sync))?;
    drop(opening);
    Ok(sqlite)
}

/// What to do when the disk has failed to keep a write.
type LostSync = Arc<dyn Fn() + Send + Sync>;

/// The threads of one open database.
struct Sqlite {
    writes: Arc<Queue<Box<dyn WriteJob>>>,
    reads: Arc<Queue<Box<dyn ReadJob>>>,
    read_limits: Arc<ReadLimits>,
    checkpoints: Arc<Checkpoints>,
    lanes: Arc<RwLock<Option<Arc<dyn Lanes>>>>,
    threads: Mutex<Vec<Running>>,
    /// What to do when a thread panics: what it did for the others is done by nobody any more.
    died: LostSync,
}

/// A thread, and what tells a future that it has ended.
struct Running {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Sqlite {
    fn start(
        options: SqliteOptions,
        conn: rusqlite::Connection,
        lock: Option<File>,
        lost_sync: LostSync,
    ) -> Result<Self, OpenError> {
        let limits = options.limits;
        let folder = options.folder;
        let core = Arc::new(Core::new(options.source, options.key, options.statements));
        let this = Self {
            writes: Arc::new(Queue::new(limits.writes_waiting_max)),
            reads: Arc::new(Queue::new(limits.reads_waiting_max)),
            read_limits: Arc::new(ReadLimits::new(limits.read_time)),
            checkpoints: Arc::new(Checkpoints::default()),
            lanes: Arc::default(),
            threads: Mutex::default(),
            died: lost_sync.clone(),
        };
        // Held by all other threads, so that the writer, whose connection closes last and tidies the
        // WAL away, sees when they have ended.
        let (others, others_ended) = mpsc::channel();
        for number in 0..limits.readers.max(1) {
            let conn = this.open_beside(&folder, true)?;
            let (queue, limits, core) =
                (this.reads.clone(), this.read_limits.clone(), core.clone());
            let run = move || read_loop(conn, &queue, &limits, &core);
            this.spawn(format!("store-read-{number}"), others.clone(), run, &folder)?;
        }
        let checkpointer = this.open_beside(&folder, false)?;
        let (checkpoints, lost) = (this.checkpoints.clone(), lost_sync.clone());
        let run = move || checkpoint_loop(&checkpointer, &checkpoints, &lost);
        this.spawn("store-wal".to_owned(), others.clone(), run, &folder)?;
        let open = Commits::open(&core);
        let sync = wal_sync(&folder).map_err(|error| {
            this.close();
            not_writable(&folder, error)
        })?;
        let (syncer, queue, lost) = (core.clone(), this.writes.clone(), lost_sync.clone());
        let run = move || syncer.commits.serve(&sync, &lost, || queue.nudge());
        this.spawn("store-sync".to_owned(), others, run, &folder)?;
        let mut writer = Writer::new(conn, core, limits, lost_sync, room_of(&folder));
        let (queue, lanes) = (this.writes.clone(), this.lanes.clone());
        let checkpoints = this.checkpoints.clone();
        let run = move || {
            writer.serve(&queue, &lanes, &checkpoints);
            drop(open);
            // Answers an error once the last of the others has let go.
            let _ = others_ended.recv();
            drop(writer);
            drop(lock);
        };
        this.spawn("store-write".to_owned(), mpsc::channel().0, run, &folder)?;
        Ok(this)
    }

    fn open_beside(
        &self,
        folder: &Path,
        read_only: bool,
    ) -> Result<rusqlite::Connection, OpenError> {
        let conn = connection_open(folder, read_only);
        let path = folder.join(DATABASE_FILE);
        conn.inspect_err(|_| self.close())
            .map_err(|error| refused(&path, &error))
    }

    fn spawn(
        &self,
        name: String,
        alive: mpsc::Sender<()>,
        run: impl FnOnce() + Send + 'static,
        folder: &Path,
    ) -> Result<(), OpenError> {
        let (end, ended) = oneshot::channel();
        let (thread, died) = (name.clone(), self.died.clone());
        let run = move || {
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                tracing::error!(thread, "a thread of the store panicked; the server ends");
                died();
            }
            drop((alive, end));
        };
        let spawned = std::thread::Builder::new().name(name).spawn(run);
        let thread = spawned.map_err(|error| {
            self.close();
            OpenError::Failed {
                path: folder.to_owned(),
                message: error.to_string(),
            }
        })?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(Running { thread, ended });
        Ok(())
    }

    /// Takes nothing more; the threads end once they have served what waits.
    fn close(&self) {
        self.read_limits.stop_by(Instant::now() + STOP_READS);
        self.writes.close();
        self.reads.close();
        self.checkpoints.close();
    }
}

impl Backend for Sqlite {
    fn write(&self, job: Box<dyn WriteJob>) {
        if let Err(job) = self.writes.push(job) {
            job.finish(Err(StoreError::Unavailable(None)));
        }
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        if let Err(job) = self.reads.push(job) {
            job.finish(Err(StoreError::Unavailable(None)));
        }
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Some(lanes);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        // It is in this process.
        Box::pin(std::future::ready(true))
    }

    /// There are no others: the folder's lock is one server's.
    fn join(&self, _: Arc<dyn Node>) {}

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.close();
            let threads = {
                let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *threads)
            };
            for Running { thread, ended } in threads {
                // Dropped at the thread's end, so joining takes no time that could be noticed.
                let _ = ended.await;
                if thread.join().is_err() {
                    tracing::error!("a thread of the store panicked");
                }
            }
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}
