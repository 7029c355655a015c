use std::time::Duration;

use axum::body::Body;
use futures_util::stream;
use serde_json::{Value, json};

use crate::harness::{FILE_BYTES_MAX, NOBODY, Server, text};

/// The number of the File Upload control of a new checklist, and its key.
async fn control(server: &Server) -> (Value, String) {
    let template = server.template().await;
    let list = server.checklist(&template).await;
    let key = text(&template["tasks"][0]["controls"][1]["key"]).to_owned();
    (list["tasks"][0]["fields"][1]["taskContentID"].clone(), key)
}

#[tokio::test]
async fn a_file_is_uploaded_listed_and_downloaded_as_it_was() {
    let server = Server::start().await;
    let (field, key) = control(&server).await;
    let uploaded = server
        .upload(&field, "Prüfung 1.pdf", b"0123456789")
        .answer()
        .await;
    insta::assert_snapshot!("upload", uploaded.shown());
    let row = uploaded.ok();
    let listed = server
        .get(&format!(
            "/api/checklist/uploaded-files?taskContentKey={key}"
        ))
        .answer()
        .await;
    assert_eq!(listed.ok(), json!([row]));
    let target = format!("/api/checklist/file?fileKey={}", text(&row["fileKey"]));
    insta::assert_snapshot!("download", server.get(&target).answer().await.shown());
    let head = server.ask("HEAD", &target).answer().await;
    assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
    assert_eq!(
        server.get(&target).header("x-api-key", "").refusal().await,
        (401, "key_missing".to_owned())
    );
    let other = server.get(&target).header("x-api-key", &server.other_key);
    assert_eq!(other.refusal().await, (404, "file_missing".to_owned()));
}

#[tokio::test]
async fn part_of_a_file_is_answered_when_one_range_is_asked_for() {
    let server = Server::start().await;
    let (field, _) = control(&server).await;
    let row = server
        .upload(&field, "a.bin", b"0123456789")
        .answer()
        .await
        .ok();
    let target = format!("/api/checklist/file?fileKey={}", text(&row["fileKey"]));
    for (range, status, body, shown) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=5-500", 206, "56789", "bytes 5-9/10"),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("bytes=4-2", 200, "0123456789", ""),
        ("lines=1-2", 200, "0123456789", ""),
    ] {
        let answer = server.get(&target).header("range", range).answer().await;
        assert_eq!(answer.status.as_u16(), status, "{range}");
        assert_eq!(answer.body, body.as_bytes(), "{range}");
        assert_eq!(answer.header("content-range"), shown, "{range}");
        assert_eq!(
            answer.header("content-length"),
            body.len().to_string(),
            "{range}"
        );
    }
    let beyond = server
        .get(&target)
        .header("range", "bytes=10-")
        .answer()
        .await;
    assert_eq!(beyond.problem()["code"], "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), "bytes */10");
}

#[tokio::test]
async fn a_copy_is_asked_about_by_its_tag() {
    let server = Server::start().await;
    let (field, _) = control(&server).await;
    let row = server
        .upload(&field, "a.bin", b"0123456789")
        .answer()
        .await
        .ok();
    let target = format!("/api/checklist/file?fileKey={}", text(&row["fileKey"]));
    let tag = format!("\"{}\"", text(&row["fileSha256"]));
    let same = server
        .get(&target)
        .header("if-none-match", &tag)
        .answer()
        .await;
    assert_eq!(
        (same.status.as_u16(), same.body.len(), same.header("etag")),
        (304, 0, tag.as_str())
    );
    let other = server
        .get(&target)
        .header("if-none-match", "\"x\"")
        .answer()
        .await;
    assert_eq!(other.status.as_u16(), 200);
    let part = |if_range: &str| {
        server
            .get(&target)
            .header("range", "bytes=0-0")
            .header("if-range", if_range)
            .answer()
    };
    assert_eq!(part(&tag).await.status.as_u16(), 206);
    assert_eq!(part("\"x\"").await.status.as_u16(), 200);
}

#[tokio::test]
async fn too_large_a_file_is_refused_whether_it_says_so_or_not() {
    let server = Server::start().await;
    let (field, key) = control(&server).await;
    let max = usize::try_from(FILE_BYTES_MAX).unwrap();
    let too_large = vec![b'x'; max + 1];
    assert_eq!(
        server.upload(&field, "a", &too_large).refusal().await,
        (413, "file_too_large".to_owned())
    );
    let announced = server
        .upload(&field, "a", b"x")
        .header("content-length", "99999999");
    assert_eq!(
        announced.refusal().await,
        (413, "file_too_large".to_owned())
    );
    let none = format!("/api/checklist/uploaded-files?taskContentKey={key}");
    assert_eq!(
        server.get(&none).refusal().await,
        (404, "nothing_found".to_owned())
    );
    server
        .upload(&field, "a", &too_large[1..])
        .answer()
        .await
        .ok();
}

#[tokio::test]
async fn a_form_that_can_not_be_read_is_refused() {
    let server = Server::start().await;
    let (field, _) = control(&server).await;
    let target = format!("/api/task/upload-file?taskContentID={field}");
    let send = async |kind: &str, body: &'static str| {
        server
            .post(&target)
            .header("content-type", kind)
            .body(body)
            .refusal()
            .await
    };
    let form = "multipart/form-data; boundary=edge";
    assert_eq!(
        send("application/json", "{}").await,
        (415, "media_type_unsupported".to_owned())
    );
    assert_eq!(
        send("multipart/form-data", "x").await,
        (415, "media_type_unsupported".to_owned())
    );
    assert_eq!(
        send(form, "").await,
        (400, "malformed_multipart".to_owned())
    );
    assert_eq!(
        send(form, "no form at all").await,
        (400, "malformed_multipart".to_owned())
    );
    let other = "--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--edge--\r\n";
    assert_eq!(
        send(form, other).await,
        (400, "malformed_multipart".to_owned())
    );
    let cut = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf";
    assert_eq!(
        send(form, cut).await,
        (400, "malformed_multipart".to_owned())
    );
}

/// A form with `before` written before its file of `bytes`, and `after` behind it.
fn form(before: &str, bytes: usize, after: &str) -> Vec<u8> {
    let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let mut form = format!("{before}{head}").into_bytes();
    form.resize(form.len() + bytes, b'x');
    form.extend_from_slice(format!("\r\n{after}--edge--\r\n").as_bytes());
    form
}

/// A field of a form that is no file.
fn other(head: &str, value: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n{head}\r\n{value}\r\n")
}

#[tokio::test]
async fn what_a_form_has_before_its_file_is_bounded() {
    const BEFORE: usize = 64 * 1024;
    let server = Server::start().await;
    let (field, _) = control(&server).await;
    let send = async |form: Vec<u8>| server.upload(&field, "a", b"").body(form).answer().await;
    let max = usize::try_from(FILE_BYTES_MAX).unwrap();
    let long = "x".repeat(BEFORE);
    let short = "x".repeat(BEFORE - 5_000);
    for (what, before) in [
        ("a preamble", long.clone()),
        ("a field", other("", &long)),
        ("fields", other("", &short) + &other("", &short)),
        ("a head", other(&format!("X-Long: {long}\r\n"), "")),
    ] {
        let answer = send(form(&before, 1, "")).await;
        let problem = answer.problem();
        assert_eq!(problem["code"], "body_too_large", "{what}");
        assert!(
            text(&problem["detail"]).contains("65536 bytes before its file"),
            "{problem}"
        );
    }
    // A file of the largest size leaves room for what is before it.
    let largest = form(&other("", &short), max, "");
    assert_eq!(send(largest).await.ok()["fileSize"], FILE_BYTES_MAX);
    // What is behind the file is not read.
    send(form("", 1, &other("", &long))).await.ok();
}

#[tokio::test]
async fn no_more_than_twenty_fields_come_before_the_file() {
    let server = Server::start().await;
    let (field, _) = control(&server).await;
    let send = async |fields: usize| {
        let form = form(&other("", "x").repeat(fields), 1, "");
        server.upload(&field, "a", b"").body(form).answer().await
    };
    send(20).await.ok();
    let problem = send(21).await.problem();
    assert_eq!(problem["code"], "malformed_multipart");
    assert!(
        text(&problem["detail"]).contains("more than 20 fields before the file"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_stores_nothing() {
    let server = Server::start().await;
    let (field, key) = control(&server).await;
    let start =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf";
    let broken = stream::iter([Ok(start), Err(std::io::Error::other("reset"))]);
    let ask = server
        .upload(&field, "a", b"")
        .body(Body::from_stream(broken));
    assert_eq!(ask.refusal().await, (400, "upload_interrupted".to_owned()));
    let none = format!("/api/checklist/uploaded-files?taskContentKey={key}");
    assert_eq!(
        server.get(&none).refusal().await,
        (404, "nothing_found".to_owned())
    );
}

#[tokio::test]
async fn a_connection_that_stands_still_is_given_up() {
    let idle = Duration::from_millis(20);
    let server = Server::with(|settings| settings.limits.body_idle_timeout = idle).await;
    let (field, _) = control(&server).await;
    let start =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf";
    let standing = stream::unfold(Some(start), async |start| match start {
        Some(start) => Some((Ok::<_, std::io::Error>(start), None)),
        None => std::future::pending().await,
    });
    let ask = server
        .upload(&field, "a", b"")
        .body(Body::from_stream(standing));
    assert_eq!(ask.refusal().await, (408, "request_timeout".to_owned()));
}

#[tokio::test]
async fn no_more_upload_at_once_than_the_server_takes() {
    let server = Server::with(|settings| settings.limits.uploads_max = 0).await;
    let (field, _) = control(&server).await;
    let answer = server.upload(&field, "a", b"x").answer().await;
    assert_eq!(answer.problem()["code"], "overloaded");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn only_file_uploads_take_files_and_only_so_many() {
    let server = Server::start().await;
    let template = server.template().await;
    let list = server.checklist(&template).await;
    let fields = &list["tasks"][0]["fields"];
    let upload = async |field: &Value| server.upload(field, "a", b"x").answer().await;
    assert_eq!(
        upload(&fields[0]["taskContentID"]).await.problem()["code"],
        "not_an_upload"
    );
    for _ in 0..3 {
        upload(&fields[1]["taskContentID"]).await.ok();
    }
    assert_eq!(
        upload(&fields[1]["taskContentID"]).await.problem()["code"],
        "files_full"
    );
    assert_eq!(
        upload(&json!(999_999)).await.problem()["code"],
        "control_missing"
    );
    let wrong = server
        .post("/api/task/upload-file?taskContentID=x")
        .form("a", b"x");
    assert_eq!(wrong.refusal().await, (400, "invalid_request".to_owned()));
    let missing = format!("/api/checklist/file?fileKey={NOBODY}");
    assert_eq!(
        server.get(&missing).refusal().await,
        (404, "file_missing".to_owned())
    );
}
