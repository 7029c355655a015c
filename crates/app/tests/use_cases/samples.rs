//! The sample bodies in `docs/samples` are what receivers get, member for member.
//!
//! `CHECKFLOW_UPDATE=1 cargo test -p app` writes them anew.

use std::{convert::Infallible, fs, path::PathBuf};

use crate::support::Bench;
use app::{CreateChecklist, ScopeKeys, SetField, SetTaskStatus, Subscribe, Upload};
use bytes::Bytes;
use domain::{EventType, TaskStatus};
use futures_util::stream;
use serde_json::{Value, json};

/// Subscribes to all three events, runs a checklist, and answers what is sent.
async fn bodies(bench: &Bench) -> Vec<(EventType, Bytes)> {
    let template = bench
        .put_template(json!({"name": "Invoice review", "tasks": [
            {"name": "Receive the invoice", "controls": [
                {"type": "ShortText", "name": "Invoice number", "required": true},
                {"type": "FileUpload", "name": "Scan", "minFiles": 1}]},
            {"name": "Pay"},
        ]}))
        .await;
    for event_type in EventType::OF_CHECKLISTS {
        let mut keys = ScopeKeys::default();
        match event_type {
            EventType::FileUploaded => keys.control = template.tasks[0].controls[1].key,
            _ => keys.template = template.template_key,
        }
        let ask = Subscribe {
            source: "docs".to_owned(),
            event_type,
            target_url: "http://127.0.0.1:9/".to_owned(),
            keys,
            settings: domain::SettingsChange::default(),
            secret: None,
        };
        bench.app.subscribe(&bench.caller, ask).await.unwrap();
    }
    let create = CreateChecklist {
        template: template.template_key.unwrap(),
        name: "Invoice 2041".to_owned(),
    };
    let list = bench.app.change(&bench.caller, create).await.unwrap();
    let task = &list.tasks.as_ref().unwrap()[0];
    let set = SetField {
        field: task.fields[0].task_content_id,
        control: None,
        key: None,
        value: "INV-2041".to_owned(),
    };
    bench.app.change(&bench.caller, set).await.unwrap();
    let upload = Upload {
        field: task.fields[1].task_content_id,
        file_name: "scan.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
    };
    let bytes = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"%PDF-1.7"))]);
    bench
        .app
        .upload(&bench.caller, upload, bytes)
        .await
        .unwrap();
    let complete = SetTaskStatus {
        task: task.task_id,
        status: TaskStatus::Complete,
    };
    bench.app.change(&bench.caller, complete).await.unwrap();
    let handed = bench.lanes.handed();
    handed
        .into_iter()
        .map(|one| (one.event_type, one.body))
        .collect()
}

#[tokio::test]
async fn the_documented_bodies_are_those_that_are_sent() {
    let bench = Bench::start().await;
    let sent = bodies(&bench).await;
    assert_eq!(sent.len(), EventType::OF_CHECKLISTS.len());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/samples");
    for (event_type, body) in sent {
        let path = folder.join(format!("{event_type}.json"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let text = format!("{body:#}\n");
        if std::env::var_os("CHECKFLOW_UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text,
            "{}",
            path.display()
        );
    }
    bench.store.stop().await;
}
