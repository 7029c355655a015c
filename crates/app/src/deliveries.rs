//! The delivery log, and asking for another attempt.

use domain::{
    Actor, AttemptRow, Delivery, DeliveryDetail, DeliveryId, Right, SubscriptionState, WebhookHead,
};
use serde::Serialize;
use store::{DeliveryQuery, DeliveryRecord, Doing, ReadTx, Redelivery, WriteTx};
use utoipa::ToSchema;

use crate::{App, AppError, Change, Missing, Query, emit::audit};

/// Most deliveries on one page of the log.
pub const DELIVERIES_PAGE_MAX: u32 = 100;

/// `GET web-hook/deliveries`: the team's deliveries, newest first; `limit` from 1 to
/// [`DELIVERIES_PAGE_MAX`].
#[derive(Clone, Debug)]
pub struct ListDeliveries(pub DeliveryQuery);

/// A page of the delivery log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPage {
    /// The deliveries, newest first.
    pub items: Vec<Delivery>,
    /// What to give as `cursor` for the page after this one; null when this is the last.
    pub next_cursor: Option<DeliveryId>,
}

impl Query for ListDeliveries {
    const NEEDS: Right = Right::Webhooks;

    type Answer = DeliveryPage;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<DeliveryPage, AppError> {
        let limit = self.0.limit.clamp(1, DELIVERIES_PAGE_MAX);
        // One more tells whether there is another page.
        let query = DeliveryQuery {
            limit: limit + 1,
            ..self.0.clone()
        };
        let found = tx.delivery_page(actor.team, &query).await;
        let mut items = found.doing::<AppError>("listing deliveries")?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|last| last.delivery_id);
        Ok(DeliveryPage { items, next_cursor })
    }
}

/// `GET web-hook/delivery`: one delivery with its attempts, as they were sent and answered.
pub struct GetDelivery(pub DeliveryId);

impl Query for GetDelivery {
    const NEEDS: Right = Right::Webhooks;

    type Answer = DeliveryDetail;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<DeliveryDetail, AppError> {
        let mut record = get(tx, actor, self.0).await?;
        let id = record.delivery.subscription_id;
        let subscription = tx.subscription_get(actor.team, id).await;
        let subscription =
            subscription.doing::<AppError>("loading the subscription of a delivery")?;
        // Stored once for everybody, and sent to each as it wants it.
        let sent = subscription
            .map(|of| of.settings.request)
            .unwrap_or_default();
        record.body = record.body.and_then(|body| sent.body(&body));
        Ok(detail(record))
    }
}

async fn get<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    id: DeliveryId,
) -> Result<DeliveryRecord, AppError> {
    let found = tx
        .delivery_get(actor.team, id)
        .await
        .doing::<AppError>("loading a delivery")?;
    Ok(found.ok_or(Missing::Delivery(id))?)
}

fn detail(record: DeliveryRecord) -> DeliveryDetail {
    let DeliveryRecord {
        delivery,
        attempts,
        body,
    } = record;
    // Each attempt brings its own number and time.
    let head = WebhookHead {
        event: delivery.event_id,
        event_type: delivery.event_type,
        subscription: delivery.subscription_id,
        delivery: delivery.delivery_id,
        sequence: delivery.sequence,
        attempt: 0,
        at: delivery.created_date_time,
    };
    DeliveryDetail {
        delivery,
        request_body: body.map(|body| String::from_utf8_lossy(&body).into_owned()),
        attempt_log: attempts
            .iter()
            .map(|attempt| AttemptRow::of(attempt, head))
            .collect(),
    }
}

/// `POST web-hook/redeliver`: another attempt of the same delivery, now.
pub struct Redeliver(pub DeliveryId);

impl Change for Redeliver {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Delivery;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<Delivery, AppError> {
        let now = app.source().now();
        let result = tx
            .delivery_redeliver(actor.team, self.0, &actor.person.name, now)
            .await;
        match result.doing::<AppError>("asking for another attempt")? {
            Redelivery::Due(_) => {}
            Redelivery::BeingSent => return Err(AppError::BeingSent),
            Redelivery::Paused => {
                return Err(AppError::SubscriptionNotSending(SubscriptionState::Paused));
            }
            Redelivery::Gone => {
                return Err(AppError::SubscriptionNotSending(SubscriptionState::Gone));
            }
            Redelivery::BodyGone => return Err(AppError::BodyGone),
            Redelivery::NotThere => return Err(Missing::Delivery(self.0).into()),
        }
        audit(
            tx,
            actor,
            now,
            ("delivery.redeliver", self.0.to_string()),
            String::new(),
        )
        .await?;
        Ok(get(tx, actor, self.0).await?.delivery)
    }
}
