//! Sharing out chores: a row with a lease for each, by the database's clock.
//!
//! Not by an advisory lock of the session: behind a pooler a session is not ours for longer than a transaction,
//! a lock goes without a word when its connection breaks, and none tells when the chore was last done (adr 8).

use async_trait::async_trait;
use domain::Timestamp;

use super::{
    LeaseClock,
    tx::Change,
    values::{Cells as _, Moment},
};
use crate::{Chore, ChoreHold, ChoreLease, ChoreTurn, StoreError, WriteChores, sql};

#[async_trait]
impl WriteChores for Change<'_> {
    async fn chore_begin(&mut self, chore: Chore, now: Timestamp) -> Result<ChoreTurn, StoreError> {
        let now = self.chore_time(now).await?;
        let (until, done_before) = (now.after(chore.lease), now.before(chore.every));
        let (until, done_before) = (Moment(until), Moment(done_before));
        let got = self
            .first(
                sql::CHORE_BEGIN,
                &[&chore.name, &until, &Moment(now), &done_before],
                |row| row.cell(0),
            )
            .await?;
        if let Some(round) = got {
            return Ok(ChoreTurn::Ours(ChoreLease { chore, round }));
        }
        let wait = self
            .one(sql::CHORE_GET, &[&chore.name], |row| {
                Ok(chore.wait(row.time_opt(0)?, row.time_opt(1)?, now))
            })
            .await?;
        Ok(ChoreTurn::NotBefore(wait))
    }

    async fn chore_keep(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        let now = self.chore_time(now).await?;
        let until = Moment(now.after(lease.chore.lease));
        let changed = self
            .run(
                sql::CHORE_KEEP,
                &[&until, &lease.chore.name, &lease.round, &Moment(now)],
            )
            .await?;
        Ok(ChoreHold::of(usize::try_from(changed).unwrap_or(1)))
    }

    async fn chore_end(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        let now = self.chore_time(now).await?;
        let changed = self
            .run(
                sql::CHORE_END,
                &[&Moment(now), &lease.chore.name, &lease.round],
            )
            .await?;
        Ok(ChoreHold::of(usize::try_from(changed).unwrap_or(1)))
    }
}

impl Change<'_> {
    /// The present by the clock that leases lapse by, asked for: chores are few, and a node that sends nothing
    /// does not measure its clock.
    async fn chore_time(&mut self, now: Timestamp) -> Result<Timestamp, StoreError> {
        match self.core.lease_clock {
            LeaseClock::Own => Ok(now),
            LeaseClock::Database => {
                self.one("SELECT clock_timestamp()", &[], |row| row.time(0))
                    .await
            }
        }
    }
}
