//! One attempt: sign, send, read the answer, and decide what follows from it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    Attempt, DeliveryChange, DeliveryState, Outcome, REPLAY_HEADER, RetrySchedule, Source,
    SubscriptionState, Timestamp, Tried,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use store::{LeasedDelivery, Permit, PutOff, Settlement};
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
    standing::{Judge, Standing, Tidings},
    styled,
};

/// How long at least a delivery waits that nodes do not agree about; twice as long at most.
const PUT_OFF: Duration = Duration::from_secs(5);

/// Why a delivery is not sent that nobody could tell whose it is. The rules leave every subscription a secret that signs.
const UNSIGNED: &str = "the subscription has no secret that signs; roll it";

/// What every attempt needs.
pub(crate) struct Attempter {
    pub(crate) client: Client,
    pub(crate) schedule: RetrySchedule,
    pub(crate) judge: Arc<Judge>,
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
        let destination = &leased.destination;
        let body = styled::body(&leased);
        let signed = destination.sign(
            leased.event,
            started_at,
            body.as_deref().unwrap_or_default(),
        );
        let replay = leased.replay.map(|job| (REPLAY_HEADER, job.to_string()));
        let lines = head.headers(&signed).chain(replay);
        let request = if signed.signature.is_empty() {
            Err(UNSIGNED)
        } else {
            headers(lines)
                .zip(body)
                .ok_or("the request could not be written")
        };
        let exchange = self.exchange(&leased, request);
        let answer = self
            .cut
            .run_until_cancelled(exchange)
            .await
            .unwrap_or_else(|| was_cut().into());
        let ended_at = self.source.now();
        if let Some(put_off) = self.dispute(&leased, &answer, ended_at) {
            return self.put_off(put_off, &leased, permit).await;
        }
        let answer = answer.kept(&leased.destination.settings);
        let duration_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let attempt = Attempt {
            number: leased.lease.attempt,
            manual_by: leased.manual_by.clone(),
            replay: leased.replay,
            started_at,
            duration_ms,
            outcome: answer.outcome,
            status: answer.status,
            error: answer.error,
            target: leased.destination.target.as_str().to_owned(),
            signature: if answer.sent {
                signed.into_text()
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
            jitter: self.jitter(answer.outcome),
        };
        self.finish(&leased, attempt, &tried, permit).await;
    }

    /// Until when a delivery waits that the address rule of this node has refused, and may not have the last word
    /// of. It is no attempt: nothing was tried, and other nodes may be allowed to.
    fn dispute(&self, leased: &LeasedDelivery, answer: &Answer, now: Timestamp) -> Option<PutOff> {
        if answer.outcome != Outcome::AddressRefused {
            return None;
        }
        let doubt = self.peers.doubt(now)?;
        // At different moments, so that another node finds some of them first.
        let wait = PUT_OFF + PUT_OFF.mul_f64(self.source.fraction());
        Some(PutOff {
            lease: leased.lease,
            at: now,
            due_at: now.after(wait),
            outcome: answer.outcome,
            reason: format!("{}; tried again, because {doubt}", answer.error),
        })
    }

    async fn put_off(&self, put_off: PutOff, leased: &LeasedDelivery, permit: Permit) {
        let subscription = leased.destination.subscription;
        tracing::debug!(
            delivery.id = %put_off.lease.delivery, subscription.id = %subscription,
            reason = put_off.reason, "a delivery was put off"
        );
        self.hand_in(Finished::PutOff(put_off), permit).await;
    }

    /// Gives the permit back once what ended has a place among what waits to be stored.
    async fn hand_in(&self, finished: Finished, permit: Permit) {
        self.counters.unsettled.add(1);
        let place = self.finished.reserve().await;
        drop(permit);
        match place {
            Ok(place) => place.send(finished),
            // The settler outlives every attempt; were it gone, the rescue would settle this.
            Err(_) => self.counters.unsettled.take_off(1),
        }
    }

    async fn exchange(
        &self,
        leased: &LeasedDelivery,
        request: Result<(HeaderMap, Bytes), &str>,
    ) -> Answer {
        let (mut headers, body) = match request {
            Ok(request) => request,
            Err(why) => return Failure::new(Outcome::Broken, why, false).into(),
        };
        let to = &leased.destination;
        if let Err(failure) = styled::add_origin(&mut headers, &to.settings) {
            return failure.into();
        }
        let Some(style) = &to.request else {
            return self.client.post(to.target.as_str(), headers, body).await;
        };
        match styled::dress(&mut headers, style, leased) {
            Ok(()) => self.client.post_as(to, style, headers, body).await,
            Err(failure) => failure.into(),
        }
    }

    async fn finish(
        &self,
        leased: &LeasedDelivery,
        attempt: Attempt,
        tried: &Tried,
        permit: Permit,
    ) {
        let next = self.schedule.next(tried);
        let next = if leased.event.is_test() {
            next.once()
        } else {
            next
        };
        let subscription = leased.destination.subscription;
        self.lanes.ended(subscription, next.lane, tried.now);
        self.note(leased, &attempt);
        let tidings = Tidings {
            attempt: tried.attempt,
            outcome: tried.outcome,
            error: &attempt.error,
            status: tried.status,
            at: tried.now,
        };
        let standing = Standing::after(&leased.destination, tidings, &self.judge.settings);
        let next = if leased.destination.state == SubscriptionState::Paused {
            next.of_probe(tried.now)
        } else {
            next
        };
        let (state, due_at) = state_after(next.change);
        let reason = attempt.error.clone();
        // One that was delivered before stays so, whatever came of this.
        let ends_well = state == DeliveryState::Delivered || leased.delivered_before;
        let drops_body = ends_well && leased.destination.settings.delete_body_on_success;
        let settlement = Settlement {
            lease: leased.lease,
            attempt,
            state,
            reason,
            due_at,
        };
        let finished = Finished::Attempt {
            team: leased.destination.team,
            settlement,
            standing,
            drops_body,
        };
        self.hand_in(finished, permit).await;
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
    fn jitter(&self, outcome: Outcome) -> f64 {
        match outcome {
            Outcome::Delivered | Outcome::Gone | Outcome::AddressRefused => 0.0,
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
fn headers(lines: impl IntoIterator<Item = (&'static str, String)>) -> Option<HeaderMap> {
    let lines = lines.into_iter();
    // Room for `host` and `content-length` as well, which the client adds.
    let mut headers = HeaderMap::with_capacity(lines.size_hint().0 + 2);
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
