//! Health of subscriptions and why something is not delivered: stopping retries, the log of events, the notices.

use domain::{
    Actor, Delivery, DeliveryId, EventDetail, EventId, EventRow, HealthRow, NoticeId, NoticeRow,
    Right, SubscriptionId, SubscriptionSummary,
};
use serde::Serialize;
use store::{Cancelled, DeliveryQuery, Doing, EventQuery, NoticeQuery, ReadTx, Seen, WriteTx};
use utoipa::ToSchema;

use crate::{
    App, AppError, Change, DELIVERIES_PAGE_MAX, GetDelivery, ListDeliveries, Missing, Query,
    emit::audit, subscriptions,
};

/// Most rows on one page of the log of events, or of the notices.
pub const EVENTS_PAGE_MAX: u32 = 100;

/// `POST web-hook/cancel`: stops the retries of one delivery.
///
/// One that is being sent is stopped once its attempt has failed; if the receiver takes it, it is delivered.
pub struct CancelDelivery(pub DeliveryId);

impl Change for CancelDelivery {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Delivery;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<Delivery, AppError> {
        let by = &actor.person.name;
        let answer = tx.delivery_cancel(actor.team, self.0, by).await;
        match answer.doing::<AppError>("stopping the retries of a delivery")? {
            Cancelled::Now => {
                let subject = ("delivery.cancel", self.0.to_string());
                audit(tx, actor, app.source().now(), subject, String::new()).await?;
            }
            Cancelled::Before => {}
            Cancelled::Settled(state) => return Err(AppError::DeliverySettled(state)),
            Cancelled::NotThere => return Err(Missing::Delivery(self.0).into()),
        }
        Ok(GetDelivery(self.0).run(app, actor, tx).await?.delivery)
    }
}

/// A page of the log of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    /// The events, newest first.
    pub items: Vec<EventRow>,
    /// What to give as `cursor` for the page after this one; null when this is the last.
    pub next_cursor: Option<EventId>,
}

/// `GET web-hook/event-log`: the team's events, newest first, with whom they reached; `limit` from 1 to
/// [`EVENTS_PAGE_MAX`].
#[derive(Clone, Debug)]
pub struct ListEvents(pub EventQuery);

impl Query for ListEvents {
    const NEEDS: Right = Right::Webhooks;

    type Answer = EventPage;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<EventPage, AppError> {
        let limit = self.0.limit.clamp(1, EVENTS_PAGE_MAX);
        // One more tells whether there is another page.
        let query = EventQuery {
            limit: limit + 1,
            ..self.0.clone()
        };
        let found = tx.event_page(actor.team, &query).await;
        let mut items = found.doing::<AppError>("listing events")?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|last| last.event_id);
        Ok(EventPage { items, next_cursor })
    }
}

/// `GET web-hook/event`: one event with its deliveries.
pub struct GetEvent(pub EventId);

impl Query for GetEvent {
    const NEEDS: Right = Right::Webhooks;

    type Answer = EventDetail;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<EventDetail, AppError> {
        const DOING: &str = "loading an event";
        let query = EventQuery {
            event: Some(self.0),
            limit: 1,
            ..EventQuery::default()
        };
        let found = tx.event_page(actor.team, &query).await;
        let found = found.doing::<AppError>(DOING)?;
        let body = tx.event_body(actor.team, self.0).await;
        let body = body.doing::<AppError>(DOING)?;
        let (event, body) = found
            .into_iter()
            .next()
            .zip(body)
            .ok_or(Missing::Event(self.0))?;
        let of_event = ListDeliveries(DeliveryQuery {
            event: Some(self.0),
            limit: DELIVERIES_PAGE_MAX,
            ..DeliveryQuery::default()
        });
        let page = of_event.run(app, actor, tx).await?;
        Ok(EventDetail {
            event,
            request_body: Some(body)
                .filter(|body| !body.is_empty())
                .map(|body| String::from_utf8_lossy(&body).into_owned()),
            items: page.items,
            next_cursor: page.next_cursor,
        })
    }
}

/// `GET web-hook/subscription-health`: one subscription with what is not delivered of it, and why.
pub struct GetHealth(pub SubscriptionId);

impl Query for GetHealth {
    const NEEDS: Right = Right::Webhooks;

    type Answer = SubscriptionSummary;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<SubscriptionSummary, AppError> {
        const DOING: &str = "loading the health of a subscription";
        let found = tx.subscription_get(actor.team, self.0).await;
        let found = found.doing::<AppError>(DOING)?;
        let stand = tx.stand_get(actor.team, self.0).await;
        let stand = stand.doing::<AppError>(DOING)?;
        let (subscription, stand) = found.zip(stand).ok_or(Missing::Subscription(self.0))?;
        let undelivered = tx.undelivered_summary(actor.team, self.0).await;
        Ok(SubscriptionSummary {
            row: subscriptions::row(tx, &subscription).await?,
            health: HealthRow::new(stand.code, stand.health),
            undelivered: undelivered.doing::<AppError>(DOING)?,
        })
    }
}

/// A page of notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticePage {
    /// The notices, newest first.
    pub items: Vec<NoticeRow>,
    /// What to give as `cursor` for the page after this one; null when this is the last.
    pub next_cursor: Option<NoticeId>,
}

/// `GET web-hook/notices`: what the team is told of its subscriptions, newest first; `limit` from 1 to
/// [`EVENTS_PAGE_MAX`].
#[derive(Clone, Copy, Debug)]
pub struct ListNotices(pub NoticeQuery);

impl Query for ListNotices {
    const NEEDS: Right = Right::Webhooks;

    type Answer = NoticePage;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<NoticePage, AppError> {
        let limit = self.0.limit.clamp(1, EVENTS_PAGE_MAX);
        let query = NoticeQuery {
            limit: limit + 1,
            ..self.0
        };
        let found = tx.notice_page(actor.team, &query).await;
        let mut found = found.doing::<AppError>("listing notices")?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_cursor = found.last().filter(|_| more).map(|last| last.id);
        Ok(NoticePage {
            items: found.into_iter().map(NoticeRow::from).collect(),
            next_cursor,
        })
    }
}

/// How many notices were seen that had not been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticesSeen {
    /// How many.
    pub seen: u64,
}

/// `POST web-hook/notices/seen`: says that notices were seen. Saying it again changes nothing.
pub struct SeeNotices(pub Seen);

impl Change for SeeNotices {
    const NEEDS: Right = Right::Webhooks;

    type Answer = NoticesSeen;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<NoticesSeen, AppError> {
        let now = app.source().now();
        let seen = tx.notice_see(actor.team, self.0, now).await;
        let seen = seen.doing::<AppError>("noting that notices were seen")?;
        if seen > 0 {
            let (Seen::One(id) | Seen::UpTo(id)) = self.0;
            let subject = ("notice.see", id.to_string());
            audit(tx, actor, now, subject, format!("{seen} notices")).await?;
        }
        Ok(NoticesSeen { seen })
    }
}
