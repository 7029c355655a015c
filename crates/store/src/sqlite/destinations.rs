//! The destinations that the engine needs of subscriptions, each read once for each of its revisions.

use std::sync::Arc;

use domain::{SecretId, SubscriptionId, TeamId};
use rusqlite::Row;

use super::{
    fault::Fault,
    secrets::KIND,
    subscriptions::{STATE, health, settings},
    tx::Tx,
    values::Cells as _,
};
use crate::{
    Destination, StoreError,
    destinations::{DestinationRow, SealedSecret, destination, signing},
    sql,
};

impl<G> Tx<'_, G> {
    /// Where deliveries of a subscription at this revision go, its secrets decrypted.
    pub(super) fn destination(
        &self,
        id: SubscriptionId,
        revision: i64,
    ) -> Result<Arc<Destination>, StoreError> {
        if let Some(destination) = self.core.destinations.get(&(id, revision)) {
            return Ok(destination);
        }
        let made = Arc::new(self.destination_now(id)?);
        let destinations = &self.core.destinations;
        destinations.put((id, made.revision), made.clone());
        Ok(made)
    }

    /// The same, whatever was read of it before.
    pub(super) fn destination_now(&self, id: SubscriptionId) -> Result<Destination, StoreError> {
        destination(id, self.destination_rows(id)?, &self.core.key)
    }

    /// What signs the deliveries of a subscription, also of one whose credentials can't be read.
    pub(super) fn signing(
        &self,
        id: SubscriptionId,
        revision: i64,
    ) -> Result<Arc<Destination>, StoreError> {
        match self.destination(id, revision) {
            Err(StoreError::Corrupt { .. }) => {
                let (made, _) = signing(id, self.destination_rows(id)?, &self.core.key)?;
                Ok(Arc::new(made))
            }
            found => found,
        }
    }

    fn destination_rows(&self, id: SubscriptionId) -> Result<Vec<DestinationRow>, StoreError> {
        self.all(sql::DESTINATION, [id.uuid()], |row| joined(row, id))
    }
}

fn joined(row: &Row<'_>, id: SubscriptionId) -> Result<DestinationRow, Fault> {
    Ok(DestinationRow {
        target: row.get(0)?,
        team: TeamId::new(row.get(1)?),
        state: row.word(2, STATE)?,
        revision: row.get(3)?,
        settings: settings(row, 4, id)?,
        health: health(row, 7)?,
        credentials: row.get(16)?,
        secret: sealed(row)?,
    })
}

fn sealed(row: &Row<'_>) -> Result<Option<SealedSecret>, Fault> {
    let Some(id) = row.get(11)? else {
        return Ok(None);
    };
    Ok(Some(SealedSecret {
        id: SecretId::new(id),
        kind: row.word(12, KIND)?,
        sealed: row.get(13)?,
        created_at: row.time(14)?,
        valid_until: row.time_opt(15)?,
    }))
}
