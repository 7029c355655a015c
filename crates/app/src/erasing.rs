//! Erasing what was told of a checklist from the log.

use domain::{Actor, ChecklistId, DeliveryState, Right};
use serde::Serialize;
use store::{DeliveryQuery, Doing, Ending, EventPlace, Fields, ReadTx, WriteTx};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Change, Missing, Query, emit::audit};

/// Events that one transaction looks at.
const EVENTS_MAX: u32 = 64;
/// Deliveries, or answers, that one transaction changes.
const ROWS_MAX: u32 = 200;
/// Most deliveries that are counted as being sent.
const BEING_SENT_MAX: u32 = 100;
const DOING: &str = "erasing what was told of a checklist";

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Events that lost their body.
    pub bodies: u64,
    /// Attempts that lost what was answered to them.
    pub answers: u64,
    /// Deliveries that waited, and are cancelled.
    pub cancelled: u64,
    /// Deliveries that are being sent at this moment, at most 100 of them: what is answered to them will be in the log.
    /// Ask again once they are through.
    pub being_sent: u64,
}

struct EraseSlice {
    checklist: ChecklistId,
    after: Option<EventPlace>,
}

/// What a slice came to, and where to go on.
#[derive(Serialize)]
struct Slice {
    erased: Erased,
    #[serde(skip)]
    reached: Option<EventPlace>,
    ended: bool,
}

impl Change for EraseSlice {
    const NEEDS: Right = Right::Admin;

    // One of several steps, and made again it goes on.
    const KEPT: bool = false;

    type Answer = Slice;

    async fn run(&self, app: &App, actor: &Actor, tx: &mut dyn WriteTx) -> Result<Slice, AppError> {
        let (team, id) = (actor.team, self.checklist);
        let found = tx.checklist_get(team, id, Fields::None).await;
        found
            .doing::<AppError>(DOING)?
            .ok_or(Missing::Checklist(id))?;
        let events = tx.event_walk_of(team, id, self.after, EVENTS_MAX).await;
        let events = events.doing::<AppError>(DOING)?;
        let ending = Ending {
            stopped_by: Some(actor.person.name.clone()),
            state: DeliveryState::Cancelled,
            reason: format!(
                "what was told of the checklist was erased by {}",
                actor.person.name
            ),
        };
        // Those without a body too: one that was being sent when it went may wait now.
        let all: Vec<_> = events.iter().map(|one| one.place).collect();
        let ended = tx.event_body_remove(&all, &ending, ROWS_MAX).await;
        let ended = ended.doing::<AppError>(DOING)?;
        let answers: Vec<_> = events.iter().filter(|one| one.has_answers).collect();
        let answers: Vec<_> = answers.iter().map(|one| one.place).collect();
        let answered = tx.event_answers_remove(&answers, ROWS_MAX).await;
        let answered = answered.doing::<AppError>(DOING)?;
        let erased = Erased {
            bodies: ended.events,
            answers: answered.rows,
            cancelled: ended.rows,
            being_sent: 0,
        };
        if erased != Erased::default() {
            let detail = format!(
                "{} bodies, {} answers; {} deliveries cancelled",
                erased.bodies, erased.answers, erased.cancelled
            );
            let subject = ("checklist.erase", id.to_string());
            audit(tx, actor, app.source().now(), subject, detail).await?;
        }
        let more = ended.more || answered.more;
        let last = events.last().map(|last| last.place);
        Ok(Slice {
            erased,
            reached: if more { self.after } else { last },
            ended: !more && events.len() < EVENTS_MAX as usize,
        })
    }
}

struct CountBeingSent(ChecklistId);

impl Query for CountBeingSent {
    const NEEDS: Right = Right::Admin;

    type Answer = u64;

    async fn run(&self, _: &App, actor: &Actor, tx: &mut dyn ReadTx) -> Result<u64, AppError> {
        let query = DeliveryQuery {
            checklist: Some(self.0),
            state: Some(DeliveryState::Leased),
            limit: BEING_SENT_MAX,
            ..DeliveryQuery::default()
        };
        let page = tx.delivery_page(actor.team, &query).await;
        Ok(page.doing::<AppError>(DOING)?.len() as u64)
    }
}

impl App {
    /// `POST web-hook/erase`: the bodies and answers of all events of a checklist, up to now. What waits of it is
    /// cancelled. In small transactions, each with its line in the audit log; asked again, it goes on, or finds
    /// nothing more.
    ///
    /// # Errors
    /// The team has no such checklist, or the store failed; what was erased before is.
    pub async fn erase(&self, caller: &Caller, checklist: ChecklistId) -> Result<Erased, AppError> {
        let mut sum = Erased::default();
        let mut after = None;
        loop {
            let slice = self.change(caller, EraseSlice { checklist, after }).await?;
            sum.bodies += slice.erased.bodies;
            sum.answers += slice.erased.answers;
            sum.cancelled += slice.erased.cancelled;
            if slice.ended {
                break;
            }
            after = slice.reached;
        }
        sum.being_sent = self.query(caller, CountBeingSent(checklist)).await?;
        Ok(sum)
    }
}
