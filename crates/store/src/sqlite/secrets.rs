//! Secrets of subscriptions.

use async_trait::async_trait;
use domain::{
    PublicKey, SecretHead, SecretId, SigningSecret, SubscriptionId, SubscriptionSecret, TeamId,
    Timestamp,
};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
    values::{Cells as _, millis},
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
        self.all(sql, params![subscription.uuid(), team.get()], head)
    }

    async fn secret_same(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
        secret: &SigningSecret,
    ) -> Result<Vec<SecretId>, StoreError> {
        let sql = sql::SECRET_SEALED;
        let kind = secret.kind();
        let bound = params![subscription.uuid(), team.get(), kind.word()];
        let held = self.all(sql, bound, |row| {
            Ok((SecretId::new(row.guid(0)?), row.get::<_, Vec<u8>>(1)?))
        })?;
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
        self.all(sql, params![team.get(), after.as_millis(), limit], |row| {
            let id = SecretId::new(row.guid(0)?);
            let key: Vec<u8> = row.get(1)?;
            let key = PublicKey::from_bytes(&key);
            Ok((id, key.ok_or_else(|| place("public_key").corrupt(id))?))
        })
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
        Ok(self.run(sql, params![subscription.uuid(), team.get()])? > 0)
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
        self.run(
            sql,
            params![
                secret.id.uuid(),
                subscription.uuid(),
                team.get(),
                secret.secret.kind().word(),
                sealed,
                public.as_ref().map(PublicKey::bytes),
                secret.created_at.as_millis(),
                millis(secret.valid_until),
            ],
        )?;
        Ok(())
    }

    async fn secret_end(
        &mut self,
        subscription: SubscriptionId,
        secrets: &[SecretId],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = sql::SECRET_END;
        for id in secrets {
            let bound = params![until.as_millis(), id.uuid(), subscription.uuid()];
            self.run(sql, bound)?;
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
            self.run(sql, params![id.uuid(), subscription.uuid()])?;
        }
        Ok(())
    }
}

fn head(row: &Row<'_>) -> Result<SecretHead, Fault> {
    let id = SecretId::new(row.guid(0)?);
    let key: Option<Vec<u8>> = row.get(2)?;
    let key =
        key.map(|key| PublicKey::from_bytes(&key).ok_or_else(|| place("public_key").corrupt(id)));
    Ok(SecretHead {
        id,
        kind: row.word(1, KIND)?,
        public_key: key.transpose()?,
        created_at: row.time(3)?,
        valid_until: row.time_opt(4)?,
    })
}
