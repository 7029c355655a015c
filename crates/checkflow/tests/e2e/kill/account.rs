//! What the clients asked for, what they were told, and what must have come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use domain::{DeliveryId, DeliveryState, TaskId};
use serde_json::Value;
use standardwebhooks::Webhook;
use testkit::{PATIENCE, Received};
use tokio::{sync::watch, time::timeout};

use crate::support::{Answer, Broken, Left};

/// A task of a checklist, as the API showed it when it was made.
pub(super) struct Task {
    pub(super) row: Value,
    checklist: Value,
}

impl Task {
    pub(super) fn all_of(list: &Value) -> Vec<Self> {
        let of = |row: &Value| Self {
            row: row.clone(),
            checklist: list["checklistKey"].clone(),
        };
        list["tasks"].as_array().unwrap().iter().map(of).collect()
    }
}

/// What a client was told.
pub(super) enum Said {
    /// 200, with this.
    Done(Value),
    /// 4xx.
    Refused,
    /// 5xx or nothing: it may be done or not.
    Unknown,
}

impl Said {
    pub(super) fn by(answer: Result<Answer, Broken>) -> Self {
        match answer {
            Ok(Answer {
                status: 200, body, ..
            }) => Self::Done(body),
            Ok(Answer { status, body, .. }) => match status / 100 {
                4 => {
                    assert_eq!(body["code"], "controls_unsatisfied", "{body}");
                    Self::Refused
                }
                5 => Self::Unknown,
                _ => panic!("answered {status}: {body}"),
            },
            Err(_) => Self::Unknown,
        }
    }
}

/// Every task that was asked for, once each, with what was said.
#[derive(Default)]
pub(super) struct Account {
    asked: Mutex<BTreeMap<i64, (Task, Said)>>,
    answers: watch::Sender<usize>,
}

impl Account {
    pub(super) fn note(&self, task: Task, said: Said) {
        let answered = !matches!(said, Said::Unknown);
        let id = task.row["taskId"].as_i64().unwrap();
        let before = self.asked.lock().unwrap().insert(id, (task, said));
        assert!(before.is_none(), "each task is asked for once");
        if answered {
            self.answers.send_modify(|count| *count += 1);
        }
    }

    /// How often something was answered.
    pub(super) fn answers(&self) -> usize {
        *self.answers.borrow()
    }

    pub(super) async fn wait_for(&self, answers: usize) {
        let mut count = self.answers.subscribe();
        let came = timeout(PATIENCE, count.wait_for(|count| *count >= answers)).await;
        let so_far = self.answers();
        assert!(came.is_ok(), "{so_far} answers came, and not {answers}");
    }

    /// Fails unless the webhooks that `arrived` and what is `left` in the database are what the answers
    /// promise, with no more repeats than the deliveries that kills have `cut` allow.
    pub(super) fn check(
        &self,
        arrived: &[Received],
        subscription: &Value,
        left: &Left,
        cut: &BTreeMap<DeliveryId, u32>,
    ) {
        let asked = self.asked.lock().unwrap();
        let mut told = BTreeSet::new();
        for webhook in arrived {
            verify(webhook, subscription);
            let id = webhook.json()["data"]["taskId"].as_i64().unwrap();
            let (task, said) = asked
                .get(&id)
                .unwrap_or_else(|| panic!("{webhook}: not asked for"));
            check_body(webhook, task, said);
            told.insert(id);
        }
        let mut counts = BTreeMap::<_, usize>::new();
        for (id, (_, said)) in &*asked {
            let was_told = told.contains(id);
            let kind = match said {
                Said::Done(_) => {
                    assert!(was_told, "task {id} was answered 200 and never told");
                    "done"
                }
                Said::Refused => {
                    assert!(
                        !was_told,
                        "task {id} was answered 4xx and told all the same"
                    );
                    "refused"
                }
                Said::Unknown if was_told => "not answered, and done",
                Said::Unknown => "not answered, and not done",
            };
            *counts.entry(kind).or_default() += 1;
            let complete = left.completed.contains(&TaskId::new(*id));
            assert_eq!(
                complete, was_told,
                "task {id} is told if and only if it is complete"
            );
        }
        let repeats = arrived.len() - told.len();
        let in_flight = usize::try_from(cut.values().sum::<u32>()).unwrap();
        println!("{counts:?}, {repeats} repeats of {in_flight} in flight");
        assert!(repeats <= in_flight, "only what was in flight is repeated");
        assert!(
            repeats > 0 && counts.len() == 4,
            "all that can come about did"
        );
        check_log(arrived, left, cut);
    }
}

fn verify(webhook: &Received, subscription: &Value) {
    let secret = Webhook::new(subscription["secret"].as_str().unwrap()).unwrap();
    let verified = secret.verify(&webhook.body, &webhook.headers);
    verified.unwrap_or_else(|error| panic!("{webhook}: {error}"));
    let whose = webhook.header("checkflow-subscription");
    assert_eq!(whose, subscription["id"].as_str(), "{webhook}");
}

/// The body tells of exactly this task, and of what was answered.
fn check_body(webhook: &Received, task: &Task, said: &Said) {
    let body = webhook.json();
    let data = &body["data"];
    assert_eq!(body["type"], "task_completed", "{webhook}");
    assert_eq!(data["taskKey"], task.row["taskKey"], "{webhook}");
    assert_eq!(
        data["checklist"]["checklistKey"], task.checklist,
        "{webhook}"
    );
    assert_eq!(data["taskIsComplete"], true, "{webhook}");
    assert_eq!(data["completionCount"], 1, "{webhook}");
    if let Said::Done(answer) = said {
        for (name, value) in answer.as_object().unwrap() {
            assert_eq!(&data[name], value, "{webhook}: {name}");
        }
    }
}

/// The queue is empty, nothing is missing from it, and each delivery was sent once, and once more for
/// each kill that cut it short.
fn check_log(arrived: &[Received], left: &Left, cut: &BTreeMap<DeliveryId, u32>) {
    let mut sent = BTreeMap::<_, Vec<&Received>>::new();
    for webhook in arrived {
        let delivery = webhook.header("checkflow-delivery").unwrap();
        sent.entry(delivery.to_owned()).or_default().push(webhook);
    }
    let mut sequences = BTreeSet::new();
    for delivery in &left.deliveries {
        let id = delivery.delivery_id;
        let attempts = 1 + cut.get(&id).copied().unwrap_or(0);
        assert_eq!(delivery.state, DeliveryState::Delivered, "delivery {id}");
        assert_eq!(delivery.attempts, attempts, "attempts of delivery {id}");
        let sent = sent.remove(&id.to_string()).unwrap_or_default();
        let numbers: BTreeSet<_> = sent.iter().map(|webhook| number(webhook)).collect();
        // Whether one that was cut short had left the server is not known, but each that followed did.
        let what = format!("attempts of delivery {id}: {sent:?}");
        assert_eq!(numbers.last(), Some(&attempts), "{what}");
        assert_eq!(numbers.len(), sent.len(), "{what}");
        for webhook in &sent {
            assert_eq!(webhook.body, sent[0].body, "{webhook}");
            let event = delivery.event_id.to_string();
            assert_eq!(webhook.header("webhook-id"), Some(&*event), "{webhook}");
        }
        sequences.insert(delivery.sequence);
    }
    assert!(sent.is_empty(), "sent without being kept: {sent:?}");
    let count = i64::try_from(left.deliveries.len()).unwrap();
    assert_eq!(
        sequences,
        (1..=count).collect(),
        "deliveries are numbered without a gap"
    );
    assert_eq!(
        left.completed.len(),
        left.deliveries.len(),
        "one for each complete task"
    );
}

fn number(webhook: &Received) -> u32 {
    webhook
        .header("checkflow-attempt")
        .unwrap()
        .parse()
        .unwrap()
}
