//! A transaction as the seam sees it: the ways to run a statement, and what they share.
//!
//! Every statement passes here, so that errors are named, statements counted, and the loss of the
//! transaction seen, in one place each. A statement whose answer nobody waits for is sent and not
//! awaited; the next one that is awaited, or the commit, brings its result. So a unit takes as many round
//! trips as it has questions, not as it has statements.

use std::{
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{ClientWrapper, Pool};
use domain::{ChecklistId, Source, SubscriptionId, Template, Timestamp, VersionId};
use futures_util::{FutureExt as _, future::BoxFuture, poll};
use tokio::time::timeout;
use tokio_postgres::{Error, Row, types::ToSql};
use uuid::Uuid;

use super::{
    LeaseClock,
    asking::{Asked, TEXTS_KEPT_MAX, Text},
    fault::{Fault, is_collision},
    hints::Fresh,
    values::Moment,
};
use crate::{
    Destination, MasterKey, PostgresOptions, StoreError, cache::Cache, statements::StatementCount,
};

/// Editions of templates kept in memory. Running checklists use few at a time.
const EDITIONS_KEPT_MAX: usize = 512;
/// Destinations kept in memory: all of a large team's.
const DESTINATIONS_KEPT_MAX: usize = 20_000;
/// Checklists of which it is kept in memory from which edition they were made.
const CHECKLISTS_KEPT_MAX: usize = 100_000;
/// Identifiers set aside for the deliveries of one event: more than a team may have subscriptions.
const DELIVERY_IDS: u128 = 1 << 20;

/// How long the server may take for one answer. Longer than it waits for a lock, of which it tells itself. A
/// server that is away for good is known by this alone where something between it and us keeps the connection up.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long an answer may take beyond the time that a statement of a read may.
const READ_GRACE: Duration = Duration::from_secs(2);

/// An answer that took longer says too little about the time.
const MEASURE_MILLIS_MAX: i64 = 1_000;

/// A parameter that the statement owns, for one that is sent and not awaited.
pub(super) type Owned = Box<dyn ToSql + Sync + Send>;

/// A statement with its parameters.
pub(super) type Asking<'q> = (&'q str, &'q [&'q (dyn ToSql + Sync)]);

/// Parameters that the statement owns.
macro_rules! owned {
    ($($param:expr),* $(,)?) => {
        vec![$(Box::new($param) as $crate::postgres::tx::Owned),*]
    };
}
pub(super) use owned;

/// What all transactions of one store share.
pub(super) struct Core {
    pub(super) source: Source,
    pub(super) key: MasterKey,
    pub(super) editions: Cache<VersionId, Template>,
    pub(super) versions: Cache<ChecklistId, VersionId>,
    pub(super) destinations: Cache<(SubscriptionId, i64), Destination>,
    /// For what is done beside units of work. Nobody who has a connection of it waits for another.
    pub(super) side: Pool,
    /// How a transaction begins that changes something.
    begin_write: String,
    /// By whose clock leases lapse.
    pub(super) lease_clock: LeaseClock,
    /// Whether connections may be another client's from one transaction to the next.
    pub(super) pooled: bool,
    pub(super) texts_known: Cache<String, Text>,
    statements: StatementCount,
    last_delivery: Mutex<u128>,
    /// Milliseconds that the database's clock is ahead of this node's.
    ahead: AtomicI64,
    /// Every text that was run, for the test that explains them.
    #[cfg(test)]
    pub(super) texts: Mutex<std::collections::BTreeSet<String>>,
}

impl Core {
    /// What a store opened with `options` shares; `side` is for what is done beside units of work.
    pub(super) fn new(options: &PostgresOptions, begin_write: String, side: Pool) -> Self {
        Self {
            source: options.source.clone(),
            key: options.key.clone(),
            editions: Cache::new(EDITIONS_KEPT_MAX),
            versions: Cache::new(CHECKLISTS_KEPT_MAX),
            destinations: Cache::new(DESTINATIONS_KEPT_MAX),
            side,
            begin_write,
            lease_clock: options.lease_clock,
            pooled: options.access.pooler,
            texts_known: Cache::new(TEXTS_KEPT_MAX),
            statements: options.statements.clone(),
            last_delivery: Mutex::new(0),
            ahead: AtomicI64::new(0),
            #[cfg(test)]
            texts: Mutex::default(),
        }
    }

    /// Sets [`DELIVERY_IDS`] identifiers aside, greater than all before, from `fresh` on or later; answers the
    /// first of them.
    pub(super) fn delivery_ids(&self, fresh: u128) -> u128 {
        let mut last = self.last();
        let first = fresh.max(last.saturating_add(1));
        *last = first.saturating_add(DELIVERY_IDS);
        first
    }

    /// A moment of this node's clock by the clock that leases lapse by.
    pub(super) fn lease_time(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis() + self.ahead.load(Ordering::Relaxed))
    }

    /// Has the identifiers of deliveries be greater than all that are there, should the clock have gone
    /// back since. Those of nodes that run at the same time are in the order of their clocks.
    pub(super) async fn begin_after_all(&self, conn: &ClientWrapper) -> Result<(), Error> {
        let sql = "SELECT id FROM delivery ORDER BY id DESC LIMIT 1";
        if let Some(row) = conn.query_typed_opt(sql, &[]).await? {
            let last = row.try_get::<_, Uuid>(0)?.as_u128();
            *self.last() = last;
        }
        Ok(())
    }

    fn last(&self) -> MutexGuard<'_, u128> {
        self.last_delivery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G> Tx<'_, G> {
    /// Measures how far the database's clock is ahead. Wrong by no more than half the time that the answer
    /// takes; a lease outlasts its request by much more than that.
    pub(super) async fn measure(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT clock_timestamp()";
        let sent = self.core.source.now();
        let there = self
            .one(sql, &[], |row| Ok(row.try_get::<_, Moment>(0)?.0))
            .await?;
        let back = self.core.source.now();
        let took = back.as_millis() - sent.as_millis();
        if (0..MEASURE_MILLIS_MAX).contains(&took) {
            let here = sent.as_millis() + took / 2;
            let ahead = there.as_millis() - here;
            self.core.ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A transaction. `M` is what may be done in it.
pub(super) struct Tx<'a, M> {
    conn: &'a ClientWrapper,
    pub(super) core: &'a Arc<Core>,
    /// What it has for the delivery engine, once it is committed.
    pub(super) fresh: Vec<Fresh>,
    /// Whether nothing can be changed in it.
    pub(super) reads_only: bool,
    /// How long the server may take for one answer.
    patience: Duration,
    sent: Vec<Sent<'a>>,
    lost: Option<Lost>,
    may: PhantomData<fn() -> M>,
}

/// A statement that is on its way, and what it will have for the delivery engine.
type Sent<'a> = BoxFuture<'a, Result<Vec<Fresh>, Fault>>;

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin<'a> {
    /// To change something.
    Write,
    /// To read on one view of the data, by this text, with statements that may take so long.
    Read(&'a str, Duration),
}

impl Begin<'_> {
    fn patience(self) -> Duration {
        match self {
            Self::Write => ANSWER_TIME,
            // The server says itself that a statement took too long.
            Self::Read(_, time) => time + READ_GRACE,
        }
    }
}

/// Why the transaction can't be committed any more.
pub(super) struct Lost {
    pub(super) error: StoreError,
    /// Whether the unit may be run again.
    pub(super) collision: bool,
    /// Whether the connection is of no use any more.
    pub(super) spoilt: Spoilt,
}

/// What an error says of the connection that it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// Nothing.
    No,
    /// It is of no use any more.
    This,
    /// Nor are those that were made before, to the same server.
    All,
}

/// In a transaction that runs a unit of work: it may change something.
pub(super) enum Changing {}

/// A transaction that changes something.
pub(super) type Change<'a> = Tx<'a, Changing>;

impl<'a, M> Tx<'a, M> {
    /// Begins a transaction; that it has begun is seen with the first answer.
    pub(super) async fn begin(
        conn: &'a ClientWrapper,
        core: &'a Arc<Core>,
        how: Begin<'a>,
    ) -> Self {
        let mut tx = Self {
            conn,
            core,
            fresh: Vec::new(),
            reads_only: matches!(how, Begin::Read(..)),
            patience: how.patience(),
            sent: Vec::new(),
            lost: None,
            may: PhantomData,
        };
        let text = match how {
            Begin::Write => &core.begin_write,
            Begin::Read(text, _) => text,
        };
        tx.say(text).await;
        tx
    }

    /// Whether it can't be committed any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Ends it: commits unless it is lost or not to be kept, and says why it is lost.
    pub(super) async fn end(mut self, keep: bool) -> Result<Vec<Fresh>, Lost> {
        let commits = keep && self.lost.is_none();
        if self.lost.is_none() && !keep {
            // What it sent and did not wait for is undone, whatever came of it.
            self.sent.clear();
        }
        if self
            .lost
            .as_ref()
            .is_none_or(|lost| lost.spoilt == Spoilt::No)
        {
            let how = if commits { "COMMIT" } else { "ROLLBACK" };
            self.say(how).await;
            // What goes wrong is in `lost`, which says more.
            let _ = self.arrive().await;
        }
        match self.lost {
            None => Ok(self.fresh),
            Some(lost) if commits && !self.reads_only => Err(lost.at_commit()),
            Some(lost) => Err(lost),
        }
    }

    /// Runs a statement and waits for how many rows it changed.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let asked = self.prepare(sql).await?;
        let conn = self.conn;
        self.awaited(asked.execute(conn, params)).await
    }

    /// Runs a statement whose answer nobody waits for. What goes wrong with it is said by what comes next.
    pub(super) async fn later(&mut self, sql: &str, params: Vec<Owned>) -> Result<(), StoreError> {
        let asked = self.prepare(sql).await?;
        let conn = self.conn;
        let running = async move {
            asked.execute_owned(conn, params).await?;
            Ok(Vec::new())
        };
        self.send(running.boxed()).await;
        Ok(())
    }

    /// Like [`Tx::later`], for a statement of which only the delivery engine wants the answer.
    pub(super) async fn later_fresh(
        &mut self,
        sql: &str,
        params: Vec<Owned>,
        read: impl Fn(&Row) -> Result<Option<Fresh>, Fault> + Send + 'a,
    ) -> Result<(), StoreError> {
        let asked = self.prepare(sql).await?;
        let conn = self.conn;
        let running = async move {
            let rows = asked.query_owned(conn, params).await?;
            rows.iter()
                .filter_map(|row| read(row).transpose())
                .collect()
        };
        self.send(running.boxed()).await;
        Ok(())
    }

    /// Like [`Tx::later`], for a statement that must change a row.
    pub(super) async fn later_one(
        &mut self,
        sql: &'static str,
        params: Vec<Owned>,
    ) -> Result<(), StoreError> {
        let asked = self.prepare(sql).await?;
        let conn = self.conn;
        let running = async move {
            match asked.execute_owned(conn, params).await? {
                0 => Err(StoreError::Failed("there is no such row to change".into()).into()),
                _ => Ok(Vec::new()),
            }
        };
        self.send(running.boxed()).await;
        Ok(())
    }

    /// The first row that a statement answers, if any.
    pub(super) async fn first<T>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        read: impl FnOnce(&Row) -> Result<T, Fault> + Send,
    ) -> Result<Option<T>, StoreError> {
        let rows = self.rows(sql, params).await?;
        rows.first().map(read).transpose().map_err(StoreError::from)
    }

    /// The row that a statement always answers.
    pub(super) async fn one<T>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        read: impl FnOnce(&Row) -> Result<T, Fault> + Send,
    ) -> Result<T, StoreError> {
        let found = self.first(sql, params, read).await?;
        found.ok_or_else(|| StoreError::Failed("a row that is always there was missing".into()))
    }

    /// All rows that a statement answers. Its text bounds them.
    pub(super) async fn all<T>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        read: impl FnMut(&Row) -> Result<T, Fault> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(sql, params).await?;
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(StoreError::from)
    }

    /// The rows that a statement answers.
    pub(super) async fn rows(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let asked = self.prepare(sql).await?;
        let conn = self.conn;
        self.awaited(asked.query(conn, params)).await
    }

    /// The rows that several statements answer, asked for at once.
    pub(super) async fn rows_of<const N: usize>(
        &mut self,
        asked: [Asking<'_>; N],
    ) -> Result<[Vec<Row>; N], StoreError> {
        let mut statements = Vec::with_capacity(N);
        for (sql, _) in &asked {
            statements.push(self.prepare(sql).await?);
        }
        let conn = self.conn;
        let running = statements
            .iter()
            .zip(asked)
            .map(|(statement, (_, params))| statement.query(conn, params));
        let rows = self
            .awaited(futures_util::future::try_join_all(running))
            .await?;
        rows.try_into()
            .map_err(|_| StoreError::Failed("an answer was missing".into()))
    }

    async fn prepare(&mut self, sql: &str) -> Result<Asked, StoreError> {
        if let Some(lost) = &self.lost {
            // PostgreSQL would refuse it, too, and say less.
            return Err(lost.error.share());
        }
        self.core.statements.count();
        #[cfg(test)]
        self.core.texts.lock().unwrap().insert(sql.to_owned());
        let asked = timeout(self.patience, Asked::new(self.conn, self.core, sql)).await;
        let asked = asked.map_err(|_| Fault::Silent(self.patience));
        let asked = asked.and_then(|asked| Ok(asked?));
        asked.map_err(|fault| self.lose(fault))
    }

    /// Sends the words that begin or end a transaction, without waiting for their answer.
    async fn say(&mut self, words: &'a str) {
        let conn = self.conn;
        let running = async move {
            conn.batch_execute(words).await?;
            Ok(Vec::new())
        };
        self.send(running.boxed()).await;
    }

    /// Sends `running` without waiting for its answer.
    async fn send(&mut self, mut running: Sent<'a>) {
        if let std::task::Poll::Ready(done) = poll!(&mut running) {
            match done {
                Ok(fresh) => self.fresh.extend(fresh),
                Err(error) => drop(self.lose(error)),
            }
        } else {
            self.sent.push(running);
        }
    }

    /// Waits for `running` and for all that was sent before.
    async fn awaited<T>(
        &mut self,
        running: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let sent = std::mem::take(&mut self.sent);
        let all = futures_util::future::join(futures_util::future::join_all(sent), running);
        let Ok((sent, done)) = timeout(self.patience, all).await else {
            return Err(self.lose(Fault::Silent(self.patience)));
        };
        for earlier in sent {
            let fresh = earlier.map_err(|error| self.lose(error))?;
            self.fresh.extend(fresh);
        }
        done.map_err(|error| self.lose(error.into()))
    }

    async fn arrive(&mut self) -> Result<(), StoreError> {
        self.awaited(async { Ok(()) }).await
    }

    // Any error makes PostgreSQL refuse all that follows, and answer a COMMIT with a rollback that is no
    // error. So it is remembered here, whatever the unit makes of it.
    fn lose(&mut self, fault: Fault) -> StoreError {
        let collision = matches!(&fault, Fault::Sql(error) if is_collision(error));
        let spoilt = fault.spoilt();
        let error = StoreError::from(fault);
        let shared = error.share();
        self.lost.get_or_insert(Lost {
            error,
            collision,
            spoilt,
        });
        shared
    }
}

impl Lost {
    /// The same for a transaction that was asked to commit: it may have, where the connection ended before its
    /// answer.
    fn at_commit(self) -> Self {
        let error = match self.error {
            StoreError::Unavailable(cause) if self.spoilt != Spoilt::No => {
                StoreError::Unsure(cause)
            }
            error => error,
        };
        Self { error, ..self }
    }
}
