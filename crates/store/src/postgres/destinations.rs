//! The destinations that the engine needs of subscriptions, each read once for each of its revisions.

use std::sync::Arc;

use domain::{SigningSecret, SubscriptionId, TargetUrl, TeamId};

use super::{
    subscriptions::{STATE, health, place, settings},
    tx::Tx,
    values::Cells as _,
};
use crate::{Destination, StoreError, secrets::secret_cell};

impl<G: Send> Tx<'_, G> {
    /// Where deliveries of a subscription at this revision go, its secret decrypted.
    pub(super) async fn destination(
        &mut self,
        id: SubscriptionId,
        revision: i64,
    ) -> Result<Arc<Destination>, StoreError> {
        if let Some(destination) = self.core.destinations.get(&(id, revision)) {
            return Ok(destination);
        }
        let sql = "SELECT target_url, secret, team_id, state, revision, ordering, rate_per_second,
                settings, failing_since, warned, probe_at, probes
            FROM subscription WHERE id = $1";
        let (target, secret, team, state, revision, settings, health) = self
            .one(sql, &[&id.uuid()], |row| {
                let (target, secret): (String, Vec<u8>) = (row.cell(0)?, row.cell(1)?);
                let team = TeamId::new(row.cell(2)?);
                // It may have changed since; then this is what holds now, under its own revision.
                Ok((
                    target,
                    secret,
                    team,
                    row.word(3, STATE)?,
                    row.cell::<i64>(4)?,
                    settings(row, 5, id)?,
                    health(row, 8)?,
                ))
            })
            .await?;
        let target = TargetUrl::parse(&target).map_err(|_| place("target_url").corrupt(id))?;
        let opened = self
            .core
            .key
            .open(secret_cell(id.uuid().as_bytes()), &secret)
            .ok();
        let secret = opened.and_then(|bytes| SigningSecret::from_bytes(&bytes).ok());
        let secrets = vec![secret.ok_or_else(|| place("secret").corrupt(id))?];
        let destination = Arc::new(Destination {
            subscription: id,
            team,
            state,
            health,
            revision,
            target,
            settings,
            secrets,
        });
        self.core
            .destinations
            .put((id, revision), destination.clone());
        Ok(destination)
    }
}
