//! A database that goes away with the answer to a commit.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use app::{AppError, CreateChecklist, ListFiles, OpenFile, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use serde_json::json;
use store::{Backend, Lanes, Node, Page, ReadJob, StoreError, Verdict, WriteJob, WriteTx};

use crate::support::Bench;

/// Commits what it is given, and while `lossy` is set does not say so.
struct Lossy {
    sound: Arc<dyn Backend>,
    lossy: Arc<AtomicBool>,
}

struct LossyJob {
    job: Box<dyn WriteJob>,
    lossy: bool,
}

#[async_trait]
impl WriteJob for LossyJob {
    fn purpose(&self) -> store::Purpose {
        self.job.purpose()
    }

    fn about(&self) -> Option<domain::ChecklistId> {
        self.job.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        self.job.run(tx).await
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let told = match committed {
            Ok(()) if self.lossy => Err(StoreError::Unsure(None)),
            told => told,
        };
        self.job.finish(told);
    }
}

impl Backend for Lossy {
    fn write(&self, job: Box<dyn WriteJob>) {
        let lossy = self.lossy.load(Ordering::SeqCst);
        self.sound.write(Box::new(LossyJob { job, lossy }));
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.sound.read(job);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.sound.attach(lanes);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.sound.gives_sign()
    }

    fn join(&self, node: Arc<dyn Node>) {
        self.sound.join(node);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sound.stop()
    }
}

#[tokio::test]
async fn a_file_whose_row_may_be_there_keeps_its_bytes() {
    let lossy = Arc::new(AtomicBool::new(false));
    let front = |sound| Lossy {
        sound,
        lossy: lossy.clone(),
    };
    let bench = Bench::start_behind(|store| store.behind(front)).await;
    let template = bench
        .put_template(json!({ "name": "Invoice review", "tasks": [
            { "name": "Receive", "controls": [{ "type": "FileUpload", "name": "Scan", "maxFiles": 2 }] },
        ]}))
        .await;
    let create = CreateChecklist {
        template: template.template_key.unwrap(),
        name: "March".to_owned(),
    };
    let list = bench.app.change(&bench.caller, create).await.unwrap();
    let field = list.tasks.as_ref().unwrap()[0].fields[0].task_content_id;
    let upload = || {
        let upload = Upload {
            field,
            file_name: "scan.txt".to_owned(),
            media_type: "text/plain".to_owned(),
        };
        let bytes = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"a scan"))]);
        bench.app.upload(&bench.caller, upload, bytes)
    };

    lossy.store(true, Ordering::SeqCst);
    let told = upload().await;
    let unsure = matches!(
        told,
        Err(AppError::Storage {
            source: StoreError::Unsure(_),
            ..
        })
    );
    assert!(unsure, "{told:?}");
    lossy.store(false, Ordering::SeqCst);
    let list = ListFiles {
        control: template.tasks[0].controls[0].key.unwrap(),
        page: Page {
            number: 1,
            size: 10,
        },
    };
    let rows = bench.app.query(&bench.caller, list).await.unwrap();
    assert_eq!(rows.len(), 1, "its row was committed all the same");
    let open = OpenFile {
        key: rows[0].file_key,
        range: None,
    };
    let opened = bench.app.open_file(&bench.caller, open).await.unwrap();
    let bytes: Vec<Bytes> = opened.bytes.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"a scan");
}
