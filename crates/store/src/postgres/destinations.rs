//! The destinations that the engine needs of subscriptions, each read once for each of its revisions.

use std::sync::Arc;

use domain::{SecretId, SubscriptionId, TeamId};
use tokio_postgres::Row;

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

impl<G: Send> Tx<'_, G> {
    /// Where deliveries of a subscription at this revision go, its secrets decrypted. It may have changed since; then
    /// this is what holds now, under its own revision.
    pub(super) async fn destination(
        &mut self,
        id: SubscriptionId,
        revision: i64,
    ) -> Result<Arc<Destination>, StoreError> {
        if let Some(destination) = self.core.destinations.get(&(id, revision)) {
            return Ok(destination);
        }
        let made = Arc::new(self.destination_now(id).await?);
        let destinations = &self.core.destinations;
        destinations.put((id, made.revision), made.clone());
        Ok(made)
    }

    /// The same, whatever was read of it before.
    pub(super) async fn destination_now(
        &mut self,
        id: SubscriptionId,
    ) -> Result<Destination, StoreError> {
        let rows = self.destination_rows(id).await?;
        destination(id, rows, &self.core.key)
    }

    /// What signs the deliveries of a subscription, also of one whose credentials can't be read.
    pub(super) async fn signing(
        &mut self,
        id: SubscriptionId,
        revision: i64,
    ) -> Result<Arc<Destination>, StoreError> {
        match self.destination(id, revision).await {
            Err(StoreError::Corrupt { .. }) => {
                let rows = self.destination_rows(id).await?;
                let (made, _) = signing(id, rows, &self.core.key)?;
                Ok(Arc::new(made))
            }
            found => found,
        }
    }

    async fn destination_rows(
        &mut self,
        id: SubscriptionId,
    ) -> Result<Vec<DestinationRow>, StoreError> {
        let sql = sql::DESTINATION;
        self.all(sql, &[&id.uuid()], |row| joined(row, id)).await
    }
}

fn joined(row: &Row, id: SubscriptionId) -> Result<DestinationRow, Fault> {
    Ok(DestinationRow {
        target: row.cell(0)?,
        team: TeamId::new(row.cell(1)?),
        state: row.word(2, STATE)?,
        revision: row.cell(3)?,
        settings: settings(row, 4, id)?,
        health: health(row, 7)?,
        credentials: row.cell(16)?,
        secret: sealed(row)?,
    })
}

fn sealed(row: &Row) -> Result<Option<SealedSecret>, Fault> {
    let Some(id) = row.cell(11)? else {
        return Ok(None);
    };
    Ok(Some(SealedSecret {
        id: SecretId::new(id),
        kind: row.word(12, KIND)?,
        sealed: row.cell(13)?,
        created_at: row.time(14)?,
        valid_until: row.time_opt(15)?,
    }))
}
