//! The units of work that the engine's tests run on the store.

use std::time::Duration;

use domain::{
    Delivery, DeliveryId, Event, NodeId, Notice, Subscription, SubscriptionId, SubscriptionSecret,
    TeamId, Timestamp,
};
use store::{
    DeliveryQuery, DeliveryRecord, LeasedDelivery, NoticeQuery, Read, ReadTx, Rescue, StandChange,
    StoreError, Take, Write, WriteTx,
};
use uuid::Uuid;

pub(crate) struct MakeTeam(pub(crate) Timestamp);

impl Write for MakeTeam {
    type Done = TeamId;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<TeamId, StoreError> {
        tx.team_insert("Finance", self.0).await
    }
}

pub(crate) struct Subscribe {
    pub(crate) subscription: Subscription,
    pub(crate) secrets: Vec<SubscriptionSecret>,
}

impl Write for Subscribe {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.subscription_insert(&self.subscription, &self.secrets)
            .await
    }
}

pub(crate) struct Happen(pub(crate) Event);

impl Write for Happen {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.event_append(&self.0).await
    }
}

pub(crate) struct TakeAs {
    pub(crate) take: Take,
    pub(crate) now: Timestamp,
}

impl Write for TakeAs {
    type Done = Vec<LeasedDelivery>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Vec<LeasedDelivery>, StoreError> {
        let node = NodeId::new(Uuid::from_u128(u128::MAX));
        let until = self.now.after(Duration::from_mins(1));
        Ok(tx
            .delivery_take(&[self.take], node, self.now, until)
            .await?
            .deliveries)
    }
}

/// Ends all leases, as a node does that takes itself for the only one.
pub(crate) struct EndLeases(pub(crate) Timestamp);

impl Write for EndLeases {
    type Done = u32;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<u32, StoreError> {
        let other = NodeId::new(Uuid::from_u128(u128::MAX));
        tx.delivery_rescue(Rescue::OfTheDead(other), self.0, 10, 10)
            .await
    }
}

pub(crate) struct Page(pub(crate) TeamId);

impl Read for Page {
    type Done = Vec<Delivery>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<Delivery>, StoreError> {
        let query = DeliveryQuery {
            limit: 100,
            ..DeliveryQuery::default()
        };
        tx.delivery_page(self.0, &query).await
    }
}

pub(crate) struct Log(pub(crate) TeamId, pub(crate) DeliveryId);

impl Read for Log {
    type Done = Option<DeliveryRecord>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Option<DeliveryRecord>, StoreError> {
        tx.delivery_get(self.0, self.1).await
    }
}

pub(crate) struct Get(pub(crate) TeamId, pub(crate) SubscriptionId);

impl Read for Get {
    type Done = Option<Subscription>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Option<Subscription>, StoreError> {
        tx.subscription_get(self.0, self.1).await
    }
}

pub(crate) struct Audit(pub(crate) TeamId);

impl Read for Audit {
    type Done = Vec<String>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<String>, StoreError> {
        let lines = tx.audit_list(self.0, None, 100).await?;
        Ok(lines.into_iter().map(|line| line.action).collect())
    }
}

pub(crate) struct Notices(pub(crate) TeamId);

impl Read for Notices {
    type Done = Vec<Notice>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<Notice>, StoreError> {
        let query = NoticeQuery {
            limit: 100,
            ..NoticeQuery::default()
        };
        tx.notice_page(self.0, &query).await
    }
}

pub(crate) struct Pause(pub(crate) SubscriptionId, pub(crate) StandChange);

impl Write for Pause {
    type Done = bool;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<bool, StoreError> {
        tx.stand_put(self.0, &self.1).await
    }
}

pub(crate) struct NextProbe;

impl Read for NextProbe {
    type Done = Option<Timestamp>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Option<Timestamp>, StoreError> {
        tx.probe_next().await
    }
}
