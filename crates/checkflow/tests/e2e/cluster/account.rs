//! What was asked of the nodes, what they said, and what must have come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use domain::{Delivery, DeliveryState};
use testkit::{PATIENCE, Received};
use tokio::{sync::watch, time::timeout};

use crate::support::{Answer, Broken, Left};

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// 200.
    Done,
    /// 503, which says when to come back.
    Away,
    /// Nothing: it may be done or not.
    Nothing,
}

impl Said {
    pub(super) fn by(answer: Result<Answer, Broken>) -> Self {
        match answer {
            Ok(Answer { status: 200, .. }) => Self::Done,
            Ok(answer) => {
                check_away(&answer);
                Self::Away
            }
            Err(_) => Self::Nothing,
        }
    }
}

/// The one answer of a node whose database is away.
pub(super) fn check_away(answer: &Answer) {
    let body = &answer.body;
    assert_eq!(answer.status, 503, "{body}");
    assert_eq!(body["code"], "unavailable", "{body}");
    assert!(answer.retry_after.is_some(), "{body}");
}

/// Every task that was asked for, once each, with what was said.
#[derive(Default)]
pub(super) struct Account {
    asked: Mutex<BTreeMap<i64, Said>>,
    /// How many tasks each node has said to be done.
    done: watch::Sender<BTreeMap<usize, usize>>,
}

impl Account {
    pub(super) fn note(&self, task: i64, node: usize, said: Said) {
        let before = self.asked.lock().unwrap().insert(task, said);
        assert!(before.is_none(), "each task is asked for once");
        if said == Said::Done {
            self.done
                .send_modify(|done| *done.entry(node).or_default() += 1);
        }
    }

    /// Waits until each of `nodes` has completed `count` more tasks.
    pub(super) async fn wait_for(&self, nodes: &[usize], count: usize) {
        let mut done = self.done.subscribe();
        let before = done.borrow().clone();
        let of = |done: &BTreeMap<_, usize>, node| done.get(node).copied().unwrap_or(0);
        let all = done.wait_for(|done| {
            let has = |node| of(done, node) >= of(&before, node) + count;
            nodes.iter().all(has)
        });
        let came = timeout(PATIENCE * 2, all).await.is_ok();
        let now = self.done.borrow().clone();
        assert!(
            came,
            "{count} more of each of {nodes:?}: {before:?}, then {now:?}"
        );
    }
}

/// What all of a scenario has come to.
pub(super) struct Outcome<'a> {
    pub(super) account: &'a Account,
    /// By path, in the order of their arrival, each with whether the receiver took it.
    pub(super) arrived: BTreeMap<&'static str, Vec<(Received, bool)>>,
    /// The subscription of each path.
    pub(super) subscriptions: BTreeMap<&'static str, String>,
    pub(super) left: Left,
    /// What came of each attempt that has a row, by delivery and number.
    pub(super) attempts: BTreeMap<(String, u32), String>,
    /// The deliveries that were leased to a node that was stopped.
    pub(super) cut: BTreeSet<String>,
}

/// What was sent more often than the receiver wanted it, and why.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Leased to a node that was stopped.
    pub(super) of_the_stopped: usize,
    /// The receiver's answer did not come in time.
    pub(super) of_the_slow: usize,
}

impl Outcome<'_> {
    /// Fails unless what arrived and what is left in the database are what the answers promise; answers
    /// the repeats.
    pub(super) fn check(&self) -> Repeats {
        let completed: BTreeSet<i64> = self.left.completed.iter().map(|task| task.get()).collect();
        let mut said = BTreeMap::<_, usize>::new();
        for (task, answer) in &*self.account.asked.lock().unwrap() {
            *said.entry(*answer).or_default() += 1;
            let lost = *answer == Said::Done && !completed.contains(task);
            assert!(!lost, "task {task} was answered 200 and is not complete");
        }
        let mut repeats = Repeats::default();
        for (path, arrived) in &self.arrived {
            let taken = arrived.iter().filter(|(_, taken)| *taken);
            let told: BTreeSet<i64> = taken.map(|(webhook, _)| task(webhook)).collect();
            self.check_log(path, arrived, &mut repeats);
            // Neither is anything answered 200 missing here, nor was anything told that is not so.
            let wrong: Vec<_> = told.symmetric_difference(&completed).collect();
            assert!(
                wrong.is_empty(),
                "{path}: either complete or told: {wrong:?}"
            );
        }
        println!("{said:?}; {} complete; {repeats:?}", completed.len());
        repeats
    }

    /// The deliveries of one subscription: none is left, none is without a number, and none was sent again
    /// without a reason.
    fn check_log(&self, path: &str, arrived: &[(Received, bool)], repeats: &mut Repeats) {
        let subscription = &self.subscriptions[path];
        let is_its = |one: &&Delivery| one.subscription_id.to_string() == *subscription;
        let deliveries: Vec<_> = self.left.deliveries.iter().filter(is_its).collect();
        let mut sent = BTreeMap::<_, BTreeMap<u32, _>>::new();
        for (webhook, taken) in arrived {
            let delivery = header(webhook, "checkflow-delivery");
            let number: u32 = header(webhook, "checkflow-attempt").parse().unwrap();
            assert_eq!(header(webhook, "checkflow-subscription"), subscription);
            let before = sent
                .entry(delivery.to_owned())
                .or_default()
                .insert(number, (webhook, *taken));
            assert!(before.is_none(), "{webhook}: an attempt is one request");
        }
        let mut sequences = BTreeSet::new();
        for delivery in &deliveries {
            let id = delivery.delivery_id.to_string();
            assert_eq!(delivery.state, DeliveryState::Delivered, "{delivery:?}");
            let attempts = sent.remove(&id).unwrap_or_default();
            for (number, (webhook, taken)) in &attempts {
                let sequence = delivery.sequence.to_string();
                assert_eq!(header(webhook, "checkflow-sequence"), sequence, "{webhook}");
                let event = delivery.event_id.to_string();
                assert_eq!(header(webhook, "webhook-id"), event, "{webhook}");
                if *number < delivery.attempts {
                    self.explain(&(id.clone(), *number), *taken, repeats);
                }
            }
            sequences.insert(delivery.sequence);
        }
        assert!(sent.is_empty(), "sent without being kept: {sent:?}");
        let count = i64::try_from(deliveries.len()).unwrap();
        let all = (1..=count).collect();
        assert_eq!(sequences, all, "{path} is numbered without a gap");
    }

    /// Why there was another attempt after one that arrived.
    fn explain(&self, attempt: &(String, u32), taken: bool, repeats: &mut Repeats) {
        let came = self.attempts.get(attempt).map(String::as_str);
        match came {
            Some("refused_status") => assert!(!taken, "{attempt:?} was taken, and kept as refused"),
            Some("unknown") => {
                let known = self.cut.contains(&attempt.0);
                assert!(known, "{attempt:?} was not leased to a stopped node");
                repeats.of_the_stopped += 1;
            }
            Some("timed_out") => repeats.of_the_slow += 1,
            other => panic!("{attempt:?} was sent again after {other:?}"),
        }
    }
}

fn task(webhook: &Received) -> i64 {
    webhook.json()["data"]["taskId"].as_i64().unwrap()
}

fn header<'a>(webhook: &'a Received, name: &str) -> &'a str {
    webhook.header(name).unwrap()
}
