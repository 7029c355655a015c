//! What can be subscribed to, with what a receiver would get.

use bytes::Bytes;
use domain::{Actor, EventType, Right};
use store::ReadTx;

use crate::{App, AppError, Query, sample::sample_of_team};

/// `GET web-hook/event-types`: each type of event with a body of it, made up from the team's own templates and
/// subscriptions; none where the team has nothing that it could be made from.
pub struct ListEventTypes;

impl Query for ListEventTypes {
    const NEEDS: Right = Right::Webhooks;

    type Answer = Vec<(EventType, Option<Bytes>)>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<(EventType, Option<Bytes>)>, AppError> {
        let mut types = Vec::with_capacity(EventType::ALL.len());
        for kind in EventType::ALL {
            let sample = sample_of_team(app, actor, tx, kind).await?;
            types.push((kind, sample.map(|event| event.body)));
        }
        Ok(types)
    }
}
