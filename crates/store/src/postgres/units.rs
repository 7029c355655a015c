//! Running units of work: each in a transaction of its own, or several about one checklist in one.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use super::{
    Shared,
    groups::Unit,
    hints::Fresh,
    lent::Lent,
    tx::{Begin, Lost, Spoilt, Tx},
};
use crate::{ReadJob, StoreError, Verdict, WriteJob};

/// How often a unit is run at most, when others get in its way.
const RUNS_MAX: u32 = 5;

impl Shared {
    /// Runs `unit`, or leaves it to whoever runs the one before it about the same checklist.
    pub(super) async fn write(&self, unit: Unit) {
        let Some(list) = unit.job.about() else {
            return self.alone(unit).await;
        };
        let Some(mut turn) = self.groups.join(list, unit) else {
            return;
        };
        loop {
            let units = turn.next();
            match units.len() {
                0 => return,
                1 => self.one_by_one(units).await,
                _ => self.group(units).await,
            }
        }
    }

    /// Runs units in one transaction, or, where one of them can't share it, each in one of its own.
    async fn group(&self, mut units: Vec<Unit>) {
        let Some(told) = self.together(&mut units).await else {
            return self.one_by_one(units).await;
        };
        let told = told.map(|fresh| self.committed(&fresh));
        for unit in units {
            unit.finish(told.as_ref().copied().map_err(StoreError::share));
        }
    }

    async fn one_by_one(&self, units: Vec<Unit>) {
        for unit in units {
            self.alone(unit).await;
        }
    }

    async fn alone(&self, mut unit: Unit) {
        let changed = self.change(&mut *unit.job).await;
        unit.finish(changed.map(|fresh| self.committed(&fresh)));
    }

    pub(super) fn committed(&self, fresh: &[Fresh]) {
        if self.hints.committed(fresh) {
            self.nodes.tell();
        }
    }

    /// Runs units in one transaction. Answers nothing, and leaves nothing of them, where one is refused or fails:
    /// refusals are rare, and a savepoint for each unit would cost the others more than a second run.
    async fn together(&self, units: &mut [Unit]) -> Option<Result<Vec<Fresh>, StoreError>> {
        let conn = match Lent::of(&self.pool).await {
            Ok(conn) => conn,
            Err(error) => return Some(Err(error)),
        };
        let mut tx = Tx::begin(&conn, &self.core, Begin::Write).await;
        let mut keep = true;
        for unit in units {
            let verdict = AssertUnwindSafe(unit.job.run(&mut tx)).catch_unwind().await;
            keep = matches!(verdict, Ok(Verdict::Keep)) && !tx.is_lost();
            if !keep {
                break;
            }
        }
        let ended = tx.end(keep).await;
        conn.give_back(&ended);
        match ended {
            Ok(fresh) => keep.then_some(Ok(fresh)),
            // Each would find the same, one after the other, or can't know whether it is done.
            Err(lost) if lost.spoilt != Spoilt::No => Some(Err(lost.error)),
            Err(_) => None,
        }
    }

    /// Runs a unit until it is committed, refused or can't be.
    async fn change(&self, job: &mut dyn WriteJob) -> Result<Vec<Fresh>, StoreError> {
        let mut runs = 0;
        loop {
            runs += 1;
            let conn = Lent::of(&self.pool).await?;
            let mut tx = Tx::begin(&conn, &self.core, Begin::Write).await;
            let verdict = AssertUnwindSafe(job.run(&mut tx)).catch_unwind().await;
            let keep = matches!(verdict, Ok(Verdict::Keep));
            let ended = tx.end(keep).await;
            conn.give_back(&ended);
            match ended {
                Err(Lost { collision, .. }) if collision && runs < RUNS_MAX => {}
                Err(Lost { error, .. }) if verdict.is_ok() => return Err(error),
                _ if verdict.is_err() => return Err(StoreError::Panicked),
                Ok(fresh) if keep => return Ok(fresh),
                _ => return Ok(Vec::new()),
            }
        }
    }

    /// Runs a unit that only reads.
    pub(super) async fn read(&self, mut job: Box<dyn ReadJob>) {
        let done = self.look(&mut *job).await;
        job.finish(done);
    }

    async fn look(&self, job: &mut dyn ReadJob) -> Result<(), StoreError> {
        let conn = Lent::of(&self.pool).await?;
        let how = Begin::Read(&self.begin_read, self.read_time);
        let mut tx: Tx<'_, ()> = Tx::begin(&conn, &self.core, how).await;
        let read = AssertUnwindSafe(job.run(&mut tx)).catch_unwind().await;
        let ended = tx.end(true).await;
        conn.give_back(&ended);
        read.map_err(|_| StoreError::Panicked)?;
        ended.map(|_| ()).map_err(|lost| lost.error)
    }
}

impl Unit {
    fn finish(self, told: Result<(), StoreError>) {
        let Self { job, admitted } = self;
        job.finish(told);
        drop(admitted);
    }
}
