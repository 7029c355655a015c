//! Handshakes of tests in which nothing is sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use domain::{Granted, Handshake, ProofRefusal, Prover, Proving, RequestStyle, TargetUrl};
use tokio::sync::watch;

use crate::{Gate, PATIENCE};

/// One handshake that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedProof {
    /// Of which target.
    pub target: TargetUrl,
    /// How the subscription's requests are made.
    pub style: Option<RequestStyle>,
    /// What was asked.
    pub handshake: Handshake,
}

/// Says of every target that it is proven, or what it was told to say; writes down what it is asked. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TestProver(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pages: Mutex<Pages>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Pages {
    asked: Vec<AskedProof>,
    under_way: usize,
    script: VecDeque<Result<Granted, ProofRefusal>>,
    gate: Option<Gate>,
}

impl TestProver {
    /// Says this of the next one; what was scripted before comes first.
    pub fn script(&self, said: Result<Granted, ProofRefusal>) {
        self.pages().script.push_back(said);
    }

    /// Has every one from now on wait for a gate, which is closed.
    pub fn hold(&self) -> Gate {
        let gate = Gate::closed();
        self.pages().gate = Some(gate.clone());
        gate
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<AskedProof> {
        self.pages().asked.clone()
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        self.pages().under_way
    }

    /// Waits until so many are under way.
    pub async fn wait_under_way(&self, count: usize) {
        let mut changes = self.0.changed.subscribe();
        let waiting = async {
            while self.under_way() != count {
                let came = changes.changed().await;
                came.expect("the sender lives in this prover");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let now = self.under_way();
        assert!(waited.is_ok(), "{now} are under way, and not {count}");
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        let pages = self.0.pages.lock();
        pages.expect("nothing panics while it holds the lock")
    }

    fn change(&self, change: impl FnOnce(&mut Pages)) {
        change(&mut self.pages());
        self.0.changed.send_replace(());
    }
}

/// Counts as under way until it is dropped.
struct UnderWay<'a>(&'a TestProver);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.change(|pages| pages.under_way -= 1);
    }
}

impl Prover for TestProver {
    fn prove<'a>(
        &'a self,
        target: &'a TargetUrl,
        style: Option<&'a RequestStyle>,
        handshake: &'a Handshake,
    ) -> Proving<'a> {
        let asked = AskedProof {
            target: target.clone(),
            style: style.cloned(),
            handshake: handshake.clone(),
        };
        Box::pin(async move {
            let (mut said, mut gate) = (None, None);
            self.change(|pages| {
                pages.asked.push(asked);
                pages.under_way += 1;
                said = pages.script.pop_front();
                gate.clone_from(&pages.gate);
            });
            let _under_way = UnderWay(self);
            if let Some(gate) = gate {
                gate.pass().await;
            }
            said.unwrap_or(Ok(Granted::default()))
        })
    }
}
