//! Events and whom they reach.

use async_trait::async_trait;
use domain::{DeliveryId, Event, SubscriptionId};

use crate::StoreError;

/// Adding events.
#[async_trait]
pub trait WriteEvents: Send {
    /// Stores `event` with a delivery for each subscription of its team that wants it and is not
    /// gone. Which these are shows in the table.
    ///
    /// A delivery whose lane gives a permit is stored as leased by this node, and handed to the
    /// attached lanes once the commit is on disk. The others are stored as due now.
    async fn event_append(&mut self, event: &Event) -> Result<(), StoreError>;

    /// Stores `event` with one delivery, for this subscription of its team, which must not be gone; whether it
    /// wants the event is not asked. Leased and handed over like others.
    async fn event_append_for(
        &mut self,
        event: &Event,
        subscription: SubscriptionId,
    ) -> Result<DeliveryId, StoreError>;
}
