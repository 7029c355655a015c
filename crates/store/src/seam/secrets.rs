//! Secrets of subscriptions: what signs their deliveries. They are stored encrypted and leave the store in destinations
//! alone; here is what may be known of them.

use async_trait::async_trait;
use domain::{
    PublicKey, SecretHead, SecretId, SigningSecret, SubscriptionId, SubscriptionSecret, TeamId,
    Timestamp,
};

use crate::StoreError;

/// Reading what may be known of secrets.
#[async_trait]
pub trait ReadSecrets: Send {
    /// Those of a subscription, newest first, whether they have run out or not.
    async fn secret_list(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
    ) -> Result<Vec<SecretHead>, StoreError>;

    /// Those of a subscription that are the same as `secret`, whether they have run out or not. One that can't be read
    /// is the same as none.
    async fn secret_same(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
        secret: &SigningSecret,
    ) -> Result<Vec<SecretId>, StoreError>;

    /// The public keys of a team that were good after `after`, of subscriptions that are not gone: the newest first, at
    /// most `limit`.
    async fn secret_published(
        &mut self,
        team: TeamId,
        after: Timestamp,
        limit: u32,
    ) -> Result<Vec<(SecretId, PublicKey)>, StoreError>;
}

/// Changing secrets.
#[async_trait]
pub trait WriteSecrets: Send {
    /// Holds a subscription of the team that is not gone, so that nobody else changes its secrets until the commit;
    /// what is taken after that is signed by what is then there. Answers whether there was one.
    async fn secret_hold(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
    ) -> Result<bool, StoreError>;

    /// Stores a new one, encrypted.
    async fn secret_insert(
        &mut self,
        team: TeamId,
        subscription: SubscriptionId,
        secret: &SubscriptionSecret,
    ) -> Result<(), StoreError>;

    /// Has these sign until `until`.
    async fn secret_end(
        &mut self,
        subscription: SubscriptionId,
        secrets: &[SecretId],
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes these; they do not sign any more.
    async fn secret_remove(
        &mut self,
        subscription: SubscriptionId,
        secrets: &[SecretId],
    ) -> Result<(), StoreError>;
}
