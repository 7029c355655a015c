//! One attempt: sign, send, read the answer, and decide what follows from it.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Attempt, DeliveryChange, DeliveryState, Outcome, RetrySchedule, Source, Timestamp, Tried, sign,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use store::{LeasedDelivery, Permit, Settlement};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::Answer,
    client::Client,
    counters::Counters,
    failure::Failure,
    lanes::LaneTable,
    peers::Peers,
    settler::Finished,
    standing::{Standing, Tidings},
};

/// What every attempt needs.
pub(crate) struct Attempter {
    pub(crate) client: Client,
    pub(crate) schedule: RetrySchedule,
    pub(crate) source: Source,
    pub(crate) lanes: Arc<LaneTable>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) finished: mpsc::Sender<Finished>,
    /// Cuts what still runs when the time for stopping is over.
    pub(crate) cut: CancellationToken,
}

impl Attempter {
    /// Makes the attempt that began at `started_at`, and gives its permit back once its outcome has
    /// a place among those that wait to be stored.
    pub(crate) async fn run(&self, leased: LeasedDelivery, permit: Permit, started_at: Timestamp) {
        let began = Instant::now();
        let head = leased.head(started_at);
        let id = leased.event.to_string();
        let secrets = &leased.destination.secrets;
        let signature = sign(secrets, &id, started_at.as_seconds(), &leased.body);
        let exchange = self.exchange(&leased, headers(head.headers(&signature)));
        let mut answer = self
            .cut
            .run_until_cancelled(exchange)
            .await
            .unwrap_or_else(|| was_cut().into());
        let ended_at = self.source.now();
        let disputed = self.dispute(&mut answer, ended_at);
        let duration_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let attempt = Attempt {
            number: leased.lease.attempt,
            manual_by: leased.manual_by.clone(),
            started_at,
            duration_ms,
            outcome: answer.outcome,
            status: answer.status,
            error: answer.error,
            target: leased.destination.target.as_str().to_owned(),
            signature: if answer.sent {
                signature
            } else {
                String::new()
            },
            response_headers: answer.headers,
            response_body: answer.body,
            response_truncated: answer.truncated,
        };
        let tried = Tried {
            attempt: leased.lease.attempt,
            outcome: answer.outcome,
            status: answer.status,
            retry_after: answer.retry_after,
            now: ended_at,
            jitter: self.jitter(answer.outcome, disputed),
            disputed,
        };
        self.finish(&leased, attempt, &tried, permit).await;
    }

    /// Whether the address rule has refused what it may not have the last word of; the log then says so.
    fn dispute(&self, answer: &mut Answer, now: Timestamp) -> bool {
        if answer.outcome != Outcome::AddressRefused {
            return false;
        }
        let Some(doubt) = self.peers.doubt(now) else {
            return false;
        };
        answer.error = format!("{}; tried again, because {doubt}", answer.error);
        true
    }

    async fn exchange(&self, leased: &LeasedDelivery, headers: Option<HeaderMap>) -> Answer {
        let Some(headers) = headers else {
            return Failure::new(Outcome::Broken, "a header could not be written", false).into();
        };
        let target = leased.destination.target.as_str();
        self.client.post(target, headers, leased.body.clone()).await
    }

    async fn finish(
        &self,
        leased: &LeasedDelivery,
        attempt: Attempt,
        tried: &Tried,
        permit: Permit,
    ) {
        let next = self.schedule.next(tried);
        let delivered = tried.outcome == Outcome::Delivered;
        let subscription = leased.destination.subscription;
        self.lanes
            .ended(subscription, delivered, next.lane, tried.now);
        self.note(leased, &attempt);
        let tidings = Tidings {
            attempt: tried.attempt,
            outcome: tried.outcome,
            error: &attempt.error,
            at: tried.now,
        };
        // What nodes do not agree about says nothing of the receiver.
        let standing = (!tried.disputed)
            .then(|| Standing::after(&leased.destination, tidings))
            .flatten();
        let (state, due_at) = state_after(next.change);
        let reason = attempt.error.clone();
        let settlement = Settlement {
            lease: leased.lease,
            attempt,
            state,
            reason,
            due_at,
        };
        self.counters.unsettled.add(1);
        let place = self.finished.reserve().await;
        drop(permit);
        match place {
            Ok(place) => place.send(Finished {
                settlement,
                standing,
            }),
            // The settler outlives every attempt; were it gone, the rescue would settle this.
            Err(_) => self.counters.unsettled.take_off(1),
        }
    }

    fn note(&self, leased: &LeasedDelivery, attempt: &Attempt) {
        if attempt.outcome == Outcome::Delivered {
            self.counters.delivered.add(1);
            return;
        }
        self.counters.failed.add(1);
        tracing::info!(
            delivery.id = %leased.lease.delivery,
            subscription.id = %leased.destination.subscription,
            attempt = attempt.number,
            outcome = attempt.outcome.word(),
            status = attempt.status,
            duration_ms = attempt.duration_ms,
            error = attempt.error,
            "an attempt failed"
        );
    }

    /// Randomness costs a call to the system, so only what may be tried again gets some.
    fn jitter(&self, outcome: Outcome, disputed: bool) -> f64 {
        match outcome {
            Outcome::Delivered | Outcome::Gone => 0.0,
            Outcome::AddressRefused if !disputed => 0.0,
            _ => self.source.fraction(),
        }
    }
}

fn was_cut() -> Failure {
    // It may have arrived, so it is neither a success nor the receiver's failure.
    let sentence = "the server stopped before the receiver had answered";
    Failure::new(Outcome::Unknown, sentence, true)
}

const fn state_after(change: DeliveryChange) -> (DeliveryState, Option<Timestamp>) {
    match change {
        DeliveryChange::Delivered => (DeliveryState::Delivered, None),
        DeliveryChange::RetryAt(at) => (DeliveryState::Waiting, Some(at)),
        DeliveryChange::Exhausted => (DeliveryState::Exhausted, None),
        DeliveryChange::Refused => (DeliveryState::Refused, None),
        DeliveryChange::Cancelled => (DeliveryState::Cancelled, None),
    }
}

/// `None` for a value that no header can hold, which those of a webhook never are.
fn headers<const N: usize>(lines: [(&'static str, String); N]) -> Option<HeaderMap> {
    // Room for `host` and `content-length` as well, which the client adds.
    let mut headers = HeaderMap::with_capacity(N + 2);
    for (name, value) in lines {
        let value = HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?;
        headers.append(HeaderName::from_static(name), value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_cannot_be_written_is_none() {
        assert!(headers([("x-line", "a\nb".to_owned())]).is_none());
        let made = headers([("x-line", "a b".to_owned())]).unwrap();
        assert_eq!(made["x-line"], "a b");
    }
}
