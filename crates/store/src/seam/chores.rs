//! Chores: work that comes round and that one node does at a time, such as sweeping away files that nobody has.
//!
//! Whoever is told [`ChoreTurn::Ours`] holds the chore for a time, keeps it while it works, and ends it. One
//! that dies is succeeded when its time is over. What a chore changes in the database it changes in a unit that
//! begins with `chore_keep`: who has been succeeded then changes nothing.

use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;

use crate::{Store, StoreError, Write, WriteTx};

/// A chore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chore {
    /// What it is called, in the database and in the log.
    pub name: &'static str,
    /// How long after it was done it is done again.
    pub every: Duration,
    /// How long a node holds it without a word.
    pub lease: Duration,
}

/// The right to do a chore, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoreLease {
    pub(crate) chore: Chore,
    /// Goes up each time that somebody gets it, so that who got it before can be told from who has it.
    pub(crate) round: i64,
}

impl ChoreLease {
    /// Which chore.
    pub const fn chore(&self) -> Chore {
        self.chore
    }
}

/// What came of asking for a chore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoreTurn {
    /// It is this node's to do.
    Ours(ChoreLease),
    /// Another does it, or it was done not long ago; to be asked for again after so long.
    NotBefore(Duration),
}

/// Whether a chore is still this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoreHold {
    /// It is.
    Ours,
    /// Its time was over; another does it, or will.
    Lost,
}

/// Sharing out chores.
#[async_trait]
pub trait WriteChores: Send {
    /// Takes the chore, if its time has come and nobody has it.
    async fn chore_begin(&mut self, chore: Chore, now: Timestamp) -> Result<ChoreTurn, StoreError>;

    /// Holds it for another [`Chore::lease`], and keeps others from getting it until the commit.
    async fn chore_keep(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError>;

    /// It is done, or given up, until its time comes again.
    async fn chore_end(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError>;
}

impl ChoreHold {
    /// By how many rows a statement changed that only the holder's changes.
    pub(crate) fn of(changed: usize) -> Self {
        if changed == 0 { Self::Lost } else { Self::Ours }
    }
}

impl Chore {
    /// How long it is until somebody may get it who does not now.
    pub(crate) fn wait(
        self,
        held_until: Option<Timestamp>,
        done_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Duration {
        let due = done_at.map(|at| at.after(self.every));
        let free = held_until.max(due);
        free.map_or(Duration::ZERO, |free| free.since(now))
    }
}

impl Store {
    /// [`WriteChores::chore_begin`] in a unit of its own.
    pub async fn chore_begin(&self, chore: Chore, now: Timestamp) -> Result<ChoreTurn, StoreError> {
        self.write(Begin(chore, now)).await
    }

    /// [`WriteChores::chore_keep`] in a unit of its own.
    pub async fn chore_keep(
        &self,
        lease: ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        self.write(Keep(lease, now)).await
    }

    /// [`WriteChores::chore_end`] in a unit of its own.
    pub async fn chore_end(
        &self,
        lease: ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        self.write(End(lease, now)).await
    }
}

struct Begin(Chore, Timestamp);
struct Keep(ChoreLease, Timestamp);
struct End(ChoreLease, Timestamp);

impl Write for Begin {
    type Done = ChoreTurn;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<ChoreTurn, StoreError> {
        tx.chore_begin(self.0, self.1).await
    }
}

impl Write for Keep {
    type Done = ChoreHold;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<ChoreHold, StoreError> {
        tx.chore_keep(&self.0, self.1).await
    }
}

impl Write for End {
    type Done = ChoreHold;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<ChoreHold, StoreError> {
        tx.chore_end(&self.0, self.1).await
    }
}
