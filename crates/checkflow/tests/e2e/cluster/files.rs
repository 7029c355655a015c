//! Files that go in by one node and come out by another.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use testkit::Received;
use tokio::{sync::watch, time::sleep};

use super::{account::Said, node::Node, stage::PACE};

/// What was stored, as far as somebody was told.
#[derive(Default)]
pub(super) struct Files {
    /// The key and the content of each.
    kept: Mutex<Vec<(String, String)>>,
}

impl Files {
    /// Uploads to each of `fields` by the nodes in turn, until there are none or it is told to stop. What is
    /// uploaded by one is read by the next at once, which may be away.
    pub(super) async fn upload(
        self: Arc<Self>,
        nodes: Vec<Arc<Node>>,
        fields: Vec<Value>,
        working: watch::Receiver<bool>,
    ) {
        for (number, field) in fields.into_iter().enumerate() {
            if !*working.borrow() {
                return;
            }
            let [node, next] = [number, number + 1].map(|place| &nodes[place % nodes.len()]);
            // Also JSON, so that the client reads it as it reads answers.
            let content = format!("\"scan {number}\"");
            let answer = node.client.try_upload(&field, &content).await;
            let key = answer.as_ref().map(|answer| answer.body["fileKey"].clone());
            let key = key.unwrap_or_default();
            if Said::by(answer) == Said::Done {
                let key = key.as_str().unwrap().to_owned();
                read(next, &key, &content).await;
                self.kept.lock().unwrap().push((key, content));
            }
            // Slower than tasks, of which there are more.
            sleep(PACE).await;
        }
    }

    /// Every file that was kept is read by every node that runs.
    pub(super) async fn check_readable(&self, nodes: &[Arc<Node>]) {
        let kept = self.kept.lock().unwrap().clone();
        for node in nodes.iter().filter(|node| !node.is_gone()) {
            for (key, content) in &kept {
                let said = read(node, key, content).await;
                assert_eq!(said, Said::Done, "{}: file {key}", node.name);
            }
        }
    }

    /// What was kept is in the table, and what is there was told.
    pub(super) fn check_told(&self, rows: &BTreeSet<String>, arrived: &[(Received, bool)]) {
        let kept: BTreeSet<String> = {
            let kept = self.kept.lock().unwrap();
            kept.iter().map(|(key, _)| key.clone()).collect()
        };
        assert!(!kept.is_empty(), "no file was stored");
        let lost: Vec<_> = kept.difference(rows).collect();
        assert!(lost.is_empty(), "stored and not there: {lost:?}");
        let key = |webhook: &Received| {
            webhook.json()["data"]["fileKey"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let told: BTreeSet<String> = arrived.iter().map(|(webhook, _)| key(webhook)).collect();
        assert_eq!(&told, rows, "what is there is told");
        println!("{} files, {} of them answered", rows.len(), kept.len());
    }
}

/// Reads a file that must hold `content`, if the node can.
async fn read(node: &Node, key: &str, content: &str) -> Said {
    let path = format!("/api/checklist/file?fileKey={key}");
    let answer = node.client.try_ask("GET", &path, &Value::Null).await;
    if let Ok(answer) = &answer
        && answer.status == 200
    {
        assert_eq!(answer.body.to_string(), content, "file {key}");
    }
    Said::by(answer)
}
