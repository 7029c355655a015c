//! Secrets of subscriptions.

use async_trait::async_trait;
use domain::{
    PublicKey, SecretHead, SecretId, SigningSecret, SubscriptionId, SubscriptionSecret, TeamId,
    Timestamp,
};
use tokio_postgres::Row;

use super::{
    fault::Fault,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{ReadSecrets, StoreError, WriteSecrets, place::Place, sql};

const fn place(column: &'static str) -> Place {
    Place {
        table: "subscription_secret",
        column,
    }
}

pub(super) const KIND: Place = place("kind");

#[async_trait]
impl<G: Send> ReadSecrets for Tx<'_, G> {
    async fn secret_list(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
    ) -> Result<Vec<SecretHead>, StoreError> {
        let sql = sql::SECRET_LIST;
        self.all(sql, &[&subscription.uuid(), &team.get()], head)
            .await
    }

    async fn secret_same(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
        secret: &SigningSecret,
    ) -> Result<Vec<SecretId>, StoreError> {
        let sql = sql::SECRET_SEALED;
        let kind = secret.kind();
        let (of, team, word) = (subscription.uuid(), team.get(), kind.word());
        let held: Vec<(SecretId, Vec<u8>)> = self
            .all(sql, &[&of, &team, &word], |row| {
                Ok((SecretId::new(row.guid(0)?), row.cell(1)?))
            })
            .await?;
        let key = &self.core.key;
        let is_same = |(id, sealed): &(SecretId, Vec<u8>)| {
            key.open_secret(subscription, *id, kind, sealed).as_ref() == Some(secret)
        };
        Ok(held
            .iter()
            .filter(|one| is_same(one))
            .map(|(id, _)| *id)
            .collect())
    }

    async fn secret_published(
        &mut self,
        team: TeamId,
        after: Timestamp,
        limit: u32,
    ) -> Result<Vec<(SecretId, PublicKey)>, StoreError> {
        let sql = sql::SECRET_PUBLISHED;
        let limit = i64::from(limit);
        self.all(sql, &[&team.get(), &Moment(after), &limit], |row| {
            let id = SecretId::new(row.guid(0)?);
            let key = PublicKey::from_bytes(row.cell(1)?);
            Ok((id, key.ok_or_else(|| place("public_key").corrupt(id))?))
        })
        .await
    }
}

#[async_trait]
impl WriteSecrets for Change<'_> {
    async fn secret_hold(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
    ) -> Result<bool, StoreError> {
        let sql = sql::SECRET_HOLD;
        let held = self.run(sql, &[&subscription.uuid(), &team.get()]).await?;
        Ok(held > 0)
    }

    async fn secret_insert(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
        secret: &SubscriptionSecret,
    ) -> Result<(), StoreError> {
        let sealed = self
            .core
            .key
            .seal_secret(&self.core.source, subscription, secret);
        let public = secret.secret.public_key();
        let sql = sql::SECRET_INSERT;
        let row = owned![
            secret.id.uuid(),
            subscription.uuid(),
            team.get(),
            secret.secret.kind().word().to_owned(),
            sealed,
            public.map(|key| key.bytes().to_vec()),
            Moment(secret.created_at),
            moment(secret.valid_until),
        ];
        self.later(sql, row).await
    }

    async fn secret_end(
        &mut self,
        subscription: SubscriptionId,
        secrets: &[SecretId],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = sql::SECRET_END;
        for id in secrets {
            let row = owned![Moment(until), id.uuid(), subscription.uuid()];
            self.later(sql, row).await?;
        }
        Ok(())
    }

    async fn secret_remove(
        &mut self,
        subscription: SubscriptionId,
        secrets: &[SecretId],
    ) -> Result<(), StoreError> {
        let sql = sql::SECRET_REMOVE;
        for id in secrets {
            let row = owned![id.uuid(), subscription.uuid()];
            self.later(sql, row).await?;
        }
        Ok(())
    }
}

fn head(row: &Row) -> Result<SecretHead, Fault> {
    let id = SecretId::new(row.guid(0)?);
    let key: Option<&[u8]> = row.cell(2)?;
    let key =
        key.map(|key| PublicKey::from_bytes(key).ok_or_else(|| place("public_key").corrupt(id)));
    Ok(SecretHead {
        id,
        kind: row.word(1, KIND)?,
        public_key: key.transpose()?,
        created_at: row.time(3)?,
        valid_until: row.time_opt(4)?,
    })
}
