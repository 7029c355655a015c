//! Files and the sweep of bytes that nobody has a row for.

use std::{convert::Infallible, time::Duration};

use app::{AppError, CreateChecklist, Upload};
use bytes::Bytes;
use domain::{FileKey, Timestamp};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::support::Bench;

const HOUR: Duration = Duration::from_hours(1);

/// An upload to a checklist of its own.
async fn upload(bench: &Bench) -> Upload {
    let document = json!({ "name": "Invoices", "tasks": [
        { "name": "Receive", "controls": [{ "type": "FileUpload", "name": "Scan" }] },
    ]});
    let template = bench.put_template(document).await.template_key.unwrap();
    let create = CreateChecklist {
        template,
        name: "Invoice 2041".to_owned(),
    };
    let list = bench.app.change(&bench.caller, create).await.unwrap();
    Upload {
        field: list.tasks.unwrap()[0].fields[0].task_content_id,
        file_name: "scan.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
    }
}

/// A file that takes so long to come.
fn taking(bench: &Bench, time: Duration) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let clock = bench.clock.clone();
    let pieces = stream::iter(["%PDF", "-1.7"]);
    pieces.map(move |piece| {
        clock.advance(time / 2);
        Ok(Bytes::from_static(piece.as_bytes()))
    })
}

async fn kept(bench: &Bench) -> Vec<FileKey> {
    let all = bench
        .files
        .list_older_than(Timestamp::from_millis(i64::MAX / 2));
    all.try_collect().await.unwrap()
}

#[tokio::test]
async fn an_upload_that_took_too_long_is_not_left_to_the_sweep() {
    let bench = Bench::start().await;
    let upload = upload(&bench).await;
    let slow = taking(&bench, 12 * HOUR);
    let row = bench.app.upload(&bench.caller, upload.clone(), slow).await;
    assert_eq!(row.unwrap().file_size, 8);
    assert_eq!(kept(&bench).await.len(), 1);
    let slower = taking(&bench, 12 * HOUR + Duration::from_secs(2));
    let refused = bench.app.upload(&bench.caller, upload, slower).await;
    assert!(
        matches!(refused, Err(AppError::UploadInterrupted)),
        "{refused:?}"
    );
    assert_eq!(kept(&bench).await.len(), 1, "nothing of it is kept");
}

#[tokio::test]
async fn the_sweep_takes_what_has_no_row_and_is_a_day_old_whoever_else_sweeps() {
    let bench = Bench::start().await;
    let upload = upload(&bench).await;
    let bytes = || stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
    let row = bench
        .app
        .upload(&bench.caller, upload, bytes())
        .await
        .unwrap();
    let orphan = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
        .parse::<FileKey>()
        .unwrap();
    bench.files.put(orphan, bytes(), 9).await.unwrap();
    // The folder's clock is the machine's, whatever the tests' says.
    let ahead = Duration::from_hours(24 * 365 * 100);
    bench.clock.advance(ahead);
    let (one, two) = futures_util::join!(bench.app.sweep_files(), bench.app.sweep_files());
    assert!(one.unwrap() + two.unwrap() >= 1);
    assert_eq!(kept(&bench).await, [row.file_key]);
    assert_eq!(bench.app.sweep_files().await.unwrap(), 0);
}
