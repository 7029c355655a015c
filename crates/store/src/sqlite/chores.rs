//! Sharing out chores. The one server of a folder gets each whenever its time comes; what an earlier life held
//! is free when its time is over, as on PostgreSQL.

use async_trait::async_trait;
use domain::Timestamp;
use rusqlite::params;

use super::{tx::Change, values::Cells as _};
use crate::{Chore, ChoreHold, ChoreLease, ChoreTurn, StoreError, WriteChores, sql};

#[async_trait]
impl WriteChores for Change<'_> {
    async fn chore_begin(&mut self, chore: Chore, now: Timestamp) -> Result<ChoreTurn, StoreError> {
        let until = now.after(chore.lease).as_millis();
        let done_before = now.before(chore.every).as_millis();
        let asked = params![chore.name, until, now.as_millis(), done_before];
        let got = self.first(sql::CHORE_BEGIN, asked, |row| Ok(row.get(0)?))?;
        if let Some(round) = got {
            return Ok(ChoreTurn::Ours(ChoreLease { chore, round }));
        }
        let wait = self.one(sql::CHORE_GET, [chore.name], |row| {
            Ok(chore.wait(row.time_opt(0)?, row.time_opt(1)?, now))
        })?;
        Ok(ChoreTurn::NotBefore(wait))
    }

    async fn chore_keep(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        let until = now.after(lease.chore.lease).as_millis();
        let asked = params![until, lease.chore.name, lease.round, now.as_millis()];
        self.run(sql::CHORE_KEEP, asked).map(ChoreHold::of)
    }

    async fn chore_end(
        &mut self,
        lease: &ChoreLease,
        now: Timestamp,
    ) -> Result<ChoreHold, StoreError> {
        let asked = params![now.as_millis(), lease.chore.name, lease.round];
        self.run(sql::CHORE_END, asked).map(ChoreHold::of)
    }
}
