//! A transaction as the seam sees it: the ways to run a statement.
//!
//! Every statement passes here, so that errors are named, statements counted, and the loss of the
//! transaction seen, in one place each. A statement whose answer nobody waits for is sent and not
//! awaited; the next one that is awaited, or the commit, brings its result. So a unit takes as many round
//! trips as it has questions, not as it has statements.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use deadpool_postgres::ClientWrapper;
use futures_util::{FutureExt as _, future::BoxFuture, poll};
use tokio::time::timeout;
use tokio_postgres::{Error, Row, types::ToSql};

use super::{
    asking::Asked,
    core::Core,
    fault::{Fault, is_collision},
    hints::Fresh,
};
use crate::StoreError;

/// How long the server may take for one answer. Longer than it waits for a lock, of which it tells itself. A
/// server that is away for good is known by this alone where something between it and us keeps the connection up.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long an answer may take beyond the time that a statement of a read may.
const READ_GRACE: Duration = Duration::from_secs(2);

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
        let fault = match asked.and_then(|asked| Ok(asked?)) {
            Ok(asked) => return Ok(asked),
            Err(fault) => fault,
        };
        // What was sent before and failed has PostgreSQL refuse all that follows, and says why.
        self.arrive().await?;
        Err(self.lose(fault))
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
