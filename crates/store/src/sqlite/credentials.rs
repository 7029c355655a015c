//! What of a subscription's wishes about its requests is secret.

use async_trait::async_trait;
use domain::{Credentials, SubscriptionId, TeamId};
use rusqlite::params;

use super::tx::{Change, Tx};
use crate::{ReadCredentials, StoreError, WriteCredentials, request, secrets::credentials_cell};

#[async_trait]
impl<G: Send> ReadCredentials for Tx<'_, G> {
    async fn credentials_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Credentials>, StoreError> {
        let sql = "SELECT credentials FROM subscription WHERE id = ?1 AND team_id = ?2";
        let bound = params![id.uuid(), team.get()];
        let sealed: Option<Option<Vec<u8>>> = self.first(sql, bound, |row| Ok(row.get(0)?))?;
        request::opened(&self.core.key, id, sealed.flatten().as_deref())
    }
}

#[async_trait]
impl WriteCredentials for Change<'_> {
    async fn credentials_put(
        &mut self,
        id: SubscriptionId,
        credentials: Option<&Credentials>,
    ) -> Result<bool, StoreError> {
        let core = &self.core;
        let row = id.uuid();
        let sealed = credentials.map(|credentials| {
            let cell = credentials_cell(row.as_bytes());
            core.key.seal(&core.source, cell, &credentials.to_bytes())
        });
        let sql = "UPDATE subscription SET credentials = ?1, revision = revision + 1
            WHERE id = ?2 AND state <> 'gone'";
        Ok(self.run(sql, params![sealed, row])? > 0)
    }
}
