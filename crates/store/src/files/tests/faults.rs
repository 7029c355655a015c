//! A store that fails for a moment is asked again; one that goes on failing is told of as away.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::Method;
use testkit::S3Fault::{
    self, Answer, CutAnswer, CutRequest, LoseAnswer, Silence, StallAnswer, StallRequest,
};

use super::{cases::until, *};

/// Bounds under which what never comes is not waited for long. Long enough for a store that has a part to
/// hash on a machine that builds something else.
fn impatient() -> S3Limits {
    S3Limits {
        idle_time: Duration::from_secs(3),
        retry_time: Duration::from_mins(1),
        ..S3Limits::default()
    }
}

async fn files_on(server: &S3Server) -> FileStore {
    let options = S3Options {
        limits: impatient(),
        ..options(server, PREFIX)
    };
    FileStore::open_s3(&options).await.unwrap()
}

/// Puts a file and reads it back while the store does `faults` to the requests that `method` and `part`
/// tell.
async fn check(size: usize, method: Method, part: &str, faults: &[S3Fault]) {
    let server = S3Server::start();
    let files = files_on(&server).await;
    server.upset(&method, part, faults.iter().copied());
    let bytes = content(size);
    let stored = in_time(put(&files, KEY, bytes.clone())).await;
    assert_eq!(
        stored.unwrap().size,
        size as u64,
        "{method} {part} {faults:?}"
    );
    let got = in_time(read(&files, KEY, None)).await;
    assert!(got == bytes, "{method} {part} {faults:?}");
    assert_eq!(server.upsets_left(), 0, "{method} {part} {faults:?}");
    assert_eq!(server.parts(), 0);
}

#[tokio::test]
async fn a_small_file_is_put_though_the_store_fails_at_first() {
    for faults in [
        &[Answer(500), Answer(503), Answer(429)][..],
        &[Silence],
        &[CutRequest(0)],
        &[CutRequest(70_000)],
        &[StallRequest(70_000)],
        &[LoseAnswer],
    ] {
        check(1_000_000, Method::PUT, "", faults).await;
    }
}

#[tokio::test]
async fn a_large_file_is_put_though_the_store_fails_at_each_step() {
    let size = 2 * PART + 1;
    check(size, Method::POST, "uploads", &[Answer(503), Answer(500)]).await;
    check(size, Method::POST, "uploadId", &[Answer(503), Answer(500)]).await;
    for faults in [
        [Answer(500), Answer(503)],
        [Silence, CutRequest(1_000_000)],
        [StallRequest(1_000_000), LoseAnswer],
    ] {
        check(size, Method::PUT, "partNumber=2", &faults).await;
    }
}

#[tokio::test]
async fn a_file_is_read_on_where_its_answer_was_cut() {
    for faults in [
        &[Answer(500), Answer(503)][..],
        &[Silence],
        &[CutAnswer(0)],
        &[CutAnswer(400_000), CutAnswer(400_000)],
        &[StallAnswer(400_000)],
        &[LoseAnswer],
    ] {
        check(1_000_000, Method::GET, "", faults).await;
    }
}

#[tokio::test]
async fn a_store_that_goes_on_failing_is_away_and_comes_back() {
    let server = S3Server::start();
    let files = files_on(&server).await;
    put(&files, KEY, content(5)).await.unwrap();
    let is_away = |error: FileStoreError| {
        assert!(matches!(error, FileStoreError::Away(_)), "{error:?}");
    };
    for fault in [Answer(503), CutRequest(0)] {
        server.always(Some(fault));
        is_away(put(&files, OTHER, content(5)).await.unwrap_err());
        is_away(put(&files, OTHER, content(2 * PART)).await.unwrap_err());
        is_away(files.get(KEY, None).await.err().unwrap());
        is_away(files.delete(KEY).await.unwrap_err());
        let listed = files.list_older_than(Timestamp::from_millis(0));
        is_away(listed.try_collect::<Vec<_>>().await.unwrap_err());
    }
    server.always(None);
    assert_eq!(read(&files, KEY, None).await, content(5));
    // Nothing was left of what failed.
    assert_eq!(server.objects().len(), 1);
    assert_eq!(server.parts(), 0);
}

#[tokio::test]
async fn a_store_that_ends_while_a_file_is_read_tells_so() {
    let server = S3Server::start();
    let files = files_on(&server).await;
    put(&files, KEY, content(1_000_000)).await.unwrap();
    server.always(Some(CutAnswer(100_000)));
    let mut options = options(&server, PREFIX);
    options.limits.retries_max = 0;
    let files = FileStore::open_s3(&options).await;
    // The list that opening asks for is shorter than what is cut.
    let found = files.unwrap().get(KEY, None).await.unwrap();
    let read: Result<Vec<Bytes>, _> = found.bytes.try_collect().await;
    let error = read.unwrap_err();
    assert!(matches!(error, FileStoreError::Away(_)), "{error:?}");
}

#[tokio::test]
async fn a_refusal_is_not_taken_for_an_outage() {
    let server = S3Server::start();
    let files = files_on(&server).await;
    server.always(Some(Answer(403)));
    let before = server.requests().len();
    let error = put(&files, KEY, content(5)).await.unwrap_err();
    assert!(matches!(error, FileStoreError::Denied(_)), "{error:?}");
    assert_eq!(
        server.requests().len(),
        before + 1,
        "asking again would not help"
    );
    let told = files.troubled().await;
    assert!(told.is_for_the_operator, "{told:?}");
    assert!(told.why.contains("the key needs s3:ListBucket"), "{told:?}");
}

#[tokio::test]
async fn a_look_tells_whether_the_store_is_there_and_whose_it_is_to_mend() {
    let server = S3Server::start();
    let files = files_on(&server).await;
    let folder = server.folder().join(PREFIX);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("checkflow-files"), "an id").unwrap();
    assert_eq!(files.look().await, Ok(()));
    for (fault, is_for_the_operator, why) in [
        (Answer(500), false, "answered 500"),
        (Answer(403), true, "the key needs s3:ListBucket"),
        (CutRequest(0), false, "was lost"),
        (Silence, false, "it gave no answer for 5s"),
    ] {
        server.always(Some(fault));
        let told = in_time(files.look()).await.unwrap_err();
        assert_eq!(told.is_for_the_operator, is_for_the_operator, "{fault:?}");
        assert!(told.why.contains(why), "{fault:?}: {}", told.why);
    }
    server.always(None);
    assert_eq!(files.look().await, Ok(()));
    fs::remove_file(folder.join("checkflow-files")).unwrap();
    let told = files.look().await.unwrap_err();
    assert!(
        told.is_for_the_operator && told.why.contains("restore the object"),
        "{told:?}"
    );
    // Whatever is there now, nothing goes there.
    let asked = server.requests().len();
    let error = put(&files, KEY, content(5)).await.unwrap_err();
    assert!(matches!(error, FileStoreError::Denied(_)), "{error:?}");
    let error = files.get(KEY, None).await.err().unwrap();
    assert!(matches!(error, FileStoreError::Denied(_)), "{error:?}");
    assert_eq!(server.requests().len(), asked);
    fs::write(folder.join("checkflow-files"), "an id").unwrap();
    assert_eq!(files.look().await, Ok(()));
    put(&files, KEY, content(5)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_does_not_begin_in_time_is_not_waited_for() {
    let server = S3Server::start();
    let mut options = options(&server, PREFIX);
    // Longer than the test waits, so that it is the bound of the first byte that ends it.
    options.limits.idle_time = Duration::from_hours(1);
    options.limits.first_byte_time = Duration::from_millis(200);
    let files = FileStore::open_s3(&options).await.unwrap();
    put(&files, KEY, content(5)).await.unwrap();
    server.always(Some(Silence));
    for range in [None, Some(0..2), Some(2..2)] {
        let error = in_time(files.get(KEY, range)).await.err().unwrap();
        assert!(matches!(error, FileStoreError::Away(_)), "{error:?}");
    }
    let error = in_time(files.delete(KEY)).await.unwrap_err();
    assert!(matches!(error, FileStoreError::Away(_)), "{error:?}");
    let told = files.troubled().await;
    assert!(told.why.contains("no answer for 200ms"), "{told:?}");
}

#[tokio::test]
async fn a_broken_upload_is_taken_back_however_long_that_takes_and_nobody_waits_for_it() {
    let server = S3Server::start();
    let mut options = options(&server, PREFIX);
    options.limits.first_byte_time = Duration::from_millis(200);
    options.limits.idle_time = Duration::from_secs(3);
    let files = FileStore::open_s3(&options).await.unwrap();
    server.upset(&Method::PUT, "partNumber=2", [Answer(403)]);
    // The first try to take it back comes to nothing, the second is made when the sender has heard.
    server.upset(&Method::DELETE, "uploadId", [Silence]);
    let error = in_time(put(&files, KEY, content(3 * PART)))
        .await
        .unwrap_err();
    assert!(matches!(error, FileStoreError::Denied(_)), "{error:?}");
    in_time(files.settle()).await;
    let requests = server.requests();
    let tries = requests.iter().filter(|line| line.starts_with("DELETE "));
    assert_eq!(tries.count(), 2, "{requests:#?}");
}

#[tokio::test]
async fn no_more_of_a_file_is_taken_in_than_the_store_takes() {
    let server = S3Server::start();
    let options = options(&server, PREFIX);
    let files = FileStore::open_s3(&options).await.unwrap();
    server.upset(&Method::PUT, "partNumber", [StallRequest(0); 8]);
    let taken = AtomicUsize::new(0);
    let bytes = pieces(content(8 * PART)).inspect_ok(|piece| {
        taken.fetch_add(piece.len(), Ordering::Relaxed);
    });
    let mut upload = Box::pin(files.put(KEY, bytes, u64::MAX));
    // Three parts on their way, one that is filled, and the piece that it became full with.
    let most = 4 * PART + 100_000;
    let full = || taken.load(Ordering::Relaxed) >= 4 * PART;
    until(full, &mut upload).await;
    let sent = || {
        server
            .requests()
            .iter()
            .filter(|line| line.contains("partNumber"))
            .count()
    };
    until(|| sent() == 3, &mut upload).await;
    assert!(taken.load(Ordering::Relaxed) <= most, "{taken:?}");
}
