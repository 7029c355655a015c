//! Bodies that go as soon as everybody has them, because the subscriptions wish so.

use async_trait::async_trait;
use domain::{DeliveryId, SubscriptionSettings};

use crate::StoreError;

/// Dropping bodies.
#[async_trait]
pub trait WriteBodies: Send {
    /// Removes the body of each event of which one of `deliveries` is, unless another delivery of it may need it: one
    /// that is not delivered, or of a subscription that does not wish it to go. What has ended needs nothing. Called in
    /// the transaction that settles; answers how many went.
    ///
    /// Deliveries of one event that are settled at the same time in several transactions see each other: the event is
    /// locked before it is looked at.
    async fn event_body_drop(&mut self, deliveries: &[DeliveryId]) -> Result<u64, StoreError>;
}

/// Whether a subscription with these settings, as they are stored, wishes bodies to go. What can't be read keeps them.
pub(crate) fn drops_bodies(settings: &str) -> bool {
    let read = SubscriptionSettings::read("none", None, settings);
    read.is_some_and(|settings| settings.delete_body_on_success)
}
