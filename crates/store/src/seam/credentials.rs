//! What of a subscription's wishes about its requests is secret.

use async_trait::async_trait;
use domain::{Credentials, SubscriptionId, TeamId};

use crate::StoreError;

/// Reading the secrets of subscriptions, for whoever changes them. Who sends gets them with the
/// [`crate::Destination`].
#[async_trait]
pub trait ReadCredentials: Send {
    /// Those of a subscription; none when it has none, or is not the team's.
    async fn credentials_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Credentials>, StoreError>;
}

/// Changing the secrets of subscriptions.
#[async_trait]
pub trait WriteCredentials: Send {
    /// Puts these in the place of those of a subscription that is not gone, encrypted; what is sent from then on is
    /// sent so. Answers whether there was one.
    async fn credentials_put(
        &mut self,
        id: SubscriptionId,
        credentials: Option<&Credentials>,
    ) -> Result<bool, StoreError>;
}
