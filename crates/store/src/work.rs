//! Units of work: how a use case runs inside one transaction of whichever backend there is.
//!
//! A [`Write`] is handed to the backend, which may put it into one commit with others and may run
//! it again when the database asks for that. So a unit only reads its own members, speaks to
//! nothing but the transaction, and gives its answer by returning it. The answer is let go when
//! the commit is on disk, refusals included: what was refused was decided on data that is durable.
//!
//! Whoever wants to see units on their way, or get between them and the database, is a [`Backend`]
//! with another one behind it ([`Store::behind`]).

use std::{future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use domain::ChecklistId;
use tokio::sync::oneshot;

use crate::{Lanes, Node, ReadTx, StoreError, WriteTx, slot::Slot};

/// What a unit of work is for, as far as those on its way care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a door was asked for: somebody waits to hear that it is done.
    Change,
    /// Storing what came of attempts.
    Settlement,
    /// A step of a redelivery job.
    Replay,
    /// Anything else.
    Other,
}

/// A unit of work that changes something.
pub trait Write: Send + Sync + 'static {
    /// What it is for.
    const PURPOSE: Purpose = Purpose::Other;
    /// What it answers.
    type Done: Send + 'static;
    /// What it answers when it refuses or the store fails; its changes are undone then.
    type Error: From<StoreError> + Send + 'static;

    /// The one checklist that it changes, if it changes an existing one. Units about the same one that wait for
    /// each other may share a commit.
    fn about(&self) -> Option<ChecklistId> {
        None
    }

    /// Does the work. Awaits nothing but `tx`; may be called more than once.
    fn run(
        &self,
        tx: &mut dyn WriteTx,
    ) -> impl Future<Output = Result<Self::Done, Self::Error>> + Send;
}

/// A unit of work that only reads.
pub trait Read: Send + Sync + 'static {
    /// What it answers.
    type Done: Send + 'static;
    /// What it answers when it refuses or the store fails.
    type Error: From<StoreError> + Send + 'static;

    /// Does the work, on one consistent view of the data.
    fn run(
        &self,
        tx: &mut dyn ReadTx,
    ) -> impl Future<Output = Result<Self::Done, Self::Error>> + Send;
}

/// What becomes of a participant's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are committed.
    Keep,
    /// They are undone; those of others in the same commit are not.
    Undo,
}

/// A [`Write`] without its types, as a backend sees it.
#[async_trait]
pub trait WriteJob: Send {
    /// What the unit is for.
    fn purpose(&self) -> Purpose;

    /// The one checklist that it changes, if it changes an existing one ([`Write::about`]).
    fn about(&self) -> Option<ChecklistId>;

    /// Runs the unit and keeps its answer.
    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict;

    /// Lets the answer go, now that the commit is on disk; or the reason why there is none: the
    /// commit failed, the unit panicked (and left no answer), or it was never run.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A [`Read`] without its types, as a backend sees it.
#[async_trait]
pub trait ReadJob: Send {
    /// Runs the unit and keeps its answer.
    async fn run(&mut self, tx: &mut dyn ReadTx);

    /// Lets the answer go, or the reason why there is none.
    fn finish(self: Box<Self>, done: Result<(), StoreError>);
}

/// What a database must do to stand behind a [`Store`].
pub trait Backend: Send + Sync + 'static {
    /// Runs `job` in a transaction and finishes it exactly once, whatever happens.
    fn write(&self, job: Box<dyn WriteJob>);

    /// Runs `job` on a consistent view and finishes it exactly once, whatever happens.
    fn read(&self, job: Box<dyn ReadJob>);

    /// From now on, deliveries that can be sent at once are handed to `lanes` after their commit.
    fn attach(&self, lanes: Arc<dyn Lanes>);

    /// Whether anything is heard of the database. Waits for no unit and nothing that units wait for, so that one which
    /// has much to do is not taken for one that is gone; says nothing of whether it takes writes.
    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;

    /// From now on, `node` is told of the others on this database and they of it, though it sends nothing.
    fn join(&self, node: Arc<dyn Node>);

    /// Finishes what was submitted, takes nothing more, and closes the database.
    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The database, whichever it is. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    /// What the first unit met that found the database away.
    trouble: Arc<Slot<String>>,
}

impl Store {
    /// A store on `backend`.
    pub fn new(backend: impl Backend) -> Self {
        Self {
            backend: Arc::new(backend),
            trouble: Arc::default(),
        }
    }

    /// This store behind a front: what is asked of the new one reaches this one as far as the front
    /// passes it on, which it does by the backend that it is made with.
    ///
    /// A front that wraps the jobs it passes on sees each unit after it has run and before its commit
    /// ([`WriteJob::run`]), and after its commit and before its answer ([`WriteJob::finish`]).
    #[must_use]
    pub fn behind<B: Backend>(self, front: impl FnOnce(Arc<dyn Backend>) -> B) -> Self {
        Self::new(front(self.backend))
    }

    /// Runs `unit` in one transaction; its answer is here when its commit is on disk.
    pub async fn write<U: Write>(&self, unit: U) -> Result<U::Done, U::Error> {
        let (reply, answer) = oneshot::channel();
        self.backend.write(Box::new(self.job(unit, reply)));
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(None).into()))
    }

    /// Runs `unit` on one consistent view of the data.
    pub async fn read<U: Read>(&self, unit: U) -> Result<U::Done, U::Error> {
        let (reply, answer) = oneshot::channel();
        let job = ReadOnly(self.job(unit, reply));
        self.backend.read(Box::new(job));
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(None).into()))
    }

    fn job<U, T, E>(&self, unit: U, reply: Reply<T, E>) -> Job<U, T, E> {
        Job {
            unit,
            answer: None,
            reply,
            trouble: self.trouble.clone(),
        }
    }

    /// Resolves once a unit has come back because the database was not available, also when that was
    /// before the call, and says why that was.
    pub async fn troubled(&self) -> String {
        self.trouble.taken().await
    }

    /// Whether anything is heard of the database: known in seconds, and of one that has much to do as well.
    pub async fn gives_sign(&self) -> bool {
        self.backend.gives_sign().await
    }

    /// From now on, deliveries that can be sent at once are handed to `lanes` after their commit.
    pub fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.backend.attach(lanes);
    }

    /// From now on, `node` is told of the others on this database and they of it, though it sends nothing. One
    /// that sends attaches its lanes instead.
    pub fn join(&self, node: Arc<dyn Node>) {
        self.backend.join(node);
    }

    /// Finishes what was submitted, takes nothing more, and closes the database.
    pub async fn stop(&self) {
        self.backend.stop().await;
    }
}

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

struct Job<U, T, E> {
    unit: U,
    answer: Option<Result<T, E>>,
    reply: Reply<T, E>,
    trouble: Arc<Slot<String>>,
}

impl<U, T, E: From<StoreError>> Job<U, T, E> {
    fn finish(self, committed: Result<(), StoreError>) {
        let answer = match committed {
            Ok(()) => self
                .answer
                .unwrap_or_else(|| Err(StoreError::Panicked.into())),
            Err(error) => {
                if error.is_away() {
                    self.trouble.put(|| error.with_sources());
                }
                Err(error.into())
            }
        };
        // Whoever asked may have gone away; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
}

#[async_trait]
impl<U: Write> WriteJob for Job<U, U::Done, U::Error> {
    fn purpose(&self) -> Purpose {
        U::PURPOSE
    }

    fn about(&self) -> Option<ChecklistId> {
        self.unit.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        self.answer = None;
        let answer = self.unit.run(tx).await;
        let verdict = if answer.is_ok() {
            Verdict::Keep
        } else {
            Verdict::Undo
        };
        self.answer = Some(answer);
        verdict
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        Job::finish(*self, committed);
    }
}

// A type of its own, because one that is both could be handed over as either.
struct ReadOnly<U, T, E>(Job<U, T, E>);

#[async_trait]
impl<U: Read> ReadJob for ReadOnly<U, U::Done, U::Error> {
    async fn run(&mut self, tx: &mut dyn ReadTx) {
        self.0.answer = None;
        self.0.answer = Some(self.0.unit.run(tx).await);
    }

    fn finish(self: Box<Self>, done: Result<(), StoreError>) {
        self.0.finish(done);
    }
}
