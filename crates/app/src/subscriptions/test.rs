//! Testing a subscription: a sample of its event, sent the way of all others.

use std::time::Duration;

use domain::{Actor, DeliveryDetail, DeliveryId, Right, SubscriptionId};
use store::{Doing, WriteTx};
use tokio::time::{Instant, sleep};

use super::{fault, get};
use crate::{App, AppError, Caller, Change, GetDelivery, emit::audit, sample::sample};

/// How often it is looked whether the attempt has ended.
const LOOK: Duration = Duration::from_millis(50);

impl App {
    /// `POST web-hook/test`: sends a sample of the subscription's event to its target, now, and answers the delivery
    /// with its attempt, once that has ended, or as it stands after `wait`.
    ///
    /// It is a delivery like any other, with a sequence and in the log, but its event is marked as a test, concerns
    /// nobody else, and is tried once.
    ///
    /// # Errors
    /// The subscription is not there or sends nothing, or there is nothing a sample could be made from.
    pub async fn test_subscription(
        &self,
        caller: &Caller,
        id: SubscriptionId,
        wait: Duration,
    ) -> Result<DeliveryDetail, AppError> {
        let delivery = self.change(caller, SendTest(id)).await?;
        let deadline = Instant::now() + wait;
        loop {
            let found = self.query(caller, GetDelivery(delivery)).await?;
            if found.delivery.last_outcome.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            sleep(LOOK).await;
        }
    }
}

struct SendTest(SubscriptionId);

impl Change for SendTest {
    const NEEDS: Right = Right::Webhooks;

    // What came of it is looked up afterwards; a test that is asked for again is made again.
    const KEPT: bool = false;

    type Answer = DeliveryId;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<DeliveryId, AppError> {
        let subscription = get(tx, actor, self.0).await?;
        if !subscription.state.sends() {
            return Err(AppError::SubscriptionNotSending(subscription.state));
        }
        if let Some(why) = fault(tx, self.0).await? {
            return Err(AppError::SubscriptionUnreadable(why));
        }
        let event = sample(app, actor, tx, &subscription).await?;
        let stored = tx.event_append_for(&event, self.0).await;
        let delivery = stored.doing::<AppError>("storing a test")?;
        let subject = ("subscription.test", self.0.to_string());
        audit(tx, actor, event.at, subject, delivery.to_string()).await?;
        Ok(delivery)
    }
}
